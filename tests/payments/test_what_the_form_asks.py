"""What a donor may add to a gift: the fees, a dedication, a consent; and what nobody else ticks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges, change_campaign
from campaigns.fees import cover_minor
from campaigns.look import Suggestion
from campaigns.models import Campaign
from campaigns.plans import Plan, plan_period
from core.clock import MovableClock
from core.words import words_of
from payments.forms import CONSENT
from payments.models import Donation
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.pages import fields_of, give_online, look, open_form

CLEAR = "Add 0.91 $ to cover the fees, so that all of your 20 $ arrives."
IN_WORDS = "Add what the payment costs: 2.9% and 0.30 $."


@pytest.fixture(autouse=True)
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def sentences(text: str) -> str:
    """Return a text without what keeps its amounts from being parted at the end of a line."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def donation_in(session: Session) -> Donation:
    (donation,) = look(session, select(Donation))
    return donation


def test_fees_are_said_for_the_amount_that_is_chosen(client: FlaskClient) -> None:
    assert CLEAR in sentences(client.get("/c/support-us?amount=20").text)


@pytest.mark.parametrize("amount", ["", "abc", "0", "99999999"])
def test_fees_are_said_in_words_where_no_amount_is_known(client: FlaskClient, amount: str) -> None:
    page = client.get("/c/support-us", query_string={"amount": amount})
    assert IN_WORDS in sentences(page.text)


@pytest.mark.parametrize(
    ("rate_bp", "fixed_minor", "sentence"),
    [
        (150, 0, "Add what the payment costs: 1.5%."),
        (0, 25, "Add what the payment costs: 0.25 $."),
        (149, 25, "Add what the payment costs: 1.49% and 0.25 $."),
    ],
)
def test_fees_in_words_leave_out_what_is_nothing(
    client: FlaskClient, session: Session, rate_bp: int, fixed_minor: int, sentence: str
) -> None:
    fees(session, rate_bp, fixed_minor)
    assert sentence in sentences(client.get("/c/support-us").text)


def fees(session: Session, rate_bp: int, fixed_minor: int) -> None:
    session.execute(update(Campaign).values(fee_rate_bp=rate_bp, fee_fixed_minor=fixed_minor))
    session.commit()


def test_fees_are_not_offered_where_a_payment_costs_nothing(
    client: FlaskClient, session: Session
) -> None:
    fees(session, 0, 0)
    assert "cover_fees" not in client.get("/c/support-us?amount=20").text
    assert give_online(client, amount="20", cover_fees="1").status_code == 303
    assert donation_in(session).cover_minor == 0


def test_fees_that_would_be_more_than_the_gift_are_not_added(
    client: FlaskClient, session: Session
) -> None:
    fees(session, 290, 500)
    page = client.get("/c/support-us?amount=1").text
    assert "The fees can&#39;t be added to this amount." in page
    assert give_online(client, amount="1", cover_fees="1").status_code == 303
    assert donation_in(session).cover_minor == 0


def test_what_is_said_is_what_is_asked_for(
    client: FlaskClient, session: Session, campaign: Campaign, fake_gateway: FakeGateway
) -> None:
    assert give_online(client, amount="20", cover_fees="1").status_code == 303
    donation = donation_in(session)
    assert (donation.amount_minor, donation.cover_minor) == (2_000, 91)
    assert donation.cover_minor == cover_minor(campaign, 2_000)
    (sale,) = fake_gateway._sales.values()  # noqa: SLF001 - the fake's own books
    assert (sale.request.amount_minor, sale.request.cover_minor) == (2_000, 91)


def test_fees_are_added_only_where_the_donor_says_so(client: FlaskClient, session: Session) -> None:
    assert give_online(client, amount="20").status_code == 303
    assert donation_in(session).cover_minor == 0


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ({"amount": "20"}, CLEAR),
        ({"amount": ""}, IN_WORDS),
        ({}, IN_WORDS),
        ({"amount": "x" * 5000}, IN_WORDS),
        ({"amount": "20,00"}, IN_WORDS),
        ({"amount": "-5"}, IN_WORDS),
        ({"amount": "0.50"}, "Add 0.33 $ to cover the fees, so that all of your 0.50 $ arrives."),
    ],
)
def test_the_script_is_told_what_the_page_says(
    client: FlaskClient, query: dict[str, str], label: str
) -> None:
    answer = client.get("/c/support-us/fees", query_string=query)
    assert answer.status_code == 200
    assert {name: sentences(text) for name, text in answer.get_json().items()} == {"label": label}
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "private, max-age=60"


def test_the_script_is_told_in_the_format_of_the_page(client: FlaskClient) -> None:
    german = client.get("/c/support-us/fees?amount=2.500,50&lang=de").get_json()["label"]
    assert "2.500,50 $" in sentences(german)
    english = client.get("/c/support-us/fees?amount=2,500.50").get_json()["label"]
    assert "2,500.50 $" in sentences(english)


def test_fees_of_an_unknown_campaign_are_unknown(client: FlaskClient) -> None:
    assert client.get("/c/nothing/fees?amount=20").status_code == 404


def test_nothing_that_costs_or_allows_something_is_ticked_on_a_new_form(
    client: FlaskClient,
) -> None:
    fields = open_form(client, amount="20")
    assert not {"cover_fees", "consent"} & set(fields)
    assert fields["anonymous"] == "1"  # and no name is shown unless its donor says so


def test_no_link_can_tick_a_box_or_speak_for_the_donor(client: FlaskClient) -> None:
    fields = open_form(
        client,
        amount="20",
        cover_fees="1",
        consent="1",
        anonymous="",
        name="Ann",
        email="ann@example.org",
        message="I hate you",
        dedication="Nobody",
        form_token="x" * 20,
    )
    assert not {"cover_fees", "consent"} & set(fields)
    assert fields["anonymous"] == "1"
    for name in ("name", "email", "message", "dedication"):
        assert fields[name] == ""
    assert fields["form_token"] != "x" * 20


def test_a_mistake_leaves_every_box_as_it_was(client: FlaskClient) -> None:
    form = open_form(client) | {"amount": "x", "cover_fees": "1", "consent": "1"}
    del form["anonymous"]
    fields = fields_of(client.post("/c/support-us/donate", data=form))
    assert (fields["cover_fees"], fields["consent"]) == ("1", "1")
    assert "anonymous" not in fields


@pytest.mark.parametrize("lang", ["en", "de"])
def test_consent_is_kept_in_the_words_that_were_read(
    client: FlaskClient, session: Session, clock: MovableClock, lang: str
) -> None:
    sentence = words_of(lang).gettext(CONSENT)
    assert f"<span>{sentence}</span>" in client.get(f"/c/support-us?lang={lang}").text
    form = open_form(client) | {"amount": "20", "email": "ann@example.org", "consent": "1"}
    assert client.post(f"/c/support-us/donate?lang={lang}", data=form).status_code == 303
    donation = donation_in(session)
    assert (donation.consent_text, donation.consented_at) == (sentence, clock.now())


@pytest.mark.parametrize("typed", [{"consent": "1"}, {"email": "ann@example.org"}])
def test_no_consent_without_an_address_or_without_a_tick(
    client: FlaskClient, session: Session, typed: dict[str, str]
) -> None:
    assert give_online(client, amount="20", **typed).status_code == 303
    donation = donation_in(session)
    assert (donation.consent_text, donation.consented_at) == (None, None)


def test_a_dedication_is_kept(client: FlaskClient, session: Session) -> None:
    assert give_online(client, amount="20", dedication=" Grandmother ").status_code == 303
    assert donation_in(session).dedication == "Grandmother"


@pytest.mark.parametrize("dedication", ["x" * 201, "a\x00b", "a\x1bb"])
def test_a_dedication_is_bounded_and_printable(
    client: FlaskClient, session: Session, dedication: str
) -> None:
    answer = give_online(client, amount="20", dedication=dedication)
    assert answer.status_code == 422
    assert 'id="dedication-error"' in answer.text
    assert look(session, select(Donation)) == []
    assert give_online(client, amount="20", dedication="x" * 200).status_code == 303


def test_what_an_amount_pays_for_is_said_of_the_one_that_is_chosen(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    notes = (Suggestion(1_000, "an hour in the archive"), Suggestion(2_000, "a day in court"))
    change_campaign(
        session, "support-us", CampaignChanges(suggestions={"once": notes}), now=clock.now()
    )
    session.commit()
    said = '<p class="note" data-amount="{}"{}><strong><bdi>{} $</bdi>:</strong> <bdi>{}</bdi></p>'
    page = client.get("/c/support-us?amount=20").text
    assert said.format(20, "", 20, "a day in court") in page
    assert said.format(10, " hidden", 10, "an hour in the archive") in page
    german = client.get("/c/support-us?amount=20&lang=de").text
    assert '<bdi lang="en" dir="ltr">a day in court</bdi>' in german


def test_mistakes_are_summed_up_and_the_first_has_the_focus(client: FlaskClient) -> None:
    answer = give_online(client, amount="x", email="nobody", name="y" * 121)
    assert answer.text.count("autofocus") == 1
    amount = answer.text.index('id="amount"')
    assert amount < answer.text.index("autofocus") < answer.text.index("</fieldset>", amount)
    summary = answer.text.partition('role="alert"')[2].partition("</div>")[0]
    for name in ("amount", "name", "email"):
        assert f'href="#{name}"' in summary
        assert f'id="{name}-error"' in answer.text
    assert "<title>Please check the form" in answer.text
    assert "<details" in answer.text
    assert '<details class="who" open>' in answer.text


def test_one_form_is_one_donation_with_all_that_was_added(
    client: FlaskClient, session: Session
) -> None:
    form = open_form(client) | {"amount": "20", "cover_fees": "1", "dedication": "Grandmother"}
    for _ in range(3):
        assert client.post("/c/support-us/donate", data=form).status_code == 303
    assert donation_in(session).cover_minor == 91


def test_the_story_is_printed_under_the_form(client: FlaskClient, session: Session) -> None:
    session.execute(update(Campaign).values(story="## Why\n\n*Now.*\n\n<script>alert(1)</script>"))
    session.commit()
    page = client.get("/c/support-us").text
    assert "<h2>Why</h2>" in page
    assert "<em>Now.</em>" in page
    assert "<script>alert" not in page


def test_amounts_that_are_planned_for_a_period_are_offered_in_it_alone(
    client: FlaskClient, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    campaign = make_campaign("own-june")
    plan_period(session, campaign, "2021-06", Plan(amounts_minor={"once": (1_500,)}))
    session.commit()
    assert ">15 $<" not in client.get("/c/own-june").text
    clock.set(datetime(2021, 6, 1, 4, tzinfo=UTC))
    page = client.get("/c/own-june").text
    assert ">15 $<" in page
    assert ">10 $<" not in page.split('data-frequency="month"', maxsplit=1)[0]
