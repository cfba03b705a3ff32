"""Programs of other people that tests start: found where `make setup` put them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_SECONDS = 30.0
# Debian keeps servers where only root looks.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def find_program(*names: str) -> str:
    """Return the path of the first that is there; skip the test where none is, but never in CI."""
    for name in names:
        found = shutil.which(name, path=_PATH)
        if found:
            return found
    reason = f"There is no {' or '.join(names)} here; `make setup` as root on Debian installs it."
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running_redis(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a Redis or Valkey that keeps nothing; give its address and its process."""
    program = find_program("valkey-server", "redis-server")
    door = folder / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(door), "--save", "", "--dir", str(folder))
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        _wait_for(door, process)
        yield f"redis+unix://{door}", process
    finally:
        process.kill()
        process.wait()


def _wait_for(door: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        with socket.socket(socket.AF_UNIX) as caller:
            if caller.connect_ex(str(door)) == 0:
                return
        assert process.poll() is None, "it ended at once"
        assert time.monotonic() < until, "it does not listen"
        time.sleep(0.01)
