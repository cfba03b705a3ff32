"""How a page of the admin is rendered: in English, with its navigation and who is signed in."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, get_flashed_messages, request
from flask_login import current_user

from admin.access import current_admin, may
from admin.roles import Permission
from core.web import render_page

LOCALE = "en"


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation: `section` is the name that pages of it call themselves by."""

    section: str
    label: str
    href: str
    permission: Permission


# In the order in which they are shown.
PLACES = (
    Place("home", "Dashboard", "/admin/", Permission.SEE_TOTALS),
    Place("campaigns", "Campaigns", "/admin/campaigns", Permission.SEE_TOTALS),
    Place("months", "Months", "/admin/months", Permission.SEE_TOTALS),
    Place("donations", "Donations", "/admin/donations", Permission.SEE_DONATIONS),
    Place("quarantine", "Quarantine", "/admin/quarantine", Permission.DECIDE_QUARANTINE),
    Place("donors", "Donors", "/admin/donors", Permission.SEE_DONORS),
    Place("payouts", "Payouts", "/admin/payouts", Permission.EXPORT),
    Place("exports", "Exports", "/admin/exports", Permission.EXPORT),
    Place("log", "Log", "/admin/log", Permission.SEE_AUDIT_LOG),
    Place("notices", "Notices", "/admin/notices", Permission.MANAGE_NOTICES),
    Place("tokens", "Tokens", "/admin/tokens", Permission.MANAGE_TOKENS),
    Place("users", "Users", "/admin/users", Permission.MANAGE_USERS),
)


def render_admin(template: str, *, section: str, **values: object) -> str:
    """Render a page; `section` is the entry of the navigation that it belongs to.

    Where htmx asks for a part, the template sees `partial` and may leave its frame out.
    """
    signed_in = current_user.is_authenticated
    return render_page(
        template,
        locale=LOCALE,
        section=section,
        places=[place for place in PLACES if may(place.permission)] if signed_in else [],
        admin=current_admin() if signed_in else None,
        may=may,
        Permission=Permission,
        partial=is_partial(),
        flashes=get_flashed_messages(with_categories=True),
        **values,
    )


def is_partial() -> bool:
    """Tell whether htmx asks, which puts the answer into a page that is there."""
    return request.headers.get("HX-Request") == "true"


def say(message: str, *, kind: str = "done") -> None:
    """Have the next page say something: `done`, or `problem`."""
    flash(message, kind)
