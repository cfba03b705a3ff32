"""The page that donors come back to: it tells how their gift stands, and names nobody."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, request
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.errors import StaleFacts
from campaigns.face import read_face
from campaigns.labels import money_label
from campaigns.look import offered_frequencies
from campaigns.models import Campaign, CampaignState
from core.clock import now
from core.db import read_session
from core.web import reader_locale, render_page, settings
from payments.books import Occasion, apply_facts, look_and_apply
from payments.donating import find_donation
from payments.edge import current_gateway, open_session
from payments.errors import DonationNotFound, GatewayRefused, GatewayUnavailable
from payments.facts import Facts, gather_for_checkout
from payments.managing import interval_of, next_payment_label
from payments.models import Donation, DonationState
from payments.sums import GiftSums, read_sums

# The page looks again this often while the money is on its way.
MOST_REFRESHES = 24

bp = Blueprint("thanks", __name__)


@bp.get("/c/<slug>/thanks")
def thanks(slug: str) -> Response:
    """Tell the donor how it stands, by the same code as the webhook. Names nobody."""
    session = read_session()
    campaign = find_campaign(session, slug)
    donation = find_donation(session, campaign, request.args.get("donation", ""))
    if donation is None:
        raise DonationNotFound
    if donation.state in {DonationState.PENDING, DonationState.PROCESSING}:
        _ask_again(session, donation)
    locale = reader_locale(donation.locale or campaign.locale)
    reference = donation.reference or ""
    sums = read_sums(session, [reference]).get(reference)
    state = _shown_state(donation, sums)
    page = render_page(
        "thanks.html",
        locale=locale,
        state=state,
        **_amounts(campaign, donation, sums, locale=locale),
        **_what_next(session, campaign, donation, locale=locale),
        face=read_face(session, slug, now=now(), base_url=settings().base_url, locale=locale),
        refresh_url=_refresh_url(slug, donation) if state == "pending" else None,
        retry_url=f"/c/{slug}?donation={donation.id}",
    )
    response = current_app.make_response(page)
    # The donation's number is in the address: no other site may learn it.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _shown_state(donation: Donation, sums: GiftSums | None) -> str:
    state = DonationState(donation.state)
    if state is DonationState.PROCESSING:
        return "pending"
    if state is DonationState.PAID and sums is not None and sums.left_minor == 0:
        return "disputed" if sums.disputed_minor else "refunded"
    return str(state)


def _amounts(
    campaign: Campaign, donation: Donation, sums: GiftSums | None, *, locale: str
) -> dict[str, str | None]:
    """Return the amounts as they are said: by the ledger once it has them, else as asked for."""
    told = sums or GiftSums(gift_minor=donation.amount_minor, cover_minor=donation.cover_minor)
    label = partial(money_label, campaign, locale=locale)
    return {
        "amount": label(told.gift_minor),
        "cover": label(told.cover_minor) if told.cover_minor else None,
        "whole": label(told.gift_minor + told.cover_minor),
        "refunded": label(-told.refunded_minor) if told.refunded_minor else None,
        "disputed": label(-told.disputed_minor) if told.disputed_minor else None,
    }


def _what_next(
    session: Session, campaign: Campaign, donation: Donation, *, locale: str
) -> dict[str, object]:
    interval = interval_of(session, donation)
    is_open = campaign.state == CampaignState.OPEN
    return {
        "interval": interval,
        "next_payment": next_payment_label(session, campaign, donation, locale=locale),
        "may_give_monthly": (
            interval is None and is_open and "month" in offered_frequencies(campaign)
        ),
        "campaign_lang": campaign.locale.replace("_", "-"),
    }


def _refresh_url(slug: str, donation: Donation) -> str | None:
    rounds = request.args.get("round", 0, type=int)
    if not 0 <= rounds < MOST_REFRESHES:
        return None
    query = {"donation": donation.id, "round": str(rounds + 1)}
    if "lang" in request.args:
        query["lang"] = request.args["lang"]
    return f"/c/{slug}/thanks?{urlencode(query)}"


def _ask_again(session: Session, donation: Donation) -> None:
    gateway, checkout_id = current_gateway(), donation.checkout_session_id
    if gateway is None or checkout_id is None:
        return
    donation_id = donation.id
    session.rollback()  # no transaction stays open while we wait for Stripe

    def apply(session: Session, /, *, facts: Facts, seen: Mapping[str, int]) -> str:
        occasion = Occasion(
            cause=f"thanks:{checkout_id}", livemode=settings().livemode, now=now(), seen=seen
        )
        return apply_facts(session, facts, occasion)

    try:
        look_and_apply(open_session, partial(gather_for_checkout, gateway, checkout_id), apply)
    except (GatewayUnavailable, GatewayRefused, StaleFacts) as error:
        current_app.logger.warning("thanks page of %s: %s", donation_id, error)
    read_session()
    session.refresh(donation)
