"""Letters: the mails that donors get, from the templates that a publisher may edit.

Each mail is a pair in `templates/mail/`: NAME.txt, which everybody can read, and NAME.html, which
says the same. docs/mail.md says what may be filled in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.words import direction_of, language_tag, words_of
from payments.models import Donation

_FOLDER = Path(__file__).resolve().parent.parent / "templates" / "mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail's words, twice."""

    text: str
    html: str


def write_letter(
    template: str, /, *, locale: str, site_name: str, base_url: str, **values: object
) -> Letter:
    """Return the mail `template` in a language, with what is to be filled in.

    Raises jinja2.UndefinedError where an edited template names what is not there.
    """
    words = words_of(locale)
    filled = {
        "_": words.gettext,
        "ngettext": words.ngettext,
        "lang": language_tag(locale),
        "direction": direction_of(locale),
        "site_name": site_name,
        "manage_url": f"{base_url}/manage",
    } | values
    return Letter(
        text=_templates().get_template(f"{template}.txt").render(filled).strip() + "\n",
        html=_templates().get_template(f"{template}.html").render(filled),
    )


def locale_of_donor(session: Session, donor_id: int) -> str | None:
    """Return the language in which somebody last filled in a form of ours, None if unknown."""
    statement = (
        select(Donation.locale)
        .where(Donation.donor_id == donor_id, Donation.locale.is_not(None))
        .order_by(Donation.created_at.desc(), Donation.id)
        .limit(1)
    )
    return session.scalars(statement).one_or_none()


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
