"""What the books must say, by rules that are stated here anew: nothing is taken from `campaigns`.

A payment counts where it is just what was asked for, or where a person has released it. What is
left of it is the gift minus its refunds, then minus its disputes, and never below nothing. It
belongs to the calendar month of its payment in its campaign's zone. What was added to cover fees
counts apart, and goes back only when nothing is left of the gift.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from tests.properties.stripe import Told


@dataclass
class Asked:
    """What a donor asked for, and the payment that it was paid by."""

    slug: str
    amount_minor: int
    currency: str
    donor: str | None
    cover_minor: int = 0
    paid_by: str | None = None

    def split(self, received_minor: int) -> None:
        """Take over what came in otherwise than asked: the gift is what the cover leaves."""
        if received_minor <= self.cover_minor:
            self.cover_minor = 0
        self.amount_minor = received_minor - self.cover_minor


@dataclass(frozen=True)
class Gift:
    """Money that counts: for which campaign, when, by whom."""

    slug: str
    amount_minor: int
    paid_at: datetime
    donor: str
    cover_minor: int = 0


@dataclass(frozen=True)
class Month:
    """What a month raised, in how many gifts of how many donors, and what covered fees."""

    raised_minor: int
    donations: int
    donors: int
    cover_minor: int = 0


@dataclass
class Books:
    """What the books must say: effects and covers by reference (none zero), sums by month."""

    posted: dict[str, int] = field(default_factory=dict)
    covers: dict[str, int] = field(default_factory=dict)
    months: dict[tuple[str, str], Month] = field(default_factory=dict)


class Oracle:
    """Hears what our side has heard, and knows what follows from it."""

    def __init__(self, zones: Mapping[str, str], currencies: Mapping[str, str]) -> None:
        self.asked: dict[str, Asked] = {}  # by donation
        self.gifts: dict[str, Gift] = {}  # by reference; what is here stays
        self.held: dict[str, Asked | None] = {}  # by payment; whatever is decided later
        self.heard: dict[str, Told] = {}
        self._renewals: dict[str, Asked] = {}
        self._zones = zones
        self._currencies = currencies

    def hear(self, told: Told, *, erased: Mapping[str, int]) -> None:
        """Take over what Stripe says of a payment; `erased` counts erasures by address."""
        payment = told.payment
        named = told.plan.donation_id if told.plan else payment.donation_id
        if named is not None and named not in self.asked:
            return  # of a donation that is not ours: it waits for ever
        self.heard[payment.id] = told
        if payment.status != "succeeded" or payment.id in self.gifts or payment.id in self.held:
            return
        asked = None if named is None else self.asked[named]
        if asked is not None and told.plan is not None and not told.is_first:
            renewal = replace(asked, paid_by=None)
            if payment.received_minor != asked.amount_minor + asked.cover_minor:
                renewal.amount_minor, renewal.cover_minor = payment.received_minor, 0
            asked = self._renewals.setdefault(payment.id, renewal)
        if asked is None or not _is_as_asked(told, asked):
            self.held[payment.id] = asked
            return
        asked.paid_by = payment.id
        if asked.donor is None and payment.email:
            asked.donor = donor_of(payment.email, erased)
        self._count(told, asked.slug, asked.donor, cover_minor=asked.cover_minor)

    def can_release(self, payment_id: str, slug: str | None) -> bool:
        """Tell whether held money can ever count for that campaign, or the one it was meant for."""
        payment, asked = self.heard[payment_id].payment, self.held[payment_id]
        meant = slug or (asked.slug if asked else None)
        return (
            not payment.livemode
            and meant is not None
            and self._currencies[meant] == payment.currency
        )

    def release(self, told: Told, slug: str | None) -> None:
        """Let held money count. It becomes the donation it was asked as, unless that was paid."""
        asked = self.held[told.payment.id]
        if asked is not None and asked.paid_by is None:
            asked.slug = slug or asked.slug
            if asked.currency != told.payment.currency:
                asked.cover_minor, asked.currency = 0, told.payment.currency
            asked.split(told.payment.received_minor)
            asked.paid_by = told.payment.id
            self._count(told, asked.slug, asked.donor, cover_minor=asked.cover_minor)
        else:
            self._count(told, slug or (asked.slug if asked else ""), None)
        self.heard[told.payment.id] = told

    def record(self, reference: str, slug: str, amount_minor: int, paid_at: datetime) -> None:
        """Count an offline gift."""
        self.gifts[reference] = Gift(slug, amount_minor, paid_at, reference)

    def books(self) -> Books:
        """Return what follows from all that was heard."""
        found = Books()
        sums: dict[tuple[str, str], int] = defaultdict(int)
        covers: dict[tuple[str, str], int] = defaultdict(int)
        donors: dict[tuple[str, str], list[str]] = defaultdict(list)
        for reference, gift in self.gifts.items():
            wanted = _wanted(self.heard.get(reference))
            parts = {reference: gift.amount_minor} | _taken(gift, wanted)
            beyond = max(0, sum(minor for _, minor in wanted) - gift.amount_minor)
            cover = max(0, gift.cover_minor - beyond)
            if cover:
                found.covers[reference] = cover
            found.posted |= {name: minor for name, minor in parts.items() if minor}
            month = (gift.slug, self._month(gift))
            left = sum(parts.values())
            sums[month] += left
            covers[month] += cover
            if left > 0:
                donors[month].append(gift.donor)
        found.months = {
            month: Month(sums[month], len(donors[month]), len(set(donors[month])), covers[month])
            for month in sums
            if sums[month] or covers[month]
        }
        return found

    def _month(self, gift: Gift) -> str:
        return gift.paid_at.astimezone(ZoneInfo(self._zones[gift.slug])).strftime("%Y-%m")

    def _count(self, told: Told, slug: str, donor: str | None, *, cover_minor: int = 0) -> None:
        payment = told.payment
        assert payment.paid_at is not None
        self.gifts[payment.id] = Gift(
            slug,
            payment.received_minor - cover_minor,
            payment.paid_at,
            donor or payment.id,
            cover_minor,
        )


def donor_of(email: str, erased: Mapping[str, int]) -> str:
    """Return who gives with this address: somebody new, once the one before was erased."""
    return f"{email}#{erased.get(email, 0)}"


def _is_as_asked(told: Told, asked: Asked) -> bool:
    payment = told.payment
    return (
        not payment.livemode
        and payment.currency == asked.currency
        and payment.received_minor == asked.amount_minor + asked.cover_minor
        and asked.paid_by is None
    )


def _wanted(told: Told | None) -> list[tuple[str, int]]:
    """Return what asks for a gift's money: refunds first, then disputes, each by name."""
    if told is None:
        return []
    wanted = [
        (refund.id, refund.amount_minor)
        for refund in sorted(told.refunds, key=lambda refund: refund.id)
        if refund.status not in {"failed", "canceled"}
    ]
    return wanted + [
        (dispute.id, dispute.amount_minor)
        for dispute in sorted(told.disputes, key=lambda dispute: dispute.id)
        if dispute.withdrawn
    ]


def _taken(gift: Gift, wanted: list[tuple[str, int]]) -> dict[str, int]:
    """Share out what takes from a gift; together it never takes more."""
    left, taken = gift.amount_minor, {}
    for name, amount_minor in wanted:
        part = min(amount_minor, left)
        taken[name] = -part
        left -= part
    return taken
