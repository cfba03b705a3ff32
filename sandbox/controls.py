"""Controls for tests and demos, kept apart from Stripe's API: JSON under `/_sandbox/`.

They do what a person would do in a browser, or what only time would do.
"""

from functools import partial

from flask import Blueprint, request
from werkzeug.exceptions import BadRequest, HTTPException, NotFound

from sandbox import buttons, faults, paying, upkeep
from sandbox.announce import redeliver
from sandbox.cards import read_entry
from sandbox.debits import DebitEntry, read_debit
from sandbox.delivery import Post
from sandbox.errors import ApiError
from sandbox.pages import COMPLETED_WAIT_SECONDS, find_session, success_url
from sandbox.paying import Result
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.transaction import Body, Transaction

ADVANCE_MONTHS_MAX = 120
ADVANCE_SECONDS_MAX = 10 * 366 * 24 * 3_600
DONOR = {"email": "donor@example.com", "name": "Jane Donor", "expiry": "12 / 49", "cvc": "123"}


def make_blueprint(store: Store, post: Post, settings: Settings) -> Blueprint:
    """Give the controls their addresses."""
    blueprint = Blueprint("controls", __name__, url_prefix="/_sandbox")
    blueprint.register_error_handler(HTTPException, _explain)
    blueprint.register_error_handler(ApiError, lambda error: (error.body(), error.status))
    controls = _Controls(store, post, settings)
    for rule, button in (
        ("/sessions/<session_id>/pay", controls.pay),
        ("/sessions/<session_id>/authenticate", controls.authenticate),
        ("/webhooks/redeliver/<event_id>", controls.redeliver),
        ("/webhooks/hurry", controls.hurry),
        ("/clock", controls.advance),
        ("/faults", controls.turn_faults_on),
    ):
        blueprint.add_url_rule(rule, view_func=button, methods=["POST"])
    for rule, press in buttons.BUTTONS.items():
        blueprint.add_url_rule(
            rule,
            endpoint=rule,
            view_func=partial(controls.press, press),
            methods=["POST"],
        )
    blueprint.add_url_rule("/faults", view_func=controls.faults)
    blueprint.add_url_rule("/faults", view_func=controls.clear_faults, methods=["DELETE"])
    blueprint.add_url_rule("/deliveries", view_func=controls.deliveries)
    blueprint.add_url_rule("/clock", endpoint="clock", view_func=controls.tell_time)
    return blueprint


class _Controls:
    def __init__(self, store: Store, post: Post, settings: Settings) -> None:
        self._store = store
        self._post = post
        self._settings = settings

    def pay(self, session_id: str) -> Body:
        """Pay as a donor would; `{"card": …}` and the page's other fields may be given.

        `{"method": "bank_debit"}` completes the session and leaves it unpaid for three days.
        """
        given = _json()
        typed = {**DONOR, **given, "card_number": given.get("card", "4242424242424242")}
        fields = {name: str(value) for name, value in typed.items()}
        with self._store.write() as tx:
            session = _session(tx, session_id)
            by_debit = fields.get("method") == "bank_debit"
            entry = read_debit(fields) if by_debit else read_entry(fields, now_seconds=tx.now)
            if isinstance(entry, dict):
                raise BadRequest(" ".join(entry.values()))
            if isinstance(entry, DebitEntry):
                result = paying.debit(tx, session, entry)
            else:
                result = paying.confirm(tx, session, entry, settings=self._settings)
        return self._tell(session, result)

    def authenticate(self, session_id: str) -> Body:
        """Come back from the bank's page; `{"passed": false}` fails there."""
        passed = _json().get("passed", True) is True
        with self._store.write() as tx:
            session = _session(tx, session_id)
            result = paying.authenticate(tx, session, passed=passed)
        return self._tell(session, result)

    def press(self, button: buttons.Button, object_id: str = "") -> Body:
        """Do what a button of buttons.py does, in one transaction."""
        given = _json()
        with self._store.write() as tx:
            return button(tx, object_id, given)

    def redeliver(self, event_id: str) -> Body:
        """Send one event to every endpoint once more."""
        _json()
        with self._store.write() as tx:
            return {"endpoints": redeliver(tx, event_id)}

    def hurry(self) -> Body:
        """Make every delivery that waits for its next attempt, or was given up, due now.

        What a switch dropped stays dropped, until its event is redelivered.
        """
        _json()
        with self._store.write() as tx:
            changed = tx.connection.execute(
                "UPDATE deliveries SET state = 'waiting', next_at = 0, first_at = unixepoch() "
                "WHERE state IN ('waiting', 'given_up') AND note != ?",
                (faults.DROPPED,),
            ).rowcount
        return {"deliveries": changed}

    def turn_faults_on(self) -> Body:
        """Let webhooks and API requests go wrong (see faults.py); what is left out is off."""
        wanted = faults.read(_json())
        with self._store.write() as tx:
            return faults.turn_on(tx, wanted).model_dump(mode="json")

    def faults(self) -> Body:
        """Show the switches, and how often each will still strike."""
        with self._store.read() as tx:
            on = faults.current(tx) or faults.Faults()
        return on.model_dump(mode="json")

    def clear_faults(self) -> Body:
        """Let everything go right again, from the next delivery and request on."""
        with self._store.write() as tx:
            faults.clear(tx)
        return self.faults()

    def deliveries(self) -> Body:
        """List the deliveries, the oldest first."""
        with self._store.read() as tx:
            rows = tx.connection.execute(
                "SELECT event_id, json_extract(body, '$.type'), endpoint_id, state, attempts, note "
                "FROM deliveries JOIN objects ON objects.id = event_id ORDER BY deliveries.sequence"
            ).fetchall()
        names = ("event", "type", "endpoint", "state", "attempts", "note")
        return {"deliveries": [dict(zip(names, row, strict=True)) for row in rows]}

    def tell_time(self) -> Body:
        """Tell the sandbox's time."""
        with self._store.read() as tx:
            return {"now": tx.now}

    def advance(self) -> Body:
        """Move the clock ahead, and do all that falls due on the way.

        By `{"advance_seconds": …}`, or by `{"advance_months": …}` of the calendar, each of which
        brings every monthly subscription one renewal that is charged.
        """
        given = _json()
        months = given.get("advance_months")
        if months is not None:
            if type(months) is not int or not 1 <= months <= ADVANCE_MONTHS_MAX:
                raise BadRequest("advance_months is a whole number from 1 to 120.")
            upkeep.advance_months(self._store, months)
            return self.tell_time()
        seconds = given.get("advance_seconds")
        if type(seconds) is not int or not 0 <= seconds <= ADVANCE_SECONDS_MAX:
            raise BadRequest("advance_seconds is a whole number from 0 up to ten years' worth.")
        upkeep.advance(self._store, seconds)
        return self.tell_time()

    def _tell(self, session: Body, result: Result) -> Body:
        if result.completed_event_id is not None:
            self._post.wait_for_answer(
                result.completed_event_id, timeout_seconds=COMPLETED_WAIT_SECONDS
            )
        return {
            "outcome": result.outcome.value,
            "message": result.message,
            "payment_intent": session["payment_intent"],
            "subscription": session["subscription"],
            "invoice": session["invoice"],
            "success_url": success_url(session),
        }


def _json() -> Body:
    """Read the body; asking for JSON keeps pages of other origins from pressing these buttons."""
    given = request.get_json()
    if not isinstance(given, dict):
        raise BadRequest("Send a JSON object.")
    return given


def _session(tx: Transaction, session_id: str) -> Body:
    session = find_session(tx, session_id)
    if session is None:
        raise NotFound("There is no such session.")
    return session


def _explain(error: HTTPException) -> tuple[Body, int]:
    return {"error": error.description}, error.code or 500
