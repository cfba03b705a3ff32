"""All pages of the admin, and what signs people in to them."""

from __future__ import annotations

from flask import Flask

from admin import account, commands, exports, home, security, throttle, user_pages, welcome
from core.settings import Settings
from core.upkeep import forget_too


def init_app(app: Flask, settings: Settings) -> None:
    """Give `app` the admin. The forms' CSRF protection must be there before."""
    security.init_app(app, settings)
    for module in (home, exports, account, user_pages, welcome):
        app.register_blueprint(module.bp)
    app.cli.add_command(commands.users)
    forget_too(app, lambda session, now: throttle.forget_old(session, now=now))
