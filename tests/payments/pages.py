"""Reading our own pages the way that a browser would: fields, errors, addresses."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from payments.models import InboxEvent

T = TypeVar("T")


def look(session: Session, statement: Select[T]) -> Sequence[T]:
    """Return what is committed by now, and leave no transaction open: requests may follow."""
    session.rollback()
    found = session.scalars(statement).all()
    session.expunge_all()
    session.rollback()
    return found


def inbox(session: Session) -> dict[str, str]:
    """Return what became of each event, by its id."""
    return {event.event_id: event.state for event in look(session, select(InboxEvent))}


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name")
        if tag == "textarea" and name:
            self._area, self.found[name] = name, ""
        elif (
            tag == "input"
            and name
            and (given.get("type") not in {"checkbox", "radio"} or "checked" in given)
        ):
            self.found[name] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None


def fields_of(response: TestResponse) -> dict[str, str]:
    """Return the form's fields as they stand on the page."""
    parser = _Fields()
    parser.feed(response.text)
    return parser.found


def open_form(client: FlaskClient, slug: str = "support-us", **query: str) -> dict[str, str]:
    """Open a campaign's page and return its form's fields."""
    response = client.get(f"/c/{slug}", query_string=query)
    assert response.status_code == 200
    return fields_of(response)


def give_online(client: FlaskClient, slug: str = "support-us", **typed: str) -> TestResponse:
    """Open the form, fill in `typed`, and send it."""
    return client.post(f"/c/{slug}/donate", data=open_form(client, slug) | typed)


def donation_of(address: str) -> str:
    """Return the donation's id that one of our addresses names."""
    return parse_qs(urlsplit(address).query)["donation"][0]
