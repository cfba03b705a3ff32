"""Labels that nobody can measure: where they stand, and from which width on they stand in a row."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.face import Face
from widget.gallery import EXAMPLES, Example, make_face
from widget.placing import LEAST_WIDTHS, place_labels

NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)


def face_with(*tiers: int, raised: int = 520) -> Face:
    example = Example(
        name="x",
        caption="",
        raised_minor=raised * 100,
        tiers_minor=tuple(tier * 100 for tier in tiers),
    )
    return make_face(example, now=NOW, base_url="http://localhost")


def test_labels_stand_over_their_marks_where_there_is_room() -> None:
    row = place_labels(face_with(2500, 5000))
    assert row
    assert row.least_width == min(LEAST_WIDTHS)
    assert row.labels[1].shift_em == 0
    # The first begins with the bar and the last ends with it.
    assert row.labels[0].shift_em > 0
    assert row.labels[2].shift_em < 0


def test_labels_that_would_touch_stand_beside_each_other() -> None:
    row = place_labels(face_with(1000, 1100, 1200, 5000))
    assert row
    places = [label.mark.share / 100 * 18 + label.shift_em for label in row.labels]
    assert places == sorted(places)
    assert row.labels[3].shift_em > row.labels[2].shift_em > 0


def test_many_labels_wait_for_a_wider_bar() -> None:
    row = place_labels(face_with(*range(10_000, 50_000, 5000)))
    assert row
    assert row.least_width > min(LEAST_WIDTHS)


def test_too_many_are_a_list_at_any_width() -> None:
    assert place_labels(face_with(*range(1_000_000, 20_000_000, 1_000_000))) is None


def test_no_tier_has_no_labels() -> None:
    row = place_labels(face_with())
    assert row
    assert row.labels == ()


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=8, unique=True), st.integers(0, 10**9))
def test_what_fits_once_fits_on_every_wider_bar(tiers: list[int], raised: int) -> None:
    row = place_labels(face_with(*sorted(tiers), raised=raised))
    if row is None:
        return
    for wider in (1, 1.5, 3):
        width_em = row.least_width * wider / 13
        spans = []
        for label in row.labels:
            # Half of what the label is at least: half an em for each of its characters.
            half = len(label.mark.label) * 0.35 / 2
            centre = label.mark.share / 100 * width_em + label.shift_em
            spans.append((centre - half, centre + half))
        assert spans[0][0] >= -0.01
        assert spans[-1][1] <= width_em + 0.01
        for (_, end), (begin, _) in itertools.pairwise(spans):
            assert end < begin


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.name))
def test_gallery_never_needs_more_than_640_pixels(example: Example) -> None:
    row = place_labels(make_face(example, now=NOW, base_url="http://localhost"))
    assert row
    assert row.least_width <= 640
