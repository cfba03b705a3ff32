"""`/admin/campaigns/<slug>`: where a campaign stands, and what may become of it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, needs
from admin.campaign_forms import log, render_campaign
from admin.faces import faces
from admin.pages import say
from admin.roles import Permission
from campaigns.ahead import look_ahead
from campaigns.catalog import find_campaign
from campaigns.face import face_of
from campaigns.fields import subject_of
from campaigns.models import CampaignState
from campaigns.progress import progress_of
from campaigns.states import WAYS, done_by, move_campaign
from core.auditlog import AuditFilter, list_records
from core.clock import now
from core.db import db
from core.errors import Invalid
from core.web import settings

_AHEAD = 4
_LOGGED = 5

bp = admin_blueprint("campaign_page", __name__)


@dataclass(frozen=True, slots=True)
class Move:
    """A way to another state: what its button says, and what the next page says."""

    label: str
    told: str


MOVES: dict[tuple[CampaignState, CampaignState], Move] = {
    (CampaignState.DRAFT, CampaignState.OPEN): Move(
        "Publish", "Published: readers see it and can give."
    ),
    (CampaignState.DRAFT, CampaignState.ARCHIVED): Move(
        "Archive", "Archived. What it raised stays to be seen."
    ),
    (CampaignState.OPEN, CampaignState.PAUSED): Move(
        "Pause", "Paused: readers see it and can’t give for now."
    ),
    (CampaignState.OPEN, CampaignState.ARCHIVED): Move(
        "Archive", "Archived. What it raised stays to be seen."
    ),
    (CampaignState.PAUSED, CampaignState.OPEN): Move("Resume", "Open again: readers can give."),
    (CampaignState.PAUSED, CampaignState.ARCHIVED): Move(
        "Archive", "Archived. What it raised stays to be seen."
    ),
    (CampaignState.ARCHIVED, CampaignState.OPEN): Move(
        "Open again", "Open again: readers can give."
    ),
}


@bp.get("/campaigns/<slug>")
@needs(Permission.SEE_TOTALS)
def campaign(slug: str) -> str:
    """Show where a campaign stands."""
    found = find_campaign(db.session, slug, drafts=True)
    progress = progress_of(db.session, found, now=now(), base_url=settings().base_url)
    face = face_of(db.session, found, progress)
    set_to = CampaignState(found.state)
    return render_campaign(
        "admin/campaign.html",
        found,
        tab="overview",
        face=face,
        ahead=look_ahead(db.session, found, now=now(), count=_AHEAD),
        moves=[(to, MOVES[set_to, to].label) for to in WAYS[set_to]],
        line=faces().embed_lines(face, {})[0],
        records=list_records(db.session, AuditFilter(subject=subject_of(found)), limit=_LOGGED),
    )


@bp.post("/campaigns/<slug>/state")
@needs(Permission.EDIT_CAMPAIGNS)
def move(slug: str) -> ResponseReturnValue:
    """Bring a campaign into another state; to archive it asks first."""
    found = find_campaign(db.session, slug, drafts=True)
    asked = request.form.get("state", "")
    if asked not in set(CampaignState):
        raise Invalid("There is no such state.", field="state")
    to = CampaignState(asked)
    if to is CampaignState.ARCHIVED and not request.form.get("confirmed"):
        return render_campaign("admin/campaign_archive.html", found, tab="overview")
    before = move_campaign(db.session, slug, to)
    if before is not to:
        made = MOVES[before, to]
        log(db.session, done_by(before, to), found, {"state": [before.value, to.value]})
        say(made.told)
    db.session.commit()
    return redirect(f"/admin/campaigns/{found.slug}", code=303)
