"""The page that donors come back to: it tells how their gift stands, and names nobody."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from flask import Blueprint, Response, current_app, render_template, request
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.errors import StaleFacts
from campaigns.face import read_face
from campaigns.labels import money_label
from core.clock import now
from core.db import db
from core.errors import NotFound
from core.web import settings
from payments.books import Occasion, apply_facts, look_and_apply
from payments.donating import counted_minor, find_donation
from payments.edge import current_gateway, open_session
from payments.errors import GatewayRefused, GatewayUnavailable
from payments.facts import Facts, gather_for_checkout
from payments.models import Donation, DonationState

# The page looks again this often while the money is on its way.
MOST_REFRESHES = 24

bp = Blueprint("thanks", __name__)


@bp.get("/c/<slug>/thanks")
def thanks(slug: str) -> Response:
    """Tell the donor how it stands, by the same code as the webhook. Names nobody."""
    session = db.session
    campaign = find_campaign(session, slug)
    donation = find_donation(session, campaign, request.args.get("donation", ""))
    if donation is None:
        raise NotFound("We know of no such donation.")
    if donation.state in {DonationState.PENDING, DonationState.PROCESSING}:
        _ask_again(session, donation)
    shown = {
        DonationState.PROCESSING: "pending",
        DonationState.QUARANTINED: "pending",
    }.get(DonationState(donation.state), str(donation.state))
    if shown == DonationState.PAID and counted_minor(session, donation) == 0:
        shown = "refunded"
    rounds = request.args.get("round", 0, type=int)
    refresh_url = None
    if shown == "pending" and 0 <= rounds < MOST_REFRESHES:
        refresh_url = f"/c/{slug}/thanks?donation={donation.id}&round={rounds + 1}"
    page = render_template(
        "thanks.html",
        state=shown,
        amount_label=money_label(campaign, donation.amount_minor),
        face=read_face(session, slug, now=now(), base_url=settings().base_url),
        refresh_url=refresh_url,
        retry_url=f"/c/{slug}?donation={donation.id}",
    )
    return current_app.make_response(page)


def _ask_again(session: Session, donation: Donation) -> None:
    gateway, checkout_id = current_gateway(), donation.checkout_session_id
    if gateway is None or checkout_id is None:
        return
    session.rollback()  # no transaction stays open while we wait for Stripe

    def apply(session: Session, /, *, facts: Facts, seen: Mapping[str, int]) -> str:
        occasion = Occasion(
            cause=f"thanks:{checkout_id}", livemode=settings().livemode, now=now(), seen=seen
        )
        return apply_facts(session, facts, occasion)

    try:
        look_and_apply(open_session, partial(gather_for_checkout, gateway, checkout_id), apply)
    except (GatewayUnavailable, GatewayRefused, StaleFacts) as error:
        current_app.logger.warning("thanks page of %s: %s", donation.id, error)
    session.refresh(donation)
