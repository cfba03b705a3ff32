"""What the tests of notices share: somebody who asked for all, and what they were told."""

from __future__ import annotations

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.calls import OutboxCall


def told(session: Session) -> list[dict[str, object]]:
    """Return the bodies of all calls that were posted, the first one first."""
    session.rollback()
    texts = session.scalars(select(OutboxCall.text).order_by(OutboxCall.id))
    found = [json.loads(text) for text in texts]
    session.rollback()
    return found
