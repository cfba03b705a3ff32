"""docs/security.md names tests that are there, and limits that are the code's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from admin.api_access import RATE
from admin.throttle import MOST_OF_BOTH
from app import create_app
from core.money import MOST_CHARGE_MINOR
from core.settings import Settings
from payments.forms import MOST_FORM_FIELDS
from tests.conftest import make_settings

ROOT = Path(__file__).resolve().parents[1]
PAPER = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAPER)))
# What FAULTS.md took from the standard, by its chapters.
REQUIREMENTS = {
    *("1.2.1", "1.2.2", "1.2.3", "1.2.4", "1.2.10", "1.3.6", "1.5.2", "2.1.3", "2.2.1", "2.3.1"),
    *("2.3.3", "2.4.1", "3.3.1–3.3.4", "3.4", "3.5.1", "3.5.3", "3.5.5", "3.7.2", "4.1.3", "6.2"),
    *("6.3", "7", "8.2", "11", "13.4", "14.2.1", "14.2.7", "14.3.2", "15", "16"),
}
OURS = ("core", "campaigns", "payments", "widget", "admin", "ops", "sandbox")
UNPICKLERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def test_every_requirement_is_there_once_with_what_shows_it() -> None:
    (table,) = re.findall(r"^## Requirements\n(.*?)^## ", PAPER, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([\d.–]+) \|.*\| ([^|]*) \|$", table, re.MULTILINE)
    assert sorted(number for number, _ in rows) == sorted(REQUIREMENTS)
    assert all("`tests/" in shown for _, shown in rows)


def test_every_fault_by_people_and_attackers_is_there_once_with_what_shows_it() -> None:
    (table,) = re.findall(r"^## What people and.*?\n(.*?)^## ", PAPER, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (\d+) \|.*\| ([^|]*) \|$", table, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(51, 67))
    assert all("`tests/" in shown for _, shown in rows)


def test_secrets_are_compared_in_constant_time() -> None:
    """A hash or a token is never compared by `==`, which stops at the first difference.

    A database may look for a hash: nobody chooses what theirs begins with. A form's token is no
    secret to whoever was given the form.
    """
    suspect = re.compile(r"\w*(?:hash|secret|signature|token)s?(?:\(.*\))?$", re.IGNORECASE)
    found = []
    served = (path for part in OURS if part != "sandbox" for path in (ROOT / part).rglob("*.py"))
    for path in served:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
                is_column = any(re.match(r"[A-Z]\w*\.", side) for side in sides)
                is_form = any(side.endswith("form_token") for side in sides)
                if is_column or is_form:
                    continue
                if any(suspect.fullmatch(side.rpartition(".")[2]) for side in sides):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_is_named_is_there(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_limits_are_the_code_s() -> None:
    limits = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAPER, re.MULTILINE))
    said = {what: re.findall(r"\d[\d,]*", most) for what, most in limits.items()}
    numbers = {
        what: [int(number.replace(",", "")) for number in most] for what, most in said.items()
    }
    assert numbers["A request's body"] == [Settings.model_fields["max_body_bytes"].default]
    assert numbers["Fields of a form"] == [MOST_FORM_FIELDS]
    assert numbers["A payment"] == [MOST_CHARGE_MINOR]
    assert numbers["Wrong passwords, one account from one network"] == [MOST_OF_BOTH]
    assert f"{numbers['API, each token'][0]} per minute" == RATE
    routes = (ROOT / "payments" / "give_routes.py").read_text(encoding="utf-8")
    minute, hour = numbers["Giving, from one network address"]
    assert f'"{minute} per minute; {hour} per hour"' in routes
    routes = (ROOT / "payments" / "manage_routes.py").read_text(encoding="utf-8")
    minute, hour = numbers["Asking for a link by mail"]
    assert f'"{minute} per minute; {hour} per hour"' in routes


def test_nothing_unpickles() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for package in OURS
        for file in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
        if name and name.partition(".")[0] in UNPICKLERS
    ]
    assert found == []


def test_debugging_is_off_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    app = create_app(make_settings(database_url=f"sqlite:///{tmp_path / 'none.sqlite'}"))
    assert app.debug is False


def test_all_that_is_installed_is_locked_by_its_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        packages = re.findall(r"^[a-zA-Z0-9].*$", text, re.MULTILINE)
        assert packages
        assert [line for line in packages if "==" not in line or "--hash=sha256:" not in line] == []
