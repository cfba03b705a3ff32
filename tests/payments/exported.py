"""Exports as their readers have them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import openpyxl
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.auditlog import Actor
from core.clock import Clock
from core.sheets import Format
from payments.export_filters import Export, What
from payments.export_models import ExportRun
from payments.exporting import ExportStream, begin_export
from tests.payments.conftest import Books

ANNA = Actor("user:1", "anna@courier.example")


def begin(books: Books, clock: Clock, **wanted: Any) -> ExportStream:
    values: dict[str, Any] = {"what": What.DONATIONS, "format": Format.CSV} | wanted
    return begin_export(books.session, Export(**values), actor=ANNA, clock=clock.now)


def exported(books: Books, clock: Clock, **wanted: Any) -> list[dict[str, str]]:
    """Return the rows of an export as CSV, by the names of their columns."""
    return read_csv(begin(books, clock, **wanted))


def read_csv(pieces: Iterable[bytes]) -> list[dict[str, str]]:
    text = b"".join(pieces).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read_xlsx(pieces: Iterable[bytes]) -> list[dict[str, Any]]:
    book = openpyxl.load_workbook(io.BytesIO(b"".join(pieces)))
    head, *rows = book.worksheets[0].iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in rows]


def last_run(session: Session) -> ExportRun:
    session.expire_all()
    run = session.scalars(select(ExportRun).order_by(ExportRun.id.desc()).limit(1)).one()
    session.commit()
    return run
