"""What a progress answer is measured beside: as little as can be done, and what is done usually.

Each is made in a server's process, which is told by its environment what to do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry
from campaigns.models import Campaign, Period
from widget.asking import Application

ANSWER = "BENCH_ANSWER"
SUMS = "BENCH_SUMS"


def _answer() -> tuple[list[tuple[str, str]], bytes]:
    told = json.loads(Path(os.environ[ANSWER]).read_text(encoding="utf-8"))
    return [(name, value) for name, value in told["headers"]], told["body"].encode()


def make_bare() -> Application:
    """Return the limit: a function that says the very same, without looking at the question."""
    headers, body = _answer()

    def bare(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", headers.copy())
        return [body]

    return bare


def make_flask() -> Flask:
    """Return an application with a plain view that says it, and one for each size that adds up."""
    headers, body = _answer()
    app = Flask("peers")

    @app.get("/plain")
    def plain() -> Response:
        return Response(body, headers=headers)

    for name, url in json.loads(os.environ[SUMS]).items():
        engine = create_engine(url)

        def add_up(engine: Any = engine) -> Response:
            with Session(engine) as session:
                campaign = session.scalars(select(Campaign)).one()
                period = session.scalars(
                    select(Period).where(Period.campaign_id == campaign.id).limit(1)
                ).one()
                raised, entries = session.execute(
                    select(func.sum(LedgerEntry.amount_minor), func.count(LedgerEntry.id)).where(
                        LedgerEntry.period_id == period.id
                    )
                ).one()
            return jsonify(title=campaign.title, raised=raised, entries=entries)

        app.add_url_rule(f"/sum/{name}", f"sum_{name}", add_up)
    return app
