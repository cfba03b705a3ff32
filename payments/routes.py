"""The pages where readers give, and the door for Stripe's events."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import cast

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request
from flask import session as browser
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect, generate_csrf
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from campaigns.catalog import find_campaign
from campaigns.errors import StaleFacts
from campaigns.face import read_all_faces, read_face
from campaigns.labels import money_label
from campaigns.models import Campaign, CampaignState
from campaigns.progress import read_history
from core.clock import now
from core.db import db, in_transaction, read_session
from core.errors import Invalid, NotFound
from core.money import parse_amount, typed_amount
from core.web import PAGE_POLICY, settings
from payments.books import Occasion, apply_facts, look_and_apply
from payments.donating import (
    checkout_request,
    counted_minor,
    find_donation,
    mark_failed,
    start_donation,
)
from payments.errors import (
    GatewayRefused,
    GatewayUnavailable,
    PaymentsNotSetUp,
    UntrustedEvent,
)
from payments.facts import Facts, gather_for_checkout
from payments.forms import (
    DonateForm,
    FormView,
    first_errors,
    form_view,
    new_form_token,
    source_of_link,
)
from payments.gateway import Event, Gateway
from payments.inbox import accept_event, work_event
from payments.models import Donation, DonationState
from payments.stripe_gateway import StripeGateway, trusted_url

EXTENSION = "goalpost.gateway"
HISTORY_MONTHS = 12
# The thank-you page looks again this often while the money is on its way.
MOST_REFRESHES = 24
MOST_FORM_PARTS = 100

_TYPED = "typed"

# How many of a process's threads may work events, each of which waits for Stripe.
MOST_AT_WORK = 2
_at_work = threading.BoundedSemaphore(MOST_AT_WORK)

bp = Blueprint("payments", __name__)
csrf = CSRFProtect()
limiter = Limiter(get_remote_address)


def init_app(app: Flask, gateway: Gateway | None = None) -> None:
    """Give `app` its gateway (from the settings, unless one is handed in), CSRF and limits."""
    configured = app.extensions["goalpost.settings"]
    if gateway is None and configured.stripe_secret_key is not None:
        gateway = StripeGateway(configured)
    app.extensions[EXTENSION] = gateway
    csrf.init_app(app)
    limiter.init_app(app)
    app.register_blueprint(bp)


def current_gateway() -> Gateway | None:
    """Return the gateway of the current application; None where no Stripe key is set."""
    return cast("Gateway | None", current_app.extensions[EXTENSION])


@contextmanager
def open_session() -> Iterator[Session]:
    """Open a session of its own, for work that commits in steps."""
    with db.sessionmaker() as session:
        yield session


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


@bp.post("/webhooks/stripe")
@csrf.exempt  # Stripe's signature stands for the token
def stripe_webhook() -> tuple[Response, int]:
    """Keep Stripe's event, acknowledge it, and work it once the answer is on its way."""
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("This site takes no payments by Stripe.")
    try:
        # The raw bytes, before anything has parsed them: only these are what was signed.
        body = request.get_data(cache=False)
        event = gateway.read_event(body, request.headers.get("Stripe-Signature", ""), now=now())
        _check_mode(event)
    except UntrustedEvent as error:
        current_app.logger.warning("webhook refused: %s", error.message)
        return _json({"error": {"code": error.code, "message": error.message}}), 400
    is_new = in_transaction(open_session, lambda session: accept_event(session, event, now=now()))
    response = _json({"received": True})
    app, clock = current_app._get_current_object(), now  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way

    def work() -> None:
        if not _at_work.acquire(blocking=False):
            return  # the scheduler does it: readers must not wait for a Stripe that is slow
        try:
            with app.app_context():
                state = work_event(
                    open_session, gateway, event.id, livemode=settings().livemode, now=clock
                )
                app.logger.info("event %s %s: %s", event.id, event.type, state)
        finally:
            _at_work.release()

    if is_new:
        # Stripe has its answer when this runs. If we die before it has, the scheduler does it.
        response.call_on_close(work)
    return response, 200


def _check_mode(event: Event) -> None:
    if event.livemode != settings().livemode:
        raise UntrustedEvent("The event is of the other mode (test or live).")


def _json(body: dict[str, object]) -> Response:
    return cast("Response", current_app.json.response(body))


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
