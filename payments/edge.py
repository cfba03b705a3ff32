"""What the routes of giving share: the gateway at hand, sessions, CSRF and limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from flask import Flask, current_app
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import Session

from core.db import db
from payments.gateway import Gateway
from payments.stripe_gateway import StripeGateway

EXTENSION = "goalpost.gateway"

csrf = CSRFProtect()
limiter = Limiter(get_remote_address)


def init_app(app: Flask, gateway: Gateway | None = None) -> None:
    """Give `app` its gateway (from the settings, unless one is handed in), CSRF and limits."""
    configured = app.extensions["goalpost.settings"]
    if gateway is None and configured.stripe_secret_key is not None:
        gateway = StripeGateway(configured)
    app.extensions[EXTENSION] = gateway
    csrf.init_app(app)
    limiter.init_app(app)


def current_gateway() -> Gateway | None:
    """Return the gateway of the current application; None where no Stripe key is set."""
    return cast("Gateway | None", current_app.extensions[EXTENSION])


@contextmanager
def open_session() -> Iterator[Session]:
    """Open a session of its own, for work that commits in steps."""
    with db.sessionmaker() as session:
        yield session
