"""Users: making them, finding them, and changing what they may do. Every change is logged."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from admin.models import AdminSession, User
from admin.roles import Role
from admin.sessions import end_sessions
from core.auditlog import Actor, record
from core.db import insert_if_absent
from core.errors import Conflict, Invalid, NotFound

MOST_USERS = 500


class UserNotFound(NotFound):
    """Nobody has this address or number."""

    def __init__(self) -> None:
        super().__init__("There is no such user.")


class LastOwner(Conflict):
    """A site without an owner is one that nobody can change any more."""

    def __init__(self) -> None:
        super().__init__("This is the last active owner. Make somebody else an owner first.")


@dataclass(frozen=True, slots=True)
class ListedUser:
    """A user for the list, with when they were last seen; None where they never were."""

    user: User
    seen_at: datetime | None


def checked_address(email: str) -> str:
    """Return a mail address as users are known by it; raise Invalid."""
    try:
        return validate_email(email, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise Invalid(f"“{email[:80]}” is no address of mail: {error}", field="email") from None


def add_user(session: Session, email: str, role: Role, *, actor: Actor, now: datetime) -> User:
    """Make a user, who has no password yet. Raises Invalid, and Conflict where there is one."""
    address = checked_address(email)
    if (session.scalar(select(func.count()).select_from(User)) or 0) >= MOST_USERS:
        raise Conflict(f"There are {MOST_USERS} users already.")
    values = {
        "email": address,
        "role": role,
        "active": True,
        "fs_uniquifier": secrets.token_hex(32),
        "fs_webauthn_user_handle": secrets.token_hex(32),
        "created_at": now,
    }
    if not insert_if_absent(session, User, values, unique=("email",)):
        raise Conflict(f"There is a user {address} already.", field="email")
    user = session.scalars(select(User).where(User.email == address)).one()
    _record(session, actor, "user.added", user, now=now, email=address, role=role.value)
    return user


def find_user(session: Session, email: str) -> User:
    """Return the user of an address; raise UserNotFound."""
    found = session.scalars(select(User).where(User.email == email.strip().lower())).one_or_none()
    if found is None:
        raise UserNotFound
    return found


def user_by_id(session: Session, user_id: int) -> User:
    """Return the user of a number; raise UserNotFound."""
    found = session.get(User, user_id)
    if found is None:
        raise UserNotFound
    return found


def list_users(session: Session) -> Sequence[ListedUser]:
    """Return all users, by address."""
    seen = (
        select(AdminSession.user_id, func.max(AdminSession.seen_at).label("at"))
        .group_by(AdminSession.user_id)
        .subquery()
    )
    rows = session.execute(
        select(User, seen.c.at)
        .outerjoin(seen, seen.c.user_id == User.id)
        .order_by(User.email)
        .options(selectinload(User.webauthn))
    )
    return [ListedUser(*row) for row in rows]


def change_role(session: Session, user: User, role: Role, *, actor: Actor, now: datetime) -> None:
    """Give a user another role, and end their sessions; raise LastOwner."""
    if role == user.rank:
        return
    if user.rank is Role.OWNER:
        _keep_an_owner(session, user)
    _record(session, actor, "user.role_changed", user, now=now, old=user.role, new=role.value)
    user.role = role
    end_sessions(session, user, now=now)
    session.flush()


def disable_user(session: Session, user: User, *, actor: Actor, now: datetime) -> None:
    """Let a user in no more, from now on; raise LastOwner."""
    if user.rank is Role.OWNER:
        _keep_an_owner(session, user)
    user.active = False
    end_sessions(session, user, now=now)
    _record(session, actor, "user.disabled", user, now=now)


def enable_user(session: Session, user: User, *, actor: Actor, now: datetime) -> None:
    """Let a user in again."""
    user.active = True
    _record(session, actor, "user.enabled", user, now=now)


def reset_factors(session: Session, user: User, *, actor: Actor, now: datetime) -> None:
    """Take a user's second factors away, who has lost them, and end their sessions."""
    user.tf_primary_method = user.tf_totp_secret = user.totp_counter = None
    user.mf_recovery_codes = None
    user.webauthn.clear()
    end_sessions(session, user, now=now)
    _record(session, actor, "user.factors_reset", user, now=now)


def set_password(
    session: Session, user: User, password_hash: str, *, actor: Actor, now: datetime
) -> None:
    """Give a user another password, and end the sessions that the old one began."""
    user.password = password_hash
    user.fs_uniquifier = secrets.token_hex(32)
    end_sessions(session, user, now=now)
    _record(session, actor, "user.password_set", user, now=now)


def _keep_an_owner(session: Session, leaving: User) -> None:
    """Raise LastOwner where no other active owner would be left.

    All owners are locked, so that two who leave at once can't both count on each other.
    """
    owners = session.scalars(
        select(User.id)
        .where(User.role == Role.OWNER, User.active)
        .order_by(User.id)
        .with_for_update()
    ).all()
    if not set(owners) - {leaving.id}:
        raise LastOwner


def _record(
    session: Session, actor: Actor, action: str, user: User, *, now: datetime, **details: str
) -> None:
    record(session, actor, action, subject=f"user:{user.id}", details=details, now=now)
