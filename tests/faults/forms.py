"""Finding every form that the site has: by a walk over its pages, and in its templates.

A template is marked as it is read, so that each form in a page says where it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from flask import Flask, has_request_context, request
from flask.testing import FlaskClient
from jinja2.ext import Extension
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from core.web import FieldsRequest

MARK = "data-written"
_FORM = re.compile(r"<form\b")
_POSTS = re.compile(r"<form\b[^>]*\bmethod=\"post\"")
# What is read of one address with other values in its blanks or after `?`.
_MOST_ALIKE = 4


class MarkForms(Extension):
    """Has each form of a template name the template, and which of its forms it is."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Put the mark into a template's source."""
        del filename
        numbers = iter(range(len(source)))
        return _FORM.sub(lambda _: f'<form {MARK}="{name}:{next(numbers)}"', source)


def written_forms(folder: Path) -> set[str]:
    """Return the marks of all forms in templates that post."""
    found = set()
    for file in folder.rglob("*.html"):
        source = file.read_text()
        for number, match in enumerate(_FORM.finditer(source)):
            if _POSTS.match(source, match.start()):
                found.add(f"{file.relative_to(folder).as_posix()}:{number}")
    return found


class _Noting(ImmutableMultiDict[str, str]):
    """Fields that tell which of them were looked for."""

    def __getitem__(self, key: str) -> str:
        NotingRequest.note(key)
        return super().__getitem__(key)

    def getlist(self, key: str, *more: Any, **options: Any) -> list[Any]:
        NotingRequest.note(key)
        return super().getlist(key, *more, **options)


class NotingRequest(FieldsRequest):
    """Notes what each view looks for after the `?` of its address."""

    parameter_storage_class = _Noting
    asked: ClassVar[dict[str, set[str]]] = {}

    @classmethod
    def note(cls, name: str) -> None:
        """Write down that the view of now looked for a name."""
        if has_request_context() and request.method == "GET" and request.endpoint:
            cls.asked.setdefault(request.endpoint, set()).add(name)


@dataclass
class Form:
    """A form of a page: where it posts to, and what it sends as it stands."""

    page: str
    action: str
    posts: bool
    mark: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    # What a choice offers, what a box that is not ticked would send, what a button says.
    offered: dict[str, set[str]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """The names of all that it may send, but the token that all forms have."""
        names = {name for name, _ in self.fields} | set(self.offered) | self.files
        return sorted(names - {"csrf_token"})

    def data(self, **changes: list[str]) -> dict[str, list[str]]:
        """Return what it sends untouched, or with these in the place of others."""
        data: dict[str, list[str]] = {}
        for name, value in self.fields:
            data.setdefault(name, []).append(value)
        return data | changes


class _Reader(HTMLParser):
    """Collects the links and the forms of a page, fields that stand outside their form too."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._by_id: dict[str, Form] = {}
        self._form: Form | None = None
        self._area: tuple[Form, str] | None = None
        self._text = ""
        self._select: tuple[Form, str] | None = None
        self._chosen: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "form":
            self._form = Form(
                page=self.page,
                action=urljoin(self.page, given.get("action") or self.page),
                posts=given.get("method", "get").lower() == "post",
                mark=given.get(MARK, ""),
            )
            self.forms.append(self._form)
            if "id" in given:
                self._by_id[given["id"]] = self._form
        elif tag == "option" and self._select:
            form, name = self._select
            form.offered.setdefault(name, set()).add(given.get("value", ""))
            if self._chosen is None or "selected" in given:
                self._chosen = given.get("value", "")
        owner = self._by_id.get(given.get("form", ""), self._form)
        if owner is not None and given.get("name"):
            self._control(tag, owner, given)

    def _control(self, tag: str, form: Form, given: dict[str, str]) -> None:
        name, value, kind = given["name"], given.get("value", ""), given.get("type", "text")
        if tag == "textarea":
            self._area, self._text = (form, name), ""
        elif tag == "select":
            self._select, self._chosen = (form, name), None
        elif tag == "button":
            if name not in form.offered:  # the first is the one that Enter presses
                form.fields.append((name, value))
            form.offered.setdefault(name, set()).add(value)
        elif tag == "input" and kind == "file":
            form.files.add(name)
        elif tag == "input" and kind in {"checkbox", "radio"}:
            form.offered.setdefault(name, set()).add(value or "on")
            if "checked" in given:
                form.fields.append((name, value or "on"))
        elif tag == "input":
            form.fields.append((name, value))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._area:
            form, name = self._area
            form.fields.append((name, self._text.removeprefix("\n")))
            self._area = None
        elif tag == "select" and self._select:
            form, name = self._select
            form.fields.append((name, self._chosen or ""))
            self._select = None


@dataclass
class Walk:
    """What one visitor found: pages by address, and forms."""

    pages: dict[str, TestResponse] = field(default_factory=dict)
    forms: list[Form] = field(default_factory=list)


def endpoint_of(app: Flask, address: str, method: str = "GET") -> str | None:
    """Return which of our views answers an address; None where it is none of ours."""
    parts = urlsplit(address)
    if parts.netloc not in {"", "localhost:8000", "localhost"}:
        return None
    try:
        endpoint, _ = app.url_map.bind("localhost").match(parts.path, method)
    except HTTPException:
        return None
    return str(endpoint)


def known_pages(app: Flask, *, admin: bool, **blanks: str) -> list[str]:
    """Return the addresses that have no blanks but these, without those of Flask-Security."""
    bound = app.url_map.bind("localhost")
    return sorted(
        bound.build(rule.endpoint, {name: blanks[name] for name in rule.arguments})
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
        and rule.arguments <= blanks.keys()
        and rule.rule.startswith("/admin") == admin
        and not str(rule.endpoint).startswith("security.")
    )


def pages_of_the_library(app: Flask) -> list[str]:
    """Return those on which people sign in: some of them end what a visitor had begun."""
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if str(rule.endpoint).startswith("security.")
        and "GET" in (rule.methods or ())
        and not rule.arguments
    )


def read_forms(page: str, text: str) -> tuple[list[str], list[Form]]:
    """Return the links and the forms of a page."""
    reader = _Reader(page)
    reader.feed(text)
    return reader.links, reader.forms


def walk(app: Flask, client: FlaskClient, roots: Iterable[str], *, on: bool = True) -> Walk:
    """Read pages from `roots` on, by links and by forms that only ask; follow no stranger.

    Of addresses that differ in their blanks only, some are read; of languages, one. Without `on`,
    the roots alone are read, and where they lead whoever asks for them.
    """
    found = Walk()
    waiting = list(roots)
    seen: set[str] = set()
    alike: dict[tuple[str, frozenset[str]], int] = {}
    while waiting:
        address = _without_language(waiting.pop(0))
        endpoint = endpoint_of(app, address)
        parts = urlsplit(address)
        asked = frozenset(name for name, _ in parse_qsl(parts.query))
        if address in seen or endpoint is None or endpoint.startswith("static"):
            continue
        seen.add(address)
        kind = endpoint, asked
        alike[kind] = alike.get(kind, 0) + 1
        if alike[kind] > _MOST_ALIKE:
            continue
        answer = client.get(f"{parts.path}?{parts.query}" if parts.query else parts.path)
        found.pages[address] = answer
        if answer.mimetype != "text/html":
            answer.close()
            continue
        if 300 <= answer.status_code < 400:
            waiting.append(urljoin(address, answer.location))
            continue
        onward = list(_onward(found, address, answer.text))
        waiting += onward if on else []
    return found


def _without_language(address: str) -> str:
    parts = urlsplit(address)
    asked = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    query = urlencode([(name, value) for name, value in asked if name != "lang"])
    return parts._replace(query=query, fragment="").geturl()


def _onward(found: Walk, page: str, text: str) -> Iterator[str]:
    """Keep the forms of a page; yield where it leads."""
    links, forms = read_forms(page, text)
    found.forms += forms
    yield from (urljoin(page, link) for link in links)
    for form in forms:
        if not form.posts:
            offered = [(name, value) for name, them in form.offered.items() for value in them]
            yield f"{form.action}?{urlencode([*form.fields, *sorted(offered)])}"
