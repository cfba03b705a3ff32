"""What each application makes anew and every one makes alike, made once a process.

Each test has an application of its own. Four fifths of what that cost were werkzeug's compiling of
the addresses, Jinja's of the templates, and the minifying of the element.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

import widget.routes


class Compiled(BytecodeCache):
    """What Jinja made of the templates, kept as bytes; a changed template is compiled anew."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template what was made of it before."""
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was made of a template."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()

_compile_builder = Rule._compile_builder  # noqa: SLF001 - werkzeug has no other door
_builders: dict[object, Any] = {}


def _kept_builder(rule: Any, append_unknown: bool = True) -> Any:  # noqa: FBT001, FBT002 - as there
    # All that werkzeug's function is made of: the rule itself is handed to it when it is called.
    defaults = tuple(sorted((rule.defaults or {}).items()))
    key = (rule.rule, tuple(rule._trace), defaults, append_unknown)  # noqa: SLF001
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


def keep_what_is_alike() -> None:
    """Have every application of this process share what would be the same in each."""
    setattr(Rule, "_compile_builder", _kept_builder)  # noqa: B010 - mypy takes it for a method
    for name in ("assemble_script", "minified_script", "assemble_style"):
        setattr(widget.routes, name, cache(getattr(widget.routes, name)))
