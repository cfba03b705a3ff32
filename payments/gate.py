"""The gate before Stripe: what the guard means for a reader who gives, and what they see of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from flask import Response, current_app, request
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.clock import now
from core.db import in_transaction
from core.web import render_page, settings
from core.words import N_, words_of
from payments.challenge import Challenge
from payments.donating import Wish, begin_donation, find_begun
from payments.edge import (
    current_challenge,
    current_limits,
    current_refusals,
    open_session,
    when_again,
)
from payments.errors import ChallengeUnavailable
from payments.form_view import FormView
from payments.guarding import Look, admit, count_refused, look
from payments.models import Donation

_RESTING = N_(
    "Many payments were begun and not finished here, so we let it rest for a while. Please try"
    " again {when}."
)
_UNSOLVED = N_(
    "Many payments were begun and not finished here. Please show that you are a person, then press"
    " the button once more."
)
_UNVERIFIABLE = N_(
    "We can't check just now that you are a person. Nothing was charged, and what you filled in is"
    " kept: please try again in a minute."
)


class Why(Enum):
    """Why a form is sent back."""

    RESTING = auto()  # it is guarded, and there is nothing by which people could be told
    UNSOLVED = auto()  # there is a challenge, and no valid answer to it
    UNVERIFIABLE = auto()  # nobody can say whether the answer is valid


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that is sent back, and what was seen of the guard."""

    why: Why
    seen: Look


def begin(session: Session, campaign: Campaign, wish: Wish) -> Donation | Refused:
    """Write a wish down and commit it, or say why not.

    `session` only reads so far, so that who is refused takes no lock and writes nothing. A form
    that was sent before is neither refused nor counted again. No transaction is open while the
    challenge is verified.
    """
    instant, limits = now(), current_limits()
    is_known = limits is not None and find_begun(session, campaign, wish) is not None
    seen = Look(instant) if is_known else look(session, campaign.id, limits, now=instant)
    session.commit()
    passed = False
    if seen.is_guarded:
        why = _why_not()
        if why is not None:
            return _refused(campaign.id, why, seen)
        passed = True
    donation, is_new = begin_donation(session, campaign, wish, now=instant)
    if is_new and not admit(session, campaign.id, limits, passed=passed, now=instant):
        # Others were quicker: it was the last place that they took.
        session.rollback()
        seen = look(session, campaign.id, limits, now=instant)
        session.rollback()
        return _refused(
            campaign.id, Why.RESTING if current_challenge() is None else Why.UNSOLVED, seen
        )
    session.commit()  # before Stripe hears of it: from here a crash loses nothing
    return donation


def show_guard(session: Session, campaign: Campaign, view: FormView, *, locale: str) -> None:
    """Put the challenge into a form that is guarded; where there is none, say when to come back."""
    if not view.available:
        return
    seen = look(session, campaign.id, current_limits(), now=now())
    if not seen.is_guarded:
        return
    view.challenge = current_challenge()
    if view.challenge is None and view.notice is None:
        view.notice = _resting(seen, locale=locale)


def explain(refused: Refused, view: FormView, *, locale: str) -> None:
    """Say in a form why it is sent back."""
    words = words_of(locale)
    if refused.why is Why.UNSOLVED:
        view.errors["challenge"] = words.gettext(_UNSOLVED)
    else:
        view.notice = words.gettext(_UNVERIFIABLE)


def resting_page(refused: Refused, view: FormView, *, locale: str) -> Response:
    """Send a form back that is guarded without a challenge: what was typed is kept in the page.

    It is a small page that asks no books, since an attack gets thousands of them.
    """
    message = _resting(refused.seen, locale=locale)
    page = render_page("resting.html", locale=locale, message=message, form=view)
    response = current_app.make_response((page, HTTPStatus.TOO_MANY_REQUESTS))
    wait = refused.seen.calm_at - refused.seen.now
    response.headers["Retry-After"] = str(max(1, int(wait.total_seconds())))
    return response


def with_challenge(policy: str, view: FormView) -> str:
    """Return a page's Content-Security-Policy with what the challenge in its form needs."""
    return view.challenge.allowed(policy) if isinstance(view.challenge, Challenge) else policy


def _why_not() -> Why | None:
    """Tell why a form that is guarded is to be sent back; None where its challenge is solved."""
    challenge, secret = current_challenge(), settings().challenge_secret_key
    if challenge is None or secret is None:
        return Why.RESTING
    answer = request.form.get(challenge.field, "")
    try:
        passed = challenge.verify(answer, secret=secret.get_secret_value())
    except ChallengeUnavailable:
        return Why.UNVERIFIABLE
    return None if passed else Why.UNSOLVED


def _refused(campaign_id: int, why: Why, seen: Look) -> Refused:
    limits = current_limits()
    number = current_refusals().add(campaign_id, now=seen.now)
    if limits is not None and number:

        def write(session: Session) -> None:
            count_refused(session, campaign_id, limits, number=number, now=seen.now)

        in_transaction(open_session, write)
    return Refused(why, seen)


def _resting(seen: Look, *, locale: str) -> str:
    when = when_again(seen.calm_at - seen.now, locale=locale)
    return words_of(locale).gettext(_RESTING).format(when=when)
