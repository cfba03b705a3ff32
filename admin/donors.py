"""`/admin/donors`: what is held on a person, as a page and as a file, and its erasure.

A donor's address is sent by forms only and never part of an address of ours, which browsers and
servers write down; pages and the log know a donor by number.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, current_actor, needs
from admin.pages import PLACES, render_admin, say
from admin.roles import Permission
from campaigns.models import Campaign
from core.auditlog import record
from core.clock import now
from core.db import db
from core.money import exact_money
from core.web import settings
from payments.donating import find_donor
from payments.donor_view import donor_by_id, read_held
from payments.errors import DonorNotFound, NotErasableYet
from payments.inbox import retry_events
from payments.models import Donor
from payments.privacy import erase_donor, export_donor, hindrance_to_erase

_MOST_ADDRESS_CHARACTERS = 254

bp = admin_blueprint("donors", __name__)


@bp.get("/donors")
@needs(Permission.SEE_DONORS)
def donors() -> str:
    """Ask whom to look for."""
    return _search()


@bp.post("/donors")
@needs(Permission.SEE_DONORS)
def find() -> ResponseReturnValue:
    """Find a donor by address, and go to their page."""
    typed = request.form.get("email", "").replace("\0", "").strip()[:_MOST_ADDRESS_CHARACTERS]
    donor = find_donor(db.session, typed) if typed else None
    if donor is None:
        problem = DonorNotFound().message if typed else "Write the address that they gave with."
        return _search(typed, problem), HTTPStatus.UNPROCESSABLE_ENTITY
    return redirect(f"/admin/donors/{donor.id}", code=303)


@bp.get("/donors/<int:donor_id>")
@needs(Permission.SEE_DONORS)
def donor(donor_id: int) -> str:
    """Show what is held."""
    held = read_held(db.session, _donor(donor_id))
    return render_admin(
        "admin/donor.html",
        section="donors",
        held=held,
        money=exact_money,
        local=_local,
        utc=_utc,
        gifts_have_pages=any(place.section == "donations" for place in PLACES),
    )


@bp.post("/donors/<int:donor_id>/export")
@needs(Permission.SEE_DONORS)
def export(donor_id: int) -> Response:
    """Send all that is held as a file, and write down that it was taken out."""
    found = _donor(donor_id)
    told = export_donor(db.session, found.email or "")
    _log("donor.exported", found.id, gifts=len(told["donations"]), mails=len(told["mails"]))
    db.session.commit()
    text = json.dumps(told, ensure_ascii=False, indent=2)
    response = Response(text + "\n", content_type="application/json; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"donor-{donor_id}.json")
    return response


@bp.get("/donors/<int:donor_id>/erase")
@needs(Permission.ERASE_DONORS, fresh=True)
def ask_to_erase(donor_id: int) -> str:
    """Say what an erasure would do, or what stands in its way."""
    found = _donor(donor_id)
    return _erase_page(found, hindrance_to_erase(db.session, found))


@bp.post("/donors/<int:donor_id>/erase")
@needs(Permission.ERASE_DONORS, fresh=True)
def erase(donor_id: int) -> ResponseReturnValue:
    """Forget a person; what that can't be done for yet is said."""
    found = _donor(donor_id)
    try:
        erased = erase_donor(db.session, found.email or "", now=now())
    except NotErasableYet as error:
        db.session.rollback()
        return _erase_page(_donor(donor_id), error), HTTPStatus.CONFLICT
    _log(
        "donor.erased",
        donor_id,
        gifts=erased.donations,
        mails=erased.mails,
        events=erased.events,
    )
    db.session.commit()
    say(
        f"Erased. {erased.donations} gifts keep their amounts and nobody’s name; {erased.mails}"
        f" mails and {erased.events} of Stripe’s events keep no words. Every total is what it was."
    )
    if erased.customer_ids:
        say(
            f"Stripe keeps its own. Delete there: {', '.join(erased.customer_ids)}.", kind="problem"
        )
    return redirect("/admin/donors", code=303)


@bp.post("/donors/<int:donor_id>/retry")
@needs(Permission.ERASE_DONORS)
def work_again(donor_id: int) -> ResponseReturnValue:
    """Have the events that stand in the way of an erasure worked again, by the scheduler."""
    hindrance = hindrance_to_erase(db.session, _donor(donor_id))
    events = hindrance.waiting if hindrance else ()
    for event_id in events:
        retry_events(db.session, now=now(), event_id=event_id)
    if events:
        _log("inbox.retried", donor_id, events=", ".join(events))
    db.session.commit()
    say("They are worked again within a minute, if the scheduler runs. Then come back to erase.")
    return redirect(f"/admin/donors/{donor_id}", code=303)


def _donor(donor_id: int) -> Donor:
    return donor_by_id(db.session, donor_id)


def _log(action: str, donor_id: int, **details: int | str) -> None:
    subject = f"donor:{donor_id}"
    record(db.session, current_actor(), action, subject=subject, details=details, now=now())


def _search(typed: str = "", problem: str = "") -> str:
    return render_admin("admin/donors.html", section="donors", typed=typed, problem=problem)


def _erase_page(donor: Donor, hindrance: NotErasableYet | None) -> str:
    mode = "" if settings().livemode else "test/"
    return render_admin(
        "admin/donor_erase.html",
        section="donors",
        donor=donor,
        hindrance=hindrance,
        at_stripe=None
        if settings().stripe_api_base
        else f"https://dashboard.stripe.com/{mode}subscriptions/",
    )


def _local(campaign: Campaign, instant: datetime) -> str:
    return f"{instant.astimezone(campaign.zone):%Y-%m-%d %H:%M}"


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
