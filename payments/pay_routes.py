"""The page of ours in which donors pay, where Stripe's form is embedded (`CHECKOUT=embedded`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import cast
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, redirect, request
from flask import session as browser
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.labels import money_label
from campaigns.models import Campaign
from core.clock import now
from core.db import read_session
from core.web import PAGE_POLICY, reader_locale, render_page, settings
from core.words import N_, language_tag
from payments.checkouts import close_checkout, open_checkout, start_again
from payments.donating import find_donation
from payments.edge import SENT, current_gateway, limiter
from payments.errors import (
    DonationNotFound,
    GatewayRefused,
    GatewayUnavailable,
    PaymentsNotSetUp,
)
from payments.gateway import Checkout, Gateway
from payments.models import Donation, DonationState
from payments.stripe_gateway import trusted_url

_UNREACHABLE = N_("We can't reach our payment service just now. Nothing was charged.")

bp = Blueprint("pay", __name__)


def way_to_pay(
    gateway: Gateway, campaign: Campaign, donation: Donation, checkout: Checkout | None
) -> str:
    """Return where a donor goes next: to Stripe's page, to ours, or on where that is done."""
    if checkout is None or checkout.status == "complete":
        return _address(campaign, "/thanks", donation)
    if checkout.url is not None:
        return trusted_url(checkout.url, gateway.checkout_origin)
    if checkout.status == "open" and checkout.client_secret:
        return _address(campaign, "/pay", donation)
    return _address(campaign, "/thanks", donation)


@bp.get("/c/<slug>/pay")
def pay(slug: str) -> Response:
    """Show Stripe's form in a page of ours, to the browser that sent the gift and to no other.

    The address names the donation and may be passed on; Stripe's form shows the donor's address.
    Whoever else comes gets the form, filled in with the amount alone.
    """
    session = read_session()
    campaign, donation = _asked_for(session, slug, request.args)
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp(_UNREACHABLE)
    if donation.state not in {DonationState.PENDING, DonationState.EXPIRED, DonationState.FAILED}:
        return _to(_address(campaign, "/thanks", donation))
    checkout_id = donation.checkout_session_id
    if donation.state != DonationState.PENDING or checkout_id is None or not _sent_it(donation):
        return _to(_address(campaign, "", donation))
    session.commit()  # no transaction stays open while we wait for Stripe
    try:
        checkout = gateway.checkout(checkout_id)
    except (GatewayUnavailable, GatewayRefused) as error:
        raise _unreachable(donation, error) from error
    if checkout.status == "expired":
        return _to(_address(campaign, "", donation))
    if checkout.status != "open" or checkout.client_secret is None:
        return _to(way_to_pay(gateway, campaign, donation, checkout))
    return _page(gateway, campaign, donation, client_secret=checkout.client_secret)


@bp.post("/c/<slug>/pay")
@limiter.limit("10 per minute; 60 per hour")
def pay_at_stripe(slug: str) -> Response:
    """Send the donor to Stripe's own page, where the form in ours does not show.

    A session can't change its place. The embedded one is closed first, for good, and only then is
    the same wish written down again: so there are never two that can be paid. The wish passed the
    guard before, and there is one more session at most for each that did.
    """
    session = read_session()
    campaign, donation = _asked_for(session, slug, request.form)
    gateway, checkout_id = current_gateway(), donation.checkout_session_id
    if gateway is None:
        raise PaymentsNotSetUp(_UNREACHABLE)
    if checkout_id is None or not _sent_it(donation):
        return _to(_address(campaign, "", donation))
    if donation.state not in {DonationState.PENDING, DonationState.EXPIRED}:
        return _to(_address(campaign, "/thanks", donation))
    session.commit()
    try:
        closed = close_checkout(gateway, checkout_id)
        if closed.status != "expired":
            return _to(way_to_pay(gateway, campaign, donation, closed))
        again, email = start_again(session, campaign, donation, now=now())
        session.commit()  # before Stripe hears of it
        opened = open_checkout(
            session,
            gateway,
            campaign,
            again,
            email=email,
            base_url=settings().base_url,
            embedded=False,
        )
        session.commit()
        address = way_to_pay(gateway, campaign, again, opened)
    except (GatewayUnavailable, GatewayRefused) as error:
        session.rollback()
        raise _unreachable(donation, error) from error
    browser[SENT] = {**browser[SENT], "donation": again.id}
    return _to(address)


def _asked_for(session: Session, slug: str, named: Mapping[str, str]) -> tuple[Campaign, Donation]:
    campaign = find_campaign(session, slug)
    donation = find_donation(session, campaign, named.get("donation", ""))
    if donation is None:
        raise DonationNotFound
    return campaign, donation


def _sent_it(donation: Donation) -> bool:
    """Tell whether it was this browser that sent the gift, as its latest."""
    return (browser.get(SENT) or {}).get("donation") == donation.id


def _page(
    gateway: Gateway, campaign: Campaign, donation: Donation, *, client_secret: str
) -> Response:
    embedding = gateway.embedding
    locale = donation.locale or campaign.locale
    if "lang" in request.args:
        locale = reader_locale(locale)
    page = render_page(
        "pay.html",
        locale=locale,
        title=campaign.title,
        own_lang=language_tag(campaign.locale),
        donation_id=donation.id,
        amount=money_label(campaign, donation.amount_minor, locale=locale),
        cover=(
            money_label(campaign, donation.cover_minor, locale=locale)
            if donation.cover_minor
            else None
        ),
        whole=money_label(campaign, donation.asked_minor, locale=locale),
        frequency=donation.frequency,
        back_url=_address(campaign, "", donation),
        action=f"/c/{campaign.slug}/pay",
        csrf_token=generate_csrf(),
        script_url=embedding.script_url,
        publishable_key=settings().stripe_publishable_key,
        client_secret=client_secret,
    )
    response = current_app.make_response(page)
    response.headers["Content-Security-Policy"] = policy_with(
        # The way on to Stripe's own page is a form's redirect.
        {**embedding.sources, "form-action": (gateway.checkout_origin,)}
    )
    return response


def policy_with(sources: Mapping[str, Sequence[str]]) -> str:
    """Return our pages' policy with these sources let in as well, by directive."""
    directives = dict(part.strip().split(" ", 1) for part in PAGE_POLICY.split(";"))
    for name, let_in in sources.items():
        directives[name] = " ".join(filter(None, (directives.get(name), *let_in)))
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _unreachable(donation: Donation, error: Exception) -> GatewayUnavailable:
    current_app.logger.warning("paying %s: %s", donation.id, error)
    return GatewayUnavailable(_UNREACHABLE)


def _address(campaign: Campaign, page: str, donation: Donation) -> str:
    query = {"donation": donation.id}
    if "lang" in request.args:
        query["lang"] = request.args["lang"]
    return f"/c/{campaign.slug}{page}?{urlencode(query)}"


def _to(address: str) -> Response:
    return cast("Response", redirect(address, code=HTTPStatus.SEE_OTHER))
