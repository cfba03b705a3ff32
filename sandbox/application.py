"""The sandbox as one Flask application: the API, the donors' pages, the overview, the controls."""

from dataclasses import dataclass

from flask import Flask, Response

from sandbox import api, challenge, controls, embedding, overview, pages, portal
from sandbox.delivery import Post
from sandbox.settings import Settings
from sandbox.store import Store

BODY_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages and the controls work with."""

    store: Store
    post: Post
    settings: Settings


def create_app(parts: Parts) -> Flask:
    """Wire the application; the threads behind it are started by the process (see __main__)."""
    app = Flask(__name__, static_url_path="/_sandbox/static")
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(api.make_blueprint(parts.store, parts.settings))
    app.register_blueprint(pages.make_blueprint(parts.store, parts.post, parts.settings))
    app.register_blueprint(embedding.make_blueprint(parts.store))
    app.register_blueprint(portal.make_blueprint(parts.store))
    app.register_blueprint(overview.make_blueprint(parts.store, parts.settings))
    app.register_blueprint(controls.make_blueprint(parts.store, parts.post, parts.settings))
    app.register_blueprint(challenge.make_blueprint())
    app.after_request(_harden)

    @app.get("/health")
    def health() -> dict[str, str]:
        with parts.store.read() as tx:
            tx.connection.execute("SELECT 1 FROM objects LIMIT 1").fetchone()
        return {"status": "ok", "service": "sandbox, not Stripe"}

    return app


def _harden(response: Response) -> Response:
    """Like Stripe's page, ours cannot be framed and runs no script, unless it is embedded.

    There is no `form-action`: browsers apply it to the redirect to the merchant's page as well.
    """
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "frame-ancestors 'none'",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
