"""What admins are told of regular gifts: a card that fails, a gift that is cancelled.

By the gift's id at Stripe: whose it is, an admin finds there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.labels import money_label
from campaigns.models import Campaign
from core.money import format_money
from core.notices import Notice, notify
from core.subscribers import Topic
from payments.models import OVER, Subscription

# Stripe's states of a subscription whose last payment failed, and what Stripe does about it.
_FAILING = {
    "past_due": "Stripe tries it again by the rules that are set there.",
    "unpaid": "Stripe tries it no more.",
}
_CANCELLED = "canceled"
_LOCALE = "en"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a regular gift stood before Stripe was heard."""

    status: str
    cancel_at: datetime | None


def standing_of(row: Subscription) -> Standing:
    """Return where a regular gift stands."""
    return Standing(row.status, row.cancel_at)


def tell_change(session: Session, row: Subscription, before: Standing, *, now: datetime) -> None:
    """Tell of what changed since `before`, each change once. The caller commits."""
    campaign = session.get_one(Campaign, row.campaign_id)
    what = f"A gift of {_money(campaign, row)} a {row.interval} ({row.stripe_id})"
    if row.status in _FAILING and row.status != before.status:
        notice = _notice(
            campaign,
            row,
            topic=Topic.CARD,
            # The period's end tells this failure from that of another month.
            key=f"card:{row.stripe_id}:{row.status}:{_day(row.renews_at)}",
            subject=f"{campaign.title}: the card of a regular gift failed",
            text=f"{what} could not be charged. {_FAILING[row.status]}",
        )
        notify(session, notice, now=now)
    elif _ends(standing_of(row)) and not _ends(before) and before.status not in OVER:
        when = row.cancel_at if row.status != _CANCELLED else None
        notice = _notice(
            campaign,
            row,
            topic=Topic.CANCELLED,
            key=f"cancelled:{row.stripe_id}:{_day(when)}",
            subject=f"{campaign.title}: a regular gift was cancelled",
            text=f"{what} ends on {_day(when)}." if when else f"{what} has ended.",
        )
        notify(session, notice, now=now)


def _ends(standing: Standing) -> bool:
    """Tell whether a gift has ended or will; its end as announced is no news of its own."""
    return standing.status == _CANCELLED or standing.cancel_at is not None


def _notice(
    campaign: Campaign, row: Subscription, *, topic: Topic, key: str, subject: str, text: str
) -> Notice:
    return Notice(
        topic=topic,
        key=key,
        subject=subject,
        text=text,
        data={
            "subscription": row.stripe_id,
            "status": row.status,
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            "interval": row.interval,
            "ends_on": _day(row.cancel_at) if row.cancel_at else None,
        },
        campaign=campaign.slug,
    )


def _money(campaign: Campaign, row: Subscription) -> str:
    if row.currency == campaign.currency:
        return money_label(campaign, row.amount_minor, locale=_LOCALE)
    return format_money(row.amount_minor, row.currency, locale=_LOCALE)


def _day(instant: datetime | None) -> str:
    return "now" if instant is None else f"{instant:%F}"
