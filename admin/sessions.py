"""Sessions: the browsers in which somebody is signed in.

The cookie is signed and holds a random token; what it is worth stands here, so that signing out,
and whatever else ends a session, ends it for whoever has a copy of the cookie, too.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, aliased

from admin.models import AdminSession, User

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=30)
# For how long after it was last seen a session is kept, but the last of each user.
KEPT = timedelta(days=90)
_AT_ONCE = 500
# How exactly it is kept when a session was last seen: each time would be a write for each page.
SEEN_EVERY = timedelta(minutes=1)
# Views that open pages ask for by themselves: a session that only they use ends as if unused.
ASKED_BY_PAGES = frozenset({"admin_home.live"})
_BROWSERS = ("Firefox", "Edg", "OPR", "Chrome", "Safari")
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")
_NAMES = {"Edg": "Edge", "OPR": "Opera", "Mac OS X": "macOS"}


def begin_session(session: Session, user: User, *, browser: str, now: datetime) -> str:
    """Begin a session of a user; return the token that its cookie is to hold."""
    token = secrets.token_urlsafe(32)
    session.add(
        AdminSession(
            token_hash=_hash(token),
            user_id=user.id,
            created_at=now,
            seen_at=now,
            browser=browser_label(browser),
        )
    )
    session.flush()
    return token


def find_session(
    session: Session, token: str, uniquifier: str, *, now: datetime
) -> tuple[AdminSession, User] | None:
    """Return a live session and its user, in one query; None where it is over."""
    row = session.execute(
        select(AdminSession, User)
        .join(User, User.id == AdminSession.user_id)
        .where(
            AdminSession.token_hash == _hash(token),
            AdminSession.ended_at.is_(None),
            AdminSession.seen_at > now - IDLE,
            AdminSession.created_at > now - LONGEST,
            User.fs_uniquifier == uniquifier,
            User.active,
        )
    ).first()
    return None if row is None else (row[0], row[1])


def touch_session(session: Session, session_id: int, *, now: datetime) -> None:
    """Write down that a session was seen; the caller commits."""
    session.execute(
        update(AdminSession)
        .where(AdminSession.id == session_id, AdminSession.seen_at < now)
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )


def live_sessions(session: Session, user: User, *, now: datetime) -> Sequence[AdminSession]:
    """Return a user's sessions, the one that was last seen first."""
    return session.scalars(
        select(AdminSession)
        .where(
            AdminSession.user_id == user.id,
            AdminSession.ended_at.is_(None),
            AdminSession.seen_at > now - IDLE,
            AdminSession.created_at > now - LONGEST,
        )
        .order_by(AdminSession.seen_at.desc())
    ).all()


def end_session(session: Session, token: str, *, now: datetime) -> None:
    """End a session for good."""
    _end(session, AdminSession.token_hash == _hash(token), now=now)


def end_sessions(
    session: Session, user: User, *, but_token: str | None = None, now: datetime
) -> None:
    """End all sessions of a user, but the one that is named."""
    conditions = [AdminSession.user_id == user.id]
    if but_token is not None:
        conditions.append(AdminSession.token_hash != _hash(but_token))
    _end(session, *conditions, now=now)


def forget_sessions(session: Session, *, now: datetime) -> int:
    """Forget sessions that are long over, some of them a call; return how many.

    The last one of each user stays: it tells since when nobody has used an account. The caller
    commits.
    """
    later = aliased(AdminSession)
    due = (
        select(AdminSession.id)
        .where(
            AdminSession.seen_at < now - KEPT,
            select(later.id)
            .where(later.user_id == AdminSession.user_id, later.id > AdminSession.id)
            .exists(),
        )
        .limit(_AT_ONCE)
    )
    gone = delete(AdminSession).where(AdminSession.id.in_(due)).returning(AdminSession.id)
    return len(session.execute(gone).all())


def is_session(row: AdminSession, token: str) -> bool:
    """Tell whether a session is the one of this token."""
    return secrets.compare_digest(row.token_hash, _hash(token))


def browser_label(agent: str) -> str:
    """Return in a few words what a browser says of itself: `Firefox on Linux`."""
    browser = next((name for name in _BROWSERS if f"{name}/" in agent), None)
    system = next((name for name in _SYSTEMS if re.search(rf"\b{name}\b", agent)), None)
    told = [_NAMES.get(part, part) for part in (browser, system) if part is not None]
    return " on ".join(told) or "Another program"


def _end(session: Session, *conditions: object, now: datetime) -> None:
    session.execute(
        update(AdminSession)
        .where(AdminSession.ended_at.is_(None), *conditions)  # type: ignore[arg-type]
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
