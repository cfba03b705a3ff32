"""Whatever is sent to any form, it is answered, and never with an error of ours.

The forms are found by a walk over the whole site and held against the templates: one that is new
is tried without anybody saying so. So are the questions of addresses that are read. 51, 60 and 63
of the faults, for every form at once.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, encode_multipart
from werkzeug.wrappers import Response

from app import create_app
from campaigns.audit import verify_ledger
from core.clock import MovableClock
from tests.conftest import START, fresh_database, make_settings
from tests.fake_gateway import FakeGateway
from tests.faults.forms import (
    Form,
    MarkForms,
    NotingRequest,
    Walk,
    endpoint_of,
    known_pages,
    pages_of_the_library,
    read_forms,
    walk,
    written_forms,
)
from tests.faults.full_site import FullSite

# What fails over a long text is to be shown, and not that it is long.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
# Shown to who gives during an attack, with the fields and the address of `_form.html`'s form:
# tests/payments/test_challenge.py has the attack.
NEVER_MET = {"resting.html:0"}
MOST_CHOICES = 6  # tried of those that a field offers, to see what is asked next
REFUSED = {400, 403, 404, 405}
LIKELY = (
    *("0", "1", "-1", "20", "1e5", "1,00", "٣", "²", "9" * 400, "99999999999999999999", "0.001"),
    *("-20", "NaN", "inf", "9223372036854775808", "1" + "0" * 30, "2021-05", "2021-13", "0000-01"),
    *("2021-02-30", "9999-12-31", "0001-01-01", "2021-05-10", "2021-05-10T25:00", "12:00"),
    *("ann@example.org", "a@b", "ann@example.org\nBcc: x@example.org", "@" * 300),
    *("https://[", "javascript:alert(1)", "//evil.example", "http://127.0.0.1:1/", "../../etc"),
    *("USD", "JPY", "XXX", "UTC", "America", "America/New_York", "../etc/localtime", "de-", "und"),
    *("none", "month", "once", "year", "percent", "open", "archived", "on", "owner", "all", "true"),
    *("{amount}", "{amount!r:>99}", "%s", "%00", "<script>", "</textarea>", "'; --", "=1+1"),
    *("#ffffff", "1\n2\n3", "2.9+0.30", "tier:x base", "support-us", "pi_1", "cs_test_1", "{}"),
    *('{"id":"x","rawId":"eA","type":"public-key","response":{}}', "[]", "null", "[" * 5000),
)
STRANGE = (
    *("", " ", "\0", "a\0b", "\x1b[2J", "\r\n", "\u202e", "\u200b", "\ufeff", "\ud7ff", "\uffff"),
    *("𝔘" * 200, "🏳️‍🌈", "ß" * 3000, "x" * 100_000, "x" * 1_000_000, "e\u0301" * 500),
)
RAW = (b"\xff\xfe", b"\xc3", b"\xed\xa0\x80")  # what is no UTF-8
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
UNKNOWN = ("id", "state", "csrf_token", "__class__", "role", "amount_minor", "donor_id", "a" * 5000)


@dataclass(frozen=True)
class Found:
    """A form, whose it is, and what had to be sent before it was shown."""

    form: Form
    visitor: str
    before: tuple[tuple[Form, tuple[tuple[str, tuple[str, ...]], ...]], ...] = ()


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FullSite]:
    folder = tmp_path_factory.mktemp("forms")
    with fresh_database(request, "sqlite", folder) as url:
        clock = MovableClock(START)
        settings = make_settings(
            database_url=url,
            mail_url="smtp://localhost:2525",
            mail_from="The Courier <support@courier.example>",
            checkout="embedded",
            stripe_publishable_key="pk_test_ours",
        )
        gateway = FakeGateway(settings, clock)
        app = create_app(settings, clock=clock, gateway=gateway)
        app.testing = True  # an error of ours is raised here, and no page of it made
        app.jinja_env.add_extension(MarkForms)
        app.request_class = NotingRequest
        yield FullSite(app, gateway, clock, folder / "goalpost.sqlite")


@pytest.fixture(scope="module")
def walks(site: FullSite) -> list[tuple[str, Walk]]:
    """What each visitor meets; two of them look around, the others where they stand."""
    found = []
    for visitor, roots in site.roots.items():
        looks_around = visitor in {"guest", "owner"}
        places = [[root] for root in (*roots, *pages_of_the_library(site.app))]
        if looks_around:
            blanks = {"slug": "support-us", "key": "2021-05", "form": "svg"}
            own = known_pages(site.app, admin=visitor == "owner", **blanks)
            places = [[*roots, *own], *places[len(roots) :]]
        for number, begin in enumerate(places):
            site.undo()
            on = looks_around and number == 0
            found.append((visitor, walk(site.app, site.visitor(visitor), begin, on=on)))
    return found


@pytest.fixture(scope="module")
def found(site: FullSite, walks: list[tuple[str, Walk]]) -> dict[str, Found]:
    """Every form that posts, by where it is written: of pages, then of answers to forms."""
    found: dict[str, Found] = {}
    for visitor, met in walks:
        for form in met.forms:
            if form.posts:
                found.setdefault(form.mark, Found(form, visitor))
    waiting = list(found.values())
    while waiting:
        one = waiting.pop(0)
        for data in ways_to_send(one.form):
            client = come(site, one)
            answer = send(client, one.form, data)
            _, forms = read_forms(where(one.form, answer), shown(client, one.form, answer))
            sent = tuple((name, tuple(values)) for name, values in data.items())
            for form in forms:
                if form.posts and form.mark not in found:
                    found[form.mark] = Found(form, one.visitor, (*one.before, (one.form, sent)))
                    waiting.append(found[form.mark])
    site.undo()
    return found


def ways_to_send(form: Form) -> Iterator[dict[str, list[str]]]:
    """Yield a form untouched, with what is empty filled in, and with each choice that it offers."""
    yield form.data()
    empty = {name: ["1"] for name, value in form.fields if not value}
    if empty:
        yield form.data(**empty)
    for name, values in form.offered.items():
        for value in sorted(values)[:MOST_CHOICES]:
            yield form.data(**{name: [value]})


def come(site: FullSite, found: Found) -> FlaskClient:
    """Return a visitor who stands before the form, on a site to which nothing was done."""
    site.undo()
    client = site.visitor(found.visitor)
    for form, sent in found.before:
        send(client, form, {name: list(values) for name, values in sent}).close()
    return client


def send(
    client: FlaskClient, form: Form, data: dict[str, list[Any]], *, in_parts: bool = False
) -> TestResponse:
    """Post fields; in parts, as forms with files do, bytes are sent as a file."""
    if not in_parts:
        kind = "application/x-www-form-urlencoded"
        body: str | bytes = urlencode(data, doseq=True)
    else:
        parts = MultiDict[str, Any]()
        for name, values in data.items():
            for value in values:
                is_file = isinstance(value, bytes)
                parts.add(name, FileStorage(io.BytesIO(value), "x.csv") if is_file else value)
        boundary, body = encode_multipart(parts)
        kind = f"multipart/form-data; boundary={boundary}"
    return client.post(form.action, data=body, content_type=kind)


def where(form: Form, answer: TestResponse) -> str:
    return urljoin(form.action, answer.location) if answer.location else form.action


def shown(client: FlaskClient, form: Form, answer: TestResponse) -> str:
    """Return the page that a browser shows next, where it is one of ours."""
    if answer.location:
        place = where(form, answer)
        if endpoint_of(client.application, place) is None:
            return ""
        answer = client.get(place.removeprefix("http://localhost:8000"))
    with answer:
        return answer.text if answer.mimetype == "text/html" else ""


def test_every_form_of_the_templates_is_met(found: dict[str, Found]) -> None:
    assert written_forms(TEMPLATES) - set(found) == NEVER_MET


def test_every_form_is_taken_as_it_stands(site: FullSite, found: dict[str, Found]) -> None:
    for mark, one in found.items():
        answer = send(come(site, one), one.form, one.form.data())
        assert answer.status_code not in REFUSED, (mark, one)
        assert answer.status_code < 500, (mark, one)


def check(answer: Response, path: str) -> None:
    """Hold an answer to what every answer keeps, whatever was asked."""
    assert answer.status_code < 500, path
    assert answer.headers["X-Content-Type-Options"] == "nosniff", path
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'"), path
    assert "unsafe" not in policy, path
    assert "Referrer-Policy" in answer.headers, path
    if path.startswith("/admin"):
        assert answer.headers["Cache-Control"] == "no-store", path
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", path
    if answer.mimetype == "text/html":
        assert b"Traceback (most recent call last)" not in answer.data, path


def values_of(own: Sequence[str]) -> st.SearchStrategy[Any]:
    likely = st.sampled_from(LIKELY)
    if own:
        likely = likely | st.sampled_from(own)
    return st.lists(likely | st.sampled_from(STRANGE) | st.sampled_from(RAW) | TEXT, max_size=3)


def changes_of(form: Form) -> st.SearchStrategy[dict[str, list[Any]]]:
    """Some fields are sent otherwise: none of one, others, several; and some that no form has."""
    own = {name: sorted(form.offered.get(name, ())) for name in form.names}
    for name, value in form.fields:
        own.setdefault(name, []).append(value)
    known = {name: values_of(values) for name, values in own.items() if name != "csrf_token"}
    unknown = dict.fromkeys(UNKNOWN, st.lists(st.sampled_from(LIKELY) | TEXT, max_size=2))
    fields = st.fixed_dictionaries({}, optional=known)
    return st.builds(
        lambda a, b: a | b, fields, st.just({}) | st.fixed_dictionaries({}, optional=unknown)
    )


def try_form(site: FullSite, one: Found, examples: int) -> None:
    """Send a form in many ways, each to a fresh copy of the site."""
    form = one.form
    path = urlsplit(form.action).path

    @hypothesis_settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(
        changes=changes_of(form), in_parts=st.booleans(), repeated=st.sampled_from([0, 0, 0, 9_999])
    )
    def example(changes: dict[str, list[Any]], *, in_parts: bool, repeated: int) -> None:
        note(f"{form.mark} {form.action} {changes}")
        client = come(site, one)
        data = form.data() | changes | {f"f{number}": ["x"] for number in range(repeated)}
        answer = send(client, form, data, in_parts=in_parts)
        check(answer, path)
        shown(client, form, answer)
        # Whatever was stored by it can be shown.
        for page in (form.page, "/c/support-us", "/embed/support-us", "/admin/"):
            with client.get(page) as again:
                check(again, urlsplit(page).path)
        with site.books.session() as session:
            assert verify_ledger(session).differences == ()

    example()


def test_no_form_fails_over_what_is_sent(site: FullSite, found: dict[str, Found]) -> None:
    for one in found.values():
        try_form(site, one, 3)


@pytest.mark.slow
def test_no_form_fails_over_much_that_is_sent(site: FullSite, found: dict[str, Found]) -> None:
    for one in found.values():
        try_form(site, one, 200)


def readable(site: FullSite, walks: list[tuple[str, Walk]]) -> dict[str, tuple[str, str]]:
    """Return an address of each view that reads what stands after `?`, and who may ask for it."""
    found: dict[str, tuple[str, str]] = {}
    for visitor, met in walks:
        for address, answer in met.pages.items():
            endpoint = endpoint_of(site.app, address)
            if endpoint in NotingRequest.asked and answer.status_code == 200:
                found.setdefault(endpoint, (visitor, address))
    return found


def ask_otherwise(site: FullSite, walks: list[tuple[str, Walk]], examples: int) -> None:
    for endpoint, (visitor, address) in readable(site, walks).items():
        site.undo()
        ask_page(site.visitor(visitor), address, endpoint, examples)


def ask_page(client: FlaskClient, address: str, endpoint: str, examples: int) -> None:
    """Ask for a page in many ways: what it looks for, said otherwise, and what it does not."""
    parts = urlsplit(address)
    own = parse_qs(parts.query)
    names = {*NotingRequest.asked[endpoint], *own, *UNKNOWN[:2]}
    asked = {name: values_of(own.get(name, [])) for name in sorted(names)}

    @hypothesis_settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(changes=st.fixed_dictionaries({}, optional=asked))
    def example(changes: dict[str, list[Any]]) -> None:
        note(f"{parts.path} {changes}")
        query = urlencode(own | changes, doseq=True)
        with client.get(parts.path, query_string=query) as answer:
            # 501 is oEmbed's own, for a format that it does not know.
            if (endpoint, answer.status_code) != ("oembed.oembed", 501):
                check(answer, parts.path)

    example()


def test_no_page_fails_over_what_it_is_asked(site: FullSite, walks: list[tuple[str, Walk]]) -> None:
    # It is not for want of finding them that none fails.
    views = set(readable(site, walks))
    assert {"give.campaign_page", "images.image_png", "admin_log.log", "widget.frame"} <= views
    assert "amount" in NotingRequest.asked["give.campaign_page"]
    ask_otherwise(site, walks, 3)


@pytest.mark.slow
def test_no_page_fails_over_much_that_it_is_asked(
    site: FullSite, walks: list[tuple[str, Walk]]
) -> None:
    ask_otherwise(site, walks, 200)
