"""The audit log in plain words: who did what, to what, and what it held before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from admin.campaign_fields import LABELS
from core.auditlog import AuditRecord
from core.errors import Invalid
from core.money import known_currency, to_major

# What was done, with a blank for what it was done to; `campaign.paused` and all others that are
# not named here read well by themselves: “paused campaign support-us”.
_DOINGS: Mapping[str, str] = {
    "campaign.planned": "planned a period of {}",
    "campaign.plan_forgotten": "took back a plan of {}",
    "campaign.reopened": "opened {} again",
    "campaign.rolled": "closed periods of {}",
    "donor.exported": "took out all that is held on {}",
    "donor.statement_mailed": "mailed a year’s statement to {}",
    "export.begun": "took out {}",
    "guard.opened": "took the guard off {}",
    "inbox.retried": "had Stripe’s events worked again",
    "notice.added": "has notices sent to {}",
    "notice.changed": "changed what {} is told, or where",
    "notice.removed": "sends no more notices to {}",
    "notice.retried": "had what {} did not take sent again",
    "notice.secret_rotated": "replaced the secret of {}",
    "notice.secret_shown": "looked at the secret of {}",
    "notice.tested": "sent a notice to try {}",
    "notice.turned_off": "turned {} off",
    "notice.turned_on": "turned {} on",
    "outbox.retried": "had mails and calls sent again that were given up",
    "payout.taken_out": "took out the lines of {}",
    "quarantine.refused": "decided never to count {}",
    "quarantine.released": "decided to count {}",
    "refund.asked_again": "asked Stripe again for a refund of {}",
    "refund.requested": "asked for a refund of {}",
    "setup.hidden": "put the steps of the first hour away",
    "setup.shown": "had the steps of the first hour shown again",
    "site.backup_begun": "copied the whole database",
    "site.moved": "carried the site to another database",
    "site.restored": "put a copy of the whole database back",
    "stripe.connected": "registered this site’s webhook at Stripe",
    "stripe.payouts_asked": "asked Stripe for its payouts",
    "stripe.reconcile_begun": "had the books brought to what Stripe says",
    "user.added": "let in {}",
    "user.codes_off": "turned off codes from an app",
    "user.codes_set_up": "set up codes from an app",
    "user.disabled": "lets in {} no more",
    "user.enabled": "lets in {} again",
    "user.factors_reset": "took away the second factors of {}",
    "user.first_link_made": "made the link by which the first owner signs in",
    "user.link_made": "made a sign-in link for {}",
    "user.passkey_added": "added a passkey",
    "user.passkey_removed": "removed a passkey",
    "user.password_set": "chose the password of {}",
    "user.role_changed": "changed the role of {}",
    "user.signed_in": "signed in",
    "user.signed_out": "signed out",
    "user.signed_out_others": "ended all their other sessions",
}
_KINDS: Mapping[str, str] = {
    "notice": "receiver",
    "quarantine": "held payment",
    "site": "the whole site",
}
_FIELDS: Mapping[str, str] = {
    **LABELS,
    "carry": "how goals go on",
    "cut_off": "too long to be kept whole",
    "donors_data": "with donors’ data",
    "every": "how long a period is",
    "from_day": "day on which periods begin",
    "from_month": "month in which years begin",
    "held": "why it was held",
    "new": "now",
    "old": "before",
    "timezone": "zone",
}
_SELF = "their own account"
_MINOR = "_minor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A field of a line: what it held before where it was changed, and what it holds."""

    name: str
    value: str
    old: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What was done: words, what it was done to in the midst of them, and more words."""

    before: str
    subject: str  # empty where the words say it all
    after: str


def told_doing(record: AuditRecord, *, name: str | None = None) -> Doing:
    """Say what a line says was done; `name` is what its subject is called, where that is known."""
    noun, _, verb = record.action.partition(".")
    words = _DOINGS.get(record.action, f"{verb.replace('_', ' ') or noun} {{}}")
    before, blank, after = words.partition("{}")
    return Doing(before=before, subject=_subject(record, name) if blank else "", after=after)


def told_action(action: str) -> str:
    """Name an action for a list to choose from: `campaign: reopened`."""
    noun, _, verb = action.partition(".")
    return f"{noun}: {verb.replace('_', ' ')}".removesuffix(": ")


def told_details(record: AuditRecord) -> tuple[Detail, ...]:
    """Return the fields of a line as a person reads them."""
    told = record.told
    currency = told.get("currency")
    return tuple(_detail(name, value, currency) for name, value in told.items())


def _subject(record: AuditRecord, name: str | None) -> str:
    if record.subject == record.actor_id:
        return _SELF
    kind, _, key = record.subject.partition(":")
    told = _KINDS.get(kind, kind.replace("_", " "))
    return f"{told} {name or key}".strip()


def _detail(name: str, value: Any, currency: object) -> Detail:
    label = _FIELDS.get(name, name.removesuffix(_MINOR).replace("_", " "))
    if _is_change(value):
        old, new, *how = ("; ".join(part.split("\n")) for part in value)
        told = ", ".join([_text(new), *how])
        return Detail(name=label, old=_text(old), value=told)
    if name.endswith(_MINOR) and isinstance(currency, str):
        return Detail(name=label, value=_money(value, currency))
    return Detail(name=label, value=_text(value))


def _is_change(value: Any) -> bool:
    """Tell whether a field says what it was and what it became, and maybe from when on."""
    return (
        isinstance(value, list)
        and len(value) in {2, 3}
        and all(isinstance(part, str) for part in value)
    )


def _money(value: Any, currency: str) -> str:
    amounts = value if isinstance(value, list) else [value]
    try:
        code = known_currency(currency)
        told = [f"{to_major(amount, code)} {code}" for amount in amounts]
    except (Invalid, TypeError):
        return _text(value)
    return ", ".join(told) or "none"


def _text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value)
