from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.ledger_models import Reference
from campaigns.models import Period
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from core.settings import Settings
from payments.refunding import MOST_ATTEMPTS, RefundWish, request_refund
from tests.conftest import Give, MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.ops.conftest import Run
from tests.payments.conftest import Books

CREATE = [
    *"campaigns create support-us --currency USD --timezone America/New_York".split(),
    *"--tier 2500 --tier 5000 --money-format".split(),
    "{amount} {symbol}",
    "--title",
    "Support us",
]


def test_campaign_of_the_article_is_made_and_listed(run: Run) -> None:
    made = run(*CREATE)
    assert made.exit_code == 0
    assert "http://localhost:8000/c/support-us" in made.output
    recorded = run(*"donations record support-us --amount 520 --on 2021-05-10".split())
    assert "Recorded 520 $" in recorded.output
    listed = run("campaigns", "list").output
    for word in ("support-us", "2021-05", "520 $", "2,500 $, 5,000 $", "America/New_York"):
        assert word in listed


def test_empty_list_says_what_to_do_first(run: Run) -> None:
    assert "campaigns create" in run("campaigns", "list").output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--timezone", "Mars/Olympus"], "is not a time zone"),
        (["--currency", "DOLLARS"], "is not a currency"),
        (["--tier", "lots"], "is not an amount"),
        (["--tier", "2500"], "same amount"),
        (["--money-format", "{symbol}"], "money format"),
        (["--locale", "xx"], "is not a language"),
    ],
)
def test_wrong_option_gets_one_sentence_and_makes_nothing(
    run: Run, words: list[str], sentence: str
) -> None:
    refused = run(*CREATE, *words)
    assert refused.exit_code == 1
    assert sentence in refused.output
    assert "Traceback" not in refused.output
    assert "No campaign yet" in run("campaigns", "list").output


def test_name_that_is_taken_is_refused(run: Run) -> None:
    run(*CREATE)
    again = run(*CREATE)
    assert again.exit_code == 1
    assert "There is a campaign “support-us” already." in again.output


def test_draft_is_published(run: Run) -> None:
    run(*CREATE, "--draft")
    assert "draft" in run("campaigns", "list").output
    assert "is open" in run("campaigns", "publish", "support-us").output


def test_roll_says_what_it_closed(
    run: Run, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 52_000)
    assert "Nothing to roll" in run("campaigns", "roll").output
    clock.advance(timedelta(days=45))
    dry = run("campaigns", "roll", "--dry-run").output
    assert "Would close support-us 2021-05 at 520 $; next is 2021-06." in dry
    wet = run("campaigns", "roll").output
    assert "Closed support-us 2021-05 at 520 $; next is 2021-06." in wet
    assert "Nothing to roll" in run("campaigns", "roll").output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--amount", "0"], "more than zero"),
        (["--amount", "-5"], "more than zero"),
        (["--amount", "many"], "is not an amount"),
        (["--amount", "5", "--on", "10.05.2021"], "is not a day"),
        (["--amount", "5", "--on", "2021-05-13"], "before its day"),
    ],
)
def test_gift_that_can_not_be_is_refused(
    run: Run, make_campaign: MakeCampaign, words: list[str], sentence: str
) -> None:
    make_campaign()
    refused = run("donations", "record", "support-us", *words)
    assert refused.exit_code == 1
    assert sentence in refused.output
    assert "No donations yet" in run("donations", "list", "support-us").output


def test_gift_of_today_can_be_recorded_before_noon(run: Run, make_campaign: MakeCampaign) -> None:
    make_campaign()  # it is a quarter past six in New York
    assert run(*"donations record support-us --amount 5 --on 2021-05-12".split()).exit_code == 0


def test_gift_counts_in_the_month_of_its_day(run: Run, make_campaign: MakeCampaign) -> None:
    make_campaign()
    run(*"donations record support-us --amount 7 --on 2021-04-30 --note cheque".split())
    april = json.loads(
        run(*"donations list support-us --period 2021-04 --format json".split()).output
    )
    assert [(row["amount_minor"], row["period"], row["note"]) for row in april] == [
        (700, "2021-04", "cheque")
    ]
    may = run(*"donations list support-us --period 2021-05 --format json".split()).output
    assert json.loads(may) == []


def test_csv_is_safe_to_open_in_a_spreadsheet(run: Run, make_campaign: MakeCampaign) -> None:
    make_campaign()
    run("donations", "record", "support-us", "--amount", "7", "--note", "=1+1")
    rows = list(
        csv.DictReader(io.StringIO(run(*"donations list support-us --format csv".split()).output))
    )
    assert [(row["counted_minor"], row["note"]) for row in rows] == [("700", "'=1+1")]


def test_table_of_donations_is_for_people(run: Run, make_campaign: MakeCampaign) -> None:
    make_campaign()
    run("donations", "record", "support-us", "--amount", "7")
    assert "7 $" in run("donations", "list", "support-us").output


@pytest.mark.parametrize("command", [["donations", "list"], ["campaigns", "publish"]])
def test_unknown_campaign_gets_a_sentence(run: Run, command: list[str]) -> None:
    refused = run(*command, "nothing")
    assert refused.exit_code == 1
    assert "There is no campaign “nothing”." in refused.output


def test_right_ledger_verifies(run: Run, make_campaign: MakeCampaign, give: Give) -> None:
    give(make_campaign(), 52_000)
    verified = run("ledger", "verify")
    assert verified.exit_code == 0
    assert "1 entries in 1 periods" in verified.output


def test_wrong_ledger_exits_with_1_and_the_differences(
    run: Run, make_campaign: MakeCampaign, give: Give, session: Session
) -> None:
    give(make_campaign(), 52_000)
    session.execute(update(Period).values(raised_minor=52_001))
    session.commit()
    verified = run("ledger", "verify")
    assert verified.exit_code == 1
    assert "support-us 2021-05: raised_minor is kept as 52001" in verified.output
    assert "the entries say 52000" in verified.output


def test_demo_is_made_once(run: Run, session: Session) -> None:
    assert run("demo").exit_code == 0
    listed = run("campaigns", "list").output
    assert "520 $" in listed
    again = run("demo")
    assert again.exit_code == 0
    assert "there already" in again.output
    assert run("ledger", "verify").exit_code == 0
    # As they would have come in, since the last ones are told by that.
    paid_at = list(session.scalars(select(Reference.paid_at).order_by(Reference.id)))
    assert len(paid_at) > 100
    assert paid_at == sorted(paid_at)


def test_inbox_of_a_new_site_is_empty(run: Run) -> None:
    assert "No events" in run("inbox", "list").output
    assert "Tried 0 events" in run("inbox", "retry").output
    unknown = run("inbox", "retry", "evt_nothing")
    assert unknown.exit_code == 1
    assert "There is no event evt_nothing" in unknown.output


def test_doctor_names_what_is_missing_and_what_to_do(run: Run) -> None:
    seen = run("doctor")
    assert seen.exit_code == 1
    assert "!! job roll" in seen.output
    assert "scheduler run" in seen.output
    assert "ok ledger" in seen.output


class TestLive:
    @pytest.fixture
    def settings(self, database_url: str) -> Settings:
        return make_settings(
            database_url=database_url,
            stripe_secret_key="sk_live_x",
            base_url="https://goal.example",
            secret_key="s" * 32,
            demo=False,
        )

    def test_live_site_gets_no_demo(self, run: Run) -> None:
        assert run("demo").exit_code == 1


def test_endpoint_is_registered_once(run: Run, fake_gateway: FakeGateway) -> None:
    made = run("stripe", "connect")
    assert made.exit_code == 0
    assert "STRIPE_WEBHOOK_SECRET=whsec_new" in made.output
    types = fake_gateway.webhooks["http://localhost:8000/webhooks/stripe"]
    assert "payment_intent.succeeded" in types
    again = run("stripe", "connect")
    assert again.exit_code == 0
    assert "whsec_new" not in again.output


def test_reconcile_reports_what_it_went_through_and_no_drift(
    run: Run, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    done = run("stripe", "reconcile", "--since", "2021-05-01")
    assert done.exit_code == 0
    assert "Went through 0 events since 2021-05-01 00:00:00 UTC" in done.output
    assert "No drift" in done.output
    assert "is not a day" in run("stripe", "reconcile", "--since", "May").output


def test_drift_exits_with_1_and_the_objects(
    run: Run, make_campaign: MakeCampaign, books: Books
) -> None:
    make_campaign()
    payment = books.gateway.pay(books.donate())
    seen = run("stripe", "drift")
    assert seen.exit_code == 1
    assert payment.id in seen.output
    assert "-$20" in seen.output


def test_quarantine_is_listed_released_and_refused(
    run: Run, make_campaign: MakeCampaign, books: Books
) -> None:
    make_campaign()
    assert "Nothing in quarantine" in run("quarantine", "list").output
    good, bad = books.gateway.foreign_payment(700), books.gateway.foreign_payment(900)
    books.hear(good.id)
    books.hear(bad.id)
    listed = run("quarantine", "list", "--state", "held").output
    assert "no donation of ours" in listed
    assert "$7" in listed
    unclear = run("quarantine", "release", good.id)
    assert unclear.exit_code == 1
    assert "which campaign" in unclear.output
    assert run("quarantine", "release", good.id, "--campaign", "support-us").exit_code == 0
    assert "not counted" in run("quarantine", "refuse", bad.id).output
    assert "7 $" in run("campaigns", "list").output
    unknown = run("quarantine", "refuse", "pi_nothing")
    assert unknown.exit_code == 1
    assert "is not in quarantine" in unknown.output


def test_refunds_without_an_answer_are_listed_told_and_asked_for_again(
    run: Run, make_campaign: MakeCampaign, books: Books, session: Session, clock: MovableClock
) -> None:
    make_campaign()
    assert "No refund waits" in run("stripe", "refunds").output
    checkout = books.donate(2_000)
    books.gateway.pay(checkout)
    books.hear(checkout)
    wish = RefundWish(
        form_token="form", amount_minor=500, currency="USD", requested_by=COMMAND_LINE
    )
    donation_id = books.donations()[0].id
    row = request_refund(session, donation_id, wish, now=clock.now())
    row.attempts, row.next_attempt_at = MOST_ATTEMPTS, None
    session.commit()
    assert "1 given up: see `flask --app app stripe refunds`" in run("doctor").output
    listed = run("stripe", "refunds").output
    for text in (row.id, donation_id, "5.00 USD", "waiting"):
        assert text in listed
    assert "No refund waits" in run("stripe", "refunds", "--retry", row.id).output
    assert "succeeded" in run("stripe", "refunds", "--all").output
    assert "There is no such request" in run("stripe", "refunds", "--retry", "rfr_none").output


def test_adjustments_of_closed_months_are_listed(
    run: Run, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    may = clock.now()
    clock.advance(timedelta(days=30))
    run("campaigns", "roll")
    assert "as it was announced" in run("ledger", "adjustments", "support-us").output
    give(campaign, 1_000, may)
    assert "10 $" in run(*"ledger adjustments support-us --period 2021-05".split()).output


@pytest.fixture
def books(app: Flask, fake_gateway: FakeGateway, clock: MovableClock) -> Books:
    return Books(app, fake_gateway, clock)


def test_late_event_is_marked(
    run: Run, client: FlaskClient, fake_gateway: FakeGateway, clock: MovableClock
) -> None:
    body = fake_gateway.event("customer.created", "cus_1")
    clock.advance(timedelta(days=3))
    client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body)).close()
    assert "(3 days late)" in run("inbox", "list").output
