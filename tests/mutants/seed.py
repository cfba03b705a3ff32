from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seed:
    """A bug: what it is and does to people, the text that it replaces, and who must notice."""

    name: str
    harm: str
    file: str
    old: str
    new: str
    tests: str  # for pytest, as on its command line
    on: str = "sqlite"  # the database whose tests are run

    def plant(self, text: str) -> str:
        """Return the file's text with the bug in it; raise ValueError where there is no place."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.name}: its text stands {found} times in {self.file}, not once")
        return text.replace(self.old, self.new)
