"""Processes that live and end together: started one by one, watched, and all stopped in the end."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import click

READY_SECONDS = 60
STOP_SECONDS = 10
_LOOK_EVERY_SECONDS = 0.05
_ANSWER_SECONDS = 5
_KEPT_LINES = 50
_NAME_WIDTH = 9
_COLOURS = ("cyan", "green", "magenta")


class ChildFailed(Exception):
    """A process of ours did not do what it should; the message says which, and what it said."""


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[str]
    reader: threading.Thread | None = None
    # Of a command that is run to its end; what the others say is shown as it comes.
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_LINES))


class Children:
    """Our processes. Leaving the block stops all of them, in whatever way it is left."""

    def __init__(self) -> None:
        self._children: list[_Child] = []
        self._ended: queue.SimpleQueue[_Child] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def do(self, name: str, command: Sequence[str]) -> Sequence[str]:
        """Run a command to its end and return the last lines that it said.

        Raises ChildFailed, with them, where it fails.
        """
        with self._step(name):
            child = self._spawn(name, command, shown=False)
            if child.process.wait():
                raise ChildFailed(_obituary(child))
            self._forget(child)
            return list(child.last_lines)

    def start(
        self, name: str, command: Sequence[str], *, ready: str, check: str | None = None
    ) -> None:
        """Start a process that stays, and wait until it is ready.

        It is when the address `ready` answers 200 and, where `check` names one of the checks
        in that answer, that check is well. Raises ChildFailed where it ends before, or takes
        too long.
        """
        with self._step(name):
            self._spawn(name, command, shown=True)
            deadline = time.monotonic() + READY_SECONDS
            while not _is_ready(ready, check):
                self._raise_if_ended()
                if time.monotonic() > deadline:
                    raise ChildFailed(f"{name} was not ready after {READY_SECONDS} seconds.")
                time.sleep(_LOOK_EVERY_SECONDS)
            self._raise_if_ended()

    def wait(self) -> None:
        """Wait until one of the processes ends, which none should; raise ChildFailed then."""
        # With a time-out, because a wait without one would put signals off.
        while True:
            self._raise_if_ended(wait_seconds=1)

    def _stop(self) -> None:
        """Stop all processes: politely, then not. The last that was started goes first."""
        for child in reversed(self._children):
            _send(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in reversed(self._children):
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                click.echo(f"{child.name} did not stop and is killed.", err=True)
            # Whatever the process itself has started ends with it.
            _send(child, signal.SIGKILL)
            child.process.wait()
            self._close(child)
        self._children.clear()

    def _spawn(self, name: str, command: Sequence[str], *, shown: bool) -> _Child:
        process = subprocess.Popen(  # noqa: S603 - our own programs, named by ourselves
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            # A group of its own: Ctrl-C reaches us alone, and we end them in order.
            process_group=0,
        )
        child = _Child(name, process)
        self._children.append(child)
        colour = _COLOURS[len(self._children) % len(_COLOURS)] if shown else None
        child.reader = threading.Thread(target=self._read, args=(child, colour), daemon=True)
        child.reader.start()
        return child

    def _read(self, child: _Child, colour: str | None) -> None:
        prefix = click.style(f"{child.name.ljust(_NAME_WIDTH)} | ", fg=colour)
        for line in child.process.stdout or ():
            if colour:
                click.echo(prefix + line.rstrip("\n"))
            else:
                child.last_lines.append(line.rstrip("\n"))
        if colour:
            self._ended.put(child)

    def _raise_if_ended(self, wait_seconds: float = 0) -> None:
        try:
            child = (
                self._ended.get(timeout=wait_seconds) if wait_seconds else self._ended.get_nowait()
            )
        except queue.Empty:
            return
        child.process.wait()
        raise ChildFailed(f"{_obituary(child)}\nEverything else is stopped too.")

    def _forget(self, child: _Child) -> None:
        self._close(child)
        self._children.remove(child)

    @staticmethod
    def _close(child: _Child) -> None:
        if child.reader is not None:
            child.reader.join(STOP_SECONDS)
        if child.process.stdout is not None:
            child.process.stdout.close()

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except ChildFailed:
            click.echo(f"  {click.style('✗', fg='red')} {name}")
            raise
        seconds = time.monotonic() - began
        click.echo(f"  {click.style('✓', fg='green')} {name.ljust(15)} {seconds:4.1f} s")


def _send(child: _Child, number: signal.Signals) -> None:
    # Where there is no such group any more, it has ended with everything that it started.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


def _obituary(child: _Child) -> str:
    code = child.process.returncode
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    said = "".join(f"\n    {line}" for line in child.last_lines)
    return f"{child.name} {how}{' and said:' if said else '.'}{said}"


def _is_ready(address: str, check: str | None) -> bool:
    # Nothing of a proxy that the environment may name: it is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=_ANSWER_SECONDS) as answer:
            return check is None or json.load(answer)["checks"].get(check, {}).get("ok") is True
    except (OSError, ValueError, urllib.error.HTTPError):
        return False
