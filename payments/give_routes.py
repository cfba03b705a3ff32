"""The pages where readers give: the campaign's page, and the form that leads to Stripe."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Blueprint, Response, current_app, redirect, render_template, request
from flask import session as browser
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from campaigns.catalog import find_campaign
from campaigns.face import read_all_faces, read_face
from campaigns.models import Campaign, CampaignState
from campaigns.progress import read_history
from core.clock import now
from core.db import db, read_session
from core.errors import Invalid
from core.money import parse_amount, typed_amount
from core.web import PAGE_POLICY, settings
from payments.donating import checkout_request, find_donation, mark_failed, start_donation
from payments.edge import csrf, current_gateway, limiter
from payments.errors import GatewayRefused, GatewayUnavailable
from payments.forms import (
    DonateForm,
    FormView,
    first_errors,
    form_view,
    new_form_token,
    source_of_link,
)
from payments.gateway import Gateway
from payments.models import Donation, DonationState
from payments.stripe_gateway import trusted_url

HISTORY_MONTHS = 12

_TYPED = "typed"

bp = Blueprint("give", __name__)


@bp.get("/")
def front() -> str:
    """List the public campaigns."""
    faces = read_all_faces(read_session(), now=now(), base_url=settings().base_url)
    return render_template("index.html", faces=faces)


@bp.get("/c/<slug>")
def campaign_page(slug: str) -> Response:
    """Show a campaign and its donate form, filled in as the link that led here says."""
    session = read_session()
    campaign = find_campaign(session, slug)
    values: MultiDict[str, str] = MultiDict(request.args)
    values["amount"] = _amount_of_link(campaign, request.args.get("amount", ""))
    if not values.get("source"):
        values["source"] = source_of_link(request.referrer, base_url=settings().base_url) or ""
    if "donation" in request.args:  # back from Stripe's page, without having paid
        values = _values_of(session, campaign, request.args["donation"])
    return _page(session, campaign, _form_view(campaign, values), HTTPStatus.OK)


@bp.post("/c/<slug>/donate")
@csrf.exempt  # the form checks its own token, so that what was typed is kept when it is too old
@limiter.limit("10 per minute; 60 per hour")
def donate(slug: str) -> Response:
    """Take the form, write the donation down, and send the donor to Stripe's page."""
    session = db.session
    campaign = find_campaign(session, slug)
    form = DonateForm(campaign, request.form)
    view = _form_view(campaign, request.form)
    gateway = current_gateway()
    if gateway is None or campaign.state != CampaignState.OPEN:
        return _page(session, campaign, view, HTTPStatus.SERVICE_UNAVAILABLE)
    if not form.validate():
        view.errors = first_errors(form)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if view.errors.pop("csrf_token", None):
            view.notice = "This page was open for long. Please press the button once more."
            status = HTTPStatus.BAD_REQUEST
        return _page(session, campaign, view, status)
    wish = form.wish()
    donation = start_donation(session, campaign, wish, now=now())
    session.commit()  # before Stripe hears of it: from here a crash loses nothing
    try:
        address = _checkout_address(gateway, campaign, donation, email=wish.email)
        session.commit()
    except (GatewayUnavailable, GatewayRefused) as error:
        session.rollback()
        current_app.logger.warning("no checkout for %s: %s", donation.id, error)
        if isinstance(error, GatewayRefused):
            # Asking for this one again can't help (its time at Stripe may be over): the next
            # press of the button is another donation.
            mark_failed(session, donation.id)
            session.commit()
            view.form_token = new_form_token()
        view.notice = (
            "We can't reach our payment service just now. Nothing was charged, and what you"
            " filled in is kept: please try again in a minute."
        )
        return _page(session, campaign, view, HTTPStatus.SERVICE_UNAVAILABLE)
    # For whoever comes back without having paid; only this browser knows.
    browser[_TYPED] = {"donation": donation.id, "name": wish.name, "email": wish.email}
    return cast("Response", redirect(address, code=HTTPStatus.SEE_OTHER))


def _form_view(campaign: Campaign, values: MultiDict[str, str]) -> FormView:
    available = current_gateway() is not None and campaign.state == CampaignState.OPEN
    return form_view(campaign, values, csrf_token=generate_csrf(), available=available)


def _page(session: Session, campaign: Campaign, view: FormView, status: HTTPStatus) -> Response:
    instant, base_url = now(), settings().base_url
    page = render_template(
        "campaign.html",
        face=read_face(session, campaign.slug, now=instant, base_url=base_url),
        history=read_history(session, campaign.slug, now=instant, limit=HISTORY_MONTHS),
        form=view,
    )
    response = current_app.make_response((page, status))
    gateway = current_gateway()
    if gateway is not None:
        # Browsers hold a form's redirects to form-action too, so Stripe's page must be in it.
        response.headers["Content-Security-Policy"] = PAGE_POLICY.replace(
            "form-action 'self'", f"form-action 'self' {gateway.checkout_origin}"
        )
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "60"
    return response


def _amount_of_link(campaign: Campaign, amount: str) -> str:
    """Return a link's amount, written as machines do (`2.5`), as the form's reader types it."""
    try:
        amount_minor = parse_amount(amount, campaign.currency, locale="en")
    except Invalid:
        return amount
    return typed_amount(amount_minor, campaign.currency, locale=campaign.locale)


def _values_of(session: Session, campaign: Campaign, donation_id: str) -> MultiDict[str, str]:
    """Return what a donor who came back had chosen.

    Who it is and what was said is filled in again only in the browser that sent the form: the
    address may have been passed on.
    """
    donation = find_donation(session, campaign, donation_id)
    if donation is None:
        return MultiDict()
    typed = {
        "amount": typed_amount(donation.amount_minor, donation.currency, locale=campaign.locale),
        "frequency": donation.frequency,
        "source": donation.source or "",
        "slot": donation.slot or "",
    }
    kept = browser.get(_TYPED) or {}
    if kept.get("donation") == donation.id:
        typed |= {
            "name": kept.get("name") or "",
            "email": kept.get("email") or "",
            "message": donation.message or "",
            # The form is one that was filled in: the box is as it was left.
            "form_token": new_form_token(),
        }
        if donation.anonymous:
            typed["anonymous"] = "1"
    return MultiDict(typed)


def _checkout_address(
    gateway: Gateway,
    campaign: Campaign,
    donation: Donation,
    *,
    email: str | None,
) -> str:
    """Return where to send the donor: to Stripe's page, or to the thanks where that is done."""
    thanks_page = f"/c/{campaign.slug}/thanks?donation={donation.id}"
    if donation.checkout_session_id is not None:
        checkout = gateway.checkout(donation.checkout_session_id)
    elif donation.state == DonationState.PENDING:
        wanted = checkout_request(campaign, donation, email=email, base_url=settings().base_url)
        checkout = gateway.create_checkout(wanted)
        donation.checkout_session_id = checkout.id
    else:
        return thanks_page
    if checkout.url is None:
        return thanks_page
    return trusted_url(checkout.url, gateway.checkout_origin)
