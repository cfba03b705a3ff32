"""`/manage`: the same answer for everybody, a link that dies, and Stripe's portal behind it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from campaigns.models import Campaign
from core.clock import MovableClock
from core.db import db
from core.outbox import OutboxMail
from core.settings import Settings
from payments.models import Donation
from payments.privacy import erase_donor
from tests.conftest import MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.pages import fields_of, look

ANN = "ann@example.org"

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(
        database_url=database_url, mail_url="smtp://localhost", mail_from="a@courier.example"
    )


@pytest.fixture(autouse=True)
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def subscription(books: Books) -> str:
    """Ann gives 20 $ a month."""
    checkout = books.donate(frequency="month", email=ANN)
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    return "sub_2"


def ask(client: FlaskClient, email: str) -> TestResponse:
    token = fields_of(client.get("/manage"))["csrf_token"]
    return client.post("/manage", data={"csrf_token": token, "email": email})


def mails(session: Session) -> list[OutboxMail]:
    return list(look(session, select(OutboxMail)))


def link(session: Session) -> str:
    found = re.search(r"http://localhost:8000(/manage/\S+)", mails(session)[-1].text)
    assert found
    return found[1]


@pytest.mark.usefixtures("subscription")
def test_the_answer_is_the_same_for_a_known_and_an_unknown_address(
    client: FlaskClient, session: Session
) -> None:
    known, unknown = ask(client, " Ann@Example.org"), ask(client, "nobody@example.org")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert known.status_code == 200
    (mail,) = mails(session)
    assert mail.recipient == ANN


def test_who_gave_once_gets_a_link_to_the_gift_and_its_year(
    client: FlaskClient, session: Session, books: Books
) -> None:
    checkout = books.donate(email=ANN)
    books.gateway.pay(checkout)
    books.hear(checkout)
    assert ask(client, ANN).status_code == 200
    page = client.get(link(session))
    assert "no regular gift" in page.text
    assert "Statement for 2021" in page.text
    assert 'name="gift"' not in page.text


def test_who_went_to_pay_and_did_not_gets_no_mail(
    client: FlaskClient, session: Session, books: Books
) -> None:
    books.donate(email=ANN)
    assert ask(client, ANN).status_code == 200
    assert mails(session) == []


@pytest.mark.usefixtures("subscription")
def test_a_mailbox_is_not_filled(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    for _ in range(3):
        ask(client, ANN)
    assert len(mails(session)) == 1
    clock.advance(timedelta(minutes=6))
    ask(client, ANN)
    assert len(mails(session)) == 2


def test_the_link_leads_to_the_portal_of_the_gift(
    client: FlaskClient, session: Session, subscription: str
) -> None:
    ask(client, ANN)
    page = client.get(link(session))
    assert page.status_code == 200
    assert "20 $ a month." in page.text
    assert "The next payment is on June 12, 2021" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "https://billing.stripe.com" in page.headers["Content-Security-Policy"]
    fields = fields_of(page)
    assert fields["gift"] == subscription
    opened = client.post(link(session), data=fields)
    assert opened.status_code == 303
    assert opened.headers["Location"].startswith("https://billing.stripe.com/p/session/cus_2")


@only_sqlite
def test_file_in_the_place_of_an_address_is_no_address(client: FlaskClient) -> None:
    token = fields_of(client.get("/manage"))["csrf_token"]
    sent = {"csrf_token": token, "email": (io.BytesIO(ANN.encode()), "address.txt")}
    answer = client.post("/manage", data=sent, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "Enter the mail address" in answer.text


@pytest.mark.usefixtures("subscription")
def test_opening_the_link_alone_asks_stripe_for_nothing(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway
) -> None:
    ask(client, ANN)
    before = dict(fake_gateway.calls)
    client.get(link(session))  # as mail programs do by themselves
    assert fake_gateway.calls == before


@pytest.mark.usefixtures("subscription")
def test_the_link_dies_after_an_hour(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    ask(client, ANN)
    address = link(session)
    clock.advance(timedelta(minutes=59))
    assert client.get(address).status_code == 200
    clock.advance(timedelta(minutes=1))
    gone = client.get(address)
    assert gone.status_code == 404
    assert "Ask for a new one" in gone.text


@pytest.mark.usefixtures("subscription")
@pytest.mark.parametrize("token", ["x", "WzEsMTYyMDgxNzg3Ml0.forged", "%00", "a" * 3000])
def test_a_forged_link_opens_nothing(client: FlaskClient, token: str) -> None:
    assert client.get(f"/manage/{token}").status_code == 404
    csrf = fields_of(client.get("/manage"))["csrf_token"]
    data = {"csrf_token": csrf, "gift": "sub_2"}
    assert client.post(f"/manage/{token}", data=data).status_code == 404


@pytest.mark.usefixtures("subscription")
def test_another_donor_s_gift_is_out_of_reach(
    client: FlaskClient, session: Session, books: Books, fake_gateway: FakeGateway
) -> None:
    checkout = books.donate(frequency="month", email="bob@example.org", form="other")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    ask(client, ANN)
    fields = fields_of(client.get(link(session))) | {"gift": "sub_5"}
    assert client.post(link(session), data=fields).status_code == 404
    assert "open_portal" not in fake_gateway.calls


@pytest.mark.usefixtures("subscription")
def test_a_form_of_another_site_is_refused(client: FlaskClient, session: Session) -> None:
    refused = client.post("/manage", data={"email": ANN})
    assert refused.status_code == 400
    assert "press the button once more" in refused.text
    assert "CSRF" not in refused.text
    assert mails(session) == []


@pytest.mark.usefixtures("subscription")
def test_an_ended_gift_is_gone_from_the_page(
    client: FlaskClient, session: Session, books: Books
) -> None:
    ask(client, ANN)
    address = link(session)
    books.gateway.change_subscription("sub_2", cancel_at=datetime(2021, 6, 12, 4, tzinfo=UTC))
    books.hear("sub_2")
    assert "It ends on June 12, 2021" in client.get(address).text
    books.gateway.change_subscription("sub_2", status="canceled")
    books.hear("sub_2")
    assert "no regular gift" in client.get(address).text


@pytest.mark.usefixtures("subscription")
def test_stripe_being_away_is_said_and_the_page_stays(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway
) -> None:
    ask(client, ANN)
    fields = fields_of(client.get(link(session)))
    fake_gateway.unavailable = True
    away = client.post(link(session), data=fields)
    assert away.status_code == 503
    assert "try again in a minute" in away.text
    assert "20 $ a month" in away.text


@only_sqlite
@pytest.mark.usefixtures("subscription")
def test_the_mail_is_in_the_language_of_the_last_gift(
    client: FlaskClient, session: Session, books: Books
) -> None:
    with books.session() as own:
        own.execute(update(Donation).values(locale="de"))
        own.commit()
    ask(client, ANN)
    (mail,) = mails(session)
    assert 'lang="de"' in (mail.html or "")
    assert link(session) in (mail.html or "")
    assert 'lang="de"' in client.get(link(session)).text


@only_sqlite
@pytest.mark.usefixtures("subscription")
def test_the_mail_is_in_the_language_of_the_request_where_no_gift_had_one(
    client: FlaskClient, session: Session
) -> None:
    token = fields_of(client.get("/manage"))["csrf_token"]
    data = {"csrf_token": token, "email": ANN}
    answer = client.post("/manage", data=data, headers={"Accept-Language": "fr"})
    assert 'lang="fr"' in answer.text
    assert 'lang="fr"' in (mails(session)[0].html or "")


@only_sqlite
@pytest.mark.usefixtures("subscription")
def test_days_and_amounts_are_printed_in_the_reader_s_language(
    client: FlaskClient, session: Session
) -> None:
    ask(client, ANN)
    page = client.get(link(session), headers={"Accept-Language": "de"})
    assert "12. Juni 2021" in page.text
    assert 'lang="de"' in page.text
    assert f'action="{link(session)}?lang=de"' in page.text


@only_sqlite
def test_the_day_of_a_renewal_is_that_of_the_campaign_s_zone(
    client: FlaskClient, session: Session, subscription: str, books: Books
) -> None:
    late = datetime(2021, 6, 13, 3, 30, tzinfo=UTC)  # half past eleven in New York, the day before
    books.gateway.change_subscription(subscription, renews_at=late)
    books.hear(subscription)
    ask(client, ANN)
    assert "on June 12, 2021" in client.get(link(session)).text


@only_sqlite
@pytest.mark.usefixtures("subscription")
def test_the_link_of_somebody_who_was_erased_opens_nothing(
    client: FlaskClient, session: Session, books: Books, clock: MovableClock
) -> None:
    ask(client, ANN)
    address = link(session)
    books.gateway.change_subscription("sub_2", status="canceled")
    books.hear("sub_2")
    with books.session() as own:
        erase_donor(own, ANN, now=clock.now())
        own.commit()
    assert client.get(address).status_code == 404
    assert client.get(f"{address}/statements/2021").status_code == 404


@pytest.mark.parametrize("email", ["", "not an address", "x" * 255 + "@example.org", "a\0@b.cd"])
def test_a_wrong_address_is_said_and_kept(client: FlaskClient, email: str) -> None:
    answer = ask(client, email)
    assert answer.status_code == 422
    assert 'id="email-error"' in answer.text


@pytest.fixture
def without_mail(database_url: str, clock: MovableClock) -> Iterator[FlaskClient]:
    app: Flask = create_app(make_settings(database_url=database_url), clock=clock)
    yield app.test_client()
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_mail_the_page_says_what_to_do(without_mail: FlaskClient) -> None:
    page = without_mail.get("/manage")
    assert page.status_code == 200
    assert "write to the people" in page.text
    assert "csrf_token" not in page.text
