from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench.filling import fill
from bench.gateway import MemoryGateway
from bench.growth import Measured, post
from bench.paper import growth_table, write_paper
from bench.picture import draw
from bench.sites import SLUG, Site
from campaigns.audit import verify_ledger
from campaigns.models import Period
from core.db import db
from core.settings import Settings
from payments.gateway import Gateway
from tests.conftest import MakeCampaign


@pytest.fixture
def site(
    app: Flask, settings: Settings, fake_gateway: Gateway, make_campaign: MakeCampaign
) -> Site:
    campaign = make_campaign(SLUG)
    with app.app_context():
        engine, maker = db.engine, db.sessionmaker
    kind = "sqlite" if settings.sqlite else "postgresql"
    payments = MemoryGateway(settings).payments
    return Site(kind, app, fake_gateway, payments, engine, maker, campaign.id)


@pytest.mark.parametrize("entries", [10, 1003])
def test_books_that_were_filled_verify(site: Site, session: Session, entries: int) -> None:
    session.rollback()
    fill(site, entries)
    audit = verify_ledger(session)
    assert audit.entries == entries
    assert audit.differences == ()


def test_books_that_were_filled_take_another_gift(site: Site, session: Session) -> None:
    session.rollback()
    fill(site, 100)
    before = session.scalar(select(func.sum(Period.raised_minor))) or 0
    session.rollback()
    post(site)
    assert session.scalar(select(func.sum(Period.raised_minor))) == before + 2000
    assert verify_ledger(session).differences == ()


def _measured(kind: str, entries: int, seconds: float) -> Measured:
    return Measured(kind, entries, read=[0.001], post=[0.002], sum=[seconds])


def test_paper_takes_the_figures_between_its_marks(tmp_path: Path) -> None:
    growth = [_measured("sqlite", 10, 0.001), _measured("sqlite", 1000, 0.1)]
    figures = growth_table(growth, "a machine", rounds=5)
    paper = tmp_path / "performance.md"
    other = "<!-- bench reading -->\nkept\n<!-- /bench reading -->\n"
    paper.write_text(f"Before.\n{other}<!-- bench books -->\nold\n<!-- /bench books -->\nAfter.\n")
    write_paper(paper, "books", figures)
    assert paper.read_text() == (
        f"Before.\n{other}<!-- bench books -->\n{figures}\n<!-- /bench books -->\nAfter.\n"
    )
    assert "| SQLite | 1,000 | 1.00 ms (× 1.00) | 2.00 ms (× 1.00) | 100.00 ms (× 100.00) |" in (
        paper.read_text()
    )


def test_paper_without_a_place_for_the_figures_is_left_alone(tmp_path: Path) -> None:
    paper = tmp_path / "performance.md"
    paper.write_text("Nothing here.")
    with pytest.raises(ValueError, match="no single place"):
        write_paper(paper, "books", "figures")
    assert paper.read_text() == "Nothing here."


def test_picture_draws_every_figure_once() -> None:
    growth = [_measured(kind, size, 0.01) for kind in ("sqlite", "postgresql") for size in (10, 99)]
    picture = draw(growth)
    assert picture.count("<circle") == 3 * len(growth)
    assert "NaN" not in picture
