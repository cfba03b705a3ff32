"""The same facts, in any order and however often, make the same books."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from campaigns.catalog import NewCampaign, create_campaign
from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.models import Campaign
from core.db import engine_options, prepare_engine
from tests.conftest import make_settings
from tests.properties.conftest import OpenDatabase
from tests.properties.oracle import Month
from tests.properties.replay import replay
from tests.properties.site import START


@dataclass(frozen=True)
class Fact:
    """One thing to be stated: a gift, alone or with something that takes from it."""

    gift: int
    amount_minor: int
    cover_minor: int
    paid_at: datetime
    donor: int
    taken: tuple[int, ReferenceKind, int] | None


@st.composite
def histories(draw: st.DrawFn) -> list[Fact]:
    """Some gifts of two months, each with refunds and disputes that may ask for too much."""
    facts = []
    for number in range(draw(st.integers(1, 4))):
        amount_minor, cover_minor = draw(st.integers(1, 1_000)), draw(st.integers(0, 300))
        paid_at = START + timedelta(days=draw(st.sampled_from([0, 30])))
        donor = draw(st.integers(1, 2))
        kinds = st.sampled_from([ReferenceKind.REFUND, ReferenceKind.DISPUTE])
        parts = draw(st.lists(st.tuples(kinds, st.integers(0, 1_000)), max_size=4))
        facts.append(Fact(number, amount_minor, cover_minor, paid_at, donor, None))
        facts += [
            Fact(number, amount_minor, cover_minor, paid_at, donor, (place, kind, minor))
            for place, (kind, minor) in enumerate(parts)
        ]
    return facts


def test_any_order_and_repetition_of_the_same_facts_gives_the_same_books(
    open_database: OpenDatabase,
) -> None:
    with open_database() as url:
        engine = create_engine(**engine_options(make_settings(database_url=url)))
        prepare_engine(engine)
        maker = sessionmaker(engine)
        numbers = itertools.count()

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(facts=histories(), repeated=st.integers(0, 10), order=st.randoms())
        def check(facts: list[Fact], repeated: int, order: Random) -> None:
            shuffled = facts + order.choices(facts, k=repeated)
            order.shuffle(shuffled)
            with maker() as session:
                number = next(numbers)
                first = _books_of(session, f"first-{number}", facts)
                assert _books_of(session, f"second-{number}", shuffled) == first
                session.rollback()

        try:
            check()
        finally:
            engine.dispose()


def _books_of(
    session: Session, slug: str, facts: Sequence[Fact]
) -> tuple[dict[str, int], dict[str, int], dict[str, Month]]:
    """State the facts to a campaign of their own; return effects, covers and months."""
    new = NewCampaign(slug=slug, title=slug, currency="USD", timezone="Europe/Sofia")
    campaign = create_campaign(session, new, now=START)
    for fact in facts:
        _state(session, campaign, fact)
    found = replay(session)
    found.check()
    books = found.books()
    posted, covers = (
        {name.removeprefix(slug): minor for name, minor in found.items() if name.startswith(slug)}
        for found in (books.posted, books.covers)
    )
    return posted, covers, {key: month for (of, key), month in books.months.items() if of == slug}


def _state(session: Session, campaign: Campaign, fact: Fact) -> None:
    prefix = f"{campaign.slug}:pi_{fact.gift}"
    reductions = []
    if fact.taken is not None:
        place, kind, minor = fact.taken
        reductions.append(
            Reduction(reference=f"{prefix}:{kind}_{place}", kind=kind, effect_minor=-minor)
        )
    gift = Gift(
        reference=prefix,
        kind=ReferenceKind.PAYMENT,
        effect_minor=fact.amount_minor,
        cover_minor=fact.cover_minor,
        paid_at=fact.paid_at,
        donor_key=f"donor:{fact.donor}",
    )
    state_gift(session, campaign, gift, reductions, cause="test", now=START)
