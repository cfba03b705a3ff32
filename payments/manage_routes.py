"""`/manage`: where donors get a link by mail, and what the link opens.

Every address in here carries the language on (`?lang=`), so that what a form answers is in the
language that the form was read in.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Blueprint, Response, current_app, redirect, request
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import StringField
from wtforms.validators import Email, InputRequired, Length

from core.clock import now
from core.db import db, read_session
from core.web import PAGE_POLICY, reader_locale, render_page, settings
from core.words import N_, SOURCE_LANGUAGE
from payments.edge import current_gateway, limiter
from payments.errors import GatewayRefused, GatewayUnavailable, PaymentsNotSetUp
from payments.letters import locale_of_donor
from payments.managing import customer_of, donor_of, post_link, regular_gifts
from payments.models import Donor
from payments.statements import post_statement, read_statement, read_years, statement_values

bp = Blueprint("manage", __name__, url_prefix="/manage")


class LinkForm(FlaskForm):  # type: ignore[misc] # Flask-WTF ships no types
    """The address that the donor gave with the gift."""

    email = StringField(
        filters=[lambda text: text.strip() if text else text],
        validators=[
            InputRequired(message=N_("Enter the mail address that you gave with your gift.")),
            Length(max=254, message=N_("This address is too long.")),
            Email(message=N_("This does not look like a mail address.")),
        ],
    )


@bp.after_request
def _tell_nobody(response: Response) -> Response:
    # The link is in the address: no other site may learn it.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.get("")
def ask() -> str:
    """Show the form."""
    return _form(LinkForm(formdata=None))


@bp.post("")
@limiter.limit("5 per minute; 30 per hour")
def mail_link() -> str | tuple[str, int]:
    """Mail the link where somebody gave from the address; the answer is the same where not."""
    form = LinkForm()
    if not form.validate():
        return _form(form), HTTPStatus.UNPROCESSABLE_ENTITY
    chosen, locale = settings(), reader_locale(SOURCE_LANGUAGE)
    if chosen.mail_url is None:
        return _form(form), HTTPStatus.SERVICE_UNAVAILABLE
    post_link(
        db.session,
        form.email.data or "",
        secret_key=_secret(),
        site_name=chosen.site_name,
        base_url=chosen.base_url,
        locale=locale,
        now=now(),
    )
    db.session.commit()
    return render_page("manage.html", locale=locale, sent=True)


@bp.get("/<token>")
def gifts(token: str) -> Response:
    """Show the donor's gifts. Changes nothing: mail programs open links by themselves."""
    session = read_session()
    return _gifts(session, token, _donor(session, token))


@bp.post("/<token>")
@limiter.limit("20 per minute")
def open_portal(token: str) -> Response:
    """Lead on to Stripe's portal."""
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp(N_("This site takes no payments by Stripe."))
    session = read_session()
    customer_id = customer_of(session, _donor(session, token), request.form.get("gift", ""))
    session.rollback()  # no transaction stays open while we wait for Stripe
    try:
        address = gateway.open_portal(customer_id, return_url=f"{settings().base_url}/manage")
    except (GatewayUnavailable, GatewayRefused) as error:
        current_app.logger.warning("no portal for %s: %s", customer_id, error)
        session = read_session()
        response = _gifts(session, token, _donor(session, token), is_away=True)
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return response
    return cast("Response", redirect(address, code=HTTPStatus.SEE_OTHER))


@bp.get("/<token>/statements/<int:year>")
def statement(token: str, year: int) -> str:
    """Show what the donor gave in a year, to be printed or kept."""
    session = read_session()
    return _statement(session, token, _donor(session, token), year)


@bp.post("/<token>/statements/<int:year>")
@limiter.limit("20 per minute")
def mail_statement(token: str, year: int) -> str | tuple[str, int]:
    """Mail the statement to its donor."""
    session, chosen = db.session, settings()
    donor = _donor(session, token)
    if chosen.mail_url is None:
        return _statement(session, token, donor, year), HTTPStatus.SERVICE_UNAVAILABLE
    post_statement(
        session,
        donor,
        year,
        locale=_locale_for(session, donor),
        site_name=chosen.site_name,
        base_url=chosen.base_url,
        now=now(),
    )
    session.commit()
    return _statement(session, token, donor, year, mailed=True)


def _form(form: LinkForm) -> str:
    error = next(iter(form.errors.get("email", ())), "")
    return render_page(
        "manage.html",
        locale=reader_locale(SOURCE_LANGUAGE),
        email=form.email.data or "",
        error=error,
        can_mail=settings().mail_url is not None,
    )


def _gifts(session: Session, token: str, donor: Donor, *, is_away: bool = False) -> Response:
    locale = _locale_for(session, donor)
    page = render_page(
        "manage_gifts.html",
        locale=locale,
        token=token,
        regular=regular_gifts(session, donor, locale=locale),
        years=read_years(session, donor, locale=locale),
        is_away=is_away,
    )
    response = current_app.make_response(page)
    gateway = current_gateway()
    if gateway is not None:
        # Browsers hold a form's redirects to form-action too.
        response.headers["Content-Security-Policy"] = PAGE_POLICY.replace(
            "form-action 'self'", f"form-action 'self' {gateway.portal_origin}"
        )
    return response


def _statement(
    session: Session, token: str, donor: Donor, year: int, *, mailed: bool = False
) -> str:
    locale = _locale_for(session, donor)
    return render_page(
        "statement.html",
        locale=locale,
        token=token,
        today=now().date(),
        can_mail=settings().mail_url is not None,
        mailed=mailed,
        **statement_values(read_statement(session, donor, year), locale=locale),
    )


def _donor(session: Session, token: str) -> Donor:
    return donor_of(session, token, secret_key=_secret(), now=now())


def _locale_for(session: Session, donor: Donor) -> str:
    return reader_locale(locale_of_donor(session, donor.id) or SOURCE_LANGUAGE)


def _secret() -> str:
    return settings().secret_key.get_secret_value()
