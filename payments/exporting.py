"""Exports: a file that is sent while it is made, and its run, which follows it to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.auditlog import Actor
from core.csv_file import write_csv
from core.db import OpenSession, in_transaction, read_only
from core.sheets import Format, Row, Write
from core.xlsx_file import write_xlsx
from payments.donation_rows import DONATIONS, DONATIONS_WITH_DONORS
from payments.entry_rows import ENTRIES
from payments.export_filters import Export, What, check_export
from payments.export_models import RunState
from payments.export_rows import Rows, TableRows
from payments.export_runs import begin_run, end_run, move_run
from payments.month_rows import MONTHS

# How often a run is written on: after 10,000 rows or so.
_PAGES_A_MOVE = 5
_WRITERS: Mapping[Format, Write] = {Format.CSV: write_csv, Format.XLSX: write_xlsx}


def begin_export(
    open_session: OpenSession, export: Export, *, actor: Actor, clock: Callable[[], datetime]
) -> ExportStream:
    """Write down that `actor` takes this out, commit, and return the file.

    Raises CampaignNotFound, Invalid and TooMany before anything is written down. Who may not see
    donors must not get `export.personal`: that is for the caller to hold to.
    """
    now = clock()

    def check(session: Session) -> None:
        read_only(session)
        check_export(session, export)

    def begin(session: Session) -> int:
        return begin_run(session, export, actor=actor, now=now).id

    in_transaction(open_session, check)
    rows = _rows(open_session, export, now=now)
    run_id = in_transaction(open_session, begin)
    return ExportStream(open_session, rows, export.format, run_id, clock=clock)


class ExportStream:
    """The pieces of a file, made as they are asked for; nothing of it is kept anywhere.

    Whoever reads it calls `close`, as WSGI servers do: an end that was reached is written down as
    done, a close before it as cut off, and an error as failed.
    """

    def __init__(
        self,
        open_session: OpenSession,
        rows: Rows,
        format_: Format,
        run_id: int,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self.run_id = run_id
        self.rows_done = 0
        self.rows_total: int | None = None
        self._open_session = open_session
        self._clock = clock
        self._rows = rows
        self._file = _WRITERS[format_](rows.sheet, self._pages())
        self._has_ended = False

    def __iter__(self) -> ExportStream:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._file)
        except StopIteration:
            self._end(RunState.DONE)
            raise
        except Exception:
            self._end(RunState.FAILED)
            raise

    def close(self) -> None:
        """Stop, wherever it is."""
        self._file.close()
        self._end(RunState.CUT_OFF)

    def _pages(self) -> Iterator[Sequence[Row]]:
        """Yield the rows; the first is asked for once the beginning of the file was sent."""
        self.rows_total = self._rows.count()
        self._move()
        for number, page in enumerate(self._rows.pages(), 1):
            yield page
            self.rows_done += len(page)
            # By pages, for of some that are gone through nothing may be asked for.
            if number % _PAGES_A_MOVE == 0:
                self._move()

    def _move(self) -> None:
        move = partial(
            move_run,
            run_id=self.run_id,
            rows_done=self.rows_done,
            rows_total=self.rows_total,
            now=self._clock(),
        )
        in_transaction(self._open_session, move)

    def _end(self, state: RunState) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        end = partial(
            end_run,
            run_id=self.run_id,
            state=state,
            rows_done=self.rows_done,
            now=self._clock(),
        )
        # Where the books can't be reached, the next export writes this one off.
        with suppress(DBAPIError):
            in_transaction(self._open_session, end)


def _rows(open_session: OpenSession, export: Export, *, now: datetime) -> Rows:
    sources = {
        What.DONATIONS: DONATIONS_WITH_DONORS if export.personal else DONATIONS,
        What.ENTRIES: ENTRIES,
        What.MONTHS: MONTHS,
    }
    return TableRows(sources[export.what], open_session, export, now=now)
