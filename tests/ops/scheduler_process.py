"""A scheduler with jobs of the test's own, as a process: `python -m tests.ops.scheduler_process`.

Its jobs: `slow` takes a second and then writes a file, `stuck` never ends.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import ops.jobs
import ops.scheduler
from app import create_app


def main(folder: Path, names: list[str]) -> None:
    def slow() -> None:
        (folder / "begun").touch()
        time.sleep(1)
        (folder / "ended").touch()

    def stuck() -> None:
        (folder / "begun").touch()
        time.sleep(3600)

    known = {"slow": slow, "stuck": stuck}
    jobs = MappingProxyType({name: (known[name], timedelta(hours=1)) for name in names})
    ops.jobs.JOBS = jobs
    ops.scheduler.run_scheduler(create_app())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
