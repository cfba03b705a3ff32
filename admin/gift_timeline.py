"""What happened to one gift, in the order of time: from its beginning to whatever came last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from admin.log_view import LogLine
from campaigns.ledger_models import EntryKind, LedgerEntry, Reference
from core.auditlog import AuditRecord
from core.money import exact_amount, exact_money
from core.outbox import OutboxMail
from payments.donation_story import Story
from payments.models import InboxEvent
from payments.refund_models import RefundRequest

LOCALE = "en"
# Whoever may see the log is told of these by the request itself, as all others are.
_TOLD_OTHERWISE = frozenset({"refund.requested"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened: words, a tag with its tone (`good`, `bad` or none), and ids."""

    at: datetime
    told: str
    tag: str = ""
    tone: str = ""
    more: tuple[str, ...] = ()


def gift_timeline(
    story: Story,
    log: Sequence[tuple[AuditRecord, LogLine]],
    *,
    with_donors: bool,
) -> list[Happening]:
    """Return what happened to a gift, the first first.

    What is written down under one instant stands in the order of cause and effect: begun, paid,
    asked for, told by Stripe, booked, thanked for. Mail addresses are told `with_donors` alone.
    """
    happenings = [
        *_beginning(story),
        *(_requested(request) for request in story.refunds),
        *(_done(line, record) for record, line in log if record.action not in _TOLD_OTHERWISE),
        *(_event(event) for event in story.events),
        *(_booked(entry, of, story.campaign.currency) for entry, of in story.entries),
        *(_mailed(mail, with_donors=with_donors) for mail in story.mails),
    ]
    # Sorting keeps the order of what is of one instant.
    return sorted(happenings, key=lambda one: one.at)


def _beginning(story: Story) -> Iterator[Happening]:
    donation = story.found.donation
    yield Happening(
        at=donation.created_at, told="Written down here" if story.is_offline else "Begun"
    )
    if donation.paid_at is not None:
        yield Happening(at=donation.paid_at, told="Given" if story.is_offline else "Paid")
    if donation.erased_at is not None:
        yield Happening(at=donation.erased_at, told="Whoever gave was erased")


def _requested(request: RefundRequest) -> Happening:
    amount = exact_money(request.amount_minor, request.currency)
    return Happening(
        at=request.requested_at, told=f"Refund of {amount} asked for by {request.requested_by}"
    )


def _done(line: LogLine, record: AuditRecord) -> Happening:
    doing = line.doing
    return Happening(
        at=record.at,
        told=f"{line.who} {doing.before}{doing.subject}{doing.after}",
        more=tuple(f"{detail.name}: {detail.value}" for detail in line.details),
    )


def _event(event: InboxEvent) -> Happening:
    return Happening(
        at=event.occurred_at,
        told=f"Stripe told {event.type}",
        tag=event.state,
        tone="bad" if event.state == "failed" else "",
        more=(event.outcome,) if event.outcome else (),
    )


def _booked(entry: LedgerEntry, of: Reference, currency: str) -> Happening:
    kind = "gift" if of.gift_id is None else of.kind
    counts_as = "covered fees" if entry.kind == EntryKind.COVER else kind
    amount = exact_amount(entry.amount_minor, currency, locale=LOCALE)
    return Happening(
        at=entry.posted_at,
        told=f"Booked {amount} {currency} as {counts_as}",
        tag="after the close" if entry.after_close else "",
        more=(of.name, entry.cause),
    )


def _mailed(mail: OutboxMail, *, with_donors: bool) -> Happening:
    return Happening(
        at=mail.sent_at or mail.posted_at,
        told="Mail of thanks",
        tag=mail.state,
        tone="bad" if mail.state == "failed" else "",
        more=(mail.recipient,) if with_donors and mail.recipient else (),
    )
