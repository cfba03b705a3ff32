"""As much of PromQL as our alerts and our board say: read, and for alerts worked out.

An alert is `a > 1`, or two of these joined by `and`; each side a number, `time()`, a selector,
`timestamp(…)` or `abs(…)` of them, and differences. What is not understood is an error.
https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = float | Vector
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<name>[a-zA-Z_:][\w:]*)|(?P<text>\"[^\"]*\")"
    r"|(?P<sign>==|>=|<=|!=|[-+*/(){},=<>]))"
)
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def tokens(expression: str) -> list[str]:
    """Return an expression's parts; raise ValueError where there is one that is none."""
    found, at = [], 0
    while at < len(expression.rstrip()):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise ValueError(f"not PromQL: {expression[at:]}")
        found.append(match.group().strip())
        at = match.end()
    return found


def selectors(expression: str) -> list[tuple[str, dict[str, str]]]:
    """Return the names of ours in an expression, each with its matchers."""
    return [
        (name, dict(re.findall(r"(\w+)=\"([^\"]*)\"", matchers)))
        for name, matchers in re.findall(r"\b(goalpost_\w+)(?:\{([^}]*)\})?", expression)
    ]


class Alert:
    """An alert's expression, worked out on what was scraped `at` by the monitor's clock."""

    def __init__(self, samples: Mapping[str, Vector], *, at: float) -> None:
        self._samples, self._at = samples, at

    def fires(self, expression: str) -> Vector:
        """Return what an alert would be raised for: the labels, and the value."""
        self._rest = tokens(expression)
        found = self._comparison()
        while self._rest[:1] == ["and"]:
            self._take("and")
            also = self._comparison()
            found = {labels: value for labels, value in found.items() if labels in also}
        if self._rest:
            raise ValueError(f"not understood: {self._rest}")
        return found

    def _comparison(self) -> Vector:
        left = self._sum()
        sign = self._rest.pop(0)
        limit = self._sum()
        assert isinstance(left, dict)
        assert isinstance(limit, float)
        return {labels: v for labels, v in left.items() if _COMPARE[sign](v, limit)}

    def _sum(self) -> Value:
        value = self._term()
        while self._rest[:1] == ["-"]:
            self._take("-")
            value = _minus(value, self._term())
        return value

    def _term(self) -> Value:
        part = self._rest.pop(0)
        if part[0].isdigit():
            return float(part)
        if part == "time":
            self._take("(")
            self._take(")")
            return self._at
        if part in {"abs", "timestamp"}:
            self._take("(")
            inner = self._sum()
            self._take(")")
            assert isinstance(inner, dict)
            return {
                labels: self._at if part == "timestamp" else abs(value)
                for labels, value in inner.items()
            }
        return self._selected(part)

    def _selected(self, name: str) -> Vector:
        wanted = set()
        if self._rest[:1] == ["{"]:
            while self._rest.pop(0) != "}":
                label, equals, text = self._rest[0], self._rest[1], self._rest[2]
                assert equals == "="
                wanted.add((label, text.strip('"')))
                del self._rest[:3]
        return {labels: value for labels, value in self._samples[name].items() if wanted <= labels}

    def _take(self, sign: str) -> None:
        if self._rest[:1] != [sign]:
            raise ValueError(f"{sign} is missing before {self._rest}")
        self._rest.pop(0)


def _minus(left: Value, right: Value) -> Value:
    if isinstance(left, float):
        if isinstance(right, float):
            return left - right
        return {labels: left - value for labels, value in right.items()}
    if isinstance(right, float):
        return {labels: value - right for labels, value in left.items()}
    return {labels: left[labels] - right[labels] for labels in left.keys() & right.keys()}
