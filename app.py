"""The whole wiring on one screen: settings, database, packages, in the order of the imports."""

from __future__ import annotations

from flask import Flask
from flask_alembic import Alembic
from werkzeug.middleware.proxy_fix import ProxyFix

import admin.routes
import ops.commands
import ops.health
import ops.metrics
import ops.models
import ops.scheduler
import ops.signs
import payments.models
import payments.routes
import widget.faces
import widget.snapshots
from core import clock as clocks
from core import db as database
from core import logs, openapi, revisions, static, web
from core.settings import INSTANCE_PATH, Settings, load_settings
from payments.gateway import Gateway


def create_app(
    settings: Settings | None = None,
    *,
    clock: clocks.Clock | None = None,
    gateway: Gateway | None = None,
) -> Flask:
    """Make the application. Raises SettingsError, naming every problem, before anything is opened.

    `clock` and `gateway` are for the tests and the demo; the settings decide them otherwise.
    """
    settings = settings or load_settings()
    logs.configure(settings)
    app = Flask(__name__, instance_path=str(INSTANCE_PATH), static_url_path=static.static_path())
    app.config.update(
        DEBUG=False,  # whatever FLASK_DEBUG says: `flask --debug run` still turns it on
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SQLALCHEMY_ENGINES={"default": database.engine_options(settings)},
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_PARTS=payments.routes.MOST_FORM_PARTS,
        SESSION_COOKIE_NAME="__Host-goalpost" if settings.https else "goalpost",
        SESSION_COOKIE_SECURE=settings.https,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session: pages stay open
    )
    app.extensions[web.EXTENSION] = settings
    app.extensions[clocks.EXTENSION] = clock or clocks.clock_of(settings.clock_file)
    logs.init_app(app, settings)  # first, so that a request's line is written last
    database.init_app(app, settings)
    Alembic(app, metadatas=database.Base.metadata, run_mkdir=False)
    web.init_app(app)
    revisions.init_app(app, except_for=[ops.health.bp.name, ops.metrics.bp.name])
    openapi.init_app(app)
    payments.routes.init_app(app, gateway)
    widget.faces.init_app(app)
    admin.routes.init_app(app, settings, faces=widget.faces, signs=ops.signs.read_signs)
    ops.health.init_app(app)
    ops.commands.init_app(app)
    ops.scheduler.init_app(app)
    hops = settings.trusted_proxies
    app.wsgi_app = ProxyFix(static.init_app(app), x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    widget.snapshots.init_app(app)  # outermost: what it holds never reaches Flask
    return app
