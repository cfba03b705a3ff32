"""What is to be forgotten in time, by whoever keeps it: the scheduler's `forget` job asks them all.

Packages that the job can't import hand theirs over here, when the application is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from flask import Flask, current_app
from sqlalchemy.orm import Session

# Takes away what is too old by `now`, and tells how many rows that was; the caller commits.
Forget = Callable[[Session, datetime], int]
_EXTENSION = "goalpost.upkeep"


def forget_too(app: Flask, forget: Forget) -> None:
    """Have the `forget` job call `forget`, too."""
    app.extensions.setdefault(_EXTENSION, []).append(forget)


def all_to_forget() -> Sequence[Forget]:
    """Return what was handed over for the current application."""
    return cast("Sequence[Forget]", current_app.extensions.get(_EXTENSION, ()))
