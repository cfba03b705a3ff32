"""docs/exports.md lists the columns that the files have, in their order."""

from __future__ import annotations

import re
from pathlib import Path

from payments.donation_rows import DONATIONS, DONATIONS_WITH_DONORS
from payments.entry_rows import ENTRIES
from payments.models import DonationState
from payments.month_rows import MONTHS
from payments.payout_rows import SHEET

PAPER = (Path(__file__).resolve().parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")


def documented(heading: str) -> list[str]:
    section = PAPER.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_columns_are_documented() -> None:
    with_donors = [column.name for column in DONATIONS_WITH_DONORS.sheet.columns]
    assert documented("Donations") == with_donors
    assert documented("Entries") == [column.name for column in ENTRIES.sheet.columns]
    assert documented("Months") == [column.name for column in MONTHS.sheet.columns]
    assert documented("A payout's lines") == [column.name for column in SHEET.columns]


def test_donors_stand_behind_what_everybody_gets() -> None:
    everybody = DONATIONS.sheet.columns
    assert DONATIONS_WITH_DONORS.sheet.columns[: len(everybody)] == everybody


def test_states_are_documented() -> None:
    row = next(line for line in PAPER.splitlines() if line.startswith("| `state` |"))
    assert re.findall(r"`(\w+)`", row)[1:] == [state.value for state in DonationState]
