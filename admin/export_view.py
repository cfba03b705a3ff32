"""What the page of exports shows: the form as it was filled in, and what was taken out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from babel.numbers import format_decimal
from sqlalchemy.orm import Session

from campaigns.catalog import list_campaigns
from campaigns.models import Campaign
from core.auditlog import AuditFilter, AuditRecord, list_records
from core.errors import DomainError
from payments.export_filters import What
from payments.export_models import ExportRun, RunState
from payments.export_runs import MOST_LISTED, is_dead, list_runs
from payments.models import DonationState

# Beyond so many, one types a campaign's name instead of choosing it.
MOST_CAMPAIGNS = 100
# What the log calls the file of a payout's lines.
PAYOUT_TAKEN_OUT = "payout.taken_out"
_LOCALE = "en"
_TOLD = {
    RunState.RUNNING: "under way",
    RunState.DONE: "done",
    RunState.CUT_OFF: "cut off",
    RunState.FAILED: "failed",
}
# Where the errors of services stand in our form.
_FIELDS = {"slug": "campaign"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """An export as the page tells of it."""

    what: str
    format: str
    narrowed: str
    personal: bool
    by: str
    at: str
    state: RunState | None  # None where nobody follows the file to its end
    state_label: str
    rows_label: str
    rows_done: int
    rows_total: int | None  # None while they are counted
    href: str | None = None  # where it can be taken out again

    @property
    def is_under_way(self) -> bool:
        """Whether there is a bar to be drawn."""
        return self.state is RunState.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportForm:
    """The form: `values` are those of the form, `errors` stand beside its fields."""

    values: Mapping[str, str]
    errors: Mapping[str, str]
    campaigns: Sequence[Campaign]  # empty where there are too many to choose from
    whats: Sequence[tuple[What, str]]
    states: Sequence[DonationState]


def export_form(
    session: Session, values: Mapping[str, str], *, error: DomainError | None = None
) -> ExportForm:
    """Return the form, with what was typed and what is wrong with it."""
    campaigns = list_campaigns(session, drafts=True, limit=MOST_CAMPAIGNS + 1)
    errors = {} if error is None else {_FIELDS.get(error.field or "", error.field or "what"): error}
    return ExportForm(
        values={"what": What.DONATIONS, "format": "xlsx", **values},
        errors={name: error.message for name, error in errors.items()},
        campaigns=campaigns if len(campaigns) <= MOST_CAMPAIGNS else (),
        whats=[(what, what.value.capitalize()) for what in What],
        states=tuple(DonationState),
    )


def run_views(session: Session, *, now: datetime) -> list[RunView]:
    """Return what was taken out, the newest first: exports, and the lines of payouts.

    Of a payout's file the log alone knows; it is short, and nobody follows it to its end.
    """
    payouts = list_records(session, AuditFilter(action=PAYOUT_TAKEN_OUT), limit=MOST_LISTED)
    dated = [(run.started_at, _view(run, now=now)) for run in list_runs(session)]
    dated += [(record.at, _payout_view(record)) for record in payouts]
    dated.sort(key=lambda one: one[0], reverse=True)
    return [view for _, view in dated[:MOST_LISTED]]


def _payout_view(record: AuditRecord) -> RunView:
    payout_id = record.subject.partition(":")[2]
    return RunView(
        what="Payout",
        format=str(record.told.get("format", "")).upper(),
        narrowed=payout_id,
        personal=False,
        by=record.actor_name,
        at=_time_text(record.at),
        state=None,
        state_label="begun",
        rows_label="–",
        rows_done=0,
        rows_total=None,
        href=f"/admin/payouts/{payout_id}",
    )


def _view(run: ExportRun, *, now: datetime) -> RunView:
    state = RunState.CUT_OFF if is_dead(run, now=now) else RunState(run.state)
    rows_done, rows_total = (
        None if number is None else format_decimal(number, locale=_LOCALE)
        for number in (run.rows_done, run.rows_total)
    )
    is_whole = state is RunState.DONE or rows_total is None
    filters: dict[str, str] = json.loads(run.filters)
    days = {"from": "from {}", "until": "until {}"}
    return RunView(
        what=run.what.capitalize(),
        format=run.format.upper(),
        narrowed=", ".join(days.get(name, "{}").format(value) for name, value in filters.items()),
        personal=run.personal,
        by=run.actor_name,
        at=_time_text(run.started_at),
        state=state,
        state_label=_TOLD[state],
        rows_label=f"{rows_done}" if is_whole else f"{rows_done} of {rows_total}",
        rows_done=run.rows_done,
        rows_total=run.rows_total,
    )


def _time_text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
