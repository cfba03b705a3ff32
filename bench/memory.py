"""How much memory processes hold over time, and whether it grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# What belongs to a process: for one that shares pages with others only what is its own.
RESIDENT, OWN = "VmRSS", "RssAnon"
_KIBI = 1024


@dataclass(slots=True)
class Memory:
    """What processes of one name held together: seconds since the run began, and bytes."""

    name: str
    samples: list[tuple[float, int]] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The most that was seen, in bytes."""
        return max(held for _, held in self.samples)

    @property
    def last(self) -> int:
        """What was held in the end, in bytes."""
        return self.samples[-1][1]

    def after(self, seconds: float) -> Sequence[tuple[float, int]]:
        """Return the samples that were taken later than that."""
        return [sample for sample in self.samples if sample[0] >= seconds]

    def slope(self, *, after: float) -> float:
        """Return by how many bytes a second it grew then, by the line that fits best."""
        return slope(self.after(after))


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line that fits best by least squares; 0 of fewer than two points."""
    count = len(samples)
    if count < 2:  # noqa: PLR2004 - a line has two points
        return 0.0
    middle = sum(x for x, _ in samples) / count
    level = sum(y for _, y in samples) / count
    spread = sum((x - middle) ** 2 for x, _ in samples)
    return sum((x - middle) * (y - level) for x, y in samples) / spread if spread else 0.0


def held_by(pids: Sequence[int], measure: str = RESIDENT) -> int:
    """Return how many bytes these processes hold; one that is gone holds none."""
    total = 0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        _, found, rest = status.partition(f"{measure}:")
        total += int(rest.split(maxsplit=1)[0]) * _KIBI if found else 0
    return total


@contextmanager
def watching(
    look: Callable[[], Mapping[str, int]], *, every_seconds: float
) -> Iterator[dict[str, Memory]]:
    """Look what is held, by name, again and again until the block ends."""
    found: dict[str, Memory] = {}
    is_over = threading.Event()
    begun = time.perf_counter()

    def watch() -> None:
        while True:
            at = time.perf_counter() - begun
            for name, held in look().items():
                found.setdefault(name, Memory(name)).samples.append((at, held))
            if is_over.wait(every_seconds):
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()
