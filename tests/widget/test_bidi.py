from __future__ import annotations

import pytest
from playwright.sync_api import Page as Tab

from widget.bidi import direction_of_text, runs_in_order

LINES = (
    "Support us, 2021!",
    "5,000 $",
    "12,5 % (von 40)",
    "٥٬٠٠٠ US$ (٪١٠)",
    "ادعموا صحافتنا المستقلة!",
    "تم بلوغ 2,500 US$. الهدف التالي: 5,000 US$",
    "من 5,000 $ - 10% · شكرا",
    "ادعموا The Harrow Bay Courier 2021، شكرا",
    "We say שלום 123 and سلام 456.",
    "\u200f3,100 US$",
    "a ١٢٣-٤٥٦ b, ש 1-2 / +3",
    "…",
)


def in_order(line: str, direction: str) -> str:
    """Return the signs of a line from left to right."""
    return "".join(
        run.text[::-1] if run.is_rtl else run.text for run in runs_in_order(line, direction)
    )


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("line", LINES)
def test_order_is_a_browsers(page: Tab, line: str, direction: str) -> None:
    page.set_content(f'<p dir="{direction}" style="font: 20px sans-serif; white-space: pre">')
    seen = page.evaluate(
        """(line) => {
            const text = document.querySelector('p').appendChild(new Text(line));
            const range = new Range();
            const places = [...line].map((sign, at) => {
              range.setStart(text, at);
              range.setEnd(text, at + 1);
              const { left, right } = range.getBoundingClientRect();
              return { sign, left, width: right - left };
            });
            return places.filter(({ width }) => width > 0)
              .sort((one, other) => one.left - other.left).map(({ sign }) => sign).join('');
        }""",
        line,
    )
    assert in_order(line, direction).replace("\u200f", "") == seen


def test_nothing_has_no_runs() -> None:
    assert runs_in_order("", "rtl") == []


def test_first_letter_decides() -> None:
    assert direction_of_text("1. Support us", "rtl") == "ltr"
    assert direction_of_text("«ادعمونا» now", "ltr") == "rtl"
    assert direction_of_text("2021", "rtl") == "rtl"
    assert direction_of_text("2021", "ltr") == "ltr"
