"""What the admin is handed of `ops`, which it may not import: how the installation fares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, cast

from flask import current_app
from sqlalchemy.orm import Session

EXTENSION = "goalpost.admin.signs"


class Sign(Protocol):
    """One thing that was looked at."""

    @property
    def name(self) -> str:
        """What it is."""

    @property
    def told(self) -> str:
        """How it is, in a few words."""

    @property
    def todo(self) -> str:
        """What to do, in a sentence; empty where all is well."""

    @property
    def ok(self) -> bool:
        """Whether all is well."""


class ReadSigns(Protocol):
    """What looks at the installation. Reads only, in a fixed number of queries."""

    def __call__(self, session: Session, *, now: datetime) -> Sequence[Sign]:
        """Return what was found."""


def read_signs(session: Session, *, now: datetime) -> Sequence[Sign]:
    """Return how the installation of the current application fares."""
    return cast("ReadSigns", current_app.extensions[EXTENSION])(session, now=now)
