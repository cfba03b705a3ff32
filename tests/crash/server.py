"""A PostgreSQL that may be killed: unlike that of the other tests it waits for the disk."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

import psycopg

from tests.postgres import NoServer, _find_programs, _run, _start

START_SECONDS = 30.0
_DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
_OPTIONS = ("listen_addresses=''", "max_connections=100", "timezone=UTC", *_DURABLE)


class KillableServer:
    """One server; `kill` leaves it as a power cut would leave its processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = _find_programs(folder)
        self._data = folder / "data"
        _start(self._programs, folder, _DURABLE)
        self.url = f"postgresql://goalpost@/postgres?host={self._data}"
        assert self._asked("SHOW fsync") == "on"

    def kill(self, *, by: signal.Signals) -> None:
        """Kill the server: SIGKILL to its first process, or SIGQUIT, which lets none finish."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, by)

    def restart(self) -> None:
        """Start it again once what is left of the old one is gone, and wait until it is whole."""
        options = " ".join(
            f"-c {option}" for option in (*_OPTIONS, f"unix_socket_directories={self._data}")
        )
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                _run(
                    self._programs / "pg_ctl", "start", "-w", "-l", str(self._data / "log"),
                    "-o", options, folder=self._folder,
                )  # fmt: skip
            except NoServer:
                # Its orphans hold the shared memory until they notice; or it is half gone.
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        with suppress(NoServer):
            _run(self._programs / "pg_ctl", "stop", "-m", "immediate", folder=self._folder)

    def _asked(self, question: str) -> object:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(question).fetchone()
            return row[0] if row else None


@contextmanager
def running_server() -> Iterator[KillableServer]:
    """Run a server for as long as the block lasts."""
    # Sockets have short names only, so the folder lies right under the temporary one.
    folder = Path(tempfile.mkdtemp(prefix="goalpost-crash-"))
    server = None
    try:
        server = KillableServer(folder)
        yield server
    finally:
        if server is not None:
            server.stop()
        rmtree(folder, ignore_errors=True)
