"""What the pages of payouts show: amounts to the last digit, and where each payout stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from babel.dates import format_date, format_datetime

from admin.pages import LOCALE
from core.money import to_major
from payments.payout_models import BankPayout, LineKind
from payments.payout_reading import CampaignShare, Line

# Stripe's words, in ours; the tone is a class of `.tag`.
_STATUS = {
    "pending": ("pending", ""),
    "in_transit": ("on its way", ""),
    "paid": ("paid", "good"),
    "failed": ("failed", "bad"),
    "canceled": ("canceled", "bad"),
}
_KINDS = {
    LineKind.GIFT: "Gift",
    LineKind.REFUND: "Refund",
    LineKind.DISPUTE: "Dispute",
    LineKind.FEE: "Stripe’s fee",
    LineKind.OTHER: "Other",
}
_NOT_OURS = {LineKind.GIFT: "Payment"}
# Where Stripe's own category says more than we do.
_CATEGORIES = {
    "refund_failure": "Refund that failed",
    "dispute_reversal": "Dispute won back",
    "payout_reversal": "Payout that came back",
    "payout": "Payout by hand",
    "topup": "Top-up",
    "tax": "Tax on fees",
}
_OF_NO_PAYMENT = frozenset({LineKind.FEE, LineKind.OTHER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A word with its tone (`good`, `bad` or none), and what more there is to say."""

    word: str
    tone: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the sums that a payout is made of."""

    label: str
    amount: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutRow:
    """A payout as its page and the list show it."""

    id: str
    arrives: str
    made: str
    amount: str
    currency: str
    status: Standing
    match: Standing
    gifts: str
    refunds: str
    disputes: str
    fees: str
    other: str
    parts: Sequence[Part]
    sum: str
    difference: str  # empty where there is none, or nobody knows
    line_count: int
    foreign_count: int
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    """A line of a payout."""

    kind: str
    at: str
    amount: str
    fee: str
    net: str
    currency: str  # empty where it is the payout's
    source: str
    donation_id: str | None
    campaign: str
    slug: str
    is_foreign: bool
    held_href: str  # of the page that decides about its payment; empty where nothing is held


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """What a payout brought one campaign."""

    slug: str
    title: str
    count: int
    amount: str
    fee: str
    net: str


def payout_row(payout: BankPayout) -> PayoutRow:
    """Return a payout as pages show it."""

    def said(minor: int) -> str:
        return plain(minor, payout.currency) if is_complete else ""

    is_complete = payout.complete_at is not None
    word, tone = _STATUS.get(payout.status, (payout.status.replace("_", " "), ""))
    difference = payout.difference_minor
    parts = [
        Part(label="Gifts", amount=said(payout.gifts_minor)),
        Part(label="Refunds", amount=said(payout.refunds_minor)),
        Part(label="Disputes", amount=said(payout.disputes_minor)),
        Part(label="Stripe’s fees", amount=said(payout.fees_minor)),
    ]
    if payout.foreign_count:
        hint = "Payments, refunds and disputes that are of no donation of this site."
        parts.append(Part(label="Not ours", amount=said(payout.foreign_minor), hint=hint))
    if payout.other_minor:
        hint = "Payouts that came back, reserves, top-ups: the lines tell."
        parts.append(Part(label="Other", amount=said(payout.other_minor), hint=hint))
    return PayoutRow(
        id=payout.id,
        arrives=day_text(date.fromisoformat(payout.arrives_on)),
        made=time_text(payout.created_at),
        amount=plain(payout.amount_minor, payout.currency),
        currency=payout.currency,
        status=Standing(word=word, tone=tone, more=payout.failure or ""),
        match=_match(payout),
        gifts=said(payout.gifts_minor),
        refunds=said(payout.refunds_minor),
        disputes=said(payout.disputes_minor),
        fees=said(payout.fees_minor),
        other=said(payout.foreign_minor + payout.other_minor),
        parts=parts,
        sum=said(payout.lines_minor),
        difference=plain(difference, payout.currency) if difference else "",
        line_count=payout.line_count,
        foreign_count=payout.foreign_count,
        is_complete=is_complete,
    )


def line_row(found: Line, payout: BankPayout) -> LineRow:
    """Return a line of a payout; its own currency is said where it is another."""
    line = found.line
    kind = LineKind(line.kind)
    is_foreign = line.donation_id is None and kind not in _OF_NO_PAYMENT
    said = _CATEGORIES.get(line.category) or (is_foreign and _NOT_OURS.get(kind)) or _KINDS[kind]
    own_words = line.description or line.category.replace("_", " ")
    return LineRow(
        kind=said,
        at=time_text(line.occurred_at),
        amount=plain(line.amount_minor, line.currency),
        fee=plain(-line.fee_minor, line.currency),
        net=plain(line.net_minor, line.currency),
        currency="" if line.currency == payout.currency else line.currency,
        source=line.source_id or own_words,
        donation_id=line.donation_id,
        campaign=found.campaign or "",
        slug=found.slug or "",
        is_foreign=is_foreign,
        held_href=f"/admin/quarantine/{line.payment_id}" if found.held else "",
    )


def share_row(share: CampaignShare, payout: BankPayout) -> ShareRow:
    """Return what a payout brought a campaign."""
    return ShareRow(
        slug=share.slug,
        title=share.title,
        count=share.count,
        amount=plain(share.amount_minor, payout.currency),
        fee=plain(-share.fee_minor, payout.currency),
        net=plain(share.net_minor, payout.currency),
    )


def plain(amount_minor: int, currency: str) -> str:
    """Write an amount to the last digit, for columns: `1,234.50`, `−20.00`."""
    return f"{to_major(amount_minor, currency):,}".replace("-", "−")


def day_text(day: date) -> str:
    """Write a day: `14 May 2021`."""
    text: str = format_date(day, "d MMM y", locale=LOCALE)
    return text


def time_text(instant: datetime) -> str:
    """Write an instant in UTC, in which Stripe counts days."""
    text: str = format_datetime(instant, "d MMM y, HH:mm", tzinfo=UTC, locale=LOCALE)
    return text


def _match(payout: BankPayout) -> Standing:
    difference = payout.difference_minor
    if not payout.automatic:
        return Standing(word="by hand", more="Stripe does not tell what it is made of.")
    if difference is None:
        return Standing(word="waiting", more="Stripe tells its lines within some days.")
    if difference:
        off = plain(difference, payout.currency)
        return Standing(word="differs", tone="bad", more=f"{off} are not in its lines.")
    if payout.foreign_count:
        number = payout.foreign_count
        more = f"{number} {'line is' if number == 1 else 'lines are'} not ours."
        return Standing(word="matches", tone="good", more=more)
    return Standing(word="matches", tone="good")
