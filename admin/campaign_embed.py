"""`/admin/campaigns/<slug>/embed`: the line for each kind of site."""

from __future__ import annotations

from flask import request

from admin.access import admin_blueprint, needs
from admin.campaign_forms import render_campaign
from admin.campaign_new import language_names
from admin.faces import faces
from admin.roles import Permission
from campaigns.catalog import find_campaign
from campaigns.face import face_of
from campaigns.progress import progress_of
from campaigns.sightings import list_sightings
from core.clock import now
from core.db import db
from core.errors import Invalid
from core.web import settings

OPTIONS = ("slot", "lang", "theme", "amounts", "compact")

bp = admin_blueprint("campaign_embed", __name__)


@bp.get("/campaigns/<slug>/embed")
@needs(Permission.SEE_TOTALS)
def embed(slug: str) -> str:
    """Show the lines, with the options that were chosen."""
    campaign = find_campaign(db.session, slug, drafts=True)
    progress = progress_of(db.session, campaign, now=now(), base_url=settings().base_url)
    face = face_of(db.session, campaign, progress)
    options = {name: request.args.get(name, "") for name in OPTIONS}
    problems: dict[str, str] = {}
    try:
        lines = faces().embed_lines(face, options)
    except Invalid as error:
        problems["lang" if error.field == "locale" else error.field or "slot"] = error.message
        lines = faces().embed_lines(face, {})
    return render_campaign(
        "admin/campaign_embed.html",
        campaign,
        tab="embed",
        lines=lines,
        options=options,
        problems=problems,
        languages={"": "The campaign’s own"} | language_names(),
        hosts=face.hosts,
        sightings=list_sightings(db.session, campaign),
    )
