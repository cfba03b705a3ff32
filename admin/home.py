"""`/admin/`: the dashboard."""

from __future__ import annotations

from admin.access import admin_blueprint, needs
from admin.pages import render_admin
from admin.roles import Permission

bp = admin_blueprint("home", __name__)


@bp.get("/")
@needs(Permission.SEE_TOTALS)
def home() -> str:
    """Show where the site stands."""
    return render_admin("admin/home.html", section="home")
