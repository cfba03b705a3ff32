"""docs/scaling.md's tables are the simulation's, and the simulation knows what a queue is."""

from __future__ import annotations

from pathlib import Path

from bench import scaling

PAPER = (Path(__file__).resolve().parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_paper_has_the_tables_of_the_simulation() -> None:
    assert scaling.view_table() in PAPER
    assert scaling.thread_table() in PAPER
    assert scaling.gift_table() in PAPER


def test_a_place_asks_once_in_the_life_of_what_it_holds() -> None:
    few, many = (scaling.simulate_views(views, 10) for views in (10_000_000, 100_000_000))
    assert abs(few - 10 / scaling.LIFE_SECONDS) < 0.1
    assert abs(many - few) < 0.01


def test_who_comes_alone_waits_for_stripe_alone() -> None:
    alone = scaling.simulate_gifts(1, 8)
    assert alone.p50 is not None
    assert 0.5 < (alone.p50 - scaling.DONATE) / scaling.STRIPE_MEDIAN < 1.5
