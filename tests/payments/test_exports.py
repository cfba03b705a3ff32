from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from campaigns.errors import CampaignNotFound
from campaigns.ledger_models import LedgerEntry
from campaigns.models import Campaign, Period
from core.clock import MovableClock
from core.errors import Invalid
from core.sheets import Format
from payments.export_filters import Export, What, file_name
from payments.models import Donation, DonationState, Donor
from tests.conftest import START, Give, MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.exported import begin, exported, read_xlsx
from tests.payments.gifts import DISPUTE, REFUND, give_with_cover

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LATE = datetime(2021, 6, 1, 3, 59, 59, tzinfo=UTC)  # still May in New York
JUNE = datetime(2021, 6, 2, 12, tzinfo=UTC)

# Those with a row for each gift.
OF_GIFTS = (What.DONATIONS, What.ENTRIES)


def test_donation_is_told_with_what_is_left_of_it(
    books: Books, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    campaign = make_campaign()
    donation_id = give_with_cover(
        books, campaign, clock, amount_minor=52_000, cover_minor=310, taken=[(REFUND, 2_000)]
    )
    (row,) = exported(books, clock)
    assert row == {
        "id": donation_id,
        "campaign": "support-us",
        "period": "2021-05",
        "state": "paid",
        "amount": "520.00",
        "amount_minor": "52000",
        "cover": "3.10",
        "cover_minor": "310",
        "counted": "500.00",
        "counted_minor": "50000",
        "cover_counted": "3.10",
        "cover_counted_minor": "310",
        "currency": "USD",
        "frequency": "once",
        "recurring": "no",
        "channel": "stripe",
        "reference": f"pi_{donation_id}",
        "fee": "",
        "fee_minor": "",
        "net": "",
        "net_minor": "",
        "settlement_currency": "",
        "created_at": "2021-05-12 06:11:12",
        "created_at_utc": "2021-05-12T10:11:12Z",
        "paid_at": "2021-05-12 06:11:12",
        "paid_at_utc": "2021-05-12T10:11:12Z",
        "timezone": "America/New_York",
        "source": "",
        "slot": "",
        "note": "",
    }


def test_fee_is_told_in_the_currency_that_it_was_settled_in(
    books: Books, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    give_with_cover(books, make_campaign(), clock, amount_minor=52_000)
    session.execute(
        update(Donation).values(fee_minor=81, net_minor=1_234, settlement_currency="JPY")
    )
    session.commit()
    (row,) = exported(books, clock)
    assert (row["fee"], row["net"], row["settlement_currency"]) == ("81", "1234", "JPY")


def test_gift_that_is_not_paid_counts_nothing_and_has_no_period(
    books: Books, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    books.donate()
    (row,) = exported(books, clock)
    assert (row["state"], row["period"], row["counted"], row["paid_at"]) == (
        "pending",
        "",
        "0.00",
        "",
    )


def test_regular_gift_and_offline_gift_are_told_apart(
    books: Books,
    make_campaign: MakeCampaign,
    give: Give,
    fake_gateway: FakeGateway,
    clock: MovableClock,
) -> None:
    campaign = make_campaign()
    checkout = books.donate(frequency="month")
    fake_gateway.subscribe(checkout)
    books.hear(checkout)
    clock.advance(timedelta(minutes=1))
    give(campaign, 700)
    rows = exported(books, clock)
    assert [(row["frequency"], row["recurring"], row["channel"]) for row in rows] == [
        ("month", "yes", "stripe"),
        ("once", "no", "offline"),
    ]


def test_entries_tell_what_each_takes_from_and_whose_donation_it_is(
    books: Books, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    taken = [(REFUND, 1_000), (DISPUTE, 500)]
    donation_id = give_with_cover(
        books, make_campaign(), clock, amount_minor=2_000, cover_minor=90, taken=taken
    )
    rows = exported(books, clock, what=What.ENTRIES)
    assert [(row["reference_kind"], row["kind"], row["amount"]) for row in rows] == [
        ("payment", "gift", "20.00"),
        ("refund", "gift", "-10.00"),
        ("dispute", "gift", "-5.00"),
        ("payment", "cover", "0.90"),
    ]
    gift = f"pi_{donation_id}"
    assert [row["gift"] for row in rows] == ["", gift, gift, ""]
    assert {row["donation"] for row in rows} == {donation_id}
    assert {row["period"] for row in rows} == {"2021-05"}
    assert {row["after_close"] for row in rows} == {"no"}
    assert rows[0]["posted_at"] == "2021-05-12 06:11:12"


def test_entries_add_up_to_what_the_periods_raised(
    books: Books,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
) -> None:
    first, second = make_campaign(), make_campaign("second", currency="JPY", timezone="Asia/Tokyo")
    clock.set(JUNE + timedelta(days=2))
    for number in range(1, 12):
        give(first if number % 2 else second, number * 100, START + timedelta(days=2 * number))
    raised = dict(
        session.execute(
            select(Campaign.slug + " " + Period.key, Period.raised_minor)
            .join(Campaign, Campaign.id == Period.campaign_id)
            .where(Period.raised_minor > 0)
        ).all()
    )
    session.commit()
    sums: dict[str, int] = {}
    for row in exported(books, clock, what=What.ENTRIES):
        period = f"{row['campaign']} {row['period']}"
        sums[period] = sums.get(period, 0) + int(row["amount_minor"])
    assert sums == raised
    assert len(raised) == 4


def test_both_formats_hold_the_same(
    books: Books, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    give_with_cover(books, make_campaign(), clock, amount_minor=52_050, taken=[(REFUND, 2_000)])
    (row,) = read_xlsx(begin(books, clock, format=Format.XLSX))
    assert row["Amount"] == 520.5
    assert row["Left of the amount"] == 500.5
    assert row["Paid"] == datetime(2021, 5, 12, 6, 11, 12)  # noqa: DTZ001
    assert row["Paid, UTC"] == "2021-05-12T10:11:12Z"
    assert row["Recurring"] is False
    entries = read_xlsx(begin(books, clock, what=What.ENTRIES, format=Format.XLSX))
    assert [entry["Amount"] for entry in entries] == [520.5, -20]


def test_donors_are_told_of_only_where_they_may_be(
    books: Books, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    give_with_cover(books, make_campaign(), clock, amount_minor=2_000)
    session.execute(
        update(Donation).values(
            message="=HYPERLINK(1)",
            dedication="For Ben",
            public_name="Ann E.",
            consent_text="I agree",
            consented_at=START,
            locale="de",
        )
    )
    session.execute(update(Donor).values(name="@Ann"))
    session.commit()
    (without,) = exported(books, clock)
    assert not {"donor_name", "donor_email", "message", "public_name"} & without.keys()
    assert not any("ann" in value.lower() for value in without.values())
    (row,) = exported(books, clock, personal=True)
    assert {name: row[name] for name in list(row)[len(without) :]} == {
        "donor_name": "'@Ann",
        "donor_email": "ann@example.org",
        "anonymous": "no",
        "public_name": "Ann E.",
        "message": "'=HYPERLINK(1)",
        "dedication": "For Ben",
        "consent": "I agree",
        "consented_at": "2021-05-12 06:11:12",
        "consented_at_utc": "2021-05-12T10:11:12Z",
        "language": "de",
    }
    (cells,) = read_xlsx(begin(books, clock, personal=True, format=Format.XLSX))
    assert (cells["Message"], cells["Donor"]) == ("=HYPERLINK(1)", "@Ann")


@pytest.mark.parametrize("what", OF_GIFTS)
def test_export_is_narrowed_by_campaign_period_and_days_of_each_zone(
    books: Books, make_campaign: MakeCampaign, give: Give, clock: MovableClock, what: What
) -> None:
    here, there = make_campaign(), make_campaign("there", timezone="Asia/Tokyo")
    clock.set(JUNE)
    # May 31 in New York and June 1 in Tokyo.
    for campaign, amount in ((here, 100), (there, 200)):
        give(campaign, amount, LATE)
    give(here, 300, LATE + timedelta(seconds=1))
    give(here, 400, START)

    def found(**wanted: Any) -> list[int]:
        rows = exported(books, clock, what=what, **wanted)
        return sorted(int(row["amount_minor"]) for row in rows)

    assert found() == [100, 200, 300, 400]
    assert found(slug="there") == [200]
    assert found(period="2021-05") == [100, 400]
    assert found(period="2021-06") == [200, 300]
    assert found(slug="support-us", period="2021-06") == [300]
    assert found(period="2020-01") == []
    assert found(since=date(2021, 5, 31), until=date(2021, 5, 31)) == [100]
    assert found(since=date(2021, 6, 1)) == [200, 300]
    assert found(until=date(2021, 5, 31)) == [100, 400]
    assert found(until=date(2021, 5, 11)) == []


def test_donations_are_narrowed_by_state_and_unpaid_ones_by_the_day_they_were_begun(
    books: Books, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 100)
    books.donate(2_000)
    assert [row["amount"] for row in exported(books, clock, state=DonationState.PENDING)] == [
        "20.00"
    ]
    assert [row["amount"] for row in exported(books, clock, state=DonationState.PAID)] == ["1.00"]
    assert len(exported(books, clock, since=date(2021, 5, 12))) == 2
    assert exported(books, clock, since=date(2021, 5, 13)) == []


@only_sqlite
@pytest.mark.parametrize(
    ("wanted", "error", "field"),
    [
        ({"slug": "none"}, CampaignNotFound, "slug"),
        ({"period": "soon"}, Invalid, "period"),
        ({"since": date(2021, 5, 2), "until": date(2021, 5, 1)}, Invalid, "until"),
        ({"until": date.max}, Invalid, "until"),
        ({"since": date.min}, Invalid, "from"),
        ({"what": What.ENTRIES, "state": DonationState.PAID}, Invalid, "state"),
        ({"what": What.ENTRIES, "personal": True}, Invalid, "personal"),
        ({"what": What.MONTHS, "personal": True}, Invalid, "personal"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_written_down(
    books: Books,
    make_campaign: MakeCampaign,
    clock: MovableClock,
    wanted: dict[str, Any],
    error: type[Invalid],
    field: str,
) -> None:
    make_campaign()
    with pytest.raises(error) as refused:
        begin(books, clock, **wanted)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ({}, "donations-until-2021-05-12.csv"),
        ({"slug": "support-us", "period": "2021-Q2"}, "donations-support-us-2021-Q2.csv"),
        (
            {"since": date(2021, 5, 1), "until": date(2021, 5, 9), "format": Format.XLSX},
            "donations-2021-05-01-2021-05-09.xlsx",
        ),
        ({"state": DonationState.PAID}, "donations-until-2021-05-12-paid.csv"),
    ],
)
def test_file_is_called_by_what_is_in_it(wanted: dict[str, Any], name: str) -> None:
    values: dict[str, Any] = {"what": What.DONATIONS, "format": Format.CSV} | wanted
    assert file_name(Export(**values), now=START) == name


def test_many_pages_hold_every_row_once_and_in_order(
    books: Books, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    campaigns = [make_campaign(), make_campaign("second")]
    # Two pages and a half, a thousand of them begun at one instant.
    session.add_all(
        Donation(
            id=f"don_{number * 2_654_435_761 & 0xFFFFFFFF:08x}",
            campaign_id=campaigns[number % 2].id,
            state=DonationState.PENDING,
            amount_minor=number + 1,
            currency="USD",
            created_at=START - timedelta(seconds=max(0, number - 1_000)),
        )
        for number in range(5_000)
    )
    session.commit()
    stream = begin(books, clock)
    rows = exported(books, clock)
    assert sorted(int(row["amount_minor"]) for row in rows) == list(range(1, 5_001))
    keys = [(row["campaign"] == "second", row["created_at_utc"], row["id"]) for row in rows]
    assert keys == sorted(keys)
    pieces = list(stream)
    assert len(pieces) == 1 + 3
    assert (stream.rows_done, stream.rows_total) == (5_000, 5_000)


def test_what_comes_while_it_runs_is_for_the_next_one(
    books: Books, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    give(campaign, 100)
    for what in OF_GIFTS:
        stream = begin(books, clock, what=what)
        head = next(stream)
        clock.advance(timedelta(seconds=1))
        give(campaign, 200)
        assert (head + b"".join(stream)).count(b"\r\n") == 1 + stream.rows_done
        assert stream.rows_done == session.scalars(select(func.count(LedgerEntry.id))).one() - 1
        session.commit()
