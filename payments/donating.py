"""From a wish to give to a row in the books, before and after Stripe: the donation's own verbs."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from campaigns.calendar import state_at
from campaigns.catalog import find_campaign
from campaigns.ledger import Gift, state_gift
from campaigns.ledger_models import Reference, ReferenceKind
from campaigns.models import Campaign, CampaignState, Period
from core.db import insert_if_absent
from core.errors import Conflict, Invalid
from core.money import MOST_CHARGE_MINOR, MOST_MINOR, least_charge_minor
from core.words import N_, words_of
from payments.errors import CampaignNotOpen, DonationNotFound
from payments.gateway import CheckoutRequest, Frequency
from payments.models import Donation, DonationState, Donor

# How long the donor has at Stripe's page. Counted from the donation, so that a repeated call
# carries the same parameters; Stripe wants 30 minutes at least, which leaves 90 for repeats.
CHECKOUT_TIME = timedelta(hours=2)
MOST_LISTED = 1000
# Beside the amount on Stripe's page, and on its receipts.
_COVER = N_("To cover the fees")
_DONATION_ID = re.compile(r"don_[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a reader submitted with the donate form, parsed and bounded."""

    form_token: str
    amount_minor: int
    frequency: Frequency = "once"
    email: str | None = None
    name: str | None = None
    anonymous: bool = False
    message: str | None = None
    # What the donor adds to cover the fees, in minor units.
    cover_minor: int = 0
    dedication: str | None = None
    # The words beside the box that the donor ticked, None where it was left empty.
    consent_text: str | None = None
    # The language in which the form was read.
    locale: str | None = None
    source: str | None = None
    slot: str | None = None


def gift_bounds_minor(campaign: Campaign) -> tuple[int, int]:
    """Return the least and the most, in minor units, that may be given online."""
    return least_charge_minor(campaign.currency), MOST_CHARGE_MINOR


def start_donation(session: Session, campaign: Campaign, wish: Wish, *, now: datetime) -> Donation:
    """Write down a wish to give, once per submitted form, and return its donation.

    The same form with the same choices gives the donation that it gave before: a double click
    and two tabs make one. The same form with other choices is another wish.
    """
    return begin_donation(session, campaign, wish, now=now)[0]


def find_begun(session: Session, campaign: Campaign, wish: Wish) -> Donation | None:
    """Return the donation that the same form with the same choices gave before, if any."""
    return session.scalars(
        select(Donation).where(Donation.form_key == _form_key(campaign, wish))
    ).one_or_none()


def begin_donation(
    session: Session, campaign: Campaign, wish: Wish, *, now: datetime
) -> tuple[Donation, bool]:
    """Do as `start_donation`, and tell whether the donation is new."""
    if state_at(campaign, now) is not CampaignState.OPEN:
        raise CampaignNotOpen(N_("“{title}” takes no gifts at the moment."), title=campaign.title)
    least, most = gift_bounds_minor(campaign)
    in_bounds = least <= wish.amount_minor <= most
    # What covers the fees is charged to the same card, and never more than the gift itself.
    covered = 0 <= wish.cover_minor <= min(wish.amount_minor, most - wish.amount_minor)
    if not in_bounds or not covered:
        raise Invalid(N_("The amount is out of bounds."), field="amount")
    form_key = _form_key(campaign, wish)
    values = {
        "id": new_donation_id(),
        "campaign_id": campaign.id,
        "state": DonationState.PENDING,
        "amount_minor": wish.amount_minor,
        "frequency": wish.frequency,
        "currency": campaign.currency,
        "form_key": form_key,
        "created_at": now,
        "source": wish.source,
        "slot": wish.slot,
        "donor_id": known_donor(session, email=wish.email, name=wish.name, now=now),
        "anonymous": wish.anonymous,
        "public_name": None if wish.anonymous else wish.name,
        "message": wish.message,
        "cover_minor": wish.cover_minor,
        "dedication": wish.dedication,
        "consent_text": wish.consent_text,
        "consented_at": now if wish.consent_text else None,
        "locale": wish.locale,
    }
    is_new = insert_if_absent(session, Donation, values, unique=("form_key",))
    found = session.scalars(select(Donation).where(Donation.form_key == form_key)).one()
    return found, is_new


def _form_key(campaign: Campaign, wish: Wish) -> str:
    choices = (
        wish.amount_minor, wish.cover_minor, wish.frequency, wish.email, wish.name, wish.anonymous,
        wish.message, wish.dedication, wish.consent_text,
    )  # fmt: skip
    told = repr((campaign.id, wish.form_token, choices))
    return hashlib.sha256(told.encode()).hexdigest()


def find_donation(session: Session, campaign: Campaign, donation_id: str) -> Donation | None:
    """Return the donation of that id and campaign, or None, also for what can't be an id."""
    if not _DONATION_ID.fullmatch(donation_id):
        return None
    donation = session.get(Donation, donation_id)
    return donation if donation is not None and donation.campaign_id == campaign.id else None


def mark_failed(session: Session, donation_id: str) -> None:
    """Give up a donation for which Stripe will open no session; one that got further stays."""
    session.execute(
        update(Donation)
        .where(
            Donation.id == donation_id,
            Donation.state == DonationState.PENDING,
            Donation.checkout_session_id.is_(None),
        )
        .values(state=DonationState.FAILED)
        .execution_options(synchronize_session=False)
    )


def frequency_of(donation: Donation) -> Frequency:
    """Return how often is given; the database holds it to these."""
    return cast("Frequency", donation.frequency)


def checkout_request(
    campaign: Campaign,
    donation: Donation,
    *,
    email: str | None,
    base_url: str,
    customer_id: str | None = None,
    embedded: bool = False,
) -> CheckoutRequest:
    """Return what Stripe is to be asked for; the same donation always gives the same request."""
    page = f"{base_url}/c/{campaign.slug}"
    locale = donation.locale or campaign.locale
    return CheckoutRequest(
        donation_id=donation.id,
        campaign_slug=campaign.slug,
        label=campaign.title,
        amount_minor=donation.amount_minor,
        cover_minor=donation.cover_minor,
        currency=donation.currency,
        cover_label=words_of(locale).gettext(_COVER) if donation.cover_minor else "",
        frequency=frequency_of(donation),
        email=email,
        customer_id=customer_id,
        locale=locale,
        embedded=embedded,
        success_url=f"{page}/thanks?donation={donation.id}",
        cancel_url=f"{page}?donation={donation.id}",
        expires_at=donation.created_at + CHECKOUT_TIME,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineGift:
    """A gift that came without Stripe: a bank transfer, a cheque, another processor."""

    amount_minor: int
    paid_at: datetime
    note: str | None = None
    # What a form carries: the same form with the same choices is one gift.
    form_token: str | None = None


def record_offline_gift(
    session: Session, slug: str, gift: OfflineGift, *, now: datetime
) -> Donation:
    """Write an offline gift into the books.

    Each call is a gift of its own, unless the same form was sent before with the same choices: then
    it is the gift that it was.
    """
    campaign = _takes_offline(session, slug, gift, now=now)
    form_key = None if gift.form_token is None else _offline_key(campaign, gift)
    values = {**_offline_values(campaign, gift, now=now), "form_key": form_key}
    if not insert_if_absent(session, Donation, values, unique=("form_key",)):
        return session.scalars(select(Donation).where(Donation.form_key == form_key)).one()
    return _count_offline(session, campaign, values["id"], now=now)


def record_offline_once(
    session: Session, slug: str, gift: OfflineGift, *, form_key: str, now: datetime
) -> tuple[Donation, bool]:
    """Write an offline gift into the books, once a `form_key`; tell whether it is new.

    However often it is sent, and by however many at once. Raises Conflict where the key stands for
    another gift. One that was paid `now` is the same at any later time.
    """
    campaign = _takes_offline(session, slug, gift, now=now)
    values = {**_offline_values(campaign, gift, now=now), "form_key": form_key}
    if insert_if_absent(session, Donation, values, unique=("form_key",)):
        return _count_offline(session, campaign, values["id"], now=now), True
    found = session.scalars(select(Donation).where(Donation.form_key == form_key)).one()
    is_same = (found.campaign_id, found.amount_minor, found.note) == (
        campaign.id,
        gift.amount_minor,
        gift.note,
    )
    if not is_same or gift.paid_at not in {now, found.paid_at}:
        raise Conflict("This key was used for another gift. Each gift has a key of its own.")
    return found, False


def _takes_offline(session: Session, slug: str, gift: OfflineGift, *, now: datetime) -> Campaign:
    campaign = find_campaign(session, slug, drafts=True)
    if not 0 < gift.amount_minor <= MOST_MINOR:
        raise Invalid("The amount must be more than zero.", field="amount")
    if gift.paid_at > now:
        raise Invalid("A gift can't be recorded before its day.", field="on")
    return campaign


def _offline_values(campaign: Campaign, gift: OfflineGift, *, now: datetime) -> dict[str, Any]:
    donation_id = new_donation_id()
    return {
        "id": donation_id,
        "campaign_id": campaign.id,
        "state": DonationState.PAID,
        "reference": f"offline:{donation_id}",
        "amount_minor": gift.amount_minor,
        "currency": campaign.currency,
        "frequency": "once",
        "created_at": now,
        "paid_at": gift.paid_at,
        "note": gift.note,
        "anonymous": True,
    }


def _count_offline(
    session: Session, campaign: Campaign, donation_id: str, *, now: datetime
) -> Donation:
    donation = session.get_one(Donation, donation_id)
    if donation.reference is None or donation.paid_at is None:
        raise AssertionError  # it has just been written with both
    state_gift(
        session,
        campaign,
        Gift(
            reference=donation.reference,
            kind=ReferenceKind.OFFLINE,
            effect_minor=donation.amount_minor,
            paid_at=donation.paid_at,
        ),
        cause="donations record",
        now=now,
    )
    return donation


def _offline_key(campaign: Campaign, gift: OfflineGift) -> str:
    # The day and not the instant: a gift of today is paid when the form arrives.
    day = gift.paid_at.astimezone(campaign.zone).date().isoformat()
    told = repr((campaign.id, gift.form_token, gift.amount_minor, day, gift.note))
    return hashlib.sha256(told.encode()).hexdigest()


def correct_offline_gift(
    session: Session, donation_id: str, *, amount_minor: int, note: str, now: datetime
) -> Donation:
    """State an offline gift again, with what it should have been; 0 takes it back.

    Nothing is deleted: the ledger posts the difference as an entry of today, in the gift's own
    period. Safe to repeat: the effect is set, not added to.
    """
    donation = session.scalars(
        select(Donation)
        .where(Donation.id == donation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if donation is None:
        raise DonationNotFound
    if donation.reference != f"offline:{donation.id}" or donation.paid_at is None:
        raise Conflict("This gift came through Stripe: give it back instead.")
    if not 0 <= amount_minor <= MOST_MINOR:
        raise Invalid("The amount must be zero or more.", field="amount")
    if not note.strip():
        raise Invalid("Say why it is corrected.", field="note")
    state_gift(
        session,
        session.get_one(Campaign, donation.campaign_id),
        Gift(
            reference=donation.reference,
            kind=ReferenceKind.OFFLINE,
            effect_minor=amount_minor,
            paid_at=donation.paid_at,
        ),
        cause=f"correction: {note.strip()}"[:255],
        now=now,
    )
    # What was given is a gift's own word, and never zero; what counts is in the ledger.
    donation.amount_minor = amount_minor or donation.amount_minor
    session.flush()
    return donation


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDonation:
    """A donation for the admin, with what is left of it and of its cover in the ledger."""

    donation: Donation
    period_key: str | None  # None until it is paid
    counted_minor: int
    cover_counted_minor: int


def list_donations(
    session: Session, slug: str, *, period_key: str | None = None, limit: int = MOST_LISTED
) -> Sequence[ListedDonation]:
    """Return a campaign's donations, newest first; with a period, those that count in it."""
    campaign = find_campaign(session, slug, drafts=True)
    # Outer joins, which the types of a Select don't know: no period and no gift until it is paid.
    statement: Select[*tuple[Any, ...]] = (
        select(Donation, Period.key, Reference)
        .outerjoin(Reference, Reference.name == Donation.reference)
        .outerjoin(Period, Period.id == Reference.period_id)
        .where(Donation.campaign_id == campaign.id)
        .order_by(Donation.created_at.desc(), Donation.id)
        .limit(limit)
    )
    if period_key is not None:
        statement = statement.where(Period.key == period_key)
    rows = session.execute(statement).all()
    taken = _taken_minor(session, [row[2].id for row in rows if row[2] is not None])
    return [
        ListedDonation(
            donation=row[0],
            period_key=row[1],
            counted_minor=0 if row[2] is None else row[2].posted_minor + taken.get(row[2].id, 0),
            cover_counted_minor=0 if row[2] is None else row[2].cover_posted_minor,
        )
        for row in rows
    ]


def _taken_minor(session: Session, gift_ids: Sequence[int]) -> dict[int, int]:
    taken: dict[int, int] = {}
    for row in session.scalars(select(Reference).where(Reference.gift_id.in_(gift_ids))):
        if row.gift_id is not None:
            taken[row.gift_id] = taken.get(row.gift_id, 0) + row.posted_minor
    return taken


def counted_minor(session: Session, donation: Donation) -> int:
    """Return what is left of a donation in the ledger, in minor units."""
    gift = session.scalars(
        select(Reference).where(Reference.name == donation.reference)
    ).one_or_none()
    if gift is None:
        return 0
    return gift.posted_minor + _taken_minor(session, [gift.id]).get(gift.id, 0)


def known_donor(
    session: Session, *, email: str | None, name: str | None, now: datetime
) -> int | None:
    """Return the id of the donor with this address, making one where it is new."""
    if not email:
        return None
    address = normal_address(email)
    insert_if_absent(
        session, Donor, {"email": address, "name": name, "created_at": now}, unique=("email",)
    )
    return session.scalars(select(Donor.id).where(Donor.email == address)).one()


def find_donor(session: Session, email: str) -> Donor | None:
    """Return the donor with this address, however it is spelt, or None."""
    return session.scalars(select(Donor).where(Donor.email == normal_address(email))).one_or_none()


def normal_address(email: str) -> str:
    """Return a mail address as donors are known by it: in small letters, without space around."""
    return email.strip().lower()


def new_donation_id() -> str:
    """Return a new id: 128 random bits, so that knowing one tells nothing of another."""
    return f"don_{secrets.token_hex(16)}"
