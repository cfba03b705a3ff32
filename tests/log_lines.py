"""What the site would write to its log, caught as its own handler writes it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.logs import JsonLines, Ours, TextLines


class Lines:
    """The lines of a while, in both formats; everything is caught, whatever its level."""

    def __init__(self) -> None:
        self._json, self._text = io.StringIO(), io.StringIO()

    def handlers(self) -> Iterator[logging.Handler]:
        """Yield a handler for each format, made as `core.logs.dict_config` says."""
        for stream, formatter in ((self._json, JsonLines()), (self._text, TextLines())):
            handler = logging.StreamHandler(stream)
            handler.setFormatter(formatter)
            handler.addFilter(Ours())
            yield handler

    @property
    def text(self) -> str:
        """What stands in the log where LOG_FORMAT is text."""
        return self._text.getvalue()

    @property
    def json(self) -> str:
        """What stands in it where that is json."""
        return self._json.getvalue()

    def told(self, logger: str = "") -> list[dict[str, Any]]:
        """Return the lines, those of one logger where it is named."""
        lines = [json.loads(line) for line in self.json.splitlines()]
        return [line for line in lines if not logger or line["logger"] == logger]


@contextmanager
def caught() -> Iterator[Lines]:
    """Catch what is logged meanwhile, from DEBUG on."""
    lines, root = Lines(), logging.getLogger()
    handlers, level = list(lines.handlers()), root.level
    root.setLevel(logging.DEBUG)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield lines
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)
