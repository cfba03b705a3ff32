"""The forms of signing in: Flask-Security's, held back where somebody guesses."""

from __future__ import annotations

from typing import Any, cast

from flask import session
from flask_security import LoginForm, VerifyForm
from flask_security.forms import TwoFactorVerifyCodeForm
from flask_security.recovery_codes import MfRecoveryForm
from flask_security.webauthn import WebAuthnSigninForm, WebAuthnSigninResponseForm
from wtforms import Field

from admin.models import User
from admin.passwords import MOST_CHARACTERS
from admin.throttle import TooManyTries, count_try, hold_back
from core import clock
from core.db import db
from payments.edge import network_address


class _HeldBack:
    """A form that checks what only its owner should know."""

    form_errors: list[str]

    def _account(self) -> str:
        raise NotImplementedError

    def _check(self, **kwargs: Any) -> bool:
        """Tell whether what was typed is right."""
        raise NotImplementedError

    def _checked(self, **kwargs: Any) -> bool:
        """Check it, unless there were too many tries; count the try either way."""
        account, network, now = self._account(), network_address(), clock.now()
        try:
            hold_back(db.session, account, network, now=now)
        except TooManyTries as error:
            self.form_errors = [f"{error.message} {error.hint}"]
            return False
        good = self._check(**kwargs)
        count_try(db.session, account, network, succeeded=good, now=now)
        if not good:
            db.session.commit()  # the view does so only where it goes well
        return good


def _cut(password: Field) -> None:
    """Leave of a password that is too long to be anybody's so much that it stays so.

    Hashing, which a wrong one costs as a right one, refuses what is far longer: with an error.
    """
    password.data = (password.data or "")[: MOST_CHARACTERS + 1]


class SignIn(_HeldBack, LoginForm):
    """Mail address and password. There is no cookie that outlives the session."""

    remember = None  # type: ignore[assignment] # so WTForms takes a field away

    def validate(self, **kwargs: Any) -> bool:
        """Tell whether they are right."""
        return self._checked(**kwargs)

    def _account(self) -> str:
        return self.email.data or ""

    def _check(self, **kwargs: Any) -> bool:
        _cut(self.password)
        return bool(super().validate(**kwargs))


class Confirm(_HeldBack, VerifyForm):
    """The password of who is signed in already."""

    def validate(self, **kwargs: Any) -> bool:
        """Tell whether it is right."""
        return self._checked(**kwargs)

    def _account(self) -> str:
        return cast("User", self.user).email

    def _check(self, **kwargs: Any) -> bool:
        _cut(self.password)
        return bool(super().validate(**kwargs))


class Code(_HeldBack, TwoFactorVerifyCodeForm):
    """A code from an app."""

    def validate(self, **kwargs: Any) -> bool:
        """Tell whether it is right, and was not used before."""
        return self._checked(**kwargs)

    def _account(self) -> str:
        return f"code:{cast('User', self.user).email}"

    def _check(self, **kwargs: Any) -> bool:
        return bool(super().validate(**kwargs))


class Recovery(_HeldBack, MfRecoveryForm):
    """A recovery code, which works once."""

    def validate(self, **kwargs: Any) -> bool:
        """Tell whether it is one of those that are left."""
        # Of two who come with the same code at once, the second finds it gone.
        db.session.refresh(self.user, with_for_update=True)
        if self.code.data:
            self.code.data = self.code.data.strip().lower()
        return self._checked(**kwargs)

    def _account(self) -> str:
        return f"code:{cast('User', self.user).email}"

    def _check(self, **kwargs: Any) -> bool:
        return bool(super().validate(**kwargs))


class PasskeySignIn(WebAuthnSigninForm):
    """The button that asks for a passkey. Here, too, no cookie outlives the session."""

    def validate(self, **kwargs: Any) -> bool:
        """Tell whether it was pressed on a page of ours."""
        self.remember.data = False
        return bool(super().validate(**kwargs))


class PasskeyAnswer(WebAuthnSigninResponseForm):
    """What the passkey answered. Nobody can guess it."""

    def validate(self, **kwargs: Any) -> bool:
        """Tell whether it is a passkey of ours, and as a second factor one of the same user."""
        self.remember.data = ""
        waiting_for = session.get("tf_user_id") if self.is_secondary else None
        # Every passkey of ours may be the first factor, and so the second one, too.
        self.is_secondary = False
        good = bool(super().validate(**kwargs))
        if good and waiting_for is not None:
            good = cast("User", self.user).fs_uniquifier == waiting_for
        return good
