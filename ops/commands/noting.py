"""What the commands write into the audit log: that whoever has a shell did something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from campaigns.fields import subject_of
from campaigns.models import Campaign
from core.auditlog import COMMAND_LINE, record
from core.clock import now
from core.db import db

# The subject of what is about no single thing.
SITE = "site"


def note(action: str, subject: str, details: Mapping[str, Any] | None = None) -> None:
    """Write a line in the command's own transaction, which it commits with what it did."""
    record(db.session, COMMAND_LINE, action, subject=subject, details=details, now=now())


def note_campaign(
    action: str, campaign: Campaign, details: Mapping[str, Any] | None = None
) -> None:
    """Write that something was done to a campaign, as its page in the admin does."""
    note(action, subject_of(campaign), details)
