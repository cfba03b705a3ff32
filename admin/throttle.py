"""Slowing down who guesses passwords, codes and links, in the database, so that all processes know.

Three limits: of one account from one network, of one network, and of one account from everywhere.
The last one does not hold for networks from which the account was entered before: an attack from
elsewhere must not lock its owner out. Passkeys can't be guessed and are never held back.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from admin.models import SignInAttempt
from core.errors import TooMany

WINDOW = timedelta(minutes=15)
MOST_OF_BOTH = 5
MOST_OF_NETWORK = 30
ACCOUNT_WINDOW = timedelta(hours=1)
MOST_OF_ACCOUNT = 30
KEPT = timedelta(days=30)
_AT_ONCE = 500


class TooManyTries(TooMany):
    """Somebody guesses, or has forgotten."""

    hint = "A passkey, or a link from an owner of this site, lets you in at once."


def hold_back(session: Session, account: str, network: str, *, now: datetime) -> None:
    """Raise TooManyTries where `account` (an address, or a word for what is guessed) is guessed."""
    name = _hash(account)
    failed = SignInAttempt.succeeded.is_(False)
    recent = SignInAttempt.at > now - WINDOW
    of_both = _count(
        session, failed, recent, SignInAttempt.account == name, SignInAttempt.network == network
    )
    of_network = _count(session, failed, recent, SignInAttempt.network == network)
    if of_both >= MOST_OF_BOTH or of_network >= MOST_OF_NETWORK:
        raise TooManyTries("That were too many tries. Please wait a quarter of an hour.")
    of_account = _count(
        session,
        failed,
        SignInAttempt.at > now - ACCOUNT_WINDOW,
        SignInAttempt.account == name,
    )
    if of_account >= MOST_OF_ACCOUNT and not _is_known(session, name, network):
        raise TooManyTries("Somebody tries to get in here. Please wait an hour.")


def hold_back_network(session: Session, network: str, *, now: datetime) -> None:
    """Raise TooManyTries where one network guesses, whatever it guesses."""
    failed, recent = SignInAttempt.succeeded.is_(False), SignInAttempt.at > now - WINDOW
    if _count(session, failed, recent, SignInAttempt.network == network) >= MOST_OF_NETWORK:
        raise TooManyTries("That were too many tries. Please wait a quarter of an hour.")


def count_try(
    session: Session, account: str, network: str, *, succeeded: bool, now: datetime
) -> None:
    """Write down a try; the caller commits, also where it failed.

    One that succeeds takes back what failed before from that network: it was its owner.
    """
    name = _hash(account)
    if succeeded:
        session.execute(
            delete(SignInAttempt).where(
                SignInAttempt.account == name, SignInAttempt.network == network
            )
        )
    session.add(SignInAttempt(account=name, network=network, succeeded=succeeded, at=now))
    session.flush()


def forget_old(session: Session, *, now: datetime) -> int:
    """Forget tries that nobody will look at again, some of them a call; return how many.

    The caller commits.
    """
    due = select(SignInAttempt.id).where(SignInAttempt.at < now - KEPT).limit(_AT_ONCE)
    old = delete(SignInAttempt).where(SignInAttempt.id.in_(due))
    return len(session.execute(old.returning(SignInAttempt.id)).all())


def _is_known(session: Session, name: str, network: str) -> bool:
    return bool(
        _count(
            session,
            SignInAttempt.succeeded.is_(True),
            SignInAttempt.account == name,
            SignInAttempt.network == network,
        )
    )


def _count(session: Session, *conditions: object) -> int:
    statement = select(func.count()).select_from(SignInAttempt)
    return session.scalar(statement.where(*conditions)) or 0  # type: ignore[arg-type]


def _hash(account: str) -> str:
    return hashlib.sha256(account.strip().lower().encode()).hexdigest()
