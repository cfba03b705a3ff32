"""What is shipped to deploy names commands, files and settings that are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.cli import AppGroup

from core.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def is_command(app: Flask, words: list[str]) -> bool:
    """Tell whether `flask --app app …` has a command of these words."""
    assert words[:3] == ["flask", "--app", "app"], words
    group: Any = app.cli
    for word in words[3:]:
        if word.startswith("-") or not isinstance(group, AppGroup):
            return True
        if word not in group.commands:
            return False
        group = group.commands[word]
    return True


def test_example_of_settings_names_settings() -> None:
    names = re.findall(r"^(?:# )?([A-Z_]+)=", read(".env.example"), re.MULTILINE)
    assert {"SECRET_KEY", "BASE_URL", "STRIPE_SECRET_KEY"} <= set(names)
    assert {name for name in names if name.lower() not in Settings.model_fields} == set()


@only_sqlite
def test_everything_that_is_started_is_a_command(app: Flask) -> None:
    compose = yaml.safe_load(read("compose.yaml"))
    started = [
        *(line.partition(": ")[2].split() for line in read("Procfile").splitlines()),
        *(
            line.partition(".venv/bin/")[2].split()
            for unit in UNITS
            for line in unit.read_text(encoding="utf-8").splitlines()
            if line.startswith("ExecStart")
        ),
        *(
            service["command"]
            for service in compose["services"].values()
            if "build" in service and "command" in service
        ),
        re.findall(r'"([^"]+)"', read("Dockerfile").splitlines()[-1]),
    ]
    assert len(started) >= 9
    assert [words for words in started if not is_command(app, words)] == []


def test_services_wait_for_services_that_are_there() -> None:
    compose = yaml.safe_load(read("compose.yaml"))
    services = compose["services"]
    waited_for = {name for one in services.values() for name in one.get("depends_on", {})}
    assert waited_for <= set(services)
    told = {name for one in services.values() for name in one.get("environment", {})}
    assert {name for name in told if name.lower() not in Settings.model_fields} == {
        *("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
    }


def test_image_takes_what_is_there_and_runs_as_nobody_in_particular() -> None:
    lines = read("Dockerfile").splitlines()
    taken = [line.split()[1] for line in lines if re.match(r"COPY (?!--from)", line)]
    assert [name for name in taken if not (ROOT / name).exists()] == []
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert set(taken) == allowed
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests", "bench", "sandbox"} <= allowed
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["goalpost"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_are_whole(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    assert "User=goalpost" in text
    assert "NoNewPrivileges=yes" in text
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("There is no systemd-analyze here.")
    # Its programs and users are those of the machine that it is for.
    here = tmp_path / unit.name
    here.write_text(re.sub(r"/srv/goalpost/\.venv/bin/flask", "/bin/true", text), encoding="utf-8")
    found = subprocess.run(
        [verify, "verify", str(here)], capture_output=True, text=True, check=False
    )
    said = [line for line in found.stderr.splitlines() if unit.name in line]
    assert said == []
