"""What a page loads that embeds a session: a stand-in for Stripe.js, and what that asks for."""

from flask import Blueprint, Response, current_app, jsonify, request

from sandbox.pages import is_embedded
from sandbox.store import Store

# As Stripe serves the script of the release that this API version is of.
SCRIPT_PATH = "/endive/stripe.js"
SECRET_LENGTH_MAX = 500


def make_blueprint(store: Store) -> Blueprint:
    """Give the script and its question their addresses."""
    embedding = Blueprint("embedding", __name__)

    @embedding.get(SCRIPT_PATH)
    def script() -> Response:
        return current_app.send_static_file("stripe.js")

    @embedding.post("/endive/session")
    def session() -> tuple[Response, int]:
        """Tell which open session a client secret is of; any page may ask that has one."""
        secret = request.get_data(as_text=True)[:SECRET_LENGTH_MAX]
        with store.read() as tx:
            found = tx.get(secret.partition("_secret_")[0])
        known = (
            found is not None
            and found["object"] == "checkout.session"
            and is_embedded(found)
            and found["status"] == "open"
            and found["client_secret"] == secret
        )
        response = jsonify({"id": found["id"]} if found is not None and known else {})
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response, 200 if known else 404

    return embedding
