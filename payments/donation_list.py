"""Finding donations: those behind entries, and those that an admin looks for.

Each way to look is served by an index, from behind the last one shown on: the list costs the same
at ten donations and at ten million.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from campaigns.ledger_models import Reference
from campaigns.models import Campaign, Period
from core.errors import Invalid
from core.money import parse_amount
from payments.donating import normal_address
from payments.models import Donation, DonationState, Donor, Subscription
from payments.sums import GiftSums, read_sums

_OFFLINE = "offline:"
_PLAIN = "en"
# What ids begin with, and what they are of.
_KINDS = {
    "don": "id",
    "pi": "reference",
    "offline": "reference",
    "cs": "checkout",
    "sub": "subscription",
    "re": "reduction",
    "pyr": "reduction",
    "dp": "reduction",
    "du": "reduction",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationFilter:
    """Which donations; None does not narrow them. Begun in `[since, until)`."""

    campaign_id: int | None = None
    period_key: str | None = None
    state: DonationState | None = None
    offline: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    slot: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDonation:
    """A donation with what belongs to it; without sums where nothing was ever paid."""

    donation: Donation
    campaign: Campaign
    period_key: str | None
    donor: Donor | None
    sums: GiftSums | None
    # By what it stands in its list: when it was begun, or, of a period's, when it was paid.
    ordered_at: datetime


def donation_ids(session: Session, references: Collection[str]) -> dict[str, str]:
    """Return the ids of the donations by the references of their gifts."""
    rows = session.execute(
        select(Donation.reference, Donation.id).where(Donation.reference.in_(references))
    )
    return {reference: donation_id for reference, donation_id in rows if reference is not None}


def find_donations(
    session: Session,
    wanted: DonationFilter,
    *,
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> Sequence[FoundDonation]:
    """Return donations, the last begun first; those of a period, the last paid first.

    `after` is the `ordered_at` and the id of the one before.
    """
    conditions, time = _conditions(wanted), Donation.created_at
    if wanted.period_key is not None:
        # By the ledger's own index of a period's gifts: what was begun before and after them, on a
        # campaign of a million, is not gone through.
        named = select(Period.id).where(Period.key == wanted.period_key)
        if wanted.campaign_id is not None:
            named = named.where(Period.campaign_id == wanted.campaign_id)
        conditions.append(Reference.period_id.in_(session.scalars(named).all()))
        time = Reference.paid_at
    if after is not None:
        conditions.append(tuple_(time, Donation.id) < after)
    return _read(session, conditions, limit=limit, time=time)


def search_donations(
    session: Session, text: str, *, with_donors: bool, limit: int
) -> Sequence[FoundDonation]:
    """Return the donations that go by what somebody typed, the last begun first.

    Our id, one of Stripe's (`pi_`, `cs_`, `sub_`, `re_`, `dp_`), an exact amount, or, for whom
    donors are to be seen by, a mail address. Raises Invalid for what is none of these.
    """
    return _read(session, [_meant(session, text.strip(), with_donors=with_donors)], limit=limit)


def find_one(session: Session, donation_id: str) -> FoundDonation | None:
    """Return the donation of that id with what belongs to it, None where there is none."""
    if "\0" in donation_id:
        return None
    return next(iter(_read(session, [Donation.id == donation_id], limit=1)), None)


def _meant(session: Session, text: str, *, with_donors: bool) -> ColumnElement[bool]:
    if "\0" in text or not text:
        raise Invalid("Type an id, an amount or a mail address.", field="q")
    if "@" in text:
        if not with_donors:
            raise Invalid("Your role does not show you donors: search by an id.", field="q")
        named = select(Donor.id).where(Donor.email == normal_address(text))
        return Donation.donor_id.in_(named)
    kind = text.partition("_")[0].partition(":")[0]
    if kind == "ch":
        raise Invalid("Charges are not kept here: search for their payment, pi_….", field="q")
    return _by_id(kind, text) if kind in _KINDS else _of_amount(session, text)


def _by_id(kind: str, text: str) -> ColumnElement[bool]:
    gift = aliased(Reference)
    subscriptions = select(Subscription.id).where(Subscription.stripe_id == text)
    takes = select(gift.name).join(Reference, Reference.gift_id == gift.id)
    return {
        "id": Donation.id == text,
        "reference": Donation.reference == text,
        "checkout": Donation.checkout_session_id == text,
        "subscription": Donation.subscription_id.in_(subscriptions),
        "reduction": Donation.reference.in_(takes.where(Reference.name == text)),
    }[_KINDS[kind]]


def _of_amount(session: Session, text: str) -> ColumnElement[bool]:
    meant: list[ColumnElement[bool]] = []
    for currency in session.scalars(select(Campaign.currency).distinct()):
        try:
            minor = parse_amount(text, currency, locale=_PLAIN)
        except Invalid:
            continue
        meant.append(and_(Donation.amount_minor == minor, Donation.currency == currency))
    if not meant:
        raise Invalid("Type an id, an amount as 20.50, or a mail address.", field="q")
    return or_(false(), *meant)


def _conditions(wanted: DonationFilter) -> list[ColumnElement[bool]]:
    is_offline = and_(Donation.reference.is_not(None), Donation.reference.startswith(_OFFLINE))
    told: list[tuple[object, ColumnElement[bool]]] = [
        (wanted.campaign_id, Donation.campaign_id == wanted.campaign_id),
        (wanted.state, Donation.state == wanted.state),
        (wanted.offline, is_offline if wanted.offline else ~is_offline),
        (wanted.source, Donation.source == wanted.source),
        (wanted.slot, Donation.slot == wanted.slot),
    ]
    conditions = [condition for value, condition in told if value is not None]
    if wanted.since is not None:
        conditions.append(Donation.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Donation.created_at < wanted.until)
    return conditions


def _read(
    session: Session,
    conditions: Sequence[ColumnElement[bool]],
    *,
    limit: int,
    time: InstrumentedAttribute[datetime] = Donation.created_at,
) -> Sequence[FoundDonation]:
    # Outer joins, which the types of a Select don't know.
    statement: Select[*tuple[Any, ...]] = (
        select(Donation, Campaign, Period.key, Donor, time)
        .join(Campaign, Campaign.id == Donation.campaign_id)
        .outerjoin(Reference, Reference.name == Donation.reference)
        .outerjoin(Period, Period.id == Reference.period_id)
        .outerjoin(Donor, Donor.id == Donation.donor_id)
        .where(*conditions)
        .order_by(time.desc(), Donation.id.desc())
        .limit(limit)
    )
    rows = session.execute(statement).all()
    sums = read_sums(session, [row[0].reference for row in rows if row[0].reference is not None])
    return [
        FoundDonation(
            donation=donation,
            campaign=campaign,
            period_key=key,
            donor=donor,
            sums=sums.get(donation.reference or ""),
            ordered_at=ordered_at,
        )
        for donation, campaign, key, donor, ordered_at in rows
    ]
