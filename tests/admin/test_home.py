"""The dashboard: where campaigns stand, the last gifts, and how the installation fares."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from admin.roles import Role
from campaigns.expected import expect_gift
from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import EntryKind, LedgerEntry, ReferenceKind
from campaigns.models import Campaign
from core.auditlog import list_records
from core.cadence import Cadence, Rhythm
from core.clock import MovableClock
from core.db import db
from ops.runs import begin_run, end_run
from ops.watch import AUDITED, note_look
from payments.donating import known_donor, new_donation_id
from payments.models import Donation, DonationState
from tests.admin.conftest import SignIn
from tests.conftest import START, Give, MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOME, LIVE = "/admin/", "/admin/live"
MOST_STATEMENTS = 20


def pay(
    session: Session,
    campaign: Campaign,
    amount_minor: int,
    *,
    refunded_minor: int = 0,
    name: str = "Ann Example",
) -> None:
    """Write down a gift that a named person paid through Stripe, and a refund of it."""
    donor_id = known_donor(session, email="ann@example.org", name=name, now=START)
    donation = Donation(
        id=new_donation_id(),
        campaign_id=campaign.id,
        state=DonationState.PAID,
        amount_minor=amount_minor,
        currency=campaign.currency,
        created_at=START,
        paid_at=START,
        donor_id=donor_id,
    )
    donation.reference = f"pi_{donation.id}"
    session.add(donation)
    session.flush()
    gift = Gift(
        reference=donation.reference,
        kind=ReferenceKind.PAYMENT,
        effect_minor=amount_minor,
        paid_at=START,
        donor_key=f"donor:{donor_id}",
    )
    taken = [
        Reduction(
            reference=f"re_{donation.id}",
            kind=ReferenceKind.REFUND,
            effect_minor=-refunded_minor,
        )
    ]
    state_gift(session, campaign, gift, taken if refunded_minor else [], cause="a test", now=START)
    session.commit()


def statements_of(app: Flask, client: FlaskClient, path: str = HOME) -> int:
    """Return how often a page asks the database."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        assert client.get(path).status_code in {200, 204}
        event.remove(db.engine, "before_cursor_execute", note)
    return len(asked)


def test_an_empty_site_says_what_comes_first(sign_in: SignIn) -> None:
    page = sign_in(Role.OWNER).get(HOME).text
    assert 'href="/admin/campaigns/new">Make one' in page
    assert "No gift yet." in page
    viewers = sign_in(Role.VIEWER).get(HOME).text
    assert "/admin/campaigns/new" not in viewers


def test_each_open_campaign_has_its_bar_what_is_to_come_and_the_period_before(
    sign_in: SignIn,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
) -> None:
    campaign = make_campaign()
    give(campaign, 52_000)
    give(campaign, 123_400, START - timedelta(days=30))
    make_campaign("resting", title="Resting", draft=True)
    expect_gift(
        session,
        "sub_1",
        campaign_id=campaign.id,
        amount_minor=30_000,
        due_at=START + timedelta(days=3),
    )
    session.commit()
    page = sign_in(Role.VIEWER).get(HOME).text
    for text in (
        "520 $",
        "of 5,000 $",
        "300 $ more expected from regular gifts",
        "1 gift",
        "20 days left",
        "April 2021 raised 1,234 $",
        "Apr 2021",
        "May 2021: <b>$520</b>",
    ):
        assert text in page
    assert "Resting" not in page


def test_the_month_before_is_told_as_it_stood_at_this_day_and_time(
    sign_in: SignIn, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    client = sign_in(Role.VIEWER)
    give(campaign, 52_000)
    assert "at this time in" not in client.get(HOME).text
    then = datetime(2021, 4, 12, 10, 11, 12, tzinfo=UTC)  # 06:11:12 in New York, as it is in May
    give(campaign, 10_000, datetime(2021, 4, 1, 4, tzinfo=UTC))
    give(campaign, 2_000, then)
    give(campaign, 40_000, then + timedelta.resolution)
    give(campaign, 70_000, datetime(2021, 4, 1, 3, 59, 59, tzinfo=UTC))  # in March
    taken = Gift(
        reference="pi_1",
        kind=ReferenceKind.PAYMENT,
        effect_minor=5_000,
        paid_at=then,
        donor_key="-",
    )
    back = Reduction(reference="re_1", kind=ReferenceKind.REFUND, effect_minor=-1_500)
    state_gift(session, campaign, taken, [back], cause="a test", now=START)
    session.commit()
    assert "at this time in April 2021: 155 $ · April 2021 raised 555 $" in client.get(HOME).text
    by_the_ledger = session.scalar(
        select(func.sum(LedgerEntry.amount_minor)).where(
            LedgerEntry.kind == EntryKind.GIFT,
            LedgerEntry.paid_at >= datetime(2021, 4, 1, 4, tzinfo=UTC),
            LedgerEntry.paid_at <= then,
        )
    )
    assert by_the_ledger == 15_500
    session.rollback()
    clock.advance(timedelta(days=19))  # the 31st: April had none
    page = sign_in(Role.VIEWER, email="b@courier.example").get(HOME).text
    assert "at this time in April 2021: 555 $" in page


def test_what_is_no_month_has_none_before_it(
    sign_in: SignIn, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign(cadence=Cadence(Rhythm.QUARTER))
    give(campaign, 1_000)
    give(campaign, 2_000, START - timedelta(days=90))
    page = sign_in(Role.VIEWER).get(HOME).text
    assert "raised 20 $" in page
    assert "at this time in" not in page


def test_beyond_a_dozen_the_busiest_are_shown_and_a_link_to_all(
    sign_in: SignIn, make_campaign: MakeCampaign, give: Give
) -> None:
    for number in range(13):
        make_campaign(f"quiet-{number:02}", title=f"Quiet {number:02}")
    give(make_campaign("zeal", title="Zeal", currency="JPY", tiers_minor=(5,)), 1)
    page = sign_in(Role.VIEWER).get(HOME).text
    titles = re.findall(r'<h3><a href="/admin/campaigns/[^"]*">([^<]*)', page)
    assert titles == ["Zeal", *(f"Quiet {number:02}" for number in range(11))]
    assert "The 12 with most gifts of 14." in page


def test_last_gifts_are_named_for_who_may_see_donors_and_for_nobody_else(
    sign_in: SignIn, session: Session, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign()
    pay(session, campaign, 2_500)
    pay(session, campaign, 4_000, refunded_minor=1_500)
    pay(session, campaign, 7_000, refunded_minor=7_000)
    page = sign_in(Role.ACCOUNTANT).get(HOME).text
    listed = page.partition('class="last-gifts"')[2]
    assert listed.index("70 $") < listed.index("40 $") < listed.index("25 $")
    assert "<s>40 $</s> 25 $" in listed
    assert listed.count("Ann Example") == 3
    assert listed.count("refunded in part") == 1
    for role in (Role.VIEWER, Role.EDITOR):
        others = sign_in(role).get(HOME).text
        assert "Ann" not in others
        assert "ann@example.org" not in others
        assert "refunded in part" in others


def test_an_open_page_is_told_only_of_what_was_booked_since(
    app: Flask, sign_in: SignIn, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    give(campaign, 52_000)
    client = sign_in(Role.VIEWER)
    (asks,) = re.findall(r'hx-get="(/admin/live[^"]*)"', client.get(HOME).text)
    assert client.get(asks).status_code == 204
    assert statements_of(app, client, asks) <= 3
    give(campaign, 1_100)
    answer = client.get(asks)
    assert answer.status_code == 200
    assert "531 $" in answer.text
    assert "<html" not in answer.text


def test_a_page_that_lies_open_does_not_keep_its_session_alive(
    sign_in: SignIn, clock: MovableClock
) -> None:
    client = sign_in(Role.VIEWER)
    clock.advance(timedelta(hours=7))
    assert client.get(LIVE).status_code == 200
    clock.advance(timedelta(hours=6))
    assert client.get(LIVE).status_code == 303


def test_signs_say_what_is_wrong_and_what_to_do(
    sign_in: SignIn, session: Session, clock: MovableClock
) -> None:
    page = sign_in(Role.VIEWER).get(HOME).text
    assert "has never run" in page
    assert "scheduler run" in page
    begin_run(session, "roll", now=clock.now())
    note_look(session, AUDITED, [], now=clock.now())
    session.commit()
    page = sign_in(Role.VIEWER, email="a@courier.example").get(HOME).text
    assert "has never run" not in page
    assert "agree, just now" in page
    end_run(session, "roll", begun_at=clock.now(), took_ms=1, error="OSError: x", now=clock.now())
    note_look(session, AUDITED, ["one", "two"], now=clock.now())
    session.commit()
    page = sign_in(Role.VIEWER, email="b@courier.example").get(HOME).text
    assert "just now, roll failed" in page
    assert "OSError" not in page
    assert "2 differences" in page
    assert "ledger verify" in page


def test_the_steps_of_the_first_hour_are_for_owners_and_are_put_away(
    app: Flask,
    sign_in: SignIn,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    owner = sign_in(Role.OWNER)
    empty = owner.get(HOME).text
    assert 'href="/admin/campaigns/new">A campaign is published' in empty
    give(make_campaign(), 1_000)
    begin_run(session, "roll", now=clock.now())
    session.commit()
    page = owner.get(HOME).text
    assert page.count('<li class="done">') == empty.count('<li class="done">') + 3
    assert 'href="/admin/campaigns/support-us/embed"' in page
    assert "The first hour" not in sign_in(Role.ACCOUNTANT).get(HOME).text
    assert sign_in(Role.EDITOR).post("/admin/setup").status_code == 403
    assert owner.post("/admin/setup").status_code == 303
    page = owner.get(HOME).text
    assert "The first hour" not in page
    assert "first hour again" in page
    owner.post("/admin/setup", data={"show": "yes"})
    assert "The first hour" in owner.get(HOME).text
    said = [record.action for record in list_records(session) if "setup" in record.action]
    assert said == ["setup.shown", "setup.hidden"]


def test_it_asks_as_often_for_many_campaigns_and_gifts_as_for_one(
    app: Flask, sign_in: SignIn, session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    client = sign_in(Role.OWNER)
    campaign = make_campaign()
    assert statements_of(app, client) <= MOST_STATEMENTS
    give(campaign, 1_000)
    alone = statements_of(app, client)
    assert alone <= MOST_STATEMENTS
    for number in range(50):
        give(make_campaign(f"other-{number}"), 1_000)
    for number in range(40):
        pay(session, campaign, 1_000 + number, refunded_minor=number % 2)
    assert statements_of(app, client) == alone
