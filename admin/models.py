"""The tables of signing in: users and their passkeys, their sessions, links and attempts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from flask_security import AsaList, UserMixin, WebAuthnMixin
from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from admin.roles import Role
from core.auditlog import Actor
from core.db import Base


class TextList(AsaList):
    """A list of short texts in one column, as the library keeps it, and safe to cache."""

    cache_ok = True


class User(Base, UserMixin):
    """Somebody who may sign in. Flask-Security names the columns that it reads and writes."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'accountant', 'editor', 'viewer')", name="role"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    # Null until they have followed their link and chosen one.
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    # What sessions name the user by: a new one ends them all.
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    # The second factor: its method, its secret (encrypted), up to which half minute its codes were
    # used, and what is left of the recovery codes (encrypted).
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    totp_counter: Mapped[int | None]
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(TextList()))
    # What authenticators know the user by.
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(  # type: ignore[assignment]
        String(64), unique=True
    )

    webauthn: Mapped[list[Passkey]] = relationship(  # type: ignore[assignment]
        back_populates="user", cascade="all, delete-orphan", order_by="Passkey.id"
    )

    # Flask-Security has roles of its own, which we don't use: see `admin.roles`.
    roles = []  # noqa: RUF012 - as Flask-Security declares it

    @property
    def rank(self) -> Role:
        """The one role of this user."""
        return Role(self.role)

    @property
    def actor(self) -> Actor:
        """The user as the audit log names them."""
        return Actor(f"user:{self.id}", self.email)

    @property
    def has_second_factor(self) -> bool:
        """Whether a password alone does not let this user in."""
        return self.tf_primary_method is not None or bool(self.webauthn)


class Passkey(Base, WebAuthnMixin):
    """A passkey of a user."""

    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(primary_key=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1024), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(default=0)
    transports: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(TextList()))
    extensions: Mapped[str | None] = mapped_column(String(255))
    # What its owner calls it.
    name: Mapped[str] = mapped_column(String(64))
    usage: Mapped[str] = mapped_column(String(64))
    backup_state: Mapped[bool]
    device_type: Mapped[str] = mapped_column(String(64))
    create_datetime: Mapped[datetime]
    lastuse_datetime: Mapped[datetime]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))

    user: Mapped[User] = relationship(back_populates="webauthn")

    def get_user_mapping(self) -> dict[str, Any]:
        """Return by what its user is found."""
        return {"id": self.user_id}


class AdminSession(Base):
    """A browser in which somebody is signed in. The cookie holds a token; here is its hash."""

    __tablename__ = "admin_sessions"
    __table_args__ = (
        Index("ix_admin_sessions_user_id", "user_id"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    # As the browser calls itself, in a few words: Firefox on Linux.
    browser: Mapped[str] = mapped_column(String(80))


class LinkPurpose(StrEnum):
    """What a one-time link is for. Stored by value."""

    FIRST = "first"  # makes the first owner
    INVITE = "invite"  # a new user chooses a password
    RESET = "reset"  # somebody who forgot theirs does


class SignInLink(Base):
    """A link that works once. Only its receiver has its token: here is its hash."""

    __tablename__ = "sign_in_links"
    __table_args__ = (
        CheckConstraint("purpose IN ('first', 'invite', 'reset')", name="purpose"),
        CheckConstraint("(purpose = 'first') = (user_id IS NULL)", name="of_a_user"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[str] = mapped_column(String(8))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInAttempt(Base):
    """That somebody tried to get in: by it guesses are slowed down. Forgotten after a month."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (
        Index("ix_sign_in_attempts_account_at", "account", "at"),
        Index("ix_sign_in_attempts_network_at", "network", "at"),
        Index("ix_sign_in_attempts_at", "at"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # A hash of the address that was typed: whoever mistypes theirs leaves no trace of it.
    account: Mapped[str] = mapped_column(String(64))
    network: Mapped[str] = mapped_column(String(64))
    succeeded: Mapped[bool]
    at: Mapped[datetime]


class ApiToken(Base):
    """What lets a program in: found by its letters, known by the hash of its secret."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(12), unique=True)
    # SHA-256 is enough: nobody guesses 256 bits, however fast.
    secret_hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(80))
    # What it may do (see `admin.tokens.Scope`), parted by spaces.
    scopes: Mapped[str] = mapped_column(String(255))
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    # Null is never.
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # To the minute.
    used_at: Mapped[datetime | None]

    @property
    def actor(self) -> Actor:
        """The token as the audit log names it."""
        return Actor(f"token:{self.id}", self.name)

    @property
    def scope_names(self) -> frozenset[str]:
        """What it may do."""
        return frozenset(self.scopes.split())

    def is_live(self, now: datetime) -> bool:
        """Tell whether it works."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)
