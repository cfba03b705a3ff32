"""A payout's lines as a file: all of them, in the order in which its page shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.csv_file import write_csv
from core.db import OpenSession
from core.paging import Stretch, walk
from core.sheets import ROWS_AT_ONCE, Amount, Column, Format, Kind, Pieces, Row, Sheet, Write
from core.xlsx_file import write_xlsx
from payments.models import Donation
from payments.payout_models import PayoutLine

SHEET = Sheet(
    "Payout",
    (
        Column("payout", "Payout", width=30),
        Column("transaction", "Balance transaction", width=30),
        Column("kind", "Kind", width=9),
        Column("category", "Stripe’s category", width=18),
        Column("amount", "Amount", Kind.MONEY),
        Column("fee", "Stripe’s fee", Kind.MONEY),
        Column("net", "Net", Kind.MONEY),
        Column("currency", "Currency", width=9),
        Column("occurred_at", "At Stripe", Kind.INSTANT, width=21),
        Column("source", "Source", width=30),
        Column("payment", "Payment", width=30),
        Column("donation", "Donation", width=38),
        Column("campaign", "Campaign", width=20),
        Column("description", "Description", width=40),
    ),
)
_WRITERS: Mapping[Format, Write] = {Format.CSV: write_csv, Format.XLSX: write_xlsx}


def payout_file(open_session: OpenSession, payout_id: str, format_: Format) -> Pieces:
    """Yield the file in pieces, while its lines are read: constant in memory, however many."""
    return _WRITERS[format_](SHEET, _pages(open_session, payout_id))


def _pages(open_session: OpenSession, payout_id: str) -> Iterator[Sequence[Row]]:
    stretch = Stretch(key=(PayoutLine.id,), within=(PayoutLine.payout_id == payout_id,))
    statement = (
        select(PayoutLine, Campaign.slug)
        .outerjoin(Donation, Donation.id == PayoutLine.donation_id)
        .outerjoin(Campaign, Campaign.id == Donation.campaign_id)
        .order_by(PayoutLine.id)
    )

    def read(session: Session, page: ColumnElement[bool]) -> Sequence[Row]:
        return [_row(line, slug) for line, slug in session.execute(statement.where(page))]

    return walk(open_session, stretch, read, at_once=ROWS_AT_ONCE)


def _row(line: Any, slug: str | None) -> Row:
    return (
        line.payout_id,
        line.transaction_id,
        line.kind,
        line.category,
        Amount(line.amount_minor, line.currency),
        Amount(line.fee_minor, line.currency),
        Amount(line.net_minor, line.currency),
        line.currency,
        line.occurred_at.astimezone(UTC),
        line.source_id,
        line.payment_id,
        line.donation_id,
        slug,
        line.description,
    )
