"""The door to Stripe's API: who asks, in which version, under which key; then the endpoint."""

import base64
import binascii
import logging
import socket
import time
from functools import partial

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from sandbox import expansion, forms, idempotency, strict
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import ApiError, invalid
from sandbox.faults import ApiSwitches
from sandbox.idempotency import Answer, KeysInUse
from sandbox.ids import new_id
from sandbox.resources import ENDPOINTS
from sandbox.settings import API_VERSION, Settings
from sandbox.store import Store
from sandbox.transaction import Body, RequestOrigin, Transaction, dump

log = logging.getLogger(__name__)

TEST_KEYS = ("sk_test_", "rk_test_")
LIVE_KEYS = ("sk_live_", "rk_live_", "pk_live_")


def make_blueprint(store: Store, settings: Settings) -> Blueprint:
    """Give every endpoint its address."""
    api = Blueprint("api", __name__)
    door = _Door(store, settings)
    for number, endpoint in enumerate(ENDPOINTS):
        api.add_url_rule(
            endpoint.path,
            endpoint=str(number),
            view_func=partial(door.serve, endpoint),
            methods=[endpoint.method],
        )
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    api.add_url_rule("/v1/<path:_rest>", view_func=door.unknown, methods=methods)
    api.add_url_rule("/v2/<path:_rest>", view_func=door.unknown, methods=methods)
    return api


class _Door:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._keys = KeysInUse()
        self._switches = ApiSwitches(store)

    def serve(self, endpoint: Endpoint, object_id: str = "") -> Response:
        """Answer one request, whatever comes of it, in Stripe's shape."""
        request_id = new_id("req_", 14)
        faults = self._switches.concerning(request.method, request.path)
        if faults is None:
            return self._answer(endpoint, object_id, request_id)
        time.sleep(faults.api.latency_seconds)
        try:
            self._switches.refuse()
        except ApiError as error:
            return _respond(Answer(error.status, error.body(), request_id), retry=True)
        response = self._answer(endpoint, object_id, request_id)
        is_done = request.method == "POST" and response.status_code < 400  # noqa: PLR2004 - success
        if is_done and self._switches.loses_answer():
            _hang_up()
        return response

    def _answer(self, endpoint: Endpoint, object_id: str, request_id: str) -> Response:
        try:
            _check_key()
            _check_version()
            raw = request.query_string.decode("ascii", "replace")
            if endpoint.method == "POST":
                raw = _form_body()
            params = forms.decode(raw)
            if endpoint.method == "POST":
                return self._change(endpoint, object_id, params, request_id)
            return self._look(endpoint, object_id, params, request_id)
        except ApiError as error:
            return _respond(Answer(error.status, error.body(), request_id))
        except Exception:
            log.exception("The sandbox itself failed at %s %s", endpoint.method, endpoint.path)
            return _respond(Answer(500, _own_failure().body(), request_id))

    def unknown(self, _rest: str) -> Response:
        """Answer for an address that this sandbox does not know."""
        error = ApiError(
            f"Unrecognized request URL ({request.method}: {request.path}). If Stripe knows it: "
            "this sandbox speaks only the part of the API that Goalpost uses.",
            status=404,
        )
        return _respond(Answer(404, error.body(), new_id("req_", 14)))

    def _look(self, endpoint: Endpoint, object_id: str, params: Body, request_id: str) -> Response:
        checked = strict.validate(endpoint.params_type, params)
        # Stripe's one DELETE that we speak is here too; it is harmless to repeat.
        transaction = self._store.read if endpoint.method == "GET" else self._store.write
        with transaction() as tx:
            body = self._work(endpoint, tx, checked, object_id)
        return _respond(Answer(200, body, request_id))

    def _change(
        self, endpoint: Endpoint, object_id: str, params: Body, request_id: str
    ) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            checked = strict.validate(endpoint.params_type, params)
            with self._store.write(RequestOrigin(request_id, None)) as tx:
                body = self._work(endpoint, tx, checked, object_id)
            return _respond(Answer(200, body, request_id))
        if not 0 < len(key) <= idempotency.KEY_LENGTH_MAX:
            raise invalid(f"Idempotency keys have 1 to {idempotency.KEY_LENGTH_MAX} characters.")
        with self._keys.hold(key):
            return self._change_once(endpoint, object_id, params, RequestOrigin(request_id, key))

    def _change_once(
        self, endpoint: Endpoint, object_id: str, params: Body, origin: RequestOrigin
    ) -> Response:
        key, request_id = str(origin.idempotency_key), str(origin.request_id)
        path, print_of_params = request.path, idempotency.fingerprint(params)
        with self._store.read() as tx:
            known = idempotency.recall(tx, key, path=path, print_of_params=print_of_params)
        if known is not None:
            return _respond(known, replayed_as=request_id)
        checked = strict.validate(endpoint.params_type, params)
        with self._store.write(origin) as tx:
            answer = self._attempt(endpoint, tx, checked, object_id, request_id)
            idempotency.remember(tx, key, answer, path=path, print_of_params=print_of_params)
        return _respond(answer)

    def _attempt(
        self, endpoint: Endpoint, tx: Transaction, params: Body, object_id: str, request_id: str
    ) -> Answer:
        """Work, and turn a failure that the key keeps into an answer; what was begun is undone."""
        tx.connection.execute("SAVEPOINT attempt")
        try:
            answer = Answer(200, self._work(endpoint, tx, params, object_id), request_id)
        except ApiError as error:
            if not error.saved:
                raise
            tx.connection.execute("ROLLBACK TO attempt")
            answer = Answer(error.status, error.body(), request_id)
        except Exception:
            log.exception("The sandbox itself failed at %s %s", endpoint.method, endpoint.path)
            tx.connection.execute("ROLLBACK TO attempt")
            answer = Answer(500, _own_failure().body(), request_id)
        return answer

    def _work(self, endpoint: Endpoint, tx: Transaction, params: Body, object_id: str) -> Body:
        body = endpoint.work(Call(tx, params, object_id, self._settings))
        return expansion.expand(tx, body, params.get("expand", []))


def _hang_up() -> None:
    """Close the connection, so that the client never reads what its request came to."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def _own_failure() -> ApiError:
    message = "The sandbox failed: this is a fault of its own. Its log says more."
    return ApiError(message, status=500, error_type="api_error")


def _form_body() -> str:
    if request.content_length and request.mimetype != "application/x-www-form-urlencoded":
        raise invalid(
            "Stripe's v1 API takes form-encoded bodies (application/x-www-form-urlencoded)."
        )
    try:
        return request.get_data().decode("utf-8")
    except RequestEntityTooLarge:
        raise ApiError("The request's body is too large.", status=413) from None
    except UnicodeDecodeError:
        raise invalid("The request's body could not be decoded as UTF-8.") from None


def _check_key() -> None:
    """Let any test key in, and keep none: there is one account here, and nothing to protect."""
    key = _key()
    if key.startswith(LIVE_KEYS):
        raise _unauthorized(
            "This is a sandbox and not Stripe: it takes no live keys. Whoever sent this one should "
            "set STRIPE_API_BASE aside, or use a test key."
        )
    if key.startswith("pk_"):
        raise _unauthorized(
            "This API call cannot be made with a publishable API key. Please use a secret API key.",
            code="secret_key_required",
        )
    if not key:
        raise _unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
        )
    if not key.startswith(TEST_KEYS) or key in TEST_KEYS:
        raise _unauthorized(
            "Invalid API Key provided: it starts with neither sk_test_ nor rk_test_."
        )


def _key() -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("ascii").partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _unauthorized(message: str, *, code: str | None = None) -> ApiError:
    return ApiError(message, status=401, code=code)


def _check_version() -> None:
    version = request.headers.get("Stripe-Version", API_VERSION)
    if version != API_VERSION:
        raise invalid(
            f"Invalid Stripe API version: {version[:40]}. This sandbox speaks {API_VERSION} only."
        )
    if "Stripe-Account" in request.headers:
        raise ApiError(
            "This sandbox has one account: send no Stripe-Account header.",
            status=403,
            code="account_invalid",
        )


def _respond(answer: Answer, *, replayed_as: str | None = None, retry: bool = False) -> Response:
    response = Response(dump(answer.body), status=answer.status, mimetype="application/json")
    response.headers["Request-Id"] = replayed_as or answer.request_id
    response.headers["Stripe-Version"] = API_VERSION
    response.headers["Cache-Control"] = "no-store"
    if replayed_as is not None:
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Original-Request"] = answer.request_id
    if answer.status == 500 and not retry:  # noqa: PLR2004 - a retry under the same key would only be told the same
        response.headers["Stripe-Should-Retry"] = "false"
    return response
