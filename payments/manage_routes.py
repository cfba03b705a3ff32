"""`/manage`: where donors who give regularly get a link by mail, and what the link opens."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Blueprint, Response, current_app, redirect, render_template, request
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import Email, InputRequired, Length

from core.clock import now
from core.db import db, read_session
from core.web import PAGE_POLICY, settings
from payments.edge import current_gateway, limiter
from payments.errors import GatewayRefused, GatewayUnavailable, PaymentsNotSetUp
from payments.managing import customer_of, post_link, regular_gifts

bp = Blueprint("manage", __name__, url_prefix="/manage")


class LinkForm(FlaskForm):  # type: ignore[misc] # Flask-WTF ships no types
    """The address that the donor gave with the gift."""

    email = StringField(
        filters=[lambda text: text.strip() if text else text],
        validators=[
            InputRequired(message="Enter the mail address that you gave with your gift."),
            Length(max=254, message="This address is too long."),
            Email(message="This does not look like a mail address."),
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
    """Mail the link where the address gives regularly; the answer is the same where it does not."""
    form = LinkForm()
    if not form.validate():
        return _form(form), HTTPStatus.UNPROCESSABLE_ENTITY
    chosen = settings()
    if chosen.mail_url is None:
        return _form(form), HTTPStatus.SERVICE_UNAVAILABLE
    post_link(
        db.session,
        form.email.data or "",
        secret_key=chosen.secret_key.get_secret_value(),
        base_url=chosen.base_url,
        now=now(),
    )
    db.session.commit()
    return render_template("manage.html", sent=True)


@bp.get("/<token>")
def gifts(token: str) -> Response:
    """Show the donor's regular gifts. Changes nothing: mail programs open links by themselves."""
    found = regular_gifts(read_session(), token, secret_key=_secret(), now=now())
    return _gifts(token, gifts=found)


@bp.post("/<token>")
@limiter.limit("20 per minute")
def open_portal(token: str) -> Response:
    """Lead on to Stripe's portal."""
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("This site takes no payments by Stripe.")
    session = read_session()
    customer_id = customer_of(
        session, token, request.form.get("gift", ""), secret_key=_secret(), now=now()
    )
    session.rollback()  # no transaction stays open while we wait for Stripe
    try:
        address = gateway.open_portal(customer_id, return_url=f"{settings().base_url}/manage")
    except (GatewayUnavailable, GatewayRefused) as error:
        current_app.logger.warning("no portal for %s: %s", customer_id, error)
        found = regular_gifts(read_session(), token, secret_key=_secret(), now=now())
        response = _gifts(token, gifts=found, is_away=True)
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return response
    return cast("Response", redirect(address, code=HTTPStatus.SEE_OTHER))


def _form(form: LinkForm) -> str:
    error = next(iter(form.errors.get("email", ())), "")
    if form.errors and not error:
        error = "This page was open for long. Please press the button once more."
    return render_template(
        "manage.html",
        email=form.email.data or "",
        error=error,
        can_mail=settings().mail_url is not None,
    )


def _gifts(token: str, **values: object) -> Response:
    page = render_template("manage_gifts.html", token=token, **values)
    response = current_app.make_response(page)
    gateway = current_gateway()
    if gateway is not None:
        # Browsers hold a form's redirects to form-action too.
        response.headers["Content-Security-Policy"] = PAGE_POLICY.replace(
            "form-action 'self'", f"form-action 'self' {gateway.portal_origin}"
        )
    return response


def _secret() -> str:
    return settings().secret_key.get_secret_value()
