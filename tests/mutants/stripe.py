"""Bugs between Stripe and the books: at the door, in the inbox, and in what an object means."""

from __future__ import annotations

from tests.mutants.seed import Seed

BOOKS = "payments/books.py"
DONATING = "payments/donating.py"
DONATE_TESTS = "tests/payments/test_donate.py"
EVENTS = "payments/stripe_events.py"
GATEWAY = "payments/gateway.py"
INBOX = "payments/inbox.py"
OBJECTS = "payments/stripe_objects.py"
GIVE = "payments/give_routes.py"
WEBHOOK = "payments/webhook_routes.py"
SDK = "payments/stripe_gateway.py"
SDK_TESTS = "tests/payments/test_stripe_gateway.py"
WEBHOOK_TESTS = "tests/payments/test_webhook.py tests/payments/test_signatures.py"
INBOX_TESTS = "tests/payments/test_inbox.py"
DOOR_TESTS = "tests/payments/test_signatures.py"

SEEDS = (
    Seed(
        "early acknowledgement",
        "Stripe is told that we have an event that a crash then takes from us",
        WEBHOOK,
        "    is_new = in_transaction(open_session, lambda session:"
        " accept_event(session, event, now=now()))\n    response = _json(",
        "    is_new = True\n    response = _json(",
        WEBHOOK_TESTS,
    ),
    Seed(
        "inbox that is not committed",
        "an acknowledged event is gone when the process dies",
        WEBHOOK,
        "    is_new = in_transaction(open_session, lambda session:"
        " accept_event(session, event, now=now()))\n",
        "    with open_session() as session:\n"
        "        is_new = accept_event(session, event, now=now())\n",
        WEBHOOK_TESTS,
    ),
    Seed(
        "event and books in two transactions",
        "killed between the two, the books have moved by an event that is still waiting",
        INBOX,
        "    _mark(session, event_id, InboxState.DONE, outcome, now=occasion.now)\n",
        "    session.commit()\n"
        "    _mark(session, event_id, InboxState.DONE, outcome, now=occasion.now)\n",
        INBOX_TESTS,
    ),
    Seed(
        "books that never follow the event",
        "an event is done, and its gift is not counted",
        INBOX,
        "    outcome = apply_facts(session, facts, occasion)\n",
        '    outcome = "done"\n',
        WEBHOOK_TESTS,
    ),
    Seed(
        "claim that does not gate",
        "two workers do the same event at once",
        INBOX,
        "            InboxEvent.next_attempt_at <= now,\n        )\n        .values(",
        "        )\n        .values(",
        INBOX_TESTS,
    ),
    Seed(
        "lease that never ends",
        "an event whose worker died is never worked",
        INBOX,
        "next_attempt_at=now + LEASE)",
        "next_attempt_at=now + LEASE * 1_000_000)",
        WEBHOOK_TESTS,
    ),
    Seed(
        "retry without a pause",
        "a Stripe that is down is asked without end",
        INBOX,
        "event.next_attempt_at = now + back_off(event.attempts)",
        "event.next_attempt_at = now",
        f"{WEBHOOK_TESTS} {INBOX_TESTS}",
    ),
    Seed(
        "back-off without a bound",
        "after a day of trouble an event is tried again next year",
        INBOX,
        "min(timedelta(seconds=2 ** min(attempts, 12)), MOST_BACK_OFF)",
        "timedelta(seconds=2**attempts)",
        INBOX_TESTS,
    ),
    Seed(
        "failure taken for the end",
        "an event that failed once is never tried again",
        INBOX,
        'state, outcome = InboxState.FAILED, f"',
        'state, outcome = InboxState.UNHANDLED, f"',
        WEBHOOK_TESTS,
    ),
    Seed(
        "tolerance off",
        "an event that somebody recorded last year is accepted again",
        EVENTS,
        "<= age_seconds <= SIGNATURE_TOLERANCE_SECONDS:",
        "<= age_seconds:",
        DOOR_TESTS,
    ),
    Seed(
        "signatures of the future",
        "who has one signature keeps it for ever",
        EVENTS,
        "if not -CLOCK_SKEW_SECONDS <= age_seconds <= SIGNATURE_TOLERANCE_SECONDS:",
        "if not age_seconds <= SIGNATURE_TOLERANCE_SECONDS:",
        DOOR_TESTS,
    ),
    Seed(
        "signature not looked at",
        "whoever finds the address writes our books",
        SDK,
        "            except SignatureVerificationError:\n                continue\n",
        "            except SignatureVerificationError:\n                pass\n",
        DOOR_TESTS,
    ),
    Seed(
        "one secret only",
        "while the secret is rotated, every second event is refused",
        SDK,
        "for secret in self._settings.stripe_webhook_secret:",
        "for secret in self._settings.stripe_webhook_secret[:1]:",
        DOOR_TESTS,
    ),
    Seed(
        "empty secret",
        "with STRIPE_WEBHOOK_SECRET=, everybody can sign",
        "core/settings.py",
        'return tuple(part.strip() for part in value.split(",") if part.strip())',
        'return tuple(part.strip() for part in value.split(","))',
        "tests/core/test_settings.py",
    ),
    Seed(
        "parsed body instead of the raw one",
        "what is verified is not what was signed",
        WEBHOOK,
        "body = request.get_data(cache=False)",
        "body = current_app.json.dumps(request.get_json(force=True)).encode()",
        DOOR_TESTS,
    ),
    Seed(
        "events of the other mode",
        "test payments are told to the live site",
        WEBHOOK,
        "if event.livemode != settings().livemode:",
        "if event.livemode and not settings().livemode:",
        f"{DOOR_TESTS} {INBOX_TESTS}",
    ),
    Seed(
        "test money on a live site",
        "4242 4242 4242 4242 fills the bar",
        BOOKS,
        "if payment.livemode != occasion.livemode:",
        "if payment.livemode and not occasion.livemode:",
        INBOX_TESTS,
    ),
    Seed(
        "any currency",
        "a hundred yen count as a hundred cents",
        BOOKS,
        "if payment.currency != donation.currency:",
        "if not payment.currency:",
        WEBHOOK_TESTS,
    ),
    Seed(
        "any amount",
        "less was paid than was asked for, and nobody looks",
        BOOKS,
        "if payment.received_minor != donation.amount_minor:",
        "if payment.received_minor > donation.amount_minor:",
        WEBHOOK_TESTS,
    ),
    Seed(
        "donation paid twice",
        "the second payment of one donation replaces the first",
        BOOKS,
        '    if donation.reference not in {None, payment.id}:\n        return f"the donation',
        '    if donation.reference == "":\n        return f"the donation',
        "tests/payments/test_quarantine.py tests/payments/test_inbox.py",
    ),
    Seed(
        "unpaid payment settled",
        "a bank debit that is on its way, and may fail, is thanked for as paid",
        BOOKS,
        "if not payment.succeeded:",
        "if payment.paid_at is None:",
        WEBHOOK_TESTS,
    ),
    Seed(
        "renewals taken for the first payment",
        "the second month of a monthly gift is not counted",
        BOOKS,
        "    if found.is_first:\n",
        "    if origin:\n",
        "tests/payments/test_recurring.py",
    ),
    Seed(
        "fee forgotten",
        "a fee that was known is overwritten by not knowing",
        BOOKS,
        "if payment.fee_minor is not None:",
        "if donation:",
        "tests/payments/test_disputes.py",
    ),
    Seed(
        "unknown fee as zero",
        "the report says that Stripe took nothing",
        OBJECTS,
        'fee_minor=None if balance is None else balance["fee"]',
        'fee_minor=0 if balance is None else balance["fee"]',
        SDK_TESTS,
    ),
    Seed(
        "failed refund not restored",
        "money that we still have is off the bar for good",
        GATEWAY,
        'return 0 if self.status in {"failed", "canceled"} else -self.amount_minor',
        "return -self.amount_minor",
        WEBHOOK_TESTS,
    ),
    Seed(
        "inquiry counted as a dispute",
        "a bank's question takes money off the bar",
        GATEWAY,
        "return -self.amount_minor if self.withdrawn else 0",
        "return -self.amount_minor",
        "tests/payments/test_disputes.py",
    ),
    Seed(
        "dispute that is won still counted",
        "money that came back stays off the bar",
        OBJECTS,
        'withdrawn=moved < 0 and dispute["status"] != "won"',
        'withdrawn=bool(dispute["balance_transactions"])',
        "tests/payments/test_stripe_objects.py",
    ),
    Seed(
        "donation written after Stripe hears of it",
        "killed between the two, a paid gift has no donation",
        GIVE,
        "    session.commit()  # before Stripe hears of it: from here a crash loses nothing\n",
        "",
        DONATE_TESTS,
    ),
    Seed(
        "form key that does not gate",
        "a double click makes two donations",
        DONATING,
        "form_key = hashlib.sha256(told.encode()).hexdigest()",
        "form_key = secrets.token_hex(32)",
        DONATE_TESTS,
    ),
    Seed(
        "idempotency key of each call",
        "a lost answer makes a second session, and a donor who pays twice",
        SDK,
        'f"checkout-{request.donation_id}"',
        'f"checkout-{id(request)}"',
        SDK_TESTS,
    ),
    Seed(
        "session that ends by the clock of the call",
        "a retry asks for another session with the same key, and Stripe refuses",
        DONATING,
        "expires_at=donation.created_at + CHECKOUT_TIME",
        "expires_at=datetime.now(donation.created_at.tzinfo) + CHECKOUT_TIME",
        DONATE_TESTS,
    ),
    Seed(
        "payment that does not name its donation",
        "a refund or dispute can't be told whose it is",
        SDK,
        'params["payment_intent_data"] = {"metadata": metadata}',
        'params["payment_intent_data"] = {}',
        SDK_TESTS,
    ),
    Seed(
        "donors told apart by capitals",
        "Ada@ and ada@ are two people, and erasing one leaves the other",
        DONATING,
        "return email.strip().lower()",
        "return email.strip()",
        "tests/payments/test_inbox.py",
    ),
    Seed(
        "reconciliation that ends too early",
        "after three weeks of downtime gifts are missing",
        "payments/reconcile.py",
        "        if not due:\n            break\n",
        "        break\n",
        "tests/payments/test_reconcile.py",
    ),
    Seed(
        "events asked for that Stripe no longer keeps",
        "after two months of downtime only the last is made good",
        "payments/reconcile.py",
        "EVENTS_KEPT = timedelta(days=29)",
        "EVENTS_KEPT = timedelta(days=2900)",
        "tests/payments/test_reconcile.py",
    ),
    Seed(
        "cursor moved to the end of the run",
        "what happens at Stripe while we ask it is never asked for",
        "payments/reconcile.py",
        "lambda session: _move_cursor(session, begun_at)",
        "lambda session: _move_cursor(session, now())",
        "tests/payments/test_reconcile.py tests/payments/test_inbox.py",
    ),
)
