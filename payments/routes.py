"""All routes of giving, and what they share."""

from __future__ import annotations

from flask import Flask

from payments import edge, give_routes, manage_routes, pay_routes, thanks_routes, webhook_routes
from payments.gateway import Gateway

MOST_FORM_PARTS = 100


def init_app(app: Flask, gateway: Gateway | None = None) -> None:
    """Give `app` its gateway (from the settings, unless one is handed in) and the pages."""
    edge.init_app(app, gateway)
    for routes in (give_routes, pay_routes, thanks_routes, webhook_routes, manage_routes):
        app.register_blueprint(routes.bp)
