"""Real web servers, each a process of its own on a core of its own, and what they cost in CPU."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

from bench.load import BadAnswer, ask_once

ROOT = Path(__file__).resolve().parents[1]
SERVERS = ("granian", "gunicorn")
THREADS = {"granian": 4, "gunicorn": 8}
CPU_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_START_SECONDS = 60
_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Server:
    """A web server that runs."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return what it and its workers have used so far."""
        return sum(_cpu_seconds(pid) for pid in family(self.pid))


@contextmanager
def started(
    command: list[str], environment: Mapping[str, str], complaints: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends, where this one may run; it says why in `complaints`."""
    # Little else: granian puts the whole environment into that of every request.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.Popen(  # noqa: S603 - our own command
        command,
        cwd=ROOT,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in family(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()


@contextmanager
def running(
    command: list[str], port: int, environment: Mapping[str, str], *, pinned: bool = True
) -> Iterator[Server]:
    """Run a server, where it is `pinned` on the servers' core, until the block ends."""
    with ExitStack() as stack:
        complaints = stack.enter_context(tempfile.TemporaryFile())
        with on_core(servers=True) if pinned else nullcontext():  # which the child inherits
            process = stack.enter_context(started(command, environment, complaints))
        if not _opens(process, port):
            process.terminate()
            process.wait()
            complaints.seek(0)
            raise RuntimeError(
                f"the server did not start: {' '.join(command)}\n{complaints.read()!r}"
            )
        yield Server(port, process.pid)


@contextmanager
def serving(kind: str, factory: str, environment: Mapping[str, str]) -> Iterator[Server]:
    """Serve what `factory`, as in `app:create_app`, makes: one worker with some threads."""
    port = free_port()
    threads = str(THREADS[kind])
    commands = {
        "granian": [
            *("granian", "--interface", "wsgi", "--no-ws", "--port", str(port), "--workers", "1"),
            *("--blocking-threads", threads, "--log-level", "error", "--factory", factory),
        ],
        "gunicorn": [
            *("gunicorn", "--worker-class", "gthread", "--threads", threads, "--workers", "1"),
            # Connections stay open for as long as they are asked for, however slow a round is.
            *(
                "--keep-alive",
                "60",
                "--no-control-socket",
                "--log-level",
                "error",
                "--bind",
                f"127.0.0.1:{port}",
            ),
            f"{factory}()",
        ],
    }
    with running([sys.executable, "-m", *commands[kind]], port, environment) as server:
        yield server


def versions() -> list[str]:
    """Return the servers' names and versions, with their threads."""
    return [f"{kind} {version(kind)}, {THREADS[kind]} threads" for kind in SERVERS]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def on_core(*, servers: bool) -> Iterator[None]:
    """Keep this process to the servers' core, or to the other one, where there are two."""
    before = os.sched_getaffinity(0)
    cores = sorted(before)
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[0] if servers else cores[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _opens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it answers; tell whether it does."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ask_once(port, "/livez", {})
        except (OSError, BadAnswer):
            time.sleep(0.05)
        else:
            return True
    return False


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(folder.name))
        if fields:
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    family, new = [], [pid]
    while new:
        family += new
        new = [child for parent in new for child in children.get(parent, [])]
    return family


def _cpu_seconds(pid: int) -> float:
    fields = _fields(pid)
    ticks = int(fields[11]) + int(fields[12]) if fields else 0
    return ticks * CPU_TICK_SECONDS


def _fields(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the third on, none where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The second, the name in brackets, may hold anything.
    return text.rpartition(")")[2].split()
