"""Users: making them, and finding them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.models import User
from admin.roles import Role
from core.auditlog import Actor, record
from core.db import insert_if_absent
from core.errors import Conflict, Invalid


def add_user(session: Session, email: str, role: Role, *, actor: Actor, now: datetime) -> User:
    """Make a user, who has no password yet. Raises Invalid, and Conflict where there is one."""
    try:
        address = validate_email(email, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise Invalid(f"“{email[:80]}” is no address of mail: {error}", field="email") from None
    values = {
        "email": address,
        "role": role,
        "active": True,
        "fs_uniquifier": secrets.token_hex(32),
        "created_at": now,
    }
    if not insert_if_absent(session, User, values, unique=("email",)):
        raise Conflict(f"There is a user {address} already.", field="email")
    user = session.scalars(select(User).where(User.email == address)).one()
    record(
        session,
        actor,
        "user.added",
        subject=f"user:{user.id}",
        details={"email": address, "role": role.value},
        now=now,
    )
    return user


def list_users(session: Session) -> Sequence[User]:
    """Return all users, by address."""
    return session.scalars(select(User).order_by(User.email)).all()
