"""The guard against card testing: what forms are counted by, and when they are guarded.

Thieves try stolen cards on donation forms. Their payments are begun and mostly fail; those of
donors mostly end well. So payments are counted as they are begun, finished and turned down, by
campaign and in buckets of some minutes, in the database that all processes share. Where more are
left open than is usual among honest people, a breaker trips: the form is guarded, and somebody is
told. It closes by itself. docs/adr/0014-the-guard.md says why it is like that.

Nothing here is money. Counts are guesses, which the books neither need nor wait for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.db import insert_if_absent
from core.notices import Notice, notify
from core.settings import Settings
from core.subscribers import Topic
from payments.models import Breaker, CheckoutCount
from payments.tallies import WINDOW, Counts, count, forget_old, read_buckets, told

# How long a form stays guarded after there was last reason for it.
CALM = timedelta(minutes=15)
SITE = "site"
# How old the note of the last reason may be: it is not written anew with every attempt.
_NOTE_EVERY = timedelta(minutes=1)

log = logging.getLogger("goalpost.guard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many payments may be unfinished within an hour, beside what paid ones make up for."""

    campaign: int
    site: int

    @classmethod
    def of(cls, settings: Settings) -> Limits | None:
        """Return those of the settings; None where limits are switched off."""
        if not settings.ratelimit_enabled:
            return None
        return cls(campaign=settings.most_unfinished_campaign, site=settings.most_unfinished_site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with the form of one campaign, or with those of the whole site."""

    scope: str
    most: int
    now: datetime
    # Those that the window has left a while ago are among them.
    buckets: Sequence[tuple[datetime, Counts]]
    # Of its breaker, whether it is still open or not.
    tripped_at: datetime | None = None
    last_over_at: datetime | None = None

    @property
    def counts(self) -> Counts:
        """Return what was counted within the window."""
        return _sum(part for part in self.buckets if part[0] > self.now - WINDOW)

    @property
    def is_over(self) -> bool:
        """Tell whether there is reason to guard now."""
        return self.counts.is_over(self.most)

    @property
    def is_guarded(self) -> bool:
        """Tell whether it is guarded: there is reason, or there was a short while ago."""
        return self.is_over or self.now < self.calm_at

    @property
    def calm_at(self) -> datetime:
        """Return when the guard ends if nothing more happens, or has ended.

        The window moves on, and leaves what was too much behind it; nobody need have seen that.
        """
        noted_at = self.now if self.is_over else self.last_over_at
        if noted_at is None or noted_at <= self.now - WINDOW - CALM:
            return self.now
        left_behind_at = [
            at + WINDOW
            for number, (at, _) in enumerate(self.buckets)
            if _sum(self.buckets[number:]).is_over(self.most)
        ]
        return max([noted_at, *left_behind_at]) + CALM


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen when a form was looked at: how it stands with its campaign and the site."""

    now: datetime
    standings: tuple[Standing, ...] = ()

    @property
    def is_guarded(self) -> bool:
        """Tell whether the form is guarded."""
        return any(standing.is_guarded for standing in self.standings)

    @property
    def calm_at(self) -> datetime:
        """Return when the form will take gifts as ever, if nothing more happens."""
        return max((each.calm_at for each in self.standings if each.is_guarded), default=self.now)


def look(session: Session, campaign_id: int, limits: Limits | None, *, now: datetime) -> Look:
    """Look whether a campaign's form is guarded. Only reads; without limits it never is."""
    if limits is None:
        return Look(now)
    scope = campaign_scope(campaign_id)
    counted = read_buckets(session, campaign_id, since=now - WINDOW - CALM)
    of_campaign = [(at, own) for at, own, _ in counted]
    of_all = [(at, every) for at, _, every in counted]
    breakers = {
        breaker.scope: breaker
        for breaker in session.scalars(
            select(Breaker)
            .where(Breaker.scope.in_((scope, SITE)))
            .execution_options(populate_existing=True)
        )
    }
    return Look(
        now,
        (
            _standing(scope, limits, of_campaign, breakers.get(scope), now=now),
            _standing(SITE, limits, of_all, breakers.get(SITE), now=now),
        ),
    )


def admit(
    session: Session, campaign_id: int, limits: Limits | None, *, passed: bool, now: datetime
) -> bool:
    """Count a payment that is about to be begun; tell whether it may be.

    To be called last before the commit: the row that it writes is the campaign's own and held
    until then, so that of many at once exactly as many get through as may. Where the answer is
    no, the caller rolls back, and with it the count. `passed` is whoever solved a challenge: they
    get through, and are counted.
    """
    if limits is None:
        return True
    count(session, campaign_id, now, Counts(begun=1))
    seen = look(session, campaign_id, limits, now=now)
    if not passed and any(_before_this(each).is_guarded for each in seen.standings):
        return False
    _note(session, seen)
    return True


def count_refused(
    session: Session, campaign_id: int, limits: Limits, *, number: int, now: datetime
) -> None:
    """Count forms that the guard sent back; they are no reason to go on guarding."""
    count(session, campaign_id, now, Counts(refused=number))
    _note(session, look(session, campaign_id, limits, now=now))


def watch(session: Session, limits: Limits | None, *, now: datetime) -> int:
    """Trip the breakers of what is over, also where nobody sends a form; return how many are over.

    And forget counts that are old.
    """
    forget_old(session, now=now)
    if limits is None:
        return 0
    over = [each for each in read_standings(session, limits, now=now) if each.is_over]
    _note(session, Look(now, tuple(over)))
    return len(over)


def read_standings(session: Session, limits: Limits, *, now: datetime) -> list[Standing]:
    """Return how it stands with the site, and with each campaign that something is known of."""
    breakers = {breaker.scope: breaker for breaker in session.scalars(select(Breaker))}
    by_scope: dict[str, list[tuple[datetime, Counts]]] = {SITE: []}
    for row in session.scalars(
        select(CheckoutCount)
        .where(CheckoutCount.bucket_at > now - WINDOW - CALM)
        .order_by(CheckoutCount.bucket_at)
        .execution_options(populate_existing=True)
    ):
        counts = Counts(**{part.name: getattr(row, part.name) for part in fields(Counts)})
        for scope in (SITE, campaign_scope(row.campaign_id)):
            by_scope.setdefault(scope, []).append((row.bucket_at, counts))
    for scope in breakers:
        by_scope.setdefault(scope, [])
    return [
        _standing(scope, limits, buckets, breakers.get(scope), now=now)
        for scope, buckets in by_scope.items()
    ]


def reset(session: Session, campaign: Campaign | None) -> None:
    """Take the guard off a campaign's form, or off all (None), and begin to count anew."""
    counts, breakers = delete(CheckoutCount), delete(Breaker)
    if campaign is not None:
        counts = counts.where(CheckoutCount.campaign_id == campaign.id)
        breakers = breakers.where(Breaker.scope == campaign_scope(campaign.id))
    session.execute(counts)
    session.execute(breakers)


def campaign_scope(campaign_id: int) -> str:
    """Return the scope of a campaign's breaker."""
    return f"campaign:{campaign_id}"


class Refusals:
    """Counts this process's refusals, and says when to write them down: during an attack, rarely.

    Whoever is refused writes nothing, so that an attack can't keep others from writing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[int, int] = {}
        self._written_at: dict[int, datetime] = {}

    def add(self, campaign_id: int, *, now: datetime) -> int:
        """Count one; return how many are to be written down now, mostly none."""
        with self._lock:
            count = self._counted.pop(campaign_id, 0) + 1
            written_at = self._written_at.get(campaign_id)
            if written_at is not None and now - written_at < _NOTE_EVERY:
                self._counted[campaign_id] = count
                return 0
            self._written_at[campaign_id] = now
            return count


def _sum(buckets: Iterable[tuple[datetime, Counts]]) -> Counts:
    return sum((counts for _, counts in buckets), Counts())


def _before_this(standing: Standing) -> Standing:
    """Return how it stood before the payment that was counted last."""
    return replace(standing, buckets=(*standing.buckets, (standing.now, Counts(begun=-1))))


def _standing(
    scope: str,
    limits: Limits,
    buckets: Sequence[tuple[datetime, Counts]],
    breaker: Breaker | None,
    *,
    now: datetime,
) -> Standing:
    return Standing(
        scope=scope,
        most=limits.site if scope == SITE else limits.campaign,
        now=now,
        buckets=buckets,
        tripped_at=breaker.tripped_at if breaker else None,
        last_over_at=breaker.last_over_at if breaker else None,
    )


def _note(session: Session, seen: Look) -> None:
    """Write down of what is over that it is; where that is new, the breaker trips."""
    for each in seen.standings:
        if not each.is_over:
            continue
        is_noted = each.last_over_at is not None and seen.now - each.last_over_at < _NOTE_EVERY
        if not is_noted and _trip(session, each.scope, now=seen.now):
            _alert(session, each, now=seen.now)


def _trip(session: Session, scope: str, *, now: datetime) -> bool:
    """Note that a scope is over; tell whether that is new. Of several at once, one is told so."""
    mine = (
        update(Breaker).where(Breaker.scope == scope).execution_options(synchronize_session=False)
    )
    again = mine.where(Breaker.last_over_at <= now - CALM).values(tripped_at=now, last_over_at=now)
    if session.scalars(again.returning(Breaker.scope)).first() is not None:
        return True
    values = {"scope": scope, "tripped_at": now, "last_over_at": now}
    if insert_if_absent(session, Breaker, values, unique=("scope",)):
        return True
    session.execute(mine.where(Breaker.last_over_at < now).values(last_over_at=now))
    return False


def _alert(session: Session, standing: Standing, *, now: datetime) -> None:
    """Tell once a trip, within the transaction that trips."""
    campaign_id = standing.scope.partition(":")[2]
    campaign = session.get_one(Campaign, int(campaign_id)) if campaign_id else None
    where = "on this site" if campaign is None else f"with “{campaign.title}”"
    counts = told(standing.counts)
    log.warning("card testing suspected: %s is guarded: %s", standing.scope, counts)
    text = (
        f"Payments are begun {where} and not finished as donors finish them: {counts}. Most likely"
        " somebody tries stolen cards.\n\nThe form is guarded now, and will be until"
        f" {CALM.seconds // 60} minutes after this has ended. You need not do anything."
        " `flask --app app guard status` shows how it stands. Payments that look wrong to you are"
        " best refunded in Stripe's Dashboard before their owners dispute them."
    )
    notice = Notice(
        topic=Topic.GUARD,
        key=f"guard:{standing.scope}:{now:%Y%m%dT%H%M%SZ}",
        subject=f"Card testing suspected {where}",
        text=text,
        data=asdict(standing.counts),
        campaign=campaign.slug if campaign is not None else None,
    )
    notify(session, notice, now=now)
