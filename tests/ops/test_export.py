from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from sqlalchemy.orm import Session

from core.csv_file import write_csv
from payments.entry_rows import SHEET
from tests.conftest import Give, MakeCampaign
from tests.ops.conftest import Run
from tests.payments.exported import last_run, read_csv

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_file_is_written_whole_and_for_its_owner_alone(
    run: Run, make_campaign: MakeCampaign, give: Give, session: Session, tmp_path: Path
) -> None:
    give(make_campaign(), 52_000)
    file = tmp_path / "may.csv"
    result = run("export", "donations", str(file), "--period", "2021-05", "--state", "paid")
    assert result.exit_code == 0, result.output
    assert f"Wrote 1 rows to {file}." in result.output
    (row,) = read_csv([file.read_bytes()])
    assert (row["amount"], row["channel"]) == ("520.00", "offline")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("may*")] == ["may.csv"]
    taken = last_run(session)
    assert (taken.actor_name, taken.state) == ("command line", "done")
    assert taken.filters == '{"period": "2021-05", "state": "paid"}'


def test_file_that_is_called_xlsx_is_one(
    run: Run, make_campaign: MakeCampaign, give: Give, tmp_path: Path
) -> None:
    give(make_campaign(), 52_000)
    file = tmp_path / "entries.xlsx"
    assert run("export", "entries", str(file)).exit_code == 0
    assert openpyxl.load_workbook(file).worksheets[0]["H2"].value == 520


def test_standard_output_gets_the_file_and_nothing_else(
    run: Run, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    result = run("export", "entries", "-", "--from", "2021-05-13", "--campaign", "support-us")
    assert result.exit_code == 0
    assert result.stdout_bytes == b"".join(write_csv(SHEET, []))


def test_donors_are_in_it_where_that_is_asked_for(run: Run, make_campaign: MakeCampaign) -> None:
    make_campaign()
    assert b"donor_email" not in run("export", "donations", "-").stdout_bytes
    assert b"donor_email" in run("export", "donations", "-", "--personal").stdout_bytes


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--campaign", "none"], "no campaign"),
        (["--period", "soon"], "is no period"),
        (["--from", "10.05.2021"], "is not a day"),
        (["--from", "2021-05-02", "--until", "2021-05-01"], "before the first"),
    ],
)
def test_wrong_option_gets_one_sentence_and_makes_no_file(
    run: Run, make_campaign: MakeCampaign, tmp_path: Path, words: list[str], sentence: str
) -> None:
    make_campaign()
    result = run("export", "entries", str(tmp_path / "file.csv"), *words)
    assert result.exit_code == 1
    assert sentence in result.output
    assert not list(tmp_path.glob("file*"))


def test_place_that_can_not_be_written_to_leaves_a_run_that_was_cut_off(
    run: Run, make_campaign: MakeCampaign, session: Session, tmp_path: Path
) -> None:
    make_campaign()
    result = run("export", "entries", str(tmp_path / "nowhere" / "file.csv"))
    assert result.exit_code == 1
    assert "Could not open file" in result.output
    assert last_run(session).state == "cut_off"
