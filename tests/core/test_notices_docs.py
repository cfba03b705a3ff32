"""docs/notices.md says what the code does, and its example checks our signatures."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.calls import DELIVERY_HEADER, SIGNATURE_HEADER, headers_of
from core.subscribers import TOPICS

PAPER = (Path(__file__).resolve().parents[2] / "docs" / "notices.md").read_text(encoding="utf-8")
NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)
BODY = '{"text": "20 € — да"}'.encode()


def example() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", PAPER, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own paper's
    return names["is_from_goalpost"]


def signed() -> str:
    return headers_of("notice:goal:1:2", BODY, secrets=["gpsec_1"], now=NOW)[SIGNATURE_HEADER]


def test_the_example_takes_what_we_sign() -> None:
    assert example()(BODY, signed(), "gpsec_1", NOW.timestamp() + 299)


@pytest.mark.parametrize(
    ("body", "secret", "later_seconds"),
    [(BODY + b" ", "gpsec_1", 0), (BODY, "gpsec_2", 0), (BODY, "gpsec_1", 301)],
)
def test_the_example_refuses_what_is_changed_foreign_or_old(
    body: bytes, secret: str, later_seconds: int
) -> None:
    assert not example()(body, signed(), secret, NOW.timestamp() + later_seconds)


def test_the_example_takes_either_secret_while_one_is_replaced() -> None:
    both = headers_of("1", BODY, secrets=["gpsec_new", "gpsec_1"], now=NOW)[SIGNATURE_HEADER]
    for secret in ("gpsec_new", "gpsec_1"):
        assert example()(BODY, both, secret, NOW.timestamp())
    assert not example()(BODY, both, "gpsec_2", NOW.timestamp())


def test_the_topics_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| (.+) \|$", PAPER, re.MULTILINE)
    assert rows == [(topic.value, told) for topic, told in TOPICS.items()]


def test_the_headers_are_named() -> None:
    assert f"`{SIGNATURE_HEADER}: t=1620814272,v1=…`" in PAPER
    assert signed().startswith("t=1620814272,v1=")
    assert f"`{DELIVERY_HEADER}`" in PAPER
