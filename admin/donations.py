"""`/admin/donations`: finding gifts, the whole story of one, and those that came without Stripe.

A search is a form that is posted: what is looked for may be a person's address, which must stand
in no address of a page and in no log.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from http import HTTPStatus

from flask import redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, current_actor, may, needs
from admin.campaign_fields import attempt
from admin.entries import exact, local
from admin.filters import Narrowing, address, asked, campaign_choices, campaign_of, key_of
from admin.gift_timeline import gift_timeline
from admin.log_view import log_lines
from admin.pages import render_admin, say
from admin.refund_words import request_row
from admin.roles import Permission
from campaigns.models import Campaign
from core.auditlog import AuditFilter, list_records, record
from core.clock import now
from core.dates import day_of
from core.db import db
from core.errors import DomainError, Invalid
from core.money import parse_amount, typed_amount
from core.web import settings
from core.zones import first_instant
from payments.donating import OfflineGift, correct_offline_gift, record_offline_gift
from payments.donation_list import (
    DonationFilter,
    FoundDonation,
    find_donations,
    search_donations,
)
from payments.donation_story import Story, read_story
from payments.models import DonationState

DONATIONS_A_PAGE = 50
MOST_FOUND = 100
PATH = "/admin/donations"
FIELDS = ("campaign", "period", "state", "source", "from", "until", "article", "slot")
STATES = {"": "All", **{state.value: state.value.capitalize() for state in DonationState}}
SOURCES = {"": "All", "online": "Through Stripe", "offline": "Offline"}
MOST_NOTE_CHARACTERS = 255
_ONE_DAY = timedelta(days=1)
# What services call these fields, and what the forms call them.
_NAMES = {"on": "day", "slug": "campaign"}

bp = admin_blueprint("donations", __name__)


@bp.get("/donations")
@needs(Permission.SEE_DONATIONS)
def donations() -> str:
    """List the gifts that are asked for, the last begun first, of a period the last paid."""
    values = {name: value for name, value in asked(request.args, FIELDS).items() if value}
    problems: dict[str, str] = {}
    found: list[FoundDonation] = []
    try:
        campaign = campaign_of(db.session, values)
        wanted = _read(values, campaign)
        # One more than is shown tells whether there are more.
        found = list(find_donations(db.session, wanted, after=_after(), limit=DONATIONS_A_PAGE + 1))
    except DomainError as error:
        problems[_NAMES.get(error.field or "", error.field or "campaign")] = error.message
    shown = found[:DONATIONS_A_PAGE]
    following = None
    if len(found) > len(shown):
        last = shown[-1]
        place = f"{last.ordered_at.isoformat()}~{last.donation.id}"
        following = address(PATH, values | {"after": place})
    return _list_page(shown, values=values, problems=problems, following=following)


@bp.post("/donations/search")
@needs(Permission.SEE_DONATIONS)
def search() -> ResponseReturnValue:
    """Show what goes by what was typed; go to its page where it is one."""
    typed = request.form.get("q", "").strip()[:254]
    try:
        found = search_donations(
            db.session, typed, with_donors=may(Permission.SEE_DONORS), limit=MOST_FOUND
        )
    except Invalid as error:
        page = _list_page([], typed=typed, problems={"q": error.message})
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    if len(found) == 1:
        return redirect(f"{PATH}/{found[0].donation.id}", code=303)
    return _list_page(list(found), typed=typed)


@bp.get("/donations/<donation_id>")
@needs(Permission.SEE_DONATIONS)
def donation(donation_id: str) -> str:
    """Tell the whole story of a gift."""
    return _story_page(read_story(db.session, donation_id))


@bp.get("/donations/new")
@needs(Permission.RECORD_GIFTS)
def new_donation() -> str:
    """Show the form for a gift that came without Stripe."""
    values = {"campaign": request.args.get("campaign", ""), "day": "", "amount": "", "note": ""}
    return _new_page(values, secrets.token_hex(16), {})


@bp.post("/donations/new")
@needs(Permission.RECORD_GIFTS)
def record_donation() -> ResponseReturnValue:
    """Write a gift into the books that came without Stripe; the same form does it once."""
    names = ("campaign", "amount", "day", "note")
    typed = {name: request.form.get(name, "").replace("\0", "").strip() for name in names}
    token = request.form.get("form", "")[:64] or secrets.token_hex(16)
    problems: dict[str, str] = {}
    try:
        campaign = campaign_of(db.session, typed)
        if campaign is None:
            raise Invalid("Choose what it was given for.", field="campaign")
        gift = _offline_gift(campaign, typed, token, problems)
        if gift is None:
            return _new_page(typed, token, problems), HTTPStatus.UNPROCESSABLE_ENTITY
        made = record_offline_gift(db.session, campaign.slug, gift, now=now())
    except DomainError as error:
        problems[_NAMES.get(error.field or "", error.field or "campaign")] = error.message
        db.session.rollback()
        return _new_page(typed, token, problems), HTTPStatus.UNPROCESSABLE_ENTITY
    if not list_records(db.session, AuditFilter(subject=f"donation:{made.id}"), limit=1):
        details = {
            "amount_minor": made.amount_minor,
            "currency": made.currency,
            "campaign": campaign.slug,
            "day": gift.paid_at.astimezone(campaign.zone).date().isoformat(),
        }
        _log("donation.recorded", made.id, details)
    db.session.commit()
    say("It is in the books.")
    return redirect(f"{PATH}/{made.id}", code=303)


@bp.post("/donations/<donation_id>/correct")
@needs(Permission.RECORD_GIFTS)
def correct(donation_id: str) -> ResponseReturnValue:
    """Say what an offline gift should have been; the ledger posts the difference."""
    story = read_story(db.session, donation_id)
    campaign, before = story.campaign, story.found
    typed = {
        name: request.form.get(name, "").replace("\0", "").strip() for name in ("amount", "note")
    }
    problems: dict[str, str] = {}
    amount_minor = attempt(
        problems,
        "amount",
        lambda: parse_amount(typed["amount"], campaign.currency, locale=campaign.locale),
    )
    if amount_minor is None:
        return _story_page(story, typed, problems), HTTPStatus.UNPROCESSABLE_ENTITY
    left_minor = before.sums.left_minor if before.sums else 0
    try:
        correct_offline_gift(
            db.session, donation_id, amount_minor=amount_minor, note=typed["note"], now=now()
        )
    except Invalid as error:
        problems[error.field or "amount"] = error.message
        return _story_page(story, typed, problems), HTTPStatus.UNPROCESSABLE_ENTITY
    if amount_minor != left_minor:
        details = {
            "amount_minor": amount_minor,
            "before_minor": left_minor,
            "currency": campaign.currency,
            "reason": typed["note"][:MOST_NOTE_CHARACTERS],
        }
        _log("donation.corrected", donation_id, details)
    db.session.commit()
    say("Corrected: the ledger has an entry for the difference.")
    return redirect(f"{PATH}/{donation_id}", code=303)


def _log(action: str, donation_id: str, details: Mapping[str, object]) -> None:
    subject = f"donation:{donation_id}"
    record(db.session, current_actor(), action, subject=subject, details=details, now=now())


def _read(values: Mapping[str, str], campaign: Campaign | None) -> DonationFilter:
    """Read what is asked for; raise Invalid, naming the field."""
    for name, offered in (("state", STATES), ("source", SOURCES)):
        if values.get(name, "") not in offered:
            raise Invalid("Choose one of these.", field=name)
    days = {name: day_of(values[name], field=name) for name in ("from", "until") if name in values}
    if days and campaign is None:
        raise Invalid("Choose a campaign: days are those of its zone.", field="campaign")
    instants = {}
    for name, day in days.items():
        if campaign is not None:
            begin = day + _ONE_DAY if name == "until" else day
            instants[name] = first_instant(datetime.combine(begin, time()), campaign.zone)
    state = values.get("state")
    return DonationFilter(
        campaign_id=campaign.id if campaign else None,
        period_key=key_of(values["period"], field="period") if "period" in values else None,
        state=DonationState(state) if state else None,
        offline={None: None, "online": False, "offline": True}[values.get("source")],
        since=instants.get("from"),
        until=instants.get("until"),
        source=values.get("article"),
        slot=values.get("slot"),
    )


def _after() -> tuple[datetime, str] | None:
    instant, _, donation_id = request.args.get("after", "").replace("\0", "").partition("~")
    try:
        found = datetime.fromisoformat(instant)
    except ValueError:
        return None
    return (found, donation_id) if found.tzinfo and donation_id else None


def _list_page(
    rows: list[FoundDonation],
    *,
    values: Mapping[str, str] | None = None,
    typed: str = "",
    problems: Mapping[str, str] | None = None,
    following: str | None = None,
) -> str:
    values = values or {}
    return render_admin(
        "admin/donations.html",
        section="donations",
        rows=rows,
        values=values,
        typed=typed,
        problems=problems or {},
        following=following,
        narrowed=[
            Narrowing(f"{label}: {values[name]}", address(PATH, values, without=name))
            for name, label in (("article", "Article"), ("slot", "Slot"))
            if name in values
        ],
        campaigns=campaign_choices(db.session),
        states=STATES,
        sources=SOURCES,
        most_found=MOST_FOUND,
        after=request.args.get("after"),
        exact=exact,
        local=local,
    )


def _story_page(
    story: Story,
    typed: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> str:
    campaign, found = story.campaign, story.found
    records = (
        list_records(db.session, AuditFilter(subject=f"donation:{found.donation.id}"))
        if may(Permission.SEE_AUDIT_LOG)
        else ()
    )
    posted_minor = found.sums.left_minor if found.sums else 0
    amount = typed_amount(posted_minor, campaign.currency, locale=campaign.locale)
    return render_admin(
        "admin/donation.html",
        section="donations",
        story=story,
        donation=found.donation,
        campaign=campaign,
        sums=found.sums,
        rows=[request_row(one, campaign) for one in story.refunds],
        timeline=gift_timeline(
            story,
            list(zip(records, log_lines(db.session, records), strict=True)),
            with_donors=may(Permission.SEE_DONORS),
        ),
        typed=typed or {"amount": amount, "note": ""},
        problems=problems or {},
        stripe=None if settings().stripe_api_base else _dashboard(),
        exact=exact,
        local=local,
    )


def _dashboard() -> str:
    return f"https://dashboard.stripe.com/{'' if settings().livemode else 'test/'}"


def _new_page(typed: Mapping[str, str], token: str, problems: Mapping[str, str]) -> str:
    return render_admin(
        "admin/donation_new.html",
        section="donations",
        typed=typed,
        form_token=token,
        problems=problems,
        campaigns=campaign_choices(db.session),
        most=MOST_NOTE_CHARACTERS,
    )


def _offline_gift(
    campaign: Campaign, typed: Mapping[str, str], token: str, problems: dict[str, str]
) -> OfflineGift | None:
    amount_minor = attempt(
        problems,
        "amount",
        lambda: parse_amount(typed["amount"], campaign.currency, locale=campaign.locale),
    )
    day = attempt(problems, "day", lambda: day_of(typed["day"], field="day"))
    if len(typed["note"]) > MOST_NOTE_CHARACTERS:
        problems["note"] = f"Use {MOST_NOTE_CHARACTERS} characters at most."
    if amount_minor is None or day is None or problems:
        return None
    noon = first_instant(datetime.combine(day, time(12)), campaign.zone)
    instant = now()
    is_today = instant.astimezone(campaign.zone).date() == day
    return OfflineGift(
        amount_minor=amount_minor,
        paid_at=instant if is_today else noon,
        note=typed["note"] or None,
        form_token=token,
    )
