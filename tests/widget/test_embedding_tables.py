"""docs/embedding.md names all that the element has, nothing else, and the lines that we give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from campaigns.catalog import CampaignChanges
from tests.conftest import Give, MakeCampaign
from tests.widget.conftest import STATIC, Goalpost
from tests.widget.embedding_paper import BLOCKS, HOME, PAPER, first_column
from widget.snippet import element_snippet, frame_snippet

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
STYLE = (STATIC / "donation-goal.css").read_text(encoding="utf-8")
SCRIPT = (STATIC / "donation-goal.js").read_text(encoding="utf-8")
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def told_of(page: Tab, expression: str) -> list[str]:
    """Return the names that an expression about the element's class yields."""
    names: list[str] = page.evaluate(f"(goal => {expression})(customElements.get('donation-goal'))")
    return names


@pytest.fixture
def element(live: Goalpost, page: Tab, make_campaign: MakeCampaign, give: Give) -> Tab:
    """An element of a campaign that shows all it can, one of its goals being reached."""
    changes = CampaignChanges(
        shows=("donors", "days", "expected", "recent"), frequencies=("once", "month")
    )
    tiers = (10_000, 200_000, 500_000)
    give(make_campaign("all", tiers_minor=tiers, changes=changes), 52_000)
    page.goto(f"{live.address}/embed/all")
    expect(page.locator("donation-goal .raised").filter(visible=True)).to_have_text("520 $")
    return page


@only_sqlite
def test_attributes_and_their_properties_are_told(element: Tab) -> None:
    observed = told_of(element, "goal.observedAttributes")
    assert sorted(first_column("Attribute")) == sorted(observed)
    settable = (
        "Object.entries(Object.getOwnPropertyDescriptors(goal.prototype))"
        ".filter(([, property]) => property.set).map(([name]) => name)"
    )
    named = re.search(r"as the properties (.*?)\n\n", PAPER, re.DOTALL)
    assert named
    assert sorted(re.findall(r"`(\w+)`", named[1])) == sorted(told_of(element, settable))


@only_sqlite
def test_parts_are_told(element: Tab) -> None:
    parts: Sequence[str] = element.locator("donation-goal").evaluate(
        "(goal) => [...goal.shadowRoot.querySelectorAll('[part]')].flatMap((n) => [...n.part])"
    )
    assert sorted(first_column("Part")) == sorted(set(parts))


def test_events_are_told() -> None:
    fired = re.findall(r"\.tell\('(\w+)'", SCRIPT)
    assert fired
    assert sorted(first_column("Event")) == sorted(f"donation-goal:{name}" for name in fired)


def test_custom_properties_are_told() -> None:
    used = set(re.findall(r"var\((--donation-goal-[a-z-]+)", STYLE))
    assert used
    assert sorted(first_column("Property")) == sorted(used)


def test_every_block_has_a_name_and_is_used_by_a_test() -> None:
    assert PAPER.count("```") == 2 * len(BLOCKS)
    tests = Path(__file__).with_name("test_embedding_docs.py").read_text(encoding="utf-8")
    for name in BLOCKS:
        assert f'"{name}"' in tests, name


def test_lines_are_those_that_goalpost_itself_gives() -> None:
    element = element_snippet(base_url=HOME, slug="support-us", title="Support us")
    assert BLOCKS["element"].strip() == element
    (height,) = re.findall(r'height="(\d+)"', BLOCKS["frame"])
    frame = frame_snippet(
        base_url=HOME, slug="support-us", title="Support us", width=600, height=int(height)
    )
    assert BLOCKS["frame"].strip() == frame
    assert f"\n{frame}\n" in README
