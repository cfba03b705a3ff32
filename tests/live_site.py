"""The whole site as real processes, by the command that `make run` gives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120.0
STOP_SECONDS = 30.0
READY = "Ctrl-C stops everything"


def clean_environment(**changes: str) -> dict[str, str]:
    """Return an environment that knows our code, and nothing of the developer's settings."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    # Run from a folder of its own, so that no .env is found.
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **changes}


def free_port() -> int:
    """Return a port that is free, and the three after it too: what a site takes."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port: int = first.getsockname()[1]
            try:
                for number in range(port + 1, port + 4):
                    socket.create_server(("127.0.0.1", number)).close()
            except (OSError, OverflowError):
                continue
            return port


class LiveSite:
    """`python -m ops.development` in a folder of its own. Leaving the block ends all of it."""

    def __init__(self, folder: Path, *, port: int | None = None, **environment: str) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}"
        self.sandbox_url = f"http://localhost:{self.port + 1}"
        self.lines: list[str] = []
        self._environment = clean_environment(**environment)
        self._ready = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop(signal.SIGTERM)

    @property
    def output(self) -> str:
        """Everything that it has said so far."""
        return "\n".join(self.lines)

    def start(self) -> Self:
        """Start it, and return once it says that it is ready; fail where it ends before."""
        self.launch()
        if not self._ready.wait(START_SECONDS) or READY not in self.output:
            raise AssertionError(f"the site did not start:\n{self.output}")
        return self

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        self.lines.clear()
        self._ready.clear()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ops.development", "--port", str(self.port)),
                *("--instance", str(self.folder / "instance")),
            ],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            # A session of its own, by which we find whatever it has started.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def wait(self, timeout_seconds: float = START_SECONDS) -> int:
        """Wait until it has ended; return its exit code. `lines` hold all that it said."""
        assert self._process is not None
        assert self._reader is not None
        code = self._process.wait(timeout_seconds)
        self._reader.join(STOP_SECONDS)
        return code

    def stop(self, number: signal.Signals) -> int:
        """Send it a signal and wait; SIGINT goes to the group, as Ctrl-C does."""
        assert self._process is not None
        process, group = self._process, self._process.pid
        if process.poll() is None:
            if number is signal.SIGINT:
                os.killpg(group, number)
            else:
                process.send_signal(number)
        try:
            return self.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in self.members():
                os.kill(pid, signal.SIGKILL)
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()

    def members(self) -> dict[int, str]:
        """Return the processes that live in its session, by id, with their command lines."""
        assert self._process is not None
        return _session_members(self._process.pid)

    def member(self, words: str) -> int:
        """Return the id of the one process whose command line holds these words; the oldest."""
        return min(pid for pid, command in self.members().items() if words in command)

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.lines.append(line.rstrip("\n"))
            if READY in line:
                self._ready.set()
        self._ready.set()


def _session_members(session: int) -> dict[int, str]:
    if not Path("/proc/self/stat").exists():  # not Linux
        listed = subprocess.run(
            ["ps", "-Ao", "pid=,sess=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        rows = [line.split(None, 3) for line in listed]
        return {int(row[0]): row[3] for row in rows if row[1] == str(session) and row[2] != "Z"}
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name in brackets may hold anything; the fields follow its last bracket.
            state, _, _, owner = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(owner) == session and state != "Z":
            found[int(folder.name)] = command
    return found


def wait_until_none(site: LiveSite, timeout_seconds: float = 5.0) -> dict[int, str]:
    """Return the processes of a site that are left after a moment: none, if all is well."""
    deadline = time.monotonic() + timeout_seconds
    while (left := site.members()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
