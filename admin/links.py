"""One-time links: by them people choose a password, and the first owner comes to be."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from admin.models import LinkPurpose, SignInLink, User
from core.errors import NotFound

INVITED = timedelta(hours=72)
FORGOTTEN = timedelta(hours=1)
# For how long one is kept that works no more.
KEPT = timedelta(days=30)
_AT_ONCE = 500


class LinkOver(NotFound):
    """A link that is used, expired, or was never made: nobody learns which."""

    code = "link_over"
    hint = (
        "Ask an owner of this site for a new one, or make one on the server:"
        " `flask --app app users link ADDRESS`."
    )

    def __init__(self) -> None:
        super().__init__("This link does not work any more.")


def issue_link(session: Session, user: User | None, purpose: LinkPurpose, *, now: datetime) -> str:
    """Make a link and return its token; those of the user that were made before stop to work."""
    _end_links(session, user, now=now)
    token = secrets.token_urlsafe(32)
    lives = FORGOTTEN if purpose is LinkPurpose.RESET else INVITED
    session.add(
        SignInLink(
            token_hash=_hash(token),
            purpose=purpose,
            user_id=None if user is None else user.id,
            created_at=now,
            expires_at=now + lives,
        )
    )
    session.flush()
    return token


def find_link(session: Session, token: str, *, now: datetime) -> SignInLink:
    """Return a link that works; raise LinkOver."""
    link = session.scalars(
        select(SignInLink).where(
            SignInLink.token_hash == _hash(token),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > now,
        )
    ).one_or_none()
    if link is None or (link.purpose == LinkPurpose.FIRST and has_users(session)):
        raise LinkOver
    return link


def use_link(session: Session, token: str, *, now: datetime) -> SignInLink:
    """Use a link up: of several who do it at once, one; the others get LinkOver."""
    link = find_link(session, token, now=now)
    used = session.scalars(
        update(SignInLink)
        .where(SignInLink.id == link.id, SignInLink.used_at.is_(None))
        .values(used_at=now)
        .returning(SignInLink.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if used is None:
        raise LinkOver
    return link


def forget_links(session: Session, *, now: datetime) -> int:
    """Forget links that are long over, some of them a call; return how many. The caller commits."""
    due = select(SignInLink.id).where(SignInLink.expires_at < now - KEPT).limit(_AT_ONCE)
    gone = delete(SignInLink).where(SignInLink.id.in_(due)).returning(SignInLink.id)
    return len(session.execute(gone).all())


def first_link(session: Session, *, now: datetime, again: bool = True) -> str | None:
    """Return a token by which the first owner is made; None where there are users.

    Without `again`, None also where there is a link that works: for who must not make a new one
    each time that somebody looks.
    """
    if has_users(session):
        return None
    if not again and _has_first_link(session, now=now):
        return None
    return issue_link(session, None, LinkPurpose.FIRST, now=now)


def has_users(session: Session) -> bool:
    """Tell whether anybody may sign in."""
    return session.scalar(select(User.id).limit(1)) is not None


def _has_first_link(session: Session, *, now: datetime) -> bool:
    found = session.scalar(
        select(func.count())
        .select_from(SignInLink)
        .where(
            SignInLink.user_id.is_(None),
            SignInLink.used_at.is_(None),
            SignInLink.expires_at > now,
        )
    )
    return bool(found)


def _end_links(session: Session, user: User | None, *, now: datetime) -> None:
    whose = SignInLink.user_id.is_(None) if user is None else SignInLink.user_id == user.id
    session.execute(
        update(SignInLink)
        .where(whose, SignInLink.used_at.is_(None))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
