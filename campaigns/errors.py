"""What can be wrong with a request about campaigns and their books."""

from __future__ import annotations

from core.errors import Conflict, Invalid, NotFound
from core.words import N_


class CampaignNotFound(NotFound):
    """There is no campaign of that name, or it is a draft."""

    code = "campaign_not_found"

    def __init__(self, slug: str) -> None:
        super().__init__(N_("There is no campaign “{name}”."), field="slug", name=slug[:80])


class PeriodNotFound(NotFound):
    """The campaign has no such month on record."""

    code = "period_not_found"


class PeriodClosed(Conflict):
    """The period is over, and what was announced of it stays."""

    code = "period_closed"


class CampaignExists(Conflict):
    """The name is taken."""

    code = "campaign_exists"


class LedgerConflict(Conflict):
    """A reference was used for something else before: another gift, kind or currency."""

    code = "ledger_conflict"


class StaleFacts(Conflict):
    """Somebody stated something about the gift since these facts were asked for: ask again."""

    code = "stale_facts"


class InvalidCampaign(Invalid):
    """What was given can't make a campaign."""

    code = "invalid_campaign"


class StateConflict(Conflict):
    """The campaign is in a state from which no way leads to what was asked for."""

    code = "state_conflict"
