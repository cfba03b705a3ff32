"""The yearly statement: every figure is the ledger's, and each gift stands in its year."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry
from campaigns.models import Campaign
from core.clock import MovableClock
from core.outbox import OutboxMail
from core.settings import Settings
from payments.donating import find_donor
from payments.errors import NoGiftsThatYear
from payments.models import Donor
from payments.privacy import erase_donor
from payments.statements import Statement, post_statement, read_statement, read_years
from payments.sums import GiftSums
from tests.conftest import MakeCampaign, make_settings
from tests.payments.conftest import Books
from tests.payments.gifts import DISPUTE, REFUND, give_with_cover
from tests.payments.pages import fields_of, look

ANN = "ann@example.org"

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(
        database_url=database_url,
        mail_url="smtp://localhost",
        mail_from="a@courier.example",
        site_name="The Courier",
    )


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def gift(books: Books, campaign: Campaign, clock: MovableClock) -> str:
    """Ann gave 20 $ and 0.91 $ for the fees; 5 $ went back."""
    return give_with_cover(
        books, campaign, clock, amount_minor=2_000, cover_minor=91, taken=[(REFUND, 500)]
    )


def read(session: Session, year: int, email: str = ANN) -> Statement:
    session.rollback()
    donor = find_donor(session, email)
    assert donor is not None
    found = read_statement(session, donor, year)
    session.rollback()
    return found


def totals(statement: Statement) -> dict[str, GiftSums]:
    return {table.currency: table.total for table in statement.tables}


def open_link(client: FlaskClient, session: Session) -> str:
    token = fields_of(client.get("/manage"))["csrf_token"]
    client.post("/manage", data={"csrf_token": token, "email": ANN})
    found = re.search(r"/manage/\S+", look(session, select(OutboxMail.text))[-1])
    assert found
    return found[0]


def mails(session: Session) -> list[OutboxMail]:
    found = look(session, select(OutboxMail).order_by(OutboxMail.id))
    return [mail for mail in found if mail.key.startswith("statement:")]


def test_sums_are_the_ledger_s_to_the_cent(
    books: Books, campaign: Campaign, clock: MovableClock, session: Session
) -> None:
    for amount, cover, taken in (
        (2_000, 91, []),
        (1_000, 0, [(REFUND, 250), (REFUND, 1)]),
        (5_000, 175, [(DISPUTE, 5_175)]),
        (3_333, 100, [(REFUND, 3_433)]),
        (700, 50, [(REFUND, 300), (DISPUTE, 750)]),
    ):
        give_with_cover(books, campaign, clock, amount_minor=amount, cover_minor=cover, taken=taken)
    (total,) = totals(read(session, 2021)).values()
    assert total.gift_minor == 2_000 + 1_000 + 5_000 + 3_333 + 700
    assert total.cover_minor == 91 + 175 + 100 + 50
    assert total.refunded_minor == -251 - 3_433 - 300
    assert total.disputed_minor == -5_175 - 450
    assert [total.left_minor] == look(session, select(func.sum(LedgerEntry.amount_minor)))


def test_a_refund_of_all_takes_the_gift_and_what_was_added_for_the_fees(
    books: Books, campaign: Campaign, clock: MovableClock, session: Session
) -> None:
    give_with_cover(
        books, campaign, clock, amount_minor=2_000, cover_minor=91, taken=[(REFUND, 2_091)]
    )
    ((line,),) = (table.lines for table in read(session, 2021).tables)
    assert line.sums == GiftSums(gift_minor=2_000, cover_minor=91, refunded_minor=-2_091)
    assert line.sums.left_minor == 0


def test_currencies_are_never_added_up(
    books: Books,
    campaign: Campaign,
    make_campaign: MakeCampaign,
    clock: MovableClock,
    session: Session,
) -> None:
    yen = make_campaign("tokyo", title="東京", currency="JPY", timezone="Asia/Tokyo", locale="ja")
    give_with_cover(books, campaign, clock, amount_minor=2_000)
    give_with_cover(books, yen, clock, amount_minor=2_000)
    found = {currency: sums.left_minor for currency, sums in totals(read(session, 2021)).items()}
    assert found == {"JPY": 2_000, "USD": 2_000}
    donor = session.scalars(select(Donor)).one()
    (year,) = read_years(session, donor, locale="en")
    assert (year.count, year.left_labels) == (2, ("¥2,000", "$20"))


@pytest.mark.parametrize(
    ("zone", "paid_at", "year", "day"),
    [
        ("America/New_York", datetime(2022, 1, 1, 4, 59, 59, tzinfo=UTC), 2021, "2021-12-31"),
        ("America/New_York", datetime(2022, 1, 1, 5, 0, tzinfo=UTC), 2022, "2022-01-01"),
        ("Pacific/Kiritimati", datetime(2021, 12, 31, 9, 59, 59, tzinfo=UTC), 2021, "2021-12-31"),
        ("Pacific/Kiritimati", datetime(2021, 12, 31, 10, 0, tzinfo=UTC), 2022, "2022-01-01"),
    ],
)
def test_a_gift_belongs_to_the_year_of_its_payment_in_its_campaign_s_zone(
    books: Books,
    make_campaign: MakeCampaign,
    clock: MovableClock,
    session: Session,
    zone: str,
    paid_at: datetime,
    year: int,
    day: str,
) -> None:
    clock.set(datetime(2022, 1, 2, tzinfo=UTC))
    campaign = make_campaign(timezone=zone)
    give_with_cover(books, campaign, clock, amount_minor=2_000, paid_at=paid_at)
    ((line,),) = (table.lines for table in read(session, year).tables)
    assert line.paid_on.isoformat() == day
    other = 2022 if year == 2021 else 2021
    with pytest.raises(NoGiftsThatYear):
        read(session, other)


@pytest.mark.usefixtures("campaign")
def test_a_refund_of_a_later_year_lowers_the_year_of_its_gift(
    books: Books, clock: MovableClock, session: Session
) -> None:
    checkout = books.donate()
    payment = books.gateway.pay(checkout)
    books.hear(checkout)
    clock.advance(timedelta(days=365))
    books.gateway.refund(payment.id, 500)
    books.hear(payment.id)
    assert totals(read(session, 2021))["USD"].left_minor == 1_500
    with pytest.raises(NoGiftsThatYear):
        read(session, 2022)


@only_sqlite
@pytest.mark.usefixtures("gift")
def test_others_gifts_and_unpaid_ones_are_not_in_it(
    books: Books, clock: MovableClock, session: Session, campaign: Campaign
) -> None:
    give_with_cover(books, campaign, clock, amount_minor=7_700, email="bob@example.org")
    books.donate(9_900)
    assert totals(read(session, 2021))["USD"].gift_minor == 2_000


@pytest.mark.usefixtures("gift")
def test_an_erased_donor_has_none(books: Books, clock: MovableClock, session: Session) -> None:
    with books.session() as own:
        donor = find_donor(own, ANN)
        assert donor is not None
        donor_id = donor.id
        erase_donor(own, ANN, now=clock.now())
        own.commit()
    session.rollback()
    donor = session.get_one(Donor, donor_id)
    assert read_years(session, donor, locale="en") == ()
    with pytest.raises(NoGiftsThatYear):
        read_statement(session, donor, 2021)


@pytest.mark.usefixtures("gift")
def test_the_page_says_whose_it_is_and_every_figure(client: FlaskClient, session: Session) -> None:
    link = open_link(client, session)
    gifts = client.get(link)
    assert f'href="{link}/statements/2021?lang=en"' in gifts.text
    assert "$15.91" in gifts.text
    page = client.get(f"{link}/statements/2021")
    assert page.status_code == 200
    for said in ("The Courier", "Ann &lt;Example&gt;", ANN, "May 12, 2021", "Support us"):
        assert said in page.text
    for figure in ("20.00", "0.91", "-5.00", "15.91", "not a tax receipt"):
        assert figure in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "noindex" in page.text


@only_sqlite
@pytest.mark.usefixtures("gift")
def test_the_page_speaks_the_reader_s_language(client: FlaskClient, session: Session) -> None:
    link = open_link(client, session)
    page = client.get(f"{link}/statements/2021", headers={"Accept-Language": "de"})
    assert 'lang="de"' in page.text
    assert "12.05.2021" in page.text
    assert "15,91" in page.text


@only_sqlite
@pytest.mark.usefixtures("gift")
@pytest.mark.parametrize("year", ["2020", "0", "99999999999999", "x", "-1"])
def test_a_year_without_gifts_is_404(client: FlaskClient, session: Session, year: str) -> None:
    link = open_link(client, session)
    assert client.get(f"{link}/statements/{year}").status_code == 404


@only_sqlite
@pytest.mark.usefixtures("gift")
def test_without_its_link_nobody_sees_it(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    assert client.get("/manage/forged/statements/2021").status_code == 404
    address = f"{open_link(client, session)}/statements/2021"
    clock.advance(timedelta(hours=1))
    assert client.get(address).status_code == 404


@pytest.mark.usefixtures("gift")
def test_it_is_mailed_to_its_donor_once_in_five_minutes(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    address = f"{open_link(client, session)}/statements/2021"
    fields = fields_of(client.get(address))
    for _ in range(3):
        answer = client.post(address, data=fields)
        assert answer.status_code == 200
        assert f"on its way to {ANN}" in answer.text
    (mail,) = mails(session)
    assert (mail.recipient, mail.subject) == (ANN, "Your gifts in 2021")
    for body in (mail.text, mail.html or ""):
        for said in ("The Courier", "20.00", "0.91", "-5.00", "$15.91", "not a tax receipt"):
            assert said in body
    assert "Ann &lt;Example&gt;" in (mail.html or "")
    clock.advance(timedelta(minutes=6))
    client.post(address, data=fields)
    assert len(mails(session)) == 2


@only_sqlite
@pytest.mark.usefixtures("gift")
def test_looking_at_it_mails_nothing_and_a_form_of_another_site_neither(
    client: FlaskClient, session: Session
) -> None:
    address = f"{open_link(client, session)}/statements/2021"
    client.get(address)
    assert client.post(address).status_code == 400
    assert mails(session) == []


@only_sqlite
@pytest.mark.usefixtures("gift")
def test_it_is_posted_in_any_language(session: Session, clock: MovableClock) -> None:
    donor = find_donor(session, ANN)
    assert donor is not None
    for number, locale in enumerate(("de", "fr", "es", "bg", "ar", "ja")):
        post_statement(
            session,
            donor,
            2021,
            locale=locale,
            site_name="The Courier",
            base_url="https://goal.example",
            now=clock.now() + number * timedelta(minutes=5),
        )
    session.commit()
    assert len(mails(session)) == 6
