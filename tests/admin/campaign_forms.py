"""Filling in the forms of campaigns as a browser does: with what the page shows, and changes."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Fields = list[tuple[str, str]]


class _Fields(HTMLParser):
    """Collects what the form that holds a field would send."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: Fields = []
        self._area: str | None = None
        self._text = ""
        self._choice: str | None = None
        self._chosen: str | None = None

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attributes = dict(given)
        name, value = attributes.get("name"), attributes.get("value") or ""
        if tag == "input" and name:
            kind = attributes.get("type", "text")
            if kind not in {"checkbox", "radio"} or "checked" in attributes:
                self.fields.append((name, value))
        elif tag == "textarea":
            self._area, self._text = name, ""
        elif tag == "select":
            self._choice, self._chosen = name, None
        elif (
            tag == "option" and self._choice and (self._chosen is None or "selected" in attributes)
        ):
            self._chosen = value

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area:
            self.fields.append((self._area, self._text.removeprefix("\n")))
            self._area = None
        elif tag == "select" and self._choice:
            self.fields.append((self._choice, self._chosen or ""))
            self._choice = None


def fields_of(page: str) -> Fields:
    """Return what the forms of a page hold."""
    reader = _Fields()
    reader.feed(page)
    return reader.fields


def changed(fields: Fields, **changes: str | Iterable[str] | None) -> dict[str, list[str]]:
    """Return fields with others in their place; None takes one away."""
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    for name, change in changes.items():
        data.pop(name, None)
        if change is not None:
            data[name] = [change] if isinstance(change, str) else list(change)
    return data


def send(
    client: FlaskClient, path: str, *, to: str | None = None, **changes: str | Iterable[str] | None
) -> TestResponse:
    """Open a form, change what is named, and send it."""
    page = client.get(path)
    assert page.status_code == 200, path
    return client.post(to or path, data=changed(fields_of(page.text), **changes))
