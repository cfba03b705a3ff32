"""Donors' self-service: a mailed link that opens their gifts, statements and Stripe's portal.

Whoever asks gets the same answer, known or not. The link is ours, signed and short-lived; Stripe's
own address of the portal is made when the donor presses the button and is never mailed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from babel.dates import format_date
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.labels import money_label
from campaigns.models import Campaign
from core.outbox import Mail, post_mail
from core.words import language_tag, words_of
from payments.donating import find_donor
from payments.errors import LinkExpired
from payments.letters import locale_of_donor, write_letter
from payments.models import OVER, Donation, Donor, Subscription

LINK_TIME = timedelta(hours=1)
_SALT = "manage"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularGift:
    """A recurring gift as its donor sees it; the days are in its campaign's zone."""

    subscription_id: str
    campaign_title: str
    campaign_lang: str
    amount_label: str
    interval: str  # month, year
    status: str  # Stripe's word
    renews_label: str | None
    ends_label: str | None


def post_link(
    session: Session,
    email: str,
    *,
    secret_key: str,
    site_name: str,
    base_url: str,
    locale: str,
    now: datetime,
) -> bool:
    """Mail a link to whoever has given from this address; tell whether somebody has.

    The caller must not show the difference. `locale` is the language of the mail to somebody
    whose own is not known.
    """
    donor = find_donor(session, email)
    if donor is None or donor.email is None or not _has_given(session, donor.id):
        return False
    until = now + LINK_TIME
    token = _signer(secret_key).dumps([donor.id, int(until.timestamp())])
    locale = locale_of_donor(session, donor.id) or locale
    letter = write_letter(
        "link",
        locale=locale,
        site_name=site_name,
        base_url=base_url,
        link=f"{base_url}/manage/{token}",
    )
    mail = Mail(
        # One each five minutes, however often it is asked for: nobody's mailbox is filled by us.
        key=f"manage:{donor.id}:{int(now.timestamp()) // 300}",
        recipient=donor.email,
        subject=words_of(locale).gettext("Your gifts"),
        text=letter.text,
        html=letter.html,
    )
    return post_mail(session, mail, now=now)


def donor_of(session: Session, token: str, *, secret_key: str, now: datetime) -> Donor:
    """Return whom a link was mailed to; raise LinkExpired, also where they were erased since."""
    donor = session.get(Donor, _donor_id(token, secret_key, now=now))
    if donor is None or donor.email is None:
        raise LinkExpired
    return donor


def regular_gifts(session: Session, donor: Donor, *, locale: str) -> Sequence[RegularGift]:
    """Return the donor's regular gifts that are not over, in words of that language."""
    return [
        RegularGift(
            subscription_id=row.stripe_id,
            campaign_title=campaign.title,
            campaign_lang=language_tag(campaign.locale),
            amount_label=money_label(campaign, row.amount_minor, locale=locale),
            interval=row.interval,
            status=row.status,
            renews_label=day_label(campaign, row.renews_at, locale=locale),
            ends_label=day_label(campaign, row.cancel_at, locale=locale),
        )
        for row, campaign in _subscriptions(session, donor.id)
    ]


def interval_of(session: Session, donation: Donation) -> str | None:
    """Return how often a gift is given, `month` or `year`; None if once, or no more."""
    if donation.subscription_id is not None:
        row = session.get_one(Subscription, donation.subscription_id)
        return None if row.status in OVER else row.interval
    return donation.frequency if donation.frequency != "once" else None


def next_payment_label(
    session: Session, campaign: Campaign, donation: Donation, *, locale: str
) -> str | None:
    """Return the day of the payment that follows a gift; None where none is to come, or known."""
    if donation.subscription_id is None:
        return None
    row = session.get_one(Subscription, donation.subscription_id)
    if row.status in OVER or row.cancel_at is not None:
        return None
    return day_label(campaign, row.renews_at, locale=locale)


def day_label(campaign: Campaign, instant: datetime | None, *, locale: str) -> str | None:
    """Print the day of an instant in the campaign's zone; None for none."""
    if instant is None:
        return None
    label: str = format_date(instant.astimezone(campaign.zone).date(), "long", locale=locale)
    return label


def customer_of(session: Session, donor: Donor, subscription_id: str) -> str:
    """Return Stripe's customer of one of the donor's gifts; raise LinkExpired for another's."""
    for row, _ in _subscriptions(session, donor.id):
        if row.stripe_id == subscription_id:
            return row.customer_id
    raise LinkExpired


def _has_given(session: Session, donor_id: int) -> bool:
    paid = select(Donation.id).where(Donation.donor_id == donor_id, Donation.reference.is_not(None))
    return session.scalars(paid.limit(1)).first() is not None or bool(
        _subscriptions(session, donor_id)
    )


def _subscriptions(session: Session, donor_id: int) -> Sequence[tuple[Subscription, Campaign]]:
    statement = (
        select(Subscription, Campaign)
        .join(Campaign, Campaign.id == Subscription.campaign_id)
        .where(Subscription.donor_id == donor_id, Subscription.status.not_in(OVER))
        .order_by(Subscription.id)
    )
    return [(row, campaign) for row, campaign in session.execute(statement)]


def _donor_id(token: str, secret_key: str, *, now: datetime) -> int:
    try:
        donor_id, until = _signer(secret_key).loads(token)
        is_over = datetime.fromtimestamp(until, UTC) <= now
    except (BadData, ValueError, TypeError):
        raise LinkExpired from None
    if is_over:
        raise LinkExpired
    return int(donor_id)


def _signer(secret_key: str) -> URLSafeSerializer:
    # The time is ours (core.clock), so it is signed with the rest and not left to the library.
    return URLSafeSerializer(secret_key, salt=_SALT)
