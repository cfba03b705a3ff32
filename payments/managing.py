"""Recurring donors' self-service: a mailed link that opens Stripe's portal.

Whoever asks gets the same answer, known or not. The link is ours, signed and short-lived; Stripe's
own address of the portal is made when the donor presses the button and is never mailed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.labels import money_label
from campaigns.models import Campaign
from core.outbox import Mail, post_mail
from payments.donating import find_donor
from payments.errors import LinkExpired
from payments.models import OVER, Subscription

LINK_TIME = timedelta(hours=1)
_SALT = "manage"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularGift:
    """A recurring gift as its donor sees it."""

    subscription_id: str
    campaign_title: str
    amount_label: str
    interval: str  # month, year
    status: str  # Stripe's word
    renews_at: datetime | None
    cancel_at: datetime | None


def post_link(
    session: Session, email: str, *, secret_key: str, base_url: str, now: datetime
) -> bool:
    """Mail a link to whoever gives regularly from this address; tell whether somebody does.

    The caller must not show the difference.
    """
    donor = find_donor(session, email)
    if donor is None or donor.email is None or not _subscriptions(session, donor.id):
        return False
    until = now + LINK_TIME
    token = _signer(secret_key).dumps([donor.id, int(until.timestamp())])
    link = f"{base_url}/manage/{token}"
    text = (
        "Hello,\n\n"
        "you asked for a link to look after your regular gift: to change its card, to pause it or"
        " to end it. Here it is. It works for an hour.\n\n"
        f"{link}\n\n"
        "If it was not you who asked, nothing has changed, and you can forget this mail.\n"
    )
    mail = Mail(
        # One each five minutes, however often it is asked for: nobody's mailbox is filled by us.
        key=f"manage:{donor.id}:{int(now.timestamp()) // 300}",
        recipient=donor.email,
        subject="Your regular gift",
        text=text,
    )
    return post_mail(session, mail, now=now)


def regular_gifts(
    session: Session, token: str, *, secret_key: str, now: datetime
) -> Sequence[RegularGift]:
    """Return the gifts of the donor whom a link was mailed to; raise LinkExpired."""
    found = []
    for row, campaign in _subscriptions(session, _donor_id(token, secret_key, now=now)):
        found.append(
            RegularGift(
                subscription_id=row.stripe_id,
                campaign_title=campaign.title,
                amount_label=money_label(campaign, row.amount_minor),
                interval=row.interval,
                status=row.status,
                renews_at=row.renews_at,
                cancel_at=row.cancel_at,
            )
        )
    return found


def customer_of(
    session: Session, token: str, subscription_id: str, *, secret_key: str, now: datetime
) -> str:
    """Return Stripe's customer of one of the donor's gifts; raise LinkExpired."""
    donor_id = _donor_id(token, secret_key, now=now)
    for row, _ in _subscriptions(session, donor_id):
        if row.stripe_id == subscription_id:
            return row.customer_id
    raise LinkExpired


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
