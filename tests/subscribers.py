"""Somebody who asks for notices: what the tests of whoever tells something share."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from core.auditlog import COMMAND_LINE
from core.subscribers import Channel, NoticeSubscriber, Wish, add_subscriber
from tests.conftest import START


def subscribe(
    session: Session, target: str, *, channel: Channel | None = None, **options: Any
) -> NoticeSubscriber:
    """Have notices sent to an address, by mail or to a webhook as it looks; the caller commits."""
    likely = Channel.MAIL if "://" not in target and "@" in target else Channel.WEBHOOK
    wish = Wish(channel=channel or likely, target=target, **options)
    return add_subscriber(session, wish, actor=COMMAND_LINE, now=START)
