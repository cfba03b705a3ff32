"""What admins are told of this installation itself: its books, its inbox, its scheduler.

What is wrong is told once, until it was over: see `NoticeEpisode`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.notices import Notice, NoticeEpisode, begin_episode, end_episode, notify
from core.subscribers import Topic
from ops.models import JobRun
from ops.runs import LATE_TICK, begin_run, end_run
from payments.inbox import read_backlog

_MOST_LISTED = 20
# What the last looks at the books found stands beside the runs of jobs, under these names: our own
# entries against our sums, and our books against Stripe's.
AUDITED, COMPARED = "audit-done", "books-compared"
# So does the last copy of the books.
BACKED_UP = "backup"
# What is done by hand tells of no scheduler.
_BY_HAND = (COMPARED, BACKED_UP)


def tell_drift(session: Session, differences: Sequence[str], *, books: str, now: datetime) -> None:
    """Tell that books differ, once a day for the same differences. The caller commits.

    `books` says which books, in a word for the key: ours, stripe.
    """
    if not differences:
        return
    digest = hashlib.sha256("\n".join(sorted(differences)).encode()).hexdigest()[:16]
    count = len(differences)
    listed = list(differences[:_MOST_LISTED])
    if count > len(listed):
        listed.append(f"… and {count - len(listed)} more")
    advice = {
        "ours": "`flask --app app ledger verify` looks again.",
        "stripe": "`flask --app app stripe reconcile` brings the books along.",
    }
    notice = Notice(
        topic=Topic.DRIFT,
        key=f"drift:{books}:{now:%F}:{digest}",
        subject=f"The books differ: {count} {'difference' if count == 1 else 'differences'}",
        text="\n".join([*listed, advice[books]]),
        data={"books": books, "differences": listed, "count": count},
    )
    notify(session, notice, now=now)


def tell_inbox(session: Session, *, now: datetime) -> None:
    """Tell that the inbox is stuck, once until it is not. The caller commits."""
    backlog = read_backlog(session)
    since = backlog.oldest_received_at
    if since is None or not backlog.is_old(now):
        if session.get(NoticeEpisode, "inbox") is not None:
            end_episode(session, "inbox")
        return
    if not begin_episode(session, "inbox", since=since):
        return
    notice = Notice(
        topic=Topic.INBOX,
        key=f"inbox:{since:%FT%T.%fZ}",
        subject="Events of Stripe's are not worked",
        text=(
            f"{backlog.waiting} wait and {backlog.failed} failed, the oldest since"
            f" {_label(since)}. Gifts may be missing on the bar; none is lost.\n"
            "`flask --app app inbox list` shows what keeps them."
        ),
        data={"waiting": backlog.waiting, "failed": backlog.failed, "since": f"{since:%FT%TZ}"},
    )
    notify(session, notice, now=now)


def note_look(session: Session, name: str, differences: Sequence[str], *, now: datetime) -> None:
    """Write down what a look at the books found, for the admin's first page. The caller commits."""
    count = len(differences)
    told = f"{count} {'difference' if count == 1 else 'differences'}" if count else None
    begin_run(session, name, now=now)
    end_run(session, name, begun_at=now, took_ms=0, error=told, now=now)


def differences_of(look: JobRun) -> int:
    """Return how many differences a look at the books found: see `note_look`."""
    return int(look.error.partition(" ")[0]) if look.error else 0


def last_tick(session: Session) -> datetime | None:
    """Return when a scheduler last began anything; None where none ever ran."""
    return session.scalar(select(func.max(JobRun.started_at)).where(JobRun.name.not_in(_BY_HAND)))


def newest(runs: Iterable[JobRun]) -> datetime | None:
    """Return the same of runs that were read."""
    return max((run.started_at for run in runs if run.name not in _BY_HAND), default=None)


def is_late(tick: datetime | None, now: datetime) -> bool:
    """Tell whether no scheduler runs any more. One that never ran is not late: see `doctor`."""
    return tick is not None and now - tick > LATE_TICK


def tell_late(session: Session, *, now: datetime) -> int:
    """Tell that no scheduler runs, once until one does; return how many are told.

    Whoever calls this commits, and sends: the scheduler, which would, is what is missing.
    """
    tick = last_tick(session)
    if tick is None or not is_late(tick, now):
        return 0
    if not begin_episode(session, "scheduler", since=tick):
        return 0
    notice = Notice(
        topic=Topic.SCHEDULER,
        key=f"scheduler:late:{tick:%FT%T.%fZ}",
        subject="The scheduler does not run",
        text=(
            f"It last began something at {_label(tick)}. No total depends on it, but months are not"
            " closed, mail is not sent, and failed events are not tried again.\n"
            "Start it with `flask --app app scheduler run`."
        ),
        data={"since": f"{tick:%FT%TZ}"},
    )
    return notify(session, notice, now=now)


def note_return(session: Session, *, now: datetime) -> None:
    """Write down, before a scheduler's first tick, that none ran until now. The caller commits."""
    tick = last_tick(session)
    if tick is not None and is_late(tick, now):
        begin_episode(session, "scheduler", since=tick)


def tell_return(session: Session, *, now: datetime) -> None:
    """Tell that a scheduler runs again, where none did. For a scheduler's job, which commits."""
    if session.get(NoticeEpisode, "scheduler") is None:
        return
    since = end_episode(session, "scheduler")
    if since is None:
        return
    notice = Notice(
        topic=Topic.SCHEDULER,
        key=f"scheduler:back:{since:%FT%T.%fZ}",
        subject="The scheduler runs again",
        text=f"It did not from {_label(since)} to {_label(now)}, and makes up for it now.",
        data={"since": f"{since:%FT%TZ}", "until": f"{now:%FT%TZ}"},
    )
    notify(session, notice, now=now)


def _label(instant: datetime) -> str:
    return f"{instant:%F %T} UTC"
