"""What the routes of giving share: the gateway at hand, sessions, CSRF and limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from typing import cast

from babel.dates import format_timedelta
from flask import Flask, Response, current_app, request
from flask_limiter import Limiter, RateLimitExceeded
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.orm import Session

from core.clock import SystemClock
from core.db import db
from core.errors import TooMany
from core.settings import Settings
from core.web import answer_error, reader_locale, settings
from core.words import N_, SOURCE_LANGUAGE
from payments.challenge import Challenge
from payments.errors import FormTooOld
from payments.gateway import Gateway
from payments.guarding import Limits, Refusals
from payments.stripe_gateway import StripeGateway

EXTENSION = "goalpost.gateway"
_REFUSALS = "goalpost.refusals"
# In the browser's session: the gift that it sent last, and what of it stands in no address.
SENT = "typed"

csrf = CSRFProtect()
# What one holder of a line has of IPv6: who has many addresses of it is one all the same.
_IPV6_PREFIX = 64


def network_address() -> str:
    """Return the address that limits go by: of IPv6, the network that is one household's."""
    address = request.remote_addr or ""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found, _IPV6_PREFIX), strict=False))


limiter = Limiter(network_address)
_STORAGE_PATIENCE = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}


def init_app(app: Flask, gateway: Gateway | None = None) -> None:
    """Give `app` its gateway (from the settings, unless one is handed in), CSRF and limits."""
    configured = app.extensions["goalpost.settings"]
    if gateway is None and configured.stripe_secret_key is not None:
        gateway = StripeGateway(configured)
    app.extensions[EXTENSION] = gateway
    csrf.init_app(app)
    app.register_error_handler(CSRFError, lambda _: answer_error(FormTooOld()))
    app.extensions[_REFUSALS] = Refusals()
    app.register_error_handler(RateLimitExceeded, _too_often)
    _limit(app, configured)


def _limit(app: Flask, configured: Settings) -> None:
    """Count by the settings: in this process, or where all processes do."""
    uri = configured.ratelimit_storage_uri
    app.config.update(RATELIMIT_ENABLED=configured.ratelimit_enabled, RATELIMIT_STORAGE_URI=uri)
    if not uri.startswith("memory:"):
        app.config.update(
            RATELIMIT_STORAGE_OPTIONS=_STORAGE_PATIENCE,
            # A donor does not wait for who counts: each process counts by itself meanwhile.
            RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
        )
    limiter.init_app(app)


def current_gateway() -> Gateway | None:
    """Return the gateway of the current application; None where no Stripe key is set."""
    return cast("Gateway | None", current_app.extensions[EXTENSION])


@contextmanager
def open_session() -> Iterator[Session]:
    """Open a session of its own, for work that commits in steps."""
    with db.sessionmaker() as session:
        yield session


def current_challenge() -> Challenge | None:
    """Return the challenge of the current application; None where none is set."""
    return Challenge.of(settings())


def current_limits() -> Limits | None:
    """Return by what forms are guarded; None where limits are switched off."""
    return Limits.of(settings())


def current_refusals() -> Refusals:
    """Return what counts the refusals of this process."""
    return cast("Refusals", current_app.extensions[_REFUSALS])


def when_again(wait: timedelta, *, locale: str) -> str:
    """Return when to come back, as in `in 72 minutes`: whole minutes, and none too few."""
    minutes = timedelta(minutes=-(-wait // timedelta(minutes=1)))
    # Up to two hours in minutes: an hour and a quarter is not “in 1 hour”.
    label: str = format_timedelta(minutes, add_direction=True, threshold=2, locale=locale)
    return label


def _seconds_until(timestamp: int) -> int:
    # The limiter goes by the system's clock, whatever the application's is.
    return max(1, timestamp - int(SystemClock().now().timestamp()))


def _too_often(_: RateLimitExceeded) -> tuple[Response, int]:
    """Say when to come back, in the reader's language and to machines."""
    limit = limiter.current_limit
    seconds = 60 if limit is None else _seconds_until(limit.reset_at)
    wait = when_again(timedelta(seconds=seconds), locale=reader_locale(SOURCE_LANGUAGE))
    response, status = answer_error(
        TooMany(N_("That was too often in a short time. Please try again {when}."), when=wait)
    )
    response.headers["Retry-After"] = str(seconds)
    return response, status
