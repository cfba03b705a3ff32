"""Why a closed period no longer raised what was announced: the entries that came after."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from babel.numbers import format_decimal, get_minus_sign_symbol, get_plus_sign_symbol
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.labels import money_label
from campaigns.ledger_models import EntryKind, LedgerEntry, Reference, ReferenceKind
from campaigns.models import Campaign, Period
from campaigns.shapes import AdjustmentJson
from core.words import Words, words_of

MOST_LISTED = 1000


class Reason(StrEnum):
    """What kind of thing changed a sum after it was announced, in the order it is told in."""

    LATE_GIFTS = "late_gifts"  # paid in time; the word of it came after the close
    OFFLINE_GIFTS = "offline_gifts"  # given in time without Stripe, recorded after the close
    REFUNDS = "refunds"
    FAILED_REFUNDS = "failed_refunds"  # came back, so the gift stands again
    DISPUTES = "disputes"
    WON_DISPUTES = "won_disputes"  # given back by the bank
    CORRECTIONS = "corrections"  # of a gift that was in the books
    MATCHING = "matching"  # what is matched follows the sum; no entry stands for it


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One entry that a closed period got, dated by its posting."""

    period_key: str
    posted_at: datetime
    reference: str
    amount_minor: int
    cause: str


@dataclass(frozen=True, slots=True)
class ReasonSum:
    """What one kind of thing changed; `count` is of refunds, gifts and so on, not of entries."""

    reason: Reason
    amount_minor: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One reason why a period's sum is not what was announced; `label` says all of it.

    `count` is zero for what is matched, which no gift of its own stands for.
    """

    reason: Reason
    amount_minor: int
    label: str
    count: int

    def to_json(self) -> AdjustmentJson:
        """Return the reason as the public contract writes it."""
        return {
            "reason": self.reason.value,
            "amount_minor": self.amount_minor,
            "label": self.label,
            "count": self.count,
        }


def sums_by_reason(
    session: Session, period_ids: Collection[int]
) -> Mapping[int, tuple[ReasonSum, ...]]:
    """Return why these periods' sums are not what was announced, in one query and by an index.

    Together a period's sums are exactly what it raised since the close: its `raised_minor` less
    its `as_closed_minor`. Where something came and went they are there and make zero.
    """
    if not period_ids:
        return {}
    comes_in = (LedgerEntry.amount_minor > 0).label("comes_in")
    is_first = (LedgerEntry.sequence == 1).label("is_first")
    statement = (
        select(
            LedgerEntry.period_id,
            Reference.kind,
            comes_in,
            is_first,
            func.sum(LedgerEntry.amount_minor),
            func.count(LedgerEntry.reference_id.distinct()),
        )
        .join(Reference, Reference.id == LedgerEntry.reference_id)
        .where(
            LedgerEntry.period_id.in_(period_ids),
            LedgerEntry.after_close,  # as the partial index has it
            LedgerEntry.kind == EntryKind.GIFT,
        )
        .group_by(LedgerEntry.period_id, Reference.kind, "comes_in", "is_first")
    )
    sums: dict[int, dict[Reason, tuple[int, int]]] = {}
    for period_id, kind, gains, begins, amount, count in session.execute(statement):
        reason = _reason(ReferenceKind(kind), gains=bool(gains), begins=bool(begins))
        of_period = sums.setdefault(period_id, {})
        amount_before, count_before = of_period.get(reason, (0, 0))
        of_period[reason] = (amount_before + int(amount), count_before + count)
    return {
        period_id: tuple(ReasonSum(reason, *found[reason]) for reason in Reason if reason in found)
        for period_id, found in sums.items()
    }


def _reason(kind: ReferenceKind, *, gains: bool, begins: bool) -> Reason:
    if kind is ReferenceKind.REFUND:
        return Reason.FAILED_REFUNDS if gains else Reason.REFUNDS
    if kind is ReferenceKind.DISPUTE:
        return Reason.WON_DISPUTES if gains else Reason.DISPUTES
    if not gains or not begins:
        return Reason.CORRECTIONS
    return Reason.OFFLINE_GIFTS if kind is ReferenceKind.OFFLINE else Reason.LATE_GIFTS


def list_adjustments(
    session: Session, slug: str, *, period_key: str | None = None, limit: int = MOST_LISTED
) -> Sequence[Adjustment]:
    """Return a campaign's adjustments, the newest first; their sum is the whole difference."""
    campaign = find_campaign(session, slug, drafts=True)
    statement = (
        select(
            Period.key,
            LedgerEntry.posted_at,
            Reference.name,
            LedgerEntry.amount_minor,
            LedgerEntry.cause,
        )
        .join(Period, Period.id == LedgerEntry.period_id)
        .join(Reference, Reference.id == LedgerEntry.reference_id)
        .where(
            Period.campaign_id == campaign.id,
            LedgerEntry.after_close.is_(True),
            # What covers fees was never announced.
            LedgerEntry.kind == EntryKind.GIFT,
        )
        .order_by(LedgerEntry.id.desc())
        .limit(limit)
    )
    if period_key is not None:
        statement = statement.where(Period.key == period_key)
    return [Adjustment(*row) for row in session.execute(statement)]


def tell_change(campaign: Campaign, found: ReasonSum, *, locale: str) -> Change:
    """Say a reason in the reader's language: `−20 $: 1 refund`."""
    minus = get_minus_sign_symbol(locale).replace("-", "\N{MINUS SIGN}")
    sign = minus if found.amount_minor < 0 else get_plus_sign_symbol(locale)
    amount = money_label(campaign, abs(found.amount_minor), locale=locale)
    told = _all_told(words_of(locale), found.count)[found.reason]
    return Change(
        reason=found.reason,
        amount_minor=found.amount_minor,
        label=told.format(
            amount=f"{sign}{amount}".replace(" ", "\N{NO-BREAK SPACE}"),
            count=format_decimal(found.count, locale=locale),
        ),
        count=found.count,
    )


def _all_told(words: Words, count: int) -> dict[Reason, str]:
    """Return what is said of each reason where it stands for so many refunds, gifts and so on."""
    ngettext = words.ngettext
    return {
        Reason.LATE_GIFTS: ngettext(
            "{amount}: {count} gift that we heard of late",
            "{amount}: {count} gifts that we heard of late",
            count,
        ),
        Reason.OFFLINE_GIFTS: ngettext(
            "{amount}: {count} gift by other ways, entered later",
            "{amount}: {count} gifts by other ways, entered later",
            count,
        ),
        Reason.REFUNDS: ngettext("{amount}: {count} refund", "{amount}: {count} refunds", count),
        Reason.FAILED_REFUNDS: ngettext(
            "{amount}: {count} refund that failed",
            "{amount}: {count} refunds that failed",
            count,
        ),
        Reason.DISPUTES: ngettext(
            "{amount}: {count} payment taken back by a bank",
            "{amount}: {count} payments taken back by banks",
            count,
        ),
        Reason.WON_DISPUTES: ngettext(
            "{amount}: {count} payment given back by a bank",
            "{amount}: {count} payments given back by banks",
            count,
        ),
        Reason.CORRECTIONS: ngettext(
            "{amount}: {count} correction", "{amount}: {count} corrections", count
        ),
        Reason.MATCHING: words.gettext("{amount}: what is matched of the gifts"),
    }
