"""What an installation should know of its settings: true of each process alone, or left open."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from core.settings import Settings

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def advise(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield a name and a sentence for each thing that is right on one machine and not on all."""
    if settings.sqlite:
        yield "processes", "SQLite wants one web process, with threads; several want PostgreSQL"
    if not settings.ratelimit_enabled:
        yield "limits", "are off: RATELIMIT_ENABLED"
    elif settings.ratelimit_storage_uri.startswith("memory:"):
        yield (
            "limits",
            "are counted in each web process alone: with several, set RATELIMIT_STORAGE_URI",
        )
    if not settings.https and urlsplit(settings.base_url).hostname not in _HERE:
        yield "BASE_URL", "is no https:// address: what readers and admins send can be read"
    if settings.https and not settings.trusted_proxies:
        yield (
            "proxies",
            "none is trusted: behind one, all readers have its address; see TRUSTED_PROXIES",
        )
