"""Second factors, as far as they differ from Flask-Security's own.

Codes work once, passkeys count as both factors, and people are told by mail when theirs change.
"""

from __future__ import annotations

import secrets
from typing import Any, cast

from flask_security import Totp as LibraryTotp
from flask_security import UserMixin, WebauthnUtil
from flask_security.webauthn import WebAuthnTfPlugin
from passlib.exc import UsedTokenError
from passlib.totp import TotpMatch
from sqlalchemy import or_, update
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from admin.models import User
from core import clock
from core.auditlog import record
from core.db import db
from core.outbox import Mail, post_mail
from core.web import settings


class Totp(LibraryTotp):
    """Codes from an app. One that was used, or is older than one that was, is worth nothing."""

    def get_last_counter(self, user: UserMixin) -> int | None:
        """Return up to which half minute the user's codes are spent."""
        return cast("User", user).totp_counter

    def set_last_counter(self, user: UserMixin, tmatch: TotpMatch) -> None:
        """Spend a code: of two requests that come with it at once, one is refused."""
        spent = db.session.scalars(
            update(User)
            .where(
                User.id == cast("User", user).id,
                or_(User.totp_counter.is_(None), User.totp_counter < tmatch.counter),
            )
            .values(totp_counter=tmatch.counter)
            .returning(User.id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if spent is None:
            raise UsedTokenError


class Webauthn(WebauthnUtil):
    """What is asked of passkeys: to be found without a name, and to know their owner."""

    def registration_options(
        self, user: UserMixin, usage: str, existing_options: dict[str, Any]
    ) -> dict[str, Any]:
        """Ask for a key that the device keeps, behind a finger, a face or a PIN."""
        del user, usage
        return existing_options | {
            "authenticator_selection": AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        }

    def authentication_options(
        self, user: UserMixin | None, usage: list[str], existing_options: dict[str, Any]
    ) -> dict[str, Any]:
        """Ask that the device checks who holds it."""
        del user, usage
        return existing_options | {"user_verification": UserVerificationRequirement.REQUIRED}

    def origin(self) -> str:
        """Return the address that browsers must have been on."""
        return settings().base_url


class WebauthnFactor(WebAuthnTfPlugin):
    """Passkeys as a second factor: every one of them, since all of them know their owner."""

    def get_setup_methods(self, user: UserMixin) -> list[tuple[str, str]]:
        """Return that there is one, where there is."""
        return [("webauthn", "A passkey")] if cast("User", user).webauthn else []


def factor_changed(user: User, action: str, told: str) -> None:
    """Write down that a user's factors or password changed, and mail them; the caller commits."""
    now = clock.now()
    record(db.session, user.actor, action, subject=f"user:{user.id}", now=now)
    tell_user(user, told)


def tell_user(user: User, told: str) -> None:
    """Mail a user what was changed of how they sign in, who may not have done it."""
    chosen = settings()
    text = (
        f"{told}.\n\nThis is about signing in to {chosen.site_name}, {chosen.base_url}/admin/, as"
        f" {user.email}.\n\nIf it was you, there is nothing to do. If it was not, sign in, choose"
        " another password and end all other sessions, and tell an owner of the site.\n"
    )
    mail = Mail(
        key=f"account:{user.id}:{secrets.token_hex(8)}",
        recipient=user.email,
        subject=f"{told} – {chosen.site_name}",
        text=text,
    )
    post_mail(db.session, mail, now=clock.now())
