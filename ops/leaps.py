"""Leaps of the clock: where it is far ahead of the last tick, months are not closed at once.

What is closed stays closed, so a clock that is wrong for a while must not close anything. From in
here nobody can tell a wrong clock from one that is right after weeks of downtime; but a wrong one
is put right soon, by whoever keeps it. So the roll waits. No total waits with it: see
docs/adr/0017-the-clock-may-jump.md.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core import clock as clocks
from core.notices import Notice, NoticeEpisode, begin_episode, end_episode, notify
from core.subscribers import Topic
from ops.models import JobRun
from ops.runs import begin_run

log = logging.getLogger("goalpost.leaps")

# From one tick to the next: more is a leap, or downtime.
MOST_AHEAD = timedelta(days=2)
# For how long a clock has to stay with what it says, to be believed.
WAIT = timedelta(hours=1)
_NAME = "clock"
_WRITTEN_EVERY = timedelta(minutes=1)


def clock_is_believed(session: Session, *, now: datetime) -> bool:
    """Tell whether months may be closed by what the clock says; tell admins once where not.

    A clock that goes back is believed at once: there is nothing that it could close. The caller
    commits.
    """
    last = session.get(JobRun, _NAME)
    doubt = session.get(NoticeEpisode, _NAME)
    if last is None or now - last.started_at <= MOST_AHEAD or clocks.is_moved_on_purpose():
        if doubt is not None:
            log.warning("the clock is back, at %s; no month was closed meanwhile", now)
        return _believe(session, last, now)
    if doubt is not None and timedelta(0) <= now - doubt.since <= MOST_AHEAD:
        if now - doubt.since < WAIT:
            return False
        log.warning("the clock has stayed with what it says, and is believed: %s", now)
        return _believe(session, last, now)
    end_episode(session, _NAME)
    begin_episode(session, _NAME, since=now)
    _tell(session, last.started_at, now)
    return False


def _believe(session: Session, last: JobRun | None, now: datetime) -> bool:
    if session.get(NoticeEpisode, _NAME) is not None:
        end_episode(session, _NAME)
    if last is None or abs(now - last.started_at) >= _WRITTEN_EVERY:
        begin_run(session, _NAME, now=now)
    return True


def _tell(session: Session, last: datetime, now: datetime) -> None:
    days = (now - last).days
    log.warning(
        "the clock is %s days ahead of the last tick: no month is closed for %s", days, WAIT
    )
    notice = Notice(
        topic=Topic.SCHEDULER,
        key=f"clock:{now:%FT%T.%fZ}",
        subject=f"The clock is {days} days ahead of the last tick",
        text=(
            f"It says {now:%F %T} UTC, and the scheduler last ran at {last:%F %T} UTC. Where the"
            " scheduler was off for so long, all is well. Where the machine's clock is wrong, put"
            f" it right within {int(WAIT.total_seconds() // 60)} minutes: until then no month is"
            " closed.\n`flask --app app campaigns roll` closes what has ended now."
        ),
        data={"now": f"{now:%FT%TZ}", "last": f"{last:%FT%TZ}", "days": days},
    )
    notify(session, notice, now=now)
