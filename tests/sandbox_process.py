"""Start the sandbox as a real process, and drive it as a person would.

    with running_sandbox(tmp_path / "sandbox.sqlite", webhook_url, "whsec_test") as sandbox:
        session = client.v1.checkout.sessions.create(...)   # a StripeClient at sandbox.url
        sandbox.pay(session.id)

It never imports the sandbox: what it does goes over HTTP, as it would with Stripe.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
API_KEY = "sk_test_sandbox"
WEBHOOK_SECRET = "whsec_test"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
ANSWER_SECONDS = 20.0

Json = dict[str, Any]


class SandboxError(Exception):
    """The sandbox answered with an error; `status` and `body` say which."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class SandboxProcess:
    """One running sandbox. `start` may be called again after `stop` or `kill`, on the same port."""

    def __init__(
        self,
        state_path: Path,
        webhook_url: str | None = None,
        webhook_secret: str = WEBHOOK_SECRET,
        port: int | None = None,
        clock_file: Path | None = None,
    ) -> None:
        self.state_path = state_path
        self.clock_file = clock_file
        self.webhook_url = webhook_url
        self.webhook_secret = webhook_secret
        self.port = port or 0
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> SandboxProcess:
        """Start, and return once it listens."""
        command = [sys.executable, "-m", "sandbox", "--port", str(self.port)]
        command += ["--state", str(self.state_path)]
        if self.webhook_url:
            command += ["--webhook-url", self.webhook_url, "--webhook-secret", self.webhook_secret]
        if self.clock_file is not None:
            command += ["--clock-file", str(self.clock_file)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        line = self._process.stdout.readline() if ready else ""
        if "listens on " not in line:
            self.kill()
            raise RuntimeError(f"the sandbox did not start: {line!r}")
        self.url = line.split("listens on ")[1].split()[0]
        self.port = int(self.url.rpartition(":")[2])
        return self

    @property
    def pid(self) -> int:
        """The id of its process, which runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """Stop it as an operator does (SIGTERM); give its exit code."""
        return self._end(subprocess.Popen.terminate)

    def kill(self) -> int:
        """Stop it as a crash does (SIGKILL)."""
        return self._end(subprocess.Popen.kill)

    def pay(
        self,
        session_id: str,
        card: str = "4242424242424242",
        *,
        email: str | None = None,
        method: str = "card",
    ) -> Json:
        """Pay a session by card or `bank_debit`; returns once the webhook for it was answered.

        Gives `outcome` (paid, processing, declined, requires_action, closed), `message`,
        `payment_intent`, `subscription`, `invoice` and `success_url`.
        """
        donor = {} if email is None else {"email": email}
        typed = {"card": card, "method": method, **donor}
        return self.control(f"/_sandbox/sessions/{session_id}/pay", typed)

    def authenticate(self, session_id: str, *, passed: bool = True) -> Json:
        """Come back from the bank's page of a card with 3-D Secure."""
        return self.control(f"/_sandbox/sessions/{session_id}/authenticate", {"passed": passed})

    def refund(
        self, payment_intent: str, amount: int | None = None, *, key: str | None = None
    ) -> Json:
        """Refund a payment, whole or `amount` minor units of it, as the Dashboard would."""
        form = {"payment_intent": payment_intent}
        if amount is not None:
            form["amount"] = str(amount)
        return self.api("POST", "/v1/refunds", form, key=key)

    def settle(self, payment_intent: str) -> Json:
        """Have the money of a bank debit arrive; by itself it does after three days."""
        return self.control(f"/_sandbox/payments/{payment_intent}/settle")

    def fail(self, payment_intent: str) -> Json:
        """Have a bank debit fail."""
        return self.control(f"/_sandbox/payments/{payment_intent}/fail")

    def foreign_payment(
        self,
        amount: int,
        currency: str = "usd",
        *,
        metadata: Mapping[str, str] | None = None,
        description: str | None = None,
    ) -> Json:
        """Take money that is no donation of ours; give its payment intent."""
        more = {} if description is None else {"description": description}
        body = {"amount": amount, "currency": currency, "metadata": dict(metadata or {}), **more}
        return self.control("/_sandbox/payments", body)

    def payments(self) -> list[Json]:
        """Give every payment intent with its latest charge, the oldest first."""
        return self._all("/v1/payment_intents", {"expand[]": "data.latest_charge"})

    def dispute(
        self,
        payment_intent: str,
        amount: int | None = None,
        *,
        kind: str = "dispute",
        reason: str = "fraudulent",
    ) -> Json:
        """Dispute a payment as the donor's bank would; an `inquiry` takes no money."""
        part = {} if amount is None else {"amount": amount}
        return self.control(
            f"/_sandbox/payments/{payment_intent}/dispute",
            {"kind": kind, "reason": reason, **part},
        )

    def resolve(self, dispute_id: str, outcome: str, *, reinstated: bool = True) -> Json:
        """Carry a dispute on: win, lose, respond, escalate, close_inquiry or reinstate.

        One that is won with `reinstated=False` gives its money back by a later `reinstate`.
        """
        return self.control(
            f"/_sandbox/disputes/{dispute_id}/{outcome}", {"reinstated": reinstated}
        )

    def pay_out(
        self, currency: str = "usd", *, amount: int | None = None, reconciled: bool = True
    ) -> Json:
        """Pay out all that is on the balance as the schedule does, or an `amount` by hand.

        Stripe tells what an automatic payout is made of a while later: at once if `reconciled`.
        """
        part = {"pending": True} if amount is None else {"amount": amount}
        payout = self.control("/_sandbox/payouts", {"currency": currency, **part})
        if reconciled and payout["automatic"]:
            return self.control(f"/_sandbox/payouts/{payout['id']}/reconcile")
        return payout

    def end_payout(self, payout_id: str, outcome: str) -> Json:
        """Have a payout `arrive` or `fail`."""
        return self.control(f"/_sandbox/payouts/{payout_id}/{outcome}")

    def bill(self, amount: int, currency: str = "usd") -> Json:
        """Have Stripe bill something of its own, that belongs to no payment."""
        return self.control("/_sandbox/fees", {"amount": amount, "currency": currency})

    def cancel(self, subscription_id: str, *, at_period_end: bool = False) -> Json:
        """Cancel a subscription at once, or with its period as the donor does in the portal."""
        return self.control(
            f"/_sandbox/subscriptions/{subscription_id}/cancel", {"at_period_end": at_period_end}
        )

    def pay_outside(self, invoice_id: str) -> Json:
        """Mark an invoice as paid by money that never went through Stripe."""
        return self.control(f"/_sandbox/invoices/{invoice_id}/pay_outside")

    def events(self, event_type: str | None = None) -> list[Json]:
        """Give every event, the oldest first."""
        return self._all("/v1/events", {} if event_type is None else {"type": event_type})

    def _all(self, path: str, asked: Mapping[str, str]) -> list[Json]:
        """Give all that a list of the API holds, the oldest first."""
        query = {"limit": "100", **asked}
        found: list[Json] = []
        more = True
        while more:
            page = self.api("GET", f"{path}?{urllib.parse.urlencode(query)}")
            found += page["data"]
            more = page["has_more"]
            if more:
                query["starting_after"] = found[-1]["id"]
        return found[::-1]

    def redeliver(self, event_id: str) -> Json:
        """Send an event to every endpoint once more."""
        return self.control(f"/_sandbox/webhooks/redeliver/{event_id}")

    def faults(self, **switches: object) -> Json:
        """Let things go wrong: `webhooks={"duplicate": 0.3, "reorder": 0.5, "drop": 0.1,
        "delay_seconds": [0, 2]}`, `api={"status": 500, "times": 2, "path": "checkout/sessions",
        "timeout_after_success": 1, "latency_seconds": 0.5}`, `seed=7`. What is left out is off.
        """
        return self.control("/_sandbox/faults", switches)

    def faults_left(self) -> Json:
        """Show the switches, and how often each will still strike."""
        left: Json = self._ask("GET", "/_sandbox/faults")
        return left

    def clear_faults(self) -> Json:
        """Let everything go right again, from the next delivery and request on."""
        cleared: Json = self._ask("DELETE", "/_sandbox/faults")
        return cleared

    def hurry(self) -> Json:
        """Make every delivery that waits for a retry due now."""
        return self.control("/_sandbox/webhooks/hurry")

    def deliveries(self) -> list[Json]:
        """Give the state of every delivery, the oldest first."""
        deliveries: list[Json] = self._ask("GET", "/_sandbox/deliveries")["deliveries"]
        return deliveries

    def advance(self, seconds: int) -> Json:
        """Move its clock ahead; all that falls due has happened when this returns."""
        return self.control("/_sandbox/clock", {"advance_seconds": seconds})

    def advance_months(self, months: int = 1) -> Json:
        """Move its clock ahead by calendar months and two hours: what renews then is charged."""
        return self.control("/_sandbox/clock", {"advance_months": months})

    def now(self) -> int:
        """Give the time by its clock, in seconds."""
        return int(self._ask("GET", "/_sandbox/clock")["now"])

    def control(self, path: str, body: Mapping[str, object] | None = None) -> Json:
        """Press a button under `/_sandbox/`."""
        data = json.dumps(body or {}).encode()
        return self._ask("POST", path, data, {"Content-Type": "application/json"})

    def api(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Ask Stripe's API without the SDK; `key` is an idempotency key."""
        sent = {"Authorization": f"Bearer {API_KEY}", **(headers or {})}
        if key is not None:
            sent["Idempotency-Key"] = key
        data = None if form is None else urllib.parse.urlencode(form).encode()
        return self._ask(method, path, data, sent)

    def _ask(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        request = urllib.request.Request(  # noqa: S310 - our own process
            self.url + path, data=data, method=method, headers=dict(headers or {})
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=ANSWER_SECONDS) as answer:
                body: Json = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise SandboxError(error.code, json.load(error)) from None
        return body

    def _end(self, how: Any) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        how(process)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
        return code


@contextmanager
def running_sandbox(
    state_path: Path,
    webhook_url: str | None = None,
    webhook_secret: str = WEBHOOK_SECRET,
    port: int | None = None,
    clock_file: Path | None = None,
) -> Iterator[SandboxProcess]:
    """Run a sandbox for as long as the block lasts; without a port it takes a free one."""
    sandbox = SandboxProcess(state_path, webhook_url, webhook_secret, port, clock_file)
    try:
        yield sandbox.start()
    finally:
        sandbox.stop()
