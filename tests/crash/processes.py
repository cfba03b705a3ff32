"""The parent's hand on its processes: the zygote, the workers, and how each of them ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live_site import ROOT, clean_environment

DEAD_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.005


class Zygote:
    """Forks workers to order."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def spawn(self, role: str, **order: object) -> int:
        """Start a worker; return its process id."""
        return int(self._ask({"role": role, **order})["pid"])

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def running_zygote(folder: Path, settings: Mapping[str, object]) -> Iterator[Zygote]:
    """Run a zygote for a site with these settings."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.zygote"],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        zygote = Zygote(process)
        assert zygote._ask({"settings": settings, "folder": str(folder)})["ready"]  # noqa: SLF001 - its own module
        try:
            yield zygote
        finally:
            process.kill()


def is_alive(pid: int) -> bool:
    """Tell whether a worker still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill(pid: int) -> bool:
    """Kill a worker as a crash does; tell whether it was still there to be killed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_dead(*pids: int) -> None:
    """Wait until the workers are gone, and with them their locks."""
    until = time.monotonic() + DEAD_SECONDS
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < until, "a worker does not end"
        time.sleep(_LOOK_EVERY_SECONDS)


def end(*pids: int) -> None:
    """Kill whatever is left of the workers."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_dead(*pids)
