"""The pages where readers give: the campaign's page, and the form that leads to Stripe."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import cast

from babel import Locale
from babel.core import get_global
from babel.dates import format_date
from babel.numbers import format_decimal, format_percent
from flask import Blueprint, Response, current_app, jsonify, redirect, request
from flask import session as browser
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from campaigns.calendar import state_at
from campaigns.catalog import find_campaign, list_campaigns
from campaigns.face import read_face, read_faces
from campaigns.history import PastPeriod, read_history
from campaigns.models import Campaign, CampaignState
from campaigns.story import story_html
from core.clock import now
from core.db import read_session
from core.errors import Invalid
from core.money import parse_amount, typed_amount
from core.web import PAGE_POLICY, reader_locale, render_page, settings
from core.words import N_, SOURCE_LANGUAGE, direction_of, language_tag, words_of
from payments.checkouts import open_checkout
from payments.donating import find_donation, mark_failed
from payments.edge import SENT, csrf, current_gateway, limiter
from payments.errors import GatewayRefused, GatewayUnavailable
from payments.form_view import FormView, cover_label, form_view, offers_in
from payments.forms import (
    MOST_FORM_FIELDS,
    DonateForm,
    first_errors,
    new_form_token,
    source_of_link,
)
from payments.gate import Refused, Why, begin, explain, resting_page, show_guard, with_challenge
from payments.gateway import Gateway
from payments.models import Donation
from payments.pay_routes import policy_with, way_to_pay

HISTORY_MONTHS = 12
CAMPAIGNS_A_PAGE = 24

# What a link may choose. Who it is, what is said and what is agreed to is the donor's own.
_OF_LINKS = ("amount", "frequency", "source", "slot")
_OPEN_FOR_LONG = N_("This page was open for long. Please press the button once more.")
_UNREACHABLE = N_(
    "We can't reach our payment service just now. Nothing was charged, and what you filled in is"
    " kept: please try again in a minute."
)

bp = Blueprint("give", __name__)


@bp.get("/")
def front() -> Response:
    """List the public campaigns, by default in the language that all of them share."""
    session, after = read_session(), request.args.get("after", "").replace("\0", "")
    # One more than is shown tells whether there are more.
    found = list_campaigns(session, after=after, limit=CAMPAIGNS_A_PAGE + 1)
    shown = found[:CAMPAIGNS_A_PAGE]
    own = {campaign.locale for campaign in shown}
    locale = reader_locale(own.pop() if len(own) == 1 else SOURCE_LANGUAGE)
    page = render_page(
        "index.html",
        locale=locale,
        faces=read_faces(session, shown, now=now(), base_url=settings().base_url, locale=locale),
        following=shown[-1].slug if len(found) > len(shown) else None,
    )
    return _vary(current_app.make_response(page))


@bp.get("/c/<slug>")
def campaign_page(slug: str) -> Response:
    """Show a campaign and its donate form, filled in as the link that led here says."""
    session = read_session()
    campaign = find_campaign(session, slug)
    locale = reader_locale(campaign.locale)
    left = request.args.get("donation")  # back from Stripe's page, without having paid
    donation = None if left is None else find_donation(session, campaign, left)
    if donation is not None:
        if donation.locale and "lang" not in request.args:
            locale = donation.locale
        values = _values_of(donation, locale=locale)
    else:
        values = MultiDict({name: request.args.get(name, "") for name in _OF_LINKS})
        values["amount"] = _amount_of_link(campaign, values["amount"], locale=locale)
        values["source"] = values["source"] or _page_before()
    view = _form_view(campaign, values, locale=locale)
    return _page(session, campaign, view, HTTPStatus.OK, locale=locale)


@bp.get("/c/<slug>/fees")
def fees(slug: str) -> Response:
    """Say what covering the fees adds to an amount, as typed, for the script of the form.

    The server reads the amount and does the sum, as it will when the form is sent: so a script
    needs no arithmetic of its own, and the two can't differ.
    """
    campaign = find_campaign(read_session(), slug)
    locale = reader_locale(campaign.locale)
    label = cover_label(campaign, request.args.get("amount", ""), locale=locale)
    response = jsonify(label=label)
    response.headers["Cache-Control"] = "private, max-age=60"
    return _vary(response)


@bp.post("/c/<slug>/donate")
@csrf.exempt  # the form checks its own token, so that what was typed is kept when it is too old
@limiter.limit("10 per minute; 60 per hour")
def donate(slug: str) -> Response:
    """Take the form, write the donation down, and send the donor to Stripe's page."""
    if len(request.form) > MOST_FORM_FIELDS:
        raise RequestEntityTooLarge
    session = read_session()  # whoever is refused takes no lock and writes nothing
    campaign = find_campaign(session, slug)
    locale = reader_locale(campaign.locale)
    words = words_of(locale)
    form = DonateForm(campaign, request.form, locale=locale)
    view = _form_view(campaign, request.form, locale=locale)
    answer = partial(_page, session, campaign, view, locale=locale)
    gateway = current_gateway()
    if gateway is None or not view.available:
        return answer(HTTPStatus.SERVICE_UNAVAILABLE)
    if not form.validate():
        view.errors = first_errors(form)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if view.errors.pop("csrf_token", None):
            view.notice = words.gettext(_OPEN_FOR_LONG)
            status = HTTPStatus.BAD_REQUEST
        return answer(status)
    wish = form.wish()
    donation = begin(session, campaign, wish)  # commits: from here a crash loses nothing
    if isinstance(donation, Refused):
        return _sent_back(donation, campaign, view, locale=locale)
    try:
        address = _checkout_address(session, gateway, campaign, donation, email=wish.email)
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
        view.notice = words.gettext(_UNREACHABLE)
        return answer(HTTPStatus.SERVICE_UNAVAILABLE)
    # For whoever comes back without having paid; only this browser knows.
    browser[SENT] = {"donation": donation.id, "name": wish.name, "email": wish.email}
    return cast("Response", redirect(address, code=HTTPStatus.SEE_OTHER))


def _sent_back(refused: Refused, campaign: Campaign, view: FormView, *, locale: str) -> Response:
    if refused.why is Why.RESTING:
        return resting_page(refused, view, locale=locale)
    explain(refused, view, locale=locale)
    status = (
        HTTPStatus.UNPROCESSABLE_ENTITY
        if refused.why is Why.UNSOLVED
        else HTTPStatus.SERVICE_UNAVAILABLE
    )
    return _page(read_session(), campaign, view, status, locale=locale)


def _form_view(campaign: Campaign, values: MultiDict[str, str], *, locale: str) -> FormView:
    takes_gifts = state_at(campaign, now()) is CampaignState.OPEN
    return form_view(
        campaign,
        values,
        locale=locale,
        csrf_token=generate_csrf(),
        available=takes_gifts and current_gateway() is not None,
    )


def _page(
    session: Session, campaign: Campaign, view: FormView, status: HTTPStatus, *, locale: str
) -> Response:
    instant, base_url = now(), settings().base_url
    show_guard(session, campaign, view, locale=locale)
    face = read_face(session, campaign.slug, now=instant, base_url=base_url, locale=locale)
    view.offers = offers_in(campaign, face.progress, view.values, locale=locale)
    begins_at = face.progress.period.starts_at.astimezone(campaign.zone)
    page = render_page(
        "campaign.html",
        locale=locale,
        face=face,
        rhythm=campaign.rhythm,
        begins=format_date(begins_at, format="long", locale=locale),
        history=read_history(
            session,
            campaign.slug,
            now=instant,
            base_url=base_url,
            limit=HISTORY_MONTHS,
            locale=locale,
        ),
        form=view,
        story=story_html(campaign),
        # The publisher's own words stay in the campaign's language, and say so where it differs.
        own_lang=language_tag(campaign.locale),
        own_direction=direction_of(campaign.locale),
        network_locale=_network_locale(locale),
        number=partial(format_decimal, locale=locale),
        percent=partial(_percent, locale=locale),
    )
    response = current_app.make_response((page, status))
    gateway, policy = current_gateway(), PAGE_POLICY
    if gateway is not None and settings().checkout == "hosted":
        # Browsers hold a form's redirects to form-action too, so Stripe's page must be in it.
        policy = policy_with({"form-action": (gateway.checkout_origin,)})
    response.headers["Content-Security-Policy"] = with_challenge(policy, view)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "60"
    return _vary(response)


def _vary(response: Response) -> Response:
    response.vary.add("Accept-Language")
    return response


def _network_locale(locale: str) -> str:
    """Return a locale as Open Graph has it, which names a country always: `en_US`."""
    likely = get_global("likely_subtags").get(locale, locale)
    parsed = Locale.parse(likely)
    return f"{parsed.language}_{parsed.territory}" if parsed.territory else str(parsed.language)


def _percent(past: PastPeriod, *, locale: str) -> str:
    """Print a month's share of its goal in whole percent, never rounded up to one not reached."""
    label: str = format_percent(Decimal(int(past.percent or 0)) / 100, locale=locale)
    return label


def _page_before() -> str:
    return source_of_link(request.referrer, base_url=settings().base_url) or ""


def _amount_of_link(campaign: Campaign, amount: str, *, locale: str) -> str:
    """Return a link's amount, written as machines do (`2.5`), as the form's reader types it."""
    try:
        amount_minor = parse_amount(amount, campaign.currency, locale="en")
    except Invalid:
        return amount
    return typed_amount(amount_minor, campaign.currency, locale=locale)


def _values_of(donation: Donation, *, locale: str) -> MultiDict[str, str]:
    """Return what a donor who came back had chosen.

    Who it is, what was said and what was ticked is filled in again only in the browser that sent
    the form: the address may have been passed on.
    """
    typed = {
        "amount": typed_amount(donation.amount_minor, donation.currency, locale=locale),
        "frequency": donation.frequency,
        "source": donation.source or "",
        "slot": donation.slot or "",
    }
    kept = browser.get(SENT) or {}
    if kept.get("donation") == donation.id:
        typed |= {
            "name": kept.get("name") or "",
            "email": kept.get("email") or "",
            "message": donation.message or "",
            "dedication": donation.dedication or "",
            # The form is one that was filled in: the boxes are as they were left.
            "form_token": new_form_token(),
            "anonymous": "1" if donation.anonymous else "",
            "cover_fees": "1" if donation.cover_minor else "",
            "consent": "1" if donation.consent_text else "",
        }
    return MultiDict(typed)


def _checkout_address(
    session: Session,
    gateway: Gateway,
    campaign: Campaign,
    donation: Donation,
    *,
    email: str | None,
) -> str:
    """Return where to send the donor: to pay, or to the thanks where that is done."""
    checkout = open_checkout(
        session,
        gateway,
        campaign,
        donation,
        email=email,
        base_url=settings().base_url,
        embedded=settings().checkout == "embedded",
    )
    return way_to_pay(gateway, campaign, donation, checkout)
