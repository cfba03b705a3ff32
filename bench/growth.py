"""Whether speed decays: the same three questions to books of growing size, in turns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from sqlalchemy import text

from bench.filling import fill
from bench.rounds import seconds_of
from bench.sites import NOW, SLUG, Site
from campaigns.catalog import find_campaign
from campaigns.ledger import Gift, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.progress import read_progress

READS, POSTS, SUMS = 20, 10, 1
_numbers = itertools.count(1)


@dataclass(slots=True)
class Measured:
    """The times that one size took, in seconds, of all rounds."""

    kind: str
    entries: int
    read: list[float] = field(default_factory=list)
    post: list[float] = field(default_factory=list)
    sum: list[float] = field(default_factory=list)

    def median_of(self, name: str) -> float:
        """Return the median of `read`, `post` or `sum`."""
        times: list[float] = getattr(self, name)
        return median(times)


def measure_growth(
    make: Callable[[], Site],
    sizes: Sequence[int],
    *,
    rounds: int,
    step: Callable[[str], None],
) -> list[Measured]:
    """Fill a site for each size, then ask them in turns."""
    sites: list[tuple[Site, Measured]] = []
    for entries in sizes:
        site = make()
        step(f"{site.kind}: filling {entries:,} entries")
        fill(site, entries)
        sites.append((site, Measured(site.kind, entries)))
    for number in range(rounds + 1):
        for site, measured in sites:
            step(f"{site.kind}: {measured.entries:,} entries, round {number} of {rounds}")
            seconds_of(lambda site=site: read(site), times=3)  # type: ignore[misc]
            reads = seconds_of(lambda site=site: read(site), times=READS)  # type: ignore[misc]
            posts = seconds_of(lambda site=site: post(site), times=POSTS)  # type: ignore[misc]
            sums = seconds_of(lambda site=site: add_up(site), times=SUMS)  # type: ignore[misc]
            if number:  # the first round warms up
                measured.read += reads
                measured.post += posts
                measured.sum += sums
    return [measured for _, measured in sites]


def read(site: Site) -> None:
    """Read the bar, as every face of the widget does."""
    with site.open_session() as session:
        read_progress(session, SLUG, now=NOW, base_url="https://goal.example.org")


def post(site: Site) -> None:
    """Post one gift of a new donor, and commit."""
    name = f"pi_bench{next(_numbers)}"
    gift = Gift(
        reference=name,
        kind=ReferenceKind.PAYMENT,
        effect_minor=2000,
        paid_at=NOW,
        donor_key=f"donor:{name}",
    )
    with site.open_session() as session:
        state_gift(session, find_campaign(session, SLUG), gift, cause="bench", now=NOW)
        session.commit()


def add_up(site: Site) -> None:
    """Do what Goalpost never does to show a bar: add up the month's entries."""
    with site.open_session() as session:
        session.scalar(text("SELECT sum(amount_minor) FROM ledger_entries WHERE period_id = 1"))
