"""How the admin's JSON API writes campaigns, totals, donations and entries.

Money is integers of minor units beside their currency, times are UTC; docs/api.md says the same.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from admin.api_shapes import (
    AsClosedJson,
    CampaignJson,
    DonationJson,
    DonorJson,
    EntryJson,
    PeriodTotalsJson,
    TotalsJson,
)
from campaigns.ledger_models import ReferenceKind
from campaigns.models import Campaign, CampaignState
from campaigns.progress import instant_text
from campaigns.reports import AsClosed, Month
from core.cadence import Rhythm
from payments.models import DonationState
from payments.monthly import Totals


def campaign_json(campaign: Campaign, *, base_url: str) -> CampaignJson:
    """Return a campaign as it is set."""
    return {
        "campaign": campaign.slug,
        "title": campaign.title,
        "description": campaign.description,
        "state": CampaignState(campaign.state),
        "currency": campaign.currency,
        "timezone": campaign.timezone,
        "locale": campaign.locale,
        "rhythm": Rhythm(campaign.rhythm),
        "tiers_minor": [tier.amount_minor for tier in campaign.tiers],
        "created_at": instant_text(campaign.created_at),
        "url": f"{base_url}/c/{campaign.slug}",
    }


def period_json(month: Month, totals: Totals) -> PeriodTotalsJson:
    """Return what a period raised and of what, as it is now and as it was announced."""
    closed = month.closed
    return {
        "period": month.key,
        "label": month.label,
        "starts_at": instant_text(month.starts_at),
        "ends_at": instant_text(month.ends_at),
        "is_running": month.is_running,
        "tiers_minor": list(month.tiers_minor),
        **totals_json(totals),
        "donors": month.donors,
        "closed_at": _instant(month.closed_at),
        "as_closed": None if closed is None else _as_closed_json(closed),
        "since_close_minor": month.since_close_minor,
    }


def _as_closed_json(closed: AsClosed) -> AsClosedJson:
    return {
        "raised_minor": closed.raised_minor,
        "gifts": closed.gifts,
        "donors": closed.donors,
    }


def totals_json(totals: Totals) -> TotalsJson:
    """Return figures with what Stripe kept of them."""
    figures = totals.figures
    return {
        "currency": totals.currency,
        "gross_minor": figures.gross_minor,
        "refunds_minor": figures.refunds_minor,
        "disputes_minor": figures.disputes_minor,
        "raised_minor": figures.raised_minor,
        "cover_minor": figures.cover_minor,
        "fee_minor": totals.fee_minor,
        "fee_payments": totals.fee_payments,
        "other_fees": [
            {"currency": code, "fee_minor": fee.minor, "payments": fee.payments}
            for code, fee in sorted(totals.other_fees.items())
        ],
        "net_minor": totals.net_minor,
        "offline_minor": figures.offline_minor,
        "offline_gifts": figures.offline_gifts,
        "regular_minor": figures.regular_minor,
        "regular_gifts": figures.regular_gifts,
        "one_off_minor": figures.one_off_minor,
        "gifts": figures.gifts,
        "average_minor": figures.average_minor,
    }


def donation_json(found: Any, *, personal: bool) -> DonationJson:
    """Return a row of the donations' export; with who gave where that may be seen."""
    told: DonationJson = {
        "donation": found.id,
        "campaign": found.slug,
        "period": found.period,
        "state": DonationState(found.state),
        "currency": found.currency,
        "amount_minor": found.amount_minor,
        "cover_minor": found.cover_minor,
        "left_minor": int(found.left_minor or 0),
        "cover_left_minor": int(found.cover_left_minor or 0),
        "frequency": found.frequency,
        "is_regular": found.subscription_id is not None or found.frequency != "once",
        "is_offline": found.kind == ReferenceKind.OFFLINE,
        "reference": found.reference,
        "fee_minor": found.fee_minor,
        "net_minor": found.net_minor,
        "settlement_currency": found.settlement_currency,
        "created_at": instant_text(found.created_at),
        "paid_at": _instant(found.paid_at),
        "source": found.source,
        "slot": found.slot,
        "note": found.note,
    }
    if personal:
        told["donor"] = _donor_json(found)
    return told


def _donor_json(found: Any) -> DonorJson:
    return {
        "name": found.donor_name,
        "email": found.donor_email,
        "is_anonymous": found.anonymous,
        "public_name": found.public_name,
        "message": found.message,
        "dedication": found.dedication,
        "consent": found.consent_text,
        "consented_at": _instant(found.consented_at),
        "locale": found.locale,
    }


def entry_json(found: Any) -> EntryJson:
    """Return a row of the entries' export."""
    return {
        "entry": found.id,
        "campaign": found.slug,
        "period": found.period,
        "reference": found.reference,
        "reference_kind": found.reference_kind,
        "sequence": found.sequence,
        "kind": found.kind,
        "currency": found.currency,
        "amount_minor": found.amount_minor,
        "paid_at": instant_text(found.paid_at),
        "posted_at": instant_text(found.posted_at),
        "is_after_close": found.after_close,
        "cause": found.cause,
        "gift": found.gift,
        "donation": found.donation_id,
    }


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)
