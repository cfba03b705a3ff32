"""All pages of the admin, and what signs people in to them."""

from __future__ import annotations

from flask import Flask

from admin import (
    account,
    api_donations,
    api_totals,
    campaign_edit,
    campaign_embed,
    campaign_list,
    campaign_months,
    campaign_new,
    campaign_page,
    campaign_plan,
    campaign_schedule,
    commands,
    donations,
    donors,
    entries,
    exports,
    home,
    log,
    months,
    notices,
    payouts,
    quarantine,
    refund_page,
    refunds,
    security,
    throttle,
    token_commands,
    token_pages,
    user_pages,
    welcome,
)
from admin.faces import EXTENSION, Faces
from admin.links import forget_links
from admin.sessions import forget_sessions
from admin.signs import EXTENSION as SIGNS
from admin.signs import ReadSigns
from core.settings import Settings
from core.subscribers import forget_former_secrets
from core.upkeep import forget_too

PAGES = (
    notices,
    home,
    account,
    user_pages,
    welcome,
    campaign_list,
    campaign_new,
    campaign_page,
    campaign_edit,
    campaign_plan,
    campaign_schedule,
    campaign_embed,
    donations,
    payouts,
    campaign_months,
    months,
    entries,
    exports,
    donors,
    log,
    quarantine,
    refund_page,
    refunds,
    token_pages,
)
API = (api_totals, api_donations)


def init_app(app: Flask, settings: Settings, *, faces: Faces, signs: ReadSigns) -> None:
    """Give `app` the admin. The forms' CSRF protection must be there before.

    `faces` draws what the widget shows, `signs` tells how the installation fares; the admin may
    know neither.
    """
    security.init_app(app, settings)
    app.extensions[EXTENSION] = faces
    app.extensions[SIGNS] = signs
    for module in (*PAGES, *API):
        app.register_blueprint(module.bp)
    app.cli.add_command(commands.users)
    app.cli.add_command(token_commands.tokens)
    forget_too(app, forget_former_secrets)
    forget_too(app, lambda session, now: throttle.forget_old(session, now=now))
    forget_too(app, lambda session, now: forget_sessions(session, now=now))
    forget_too(app, lambda session, now: forget_links(session, now=now))
