"""`/metrics`: what `ops.measuring` reads, as Prometheus takes it, for whoever may know.

That is who shows METRICS_TOKEN; without one, programs on this machine. A proxy on this machine
speaks for strangers: what it passes on carries a header that says so, and is refused.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from ipaddress import ip_address

from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue

from core import clock as clocks
from core.clock import now
from core.db import read_session
from core.errors import Forbidden, Unauthenticated
from core.web import answer_error, settings
from ops.measuring import measure

# Two monitors, or one that is impatient, cost one look.
KEPT_SECONDS = 5
PREFIX = "goalpost_"
_EXTENSION = "goalpost.metrics"
_OF_PROXIES = (
    *("Forwarded", "Via", "X-Real-Ip"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port"),
)

bp = Blueprint("metrics", __name__)


class Kept:
    """An answer that is kept for some seconds, and made by one thread at a time."""

    def __init__(self, make: Callable[[], bytes], *, seconds: Callable[[], float]) -> None:
        self._make, self._seconds = make, seconds
        self._lock = threading.Lock()
        self._answer = b""
        self._made_at: float | None = None

    def read(self) -> bytes:
        """Return the answer."""
        with self._lock:
            at = self._seconds()
            # A clock that went back makes it anew.
            if self._made_at is None or not self._made_at <= at < self._made_at + KEPT_SECONDS:
                self._answer, self._made_at = self._make(), at
            return self._answer


def init_app(app: Flask) -> None:
    """Register the address."""
    app.register_blueprint(bp)
    seconds = clocks.seconds_of(app.extensions[clocks.EXTENSION])
    app.extensions[_EXTENSION] = Kept(metrics_text, seconds=seconds)


@bp.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Tell the numbers, in Prometheus' text format."""
    token = settings().metrics_token
    if token is None:
        if not _is_from_here():
            raise Forbidden("Numbers are for this machine alone, until METRICS_TOKEN is set.")
    elif not _shows(token.get_secret_value()):
        answer, status = answer_error(Unauthenticated("Show METRICS_TOKEN as a bearer token."))
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer, status
    kept: Kept = current_app.extensions[_EXTENSION]
    return Response(kept.read(), content_type="text/plain; version=0.0.4; charset=utf-8")


def metrics_text() -> bytes:
    """Measure, and write it down as Prometheus takes it.

    https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
    """
    # Slow to import, and few processes are asked.
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    families = []
    for gauge in measure(read_session, now=now()):
        family = GaugeMetricFamily(f"{PREFIX}{gauge.name}", gauge.told, labels=gauge.labels)
        for sample in gauge.samples:
            family.add_metric(sample.labels, sample.value)
        families.append(family)

    class Told:
        """What a registry asks."""

        def collect(self) -> list[GaugeMetricFamily]:
            """Return the families."""
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Told())
    return generate_latest(registry)


def _shows(token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode(errors="surrogateescape"), token.encode()
    )


def _is_from_here() -> bool:
    """Tell whether a program on this machine asks, and not through a proxy.

    By the address of the connection itself: what a header says of it opens nothing.
    """
    if any(name in request.headers for name in _OF_PROXIES):
        return False
    connected: dict[str, str] = request.environ.get("werkzeug.proxy_fix.orig", {})
    peer = connected.get("REMOTE_ADDR") or ""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
