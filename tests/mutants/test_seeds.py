"""Every seed has its place in today's code, and every seed is caught."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants import books, calendar, stripe
from tests.mutants.seed import Seed

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (*books.SEEDS, *calendar.SEEDS, *stripe.SEEDS)
LEAST_SEEDS = 25
# What the code and its tests are made of. The rest is large, or made anew.
PARTS = (
    "admin", "bench", "campaigns", "core", "migrations", "ops", "payments", "sandbox", "static",
    "templates", "tests", "widget", "app.py", "pyproject.toml",
)  # fmt: skip
# A seed that only crashes proves nothing: the plainest test would see it.
CRASHES = ("NameError", "SyntaxError", "ImportError", "UnboundLocalError")
MOST_SECONDS = 300
CAUGHT = 1  # pytest's exit status where tests ran and some failed

each_seed = pytest.mark.parametrize(
    "seed", SEEDS, ids=[seed.name.replace(" ", "-") for seed in SEEDS]
)


def test_there_are_enough_seeds_and_no_two_of_one_name() -> None:
    assert len(SEEDS) >= LEAST_SEEDS
    assert [name for name, times in Counter(seed.name for seed in SEEDS).items() if times > 1] == []


@each_seed
def test_seed_has_its_place_in_the_code_of_today(seed: Seed) -> None:
    ast.parse(seed.plant((ROOT / seed.file).read_text(encoding="utf-8")))
    for name in seed.tests.split():
        assert (ROOT / name).is_file(), f"{seed.name}: there is no {name}"


def test_seed_without_its_place_is_refused() -> None:
    seed = Seed("a seed", "none", "app.py", "x", "y", "tests")
    for text in ("", "x x"):
        with pytest.raises(ValueError, match="not once"):
            seed.plant(text)


@pytest.mark.slow
@each_seed
def test_seed_is_caught(seed: Seed, tmp_path: Path) -> None:
    for part in PARTS:
        source, place = ROOT / part, tmp_path / part
        if source.is_dir():
            shutil.copytree(source, place)  # what is compiled comes along: that saves seconds
        else:
            shutil.copy2(source, place)
    planted = tmp_path / seed.file
    planted.write_text(seed.plant(planted.read_text(encoding="utf-8")), encoding="utf-8")
    finished = _run_tests(seed, tmp_path)
    said = finished.stdout[-4000:]
    assert finished.returncode != 0, f"{seed.name} SURVIVES ({seed.harm}): a test is missing"
    assert finished.returncode == CAUGHT, said
    assert not any(crash in said for crash in CRASHES), said


def _run_tests(seed: Seed, folder: Path) -> subprocess.CompletedProcess[str]:
    other = "postgresql" if seed.on == "sqlite" else "sqlite"
    # A run of its own in every respect: not this one's workers, databases and options.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "GOALPOST_TEST_RUN", "COV_"))
    }
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", *seed.tests.split(), "-x", "-q",
            "-p", "no:cacheprovider", "-k", f"not {other}", "-m", "not slow", "--tb=short",
        ],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
    )  # fmt: skip
