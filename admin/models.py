"""The tables of signing in: users, and their passkeys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_security import AsaList, UserMixin, WebAuthnMixin
from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from admin.roles import Role
from core.auditlog import Actor
from core.db import Base


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
    # The second factor: its method, its secret (encrypted), and what is left of the recovery codes
    # (encrypted).
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(AsaList()))
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


class Passkey(Base, WebAuthnMixin):
    """A passkey of a user."""

    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(primary_key=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1024), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(default=0)
    transports: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(AsaList()))
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
