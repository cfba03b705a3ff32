"""Reading the books from nothing: every sum is made again from the entries, in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry, PeriodPart, Reference
from campaigns.models import Campaign, Period
from tests.properties.oracle import Books, Month

FIGURES = ("gross_minor", "refunds_minor", "disputes_minor", "cover_minor", "gift_count")


@dataclass
class Replay:
    """The books as their entries tell them, beside the sums that are kept."""

    entries: Sequence[Row[*tuple[Any, ...]]]
    periods: Mapping[int, Row[*tuple[Any, ...]]]
    references: Mapping[int, Row[*tuple[Any, ...]]]
    parts: Sequence[PeriodPart]

    def check(self) -> None:
        """Hold every kept sum against the entries; see that no gift gives more than it has."""
        sequences: dict[int, list[int]] = defaultdict(list)
        raised: Counter[int] = Counter()
        covered: Counter[int] = Counter()
        later: Counter[int] = Counter()
        posted, covers = self._posted("gift"), self._posted("cover")
        for entry in self.entries:
            assert entry.kind in {"gift", "cover"}
            sequences[entry.reference_id].append(entry.sequence)
            if entry.kind == "cover":
                covered[entry.period_id] += entry.amount_minor
                continue
            raised[entry.period_id] += entry.amount_minor
            later[entry.period_id] += entry.amount_minor if entry.after_close else 0
        for id_, reference in self.references.items():
            assert reference.posted_minor == posted[id_], reference.name
            assert reference.cover_posted_minor == covers[id_], reference.name
            assert sorted(sequences[id_]) == list(range(1, reference.entry_count + 1))
        for id_, period in self.periods.items():
            assert period.raised_minor == raised[id_], period.key
            assert period.cover_minor == covered[id_], period.key
            if period.closed_at is not None:
                assert period.raised_minor == period.as_closed_minor + later[id_], period.key
        assert sum(row.raised_minor + row.cover_minor for row in self.periods.values()) == sum(
            entry.amount_minor for entry in self.entries
        )
        self._check_takings(posted, covers)
        self._check_parts()

    def _check_parts(self) -> None:
        """Hold what each period is made of against the entries of its references."""
        figures: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        left: Counter[int] = Counter()
        for entry in self.entries:
            own = self.references[entry.reference_id]
            gift = self.references[own.gift_id or own.id]
            part = (entry.period_id, gift.place_id, gift.kind == "offline", gift.is_regular)
            kinds = {"refund": "refunds_minor", "dispute": "disputes_minor"}
            name = kinds.get(own.kind, "gross_minor")
            if entry.kind == "cover":
                name = "cover_minor"
            else:
                left[gift.id] += entry.amount_minor
            figures[part][name] += entry.amount_minor
        for id_, minor in left.items():
            gift = self.references[id_]
            part = (gift.period_id, gift.place_id, gift.kind == "offline", gift.is_regular)
            figures[part]["gift_count"] += minor > 0
        kept = {
            (row.period_id, row.place_id, row.is_offline, row.is_regular): {
                name: getattr(row, name) for name in FIGURES if getattr(row, name)
            }
            for row in self.parts
        }
        found = {part: {name: n for name, n in row.items() if n} for part, row in figures.items()}
        assert {part: row for part, row in kept.items() if row} == {
            part: row for part, row in found.items() if row
        }

    def _check_takings(self, posted: Counter[int], covers: Counter[int]) -> None:
        taken: Counter[int] = Counter()
        for id_, reference in self.references.items():
            if reference.gift_id is not None:
                taken[reference.gift_id] -= posted[id_]
        for id_, minor in taken.items():
            assert 0 <= minor <= posted[id_], self.references[id_].name
        for id_, reference in self.references.items():
            assert 0 <= covers[id_] <= reference.cover_stated_minor, reference.name
            if posted[id_] > taken[id_]:  # whoever takes, takes from the gift first
                assert covers[id_] == reference.cover_stated_minor, reference.name

    def _posted(self, kind: str) -> Counter[int]:
        """Return what the references have posted of one kind."""
        posted: Counter[int] = Counter()
        for entry in self.entries:
            posted[entry.reference_id] += entry.amount_minor if entry.kind == kind else 0
        return posted

    def books(self) -> Books:
        """Return what the books say, in the oracle's own terms."""
        posted, covers = self._posted("gift"), self._posted("cover")
        left = Counter(posted)
        for id_, reference in self.references.items():
            if reference.gift_id is not None:
                left[reference.gift_id] += posted[id_]
        given: dict[int, list[str]] = defaultdict(list)
        for id_, reference in self.references.items():
            if reference.gift_id is None and left[id_] > 0:
                given[reference.period_id].append(reference.donor_key)
        found = Books(
            posted={self.references[id_].name: minor for id_, minor in posted.items() if minor},
            covers={self.references[id_].name: minor for id_, minor in covers.items() if minor},
        )
        for id_, period in self.periods.items():
            counts = (len(given[id_]), len(set(given[id_])))
            assert counts == (period.donation_count, period.donor_count), period.key
            if period.raised_minor or period.cover_minor:
                found.months[period.slug, period.key] = Month(
                    period.raised_minor, *counts, period.cover_minor
                )
        return found


def replay(session: Session) -> Replay:
    """Read the entries, and what is kept beside them."""
    entries = session.execute(
        select(
            LedgerEntry.id, LedgerEntry.reference_id, LedgerEntry.sequence, LedgerEntry.period_id,
            LedgerEntry.amount_minor, LedgerEntry.kind, LedgerEntry.after_close,
            LedgerEntry.posted_at,
        ).order_by(LedgerEntry.id)
    ).all()  # fmt: skip
    periods = session.execute(
        select(
            Period.id, Period.key, Period.raised_minor, Period.donation_count, Period.donor_count,
            Period.cover_minor, Period.closed_at, Period.as_closed_minor, Campaign.slug,
        ).join(Campaign, Campaign.id == Period.campaign_id)
    ).all()  # fmt: skip
    references = session.execute(
        select(
            Reference.id, Reference.name, Reference.gift_id, Reference.period_id,
            Reference.posted_minor, Reference.cover_stated_minor, Reference.cover_posted_minor,
            Reference.entry_count, Reference.donor_key, Reference.kind, Reference.place_id,
            Reference.is_regular,
        )
    ).all()  # fmt: skip
    return Replay(
        entries,
        {period.id: period for period in periods},
        {reference.id: reference for reference in references},
        session.scalars(select(PeriodPart).execution_options(populate_existing=True)).all(),
    )
