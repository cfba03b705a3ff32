"""`/api/v1/admin/donations` and `/api/v1/admin/entries`: each gift, and each line of the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Response, request

from admin.api_access import (
    LIMIT,
    allowed_to,
    answer,
    api_blueprint,
    asked,
    current_token,
    may_see_donors,
    next_page,
    rows_asked,
    tells,
)
from admin.api_json import donation_json, entry_json
from admin.api_shapes import (
    MOST_NOTE_CHARACTERS,
    DonationJson,
    DonationsJson,
    EntriesJson,
    GiftJson,
)
from admin.tokens import Scope
from campaigns.catalog import find_campaign
from campaigns.errors import CampaignNotFound
from core.auditlog import record
from core.cadence import checked_key
from core.clock import now
from core.dates import day_of
from core.db import db
from core.errors import Invalid
from core.money import MOST_MINOR
from core.openapi import Parameter
from core.sheets import Format
from payments.donating import OfflineGift, record_offline_once
from payments.export_filters import Export, What
from payments.listing import read_donation, read_page
from payments.models import DonationState

bp = api_blueprint("donations", __name__)
_DAY = {"type": "string", "format": "date"}
_FILTERS = (
    Parameter("campaign", "Of this campaign alone: its name in addresses."),
    Parameter("period", "Of this period alone, as in 2021-05."),
    Parameter("from", "From this day on, in each campaign's zone.", _DAY),
    Parameter("until", "Until this day, and all of it.", _DAY),
)
_PAGING = (LIMIT, Parameter("after", "Where the page before ended; `next` holds it."))
_STATE = Parameter(
    "state", "In this state alone.", {"type": "string", "enum": [str(one) for one in DonationState]}
)
_FIELDS = tuple(GiftJson.__annotations__)
_MOST_KEY_CHARACTERS = 255
_KEY = Parameter(
    "Idempotency-Key",
    "A key of your own for each gift; with the same one it is recorded once.",
    {"type": "string", "minLength": 1, "maxLength": _MOST_KEY_CHARACTERS, "pattern": "^[ -~]+$"},
    where="header",
    required=True,
)
_YEARS = range(1971, 3000)


@bp.get("/donations")
@tells(DonationsJson, *_FILTERS, _STATE, *_PAGING, errors=(HTTPStatus.NOT_FOUND,))
@allowed_to(Scope.DONATIONS_READ)
def donations() -> Response:
    """Return donations, campaign by campaign, in the order in which they were begun."""
    values, personal = asked(), may_see_donors()
    page = read_page(
        db.session,
        _export(What.DONATIONS, values, personal=personal),
        limit=rows_asked(values),
        cursor=values.get("after"),
        now=now(),
    )
    following = page.following and {**values, "after": page.following}
    rows = [donation_json(found, personal=personal) for found in page.rows]
    body: DonationsJson = {"donations": rows, "next": next_page(following or None)}
    return answer(body)


@bp.get("/donations/<donation_id>")
@tells(
    DonationJson,
    Parameter("donation_id", "As in `don_…`.", where="path"),
    errors=(HTTPStatus.NOT_FOUND,),
)
@allowed_to(Scope.DONATIONS_READ)
def donation(donation_id: str) -> Response:
    """Return one donation."""
    asked()
    personal = may_see_donors()
    found = read_donation(db.session, donation_id, personal=personal)
    return answer(donation_json(found, personal=personal))


@bp.get("/entries")
@tells(EntriesJson, *_FILTERS, *_PAGING, errors=(HTTPStatus.NOT_FOUND,))
@allowed_to(Scope.DONATIONS_READ)
def entries() -> Response:
    """Return the entries of the ledger, in the order in which they were posted."""
    values = asked()
    page = read_page(
        db.session,
        _export(What.ENTRIES, values, personal=False),
        limit=rows_asked(values),
        cursor=values.get("after"),
        now=now(),
    )
    following = page.following and {**values, "after": page.following}
    rows = [entry_json(found) for found in page.rows]
    body: EntriesJson = {"entries": rows, "next": next_page(following or None)}
    return answer(body)


@bp.post("/donations")
@tells(
    DonationJson,
    _KEY,
    body=GiftJson,
    status=HTTPStatus.CREATED,
    errors=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
@allowed_to(Scope.DONATIONS_WRITE)
def record_gift() -> Response:
    """Write a gift that came without Stripe into the books, once an `Idempotency-Key`."""
    asked()
    instant, token = now(), current_token()
    key = request.headers.get("Idempotency-Key", "")
    if not (0 < len(key) <= _MOST_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise Invalid(
            "Send a key of your own for each gift, so that none is recorded twice.",
            field="Idempotency-Key",
        )
    slug, gift = _gift(_body(), instant)
    form_key = hashlib.sha256(f"api:{token.id}:{key}".encode()).hexdigest()
    found, is_new = record_offline_once(db.session, slug, gift, form_key=form_key, now=instant)
    if is_new:
        record(
            db.session,
            token.actor,
            "donation.recorded",
            subject=f"donation:{found.id}",
            details={
                "campaign": slug,
                "amount_minor": gift.amount_minor,
                "currency": found.currency,
            },
            now=instant,
        )
    # Before it commits: what is told is what was written.
    told = donation_json(read_donation(db.session, found.id, personal=False), personal=False)
    db.session.commit()
    return answer(told, HTTPStatus.CREATED)


def _export(what: What, values: Mapping[str, str], *, personal: bool) -> Export:
    state = values.get("state")
    if state is not None and state not in set(DonationState):
        raise Invalid(f"A state is one of {', '.join(DonationState)}.", field="state")
    since, until, period = (values.get(name) for name in ("from", "until", "period"))
    return Export(
        what=what,
        format=Format.CSV,  # of no file, here
        slug=values.get("campaign"),
        period=period and checked_key(period),
        since=day_of(since, field="from") if since else None,
        until=day_of(until, field="until") if until else None,
        state=DonationState(state) if state else None,
        personal=personal,
    )


def _body() -> dict[str, Any]:
    """Return the fields that were sent; raise Invalid for all that is none of ours."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise Invalid("Send an object as JSON, with `Content-Type: application/json`.")
    for name in body:
        if name not in _FIELDS:
            fields = ", ".join(_FIELDS)
            raise Invalid(f"There is no such field. There are: {fields}.", field=name[:40])
    return body


def _gift(body: Mapping[str, Any], instant: datetime) -> tuple[str, OfflineGift]:
    """Read a gift, and for which campaign it is; raise Invalid, naming the field."""
    slug, amount_minor, note = body.get("campaign"), body.get("amount_minor"), body.get("note")
    if not isinstance(slug, str):
        raise Invalid("Name the campaign, as in support-us.", field="campaign")
    if not slug.isascii():
        raise CampaignNotFound(ascii(slug))
    campaign = find_campaign(db.session, slug, drafts=True)
    if body.get("currency") != campaign.currency:
        raise Invalid(f"This campaign takes {campaign.currency}.", field="currency")
    if type(amount_minor) is not int or not 0 < amount_minor <= MOST_MINOR:
        raise Invalid("Send a whole number of minor units, more than zero.", field="amount_minor")
    if note is not None and not _is_line(note):
        raise Invalid("A note is one line of 255 letters at most.", field="note")
    paid_at = instant if body.get("paid_at") is None else _instant(body["paid_at"], instant)
    return slug, OfflineGift(amount_minor=amount_minor, paid_at=paid_at, note=note or None)


def _is_line(text: object) -> bool:
    return isinstance(text, str) and len(text) <= MOST_NOTE_CHARACTERS and text.isprintable()


def _instant(text: object, instant: datetime) -> datetime:
    try:
        paid_at = datetime.fromisoformat(str(text))
    except ValueError:
        paid_at = None
    if paid_at is None or paid_at.tzinfo is None or paid_at.year not in _YEARS:
        raise Invalid("Write the time as 2021-05-10T12:00:00Z.", field="paid_at")
    if paid_at > instant:
        raise Invalid("A gift can't be recorded before its time.", field="paid_at")
    return paid_at
