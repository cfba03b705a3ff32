"""What is held of answers, how old it may get, and what is let go of when there is too much."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from widget.ready import Ready

MOST_ENTRIES = 1000
MOST_BYTES = 32 << 20
RETRY_SECONDS = 1.0

Key = str | tuple[str, str]  # the path, and the query where there is one


@dataclass(slots=True)
class Held:
    """An answer, and when it was made, in seconds since 1970: before the books were read."""

    ready: Ready
    made_at: float
    renew_at: float  # from here on it is made anew, while readers still get it
    until: float  # and from here on they wait for that
    was_used: bool  # asked for since it was last looked at for letting go
    failed_at: float | None = None

    def is_within(self, now: float) -> bool:
        """Tell whether it is no older than the limit; a clock that was turned back says no."""
        return self.made_at <= now < self.until

    def may_try(self, now: float) -> bool:
        """Tell whether to ask again: once a second, and once more when the limit is reached."""
        failed_at = self.failed_at
        if failed_at is None or (self.is_within(failed_at) and not self.is_within(now)):
            return True
        return not failed_at <= now < failed_at + RETRY_SECONDS

    def covers(self, now: float) -> bool:
        """Tell whether it stands in for books that could not be read a moment ago."""
        failed_at = self.failed_at
        if failed_at is None or self.is_within(failed_at):
            return False
        return failed_at <= now < failed_at + 2 * RETRY_SECONDS


class Shelf:
    """A bounded number of answers. To write it takes the caller's lock; to read it takes none."""

    def __init__(self) -> None:
        self.entries: OrderedDict[Key, Held] = OrderedDict()
        self.size_bytes = 0

    def put(self, key: Key, held: Held) -> None:
        """Hold an answer, in the place of an older one where there is one."""
        size = held.ready.size_bytes
        old = self.entries.get(key)
        if old is None:
            self._make_room(size)
        self.entries[key] = held
        self.size_bytes += size - (old.ready.size_bytes if old else 0)

    def drop(self, key: Key) -> None:
        """Let go of an answer, if it is held."""
        old = self.entries.pop(key, None)
        if old is not None:
            self.size_bytes -= old.ready.size_bytes

    def _make_room(self, size: int) -> None:
        # Least recently used, nearly: what was renewed since it was put where it stands, which only
        # readers bring about, goes to the end; what was not goes. So a hit need not leave a trace.
        while self.entries and (
            len(self.entries) >= MOST_ENTRIES or self.size_bytes + size > MOST_BYTES
        ):
            key, oldest = next(iter(self.entries.items()))
            if oldest.was_used:
                oldest.was_used = False
                self.entries.move_to_end(key)
            else:
                self.drop(key)
