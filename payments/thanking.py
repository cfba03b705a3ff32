"""Thank-you mails: one for each payment of somebody whose address we have.

They are made from the books after the books were committed, so nothing about mail can hold money
up; each payment is thanked for once, by its key in the outbox.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from campaigns.catalog import campaign_by_id
from campaigns.face import face_of
from campaigns.labels import money_label
from campaigns.progress import progress_of
from core.outbox import Mail, post_mail
from core.words import words_of
from payments.letters import locale_of_donor, write_letter
from payments.models import UNTHANKED, Donation, Donor, Subscription
from payments.sums import GiftSums, read_sums

# Books that are brought along after weeks of downtime, or from a backup, thank nobody so late.
LATEST = timedelta(days=7)


def post_thanks(
    session: Session, *, site_name: str, base_url: str, now: datetime, limit: int = 50
) -> int:
    """Put the thanks that are due into the outbox; return how many. The caller commits."""
    due = session.scalars(
        select(Donation.id).where(text(UNTHANKED)).order_by(Donation.paid_at).limit(limit)
    ).all()
    statement = (
        select(Donation, Donor, Subscription.interval)
        .join(Donor, Donor.id == Donation.donor_id)
        .outerjoin(Subscription, Subscription.id == Donation.subscription_id)
        .where(Donation.id.in_(due))
        .order_by(Donation.paid_at, Donation.id)
    )
    posted = 0
    for donation, donor, interval in session.execute(statement).all():
        is_late = donation.paid_at is None or donation.paid_at < now - LATEST
        if donor.email is not None and not is_late:
            mail = _thanks(
                session, donation, donor, interval, site_name=site_name, base_url=base_url, now=now
            )
            posted += post_mail(session, mail, now=now)
        donation.thanked_at = now
    session.flush()
    return posted


def _thanks(
    session: Session,
    donation: Donation,
    donor: Donor,
    interval: str | None,
    *,
    site_name: str,
    base_url: str,
    now: datetime,
) -> Mail:
    campaign = campaign_by_id(session, donation.campaign_id)
    # A renewal was filled in by nobody: it is thanked for in the language of the form before.
    locale = donation.locale or locale_of_donor(session, donor.id) or campaign.locale
    progress = progress_of(session, campaign, now=now, base_url=base_url, locale=locale)
    reference = donation.reference or ""
    sums = read_sums(session, [reference]).get(reference, GiftSums())
    amount = money_label(campaign, sums.gift_minor or donation.amount_minor, locale=locale)
    letter = write_letter(
        "thanks",
        locale=locale,
        site_name=site_name,
        base_url=base_url,
        name=donor.name,
        amount=amount,
        cover=money_label(campaign, sums.cover_minor, locale=locale) if sums.cover_minor else None,
        interval=interval,
        face=face_of(session, campaign, progress),
    )
    return Mail(
        key=f"thanks:{donation.id}",
        recipient=donor.email or "",
        subject=words_of(locale)
        .gettext("Thank you for your gift of {amount}")
        .format(amount=amount),
        text=letter.text,
        html=letter.html,
    )
