"""A few months of gifts of every kind, and the same figures added up from the entries alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import LedgerEntry, Place, Reference, ReferenceKind
from campaigns.models import Campaign, Period
from campaigns.parts import Origin
from campaigns.reports import Figures
from campaigns.rolling import roll_campaign

ARTICLES = ("https://courier.example/a", "https://courier.example/b", "https://other.example/a")
MONTHS = (4, 5, 6)
JULY = datetime(2021, 7, 2, 12, tzinfo=UTC)


def fill(session: Session, campaign: Campaign, *, seed: int, gifts: int = 40) -> None:
    """Give, take back and close from April to June 2021, in an order that chance decides."""
    random = Random(seed)  # noqa: S311 - the same story each time
    facts = [_gift(campaign, number, random) for number in range(gifts)]
    hearings = [(gift, taken[:known]) for gift, taken in facts for known in range(len(taken) + 1)]
    random.shuffle(hearings)
    for number, (gift, taken) in enumerate(hearings):
        if number == len(hearings) // 2:
            for month in MONTHS:
                roll_campaign(session, campaign.id, now=datetime(2021, month + 1, 2, tzinfo=UTC))
        state_gift(session, campaign, gift, taken, cause="test", now=JULY)
    session.commit()


def _gift(campaign: Campaign, number: int, random: Random) -> tuple[Gift, list[Reduction]]:
    kind = random.choice([ReferenceKind.PAYMENT, ReferenceKind.PAYMENT, ReferenceKind.OFFLINE])
    is_online = kind is ReferenceKind.PAYMENT
    name = f"{campaign.slug}-{number}"
    effect = random.randint(1, 50_000)
    gift = Gift(
        reference=name,
        kind=kind,
        effect_minor=effect,
        cover_minor=random.choice([0, 59]) if is_online else 0,
        paid_at=datetime(2021, random.choice(MONTHS), random.randint(3, 28), tzinfo=UTC),
        donor_key=random.choice(["ada", "bob", None]),
        origin=Origin(
            source=random.choice([*ARTICLES, None]),
            slot=random.choice(["top", "bottom", None]),
            is_regular=random.random() < 0.3,
        )
        if is_online
        else Origin(),
    )
    taken = [
        Reduction(
            reference=f"{name}-{of_kind}",
            kind=of_kind,
            effect_minor=-random.randint(0, effect),
        )
        for of_kind in (ReferenceKind.REFUND, ReferenceKind.DISPUTE)
        if is_online and random.random() < 0.3
    ]
    return gift, taken


class Entries:
    """All entries of one campaign, gone through one by one: what no report does."""

    def __init__(self, session: Session, campaign: Campaign) -> None:
        references = {row.id: row for row in session.scalars(select(Reference))}
        places = {row.id: row for row in session.scalars(select(Place))}
        periods = {
            row.id: row
            for row in session.scalars(select(Period).where(Period.campaign_id == campaign.id))
        }
        self._entries = [
            (entry, references[entry.reference_id], periods[entry.period_id])
            for entry in session.scalars(select(LedgerEntry))
            if entry.period_id in periods
        ]
        self._references = references
        self._places = places

    def figures(
        self, *, keys: Iterable[str] | None = None, after_close: bool | None = None
    ) -> Figures:
        """Add up the entries of these periods; gifts and ways are those of the gift behind."""
        wanted = None if keys is None else set(keys)
        found, left = Figures(), dict[int, int]()
        for entry, reference, period in self._entries:
            if wanted is not None and period.key not in wanted:
                continue
            if after_close is not None and entry.after_close is not after_close:
                continue
            amount, gift = entry.amount_minor, self._gift(reference)
            if entry.kind == "cover":
                found += Figures(cover_minor=amount)
                continue
            left[gift.id] = left.get(gift.id, 0) + amount
            found += Figures(
                **{f"{_COLUMNS[reference.kind]}_minor": amount},
                offline_minor=amount if gift.kind == "offline" else 0,
                regular_minor=amount if gift.is_regular else 0,
            )
        counted = [self._references[number] for number, minor in left.items() if minor > 0]
        return found + Figures(
            gifts=len(counted),
            offline_gifts=sum(gift.kind == "offline" for gift in counted),
            regular_gifts=sum(gift.is_regular for gift in counted),
        )

    def by_article(self) -> dict[str, int]:
        """Return what is left of the gifts through Stripe, by the article; empty is unknown."""
        found: dict[str, int] = {}
        for entry, reference, _ in self._entries:
            gift = self._gift(reference)
            if gift.kind == "payment" and entry.kind == "gift":
                place = self._places.get(gift.place_id)
                name = place.source if place else ""
                found[name] = found.get(name, 0) + entry.amount_minor
        return found

    def _gift(self, reference: Reference) -> Reference:
        return self._references[reference.gift_id or reference.id]


_COLUMNS = {"payment": "gross", "offline": "gross", "refund": "refunds", "dispute": "disputes"}
