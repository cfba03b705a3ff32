"""API tokens: by one of them a program reads these books, or writes into them, and nobody signs in.

A token is `gp_`, the letters that it is found by, and a secret of 256 bits. Only a hash of the
secret is kept, so the token is seen once, by whoever makes it. It is the site's, not a user's: it
works on when its maker has left, until it is revoked or its time is up. What it may do is in its
scopes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from admin.models import ApiToken
from core.auditlog import Actor, record
from core.errors import Conflict, Invalid, NotFound

MOST_LIVE = 100
# Of those that are over, how many are still listed. The log has them all.
MOST_OVER = 50
MOST_NAME_CHARACTERS = 80
# How exactly it is kept when a token was last used: each time would be a write for each request.
USED_EVERY = timedelta(minutes=1)
_LOOKS_LIKE_ONE = re.compile(r"gp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
# What a secret is compared with where nothing was found: the same work either way.
_NO_HASH = "0" * 64


class Scope(StrEnum):
    """What a token may do. Stored by value."""

    TOTALS_READ = "totals:read"
    CAMPAIGNS_READ = "campaigns:read"
    DONATIONS_READ = "donations:read"
    DONORS_READ = "donors:read"
    DONATIONS_WRITE = "donations:write"


# For the page that asks what a token is to do.
TOLD: Mapping[Scope, str] = MappingProxyType(
    {
        Scope.TOTALS_READ: "What each month raised and of what, by campaign and over all.",
        Scope.CAMPAIGNS_READ: "The campaigns, drafts too.",
        Scope.DONATIONS_READ: "Each gift, each entry of the books; not the person behind it.",
        Scope.DONORS_READ: "With gifts, the donors’ names, addresses and words.",
        Scope.DONATIONS_WRITE: "Record gifts that came without Stripe.",
    }
)


class Life(StrEnum):
    """How long a token works."""

    MONTH = "30"
    QUARTER = "90"
    YEAR = "365"
    FOREVER = "forever"


class TokenNotFound(NotFound):
    """No token has this number."""

    def __init__(self) -> None:
        super().__init__("There is no such token.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a token is made from."""

    name: str
    scopes: Collection[Scope]
    life: Life = Life.QUARTER


def issue_token(
    session: Session, new: NewToken, *, actor: Actor, now: datetime
) -> tuple[ApiToken, str]:
    """Make a token; return it with the text that its holder shows, which is kept nowhere.

    Raises Invalid, naming the field, and Conflict where there are too many.
    """
    name = " ".join(new.name.split())
    if not 0 < len(name) <= MOST_NAME_CHARACTERS or not name.isprintable():
        raise Invalid("Name what will use it, in 80 letters at most.", field="name")
    if not new.scopes:
        raise Invalid("Choose at least one thing that it may do.", field="scopes")
    if Scope.DONORS_READ in new.scopes and Scope.DONATIONS_READ not in new.scopes:
        raise Invalid("Donors are shown with gifts: choose donations:read, too.", field="scopes")
    live = select(func.count()).select_from(ApiToken).where(*_live(now))
    if (session.scalar(live) or 0) >= MOST_LIVE:
        raise Conflict(f"There are {MOST_LIVE} tokens already. Revoke one first.")
    public_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    days = None if new.life is Life.FOREVER else timedelta(days=int(new.life))
    token = ApiToken(
        public_id=public_id,
        secret_hash=_hash(secret),
        name=name,
        scopes=" ".join(scope for scope in Scope if scope in new.scopes),
        created_by=actor.name,
        created_at=now,
        expires_at=None if days is None else now + days,
    )
    session.add(token)
    session.flush()
    details = {"name": name, "scopes": token.scopes}
    if token.expires_at is not None:
        details["expires_at"] = token.expires_at.isoformat()
    record(session, actor, "token.made", subject=f"token:{token.id}", details=details, now=now)
    return token, f"gp_{public_id}_{secret}"


def find_token(session: Session, text: str, *, now: datetime) -> ApiToken | None:
    """Return the token of a text that somebody shows; None where it is none that works.

    It is looked up by its letters, which are no secret, and then compared in constant time.
    """
    found = _LOOKS_LIKE_ONE.fullmatch(text)
    if found is None:
        return None
    public_id, secret = found.groups()
    token = session.scalars(select(ApiToken).where(ApiToken.public_id == public_id)).one_or_none()
    kept = _NO_HASH if token is None else token.secret_hash
    if not secrets.compare_digest(kept, _hash(secret)) or token is None:
        return None
    return token if token.is_live(now) else None


def note_use(session: Session, token_id: int, *, now: datetime) -> None:
    """Write down that a token is used; the caller commits."""
    session.execute(
        update(ApiToken)
        .where(ApiToken.id == token_id, or_(ApiToken.used_at.is_(None), ApiToken.used_at < now))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )


def needs_note(token: ApiToken, *, now: datetime) -> bool:
    """Tell whether it was long ago that somebody wrote down that it was used."""
    return token.used_at is None or now - token.used_at >= USED_EVERY


def token_by_id(session: Session, token_id: int) -> ApiToken:
    """Return the token of a number; raise TokenNotFound."""
    found = session.get(ApiToken, token_id)
    if found is None:
        raise TokenNotFound
    return found


def list_tokens(session: Session, *, now: datetime) -> Sequence[ApiToken]:
    """Return the tokens that work, by name, and then those that were over last."""
    live = session.scalars(select(ApiToken).where(*_live(now)).order_by(ApiToken.name, ApiToken.id))
    ended_at = func.coalesce(ApiToken.revoked_at, ApiToken.expires_at)
    over = session.scalars(
        select(ApiToken)
        .where(or_(ApiToken.revoked_at.is_not(None), ApiToken.expires_at <= now))
        .order_by(ended_at.desc(), ApiToken.id.desc())
        .limit(MOST_OVER)
    )
    return [*live, *over]


def revoke_token(session: Session, token: ApiToken, *, actor: Actor, now: datetime) -> None:
    """Let nobody in by a token any more, from now on. Safe to repeat."""
    if token.revoked_at is not None:
        return
    token.revoked_at = now
    session.flush()
    details = {"name": token.name}
    record(session, actor, "token.revoked", subject=f"token:{token.id}", details=details, now=now)


def _live(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        ApiToken.revoked_at.is_(None),
        or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now),
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
