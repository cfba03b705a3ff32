"""Who comes to a site at once: readers, donors, an admin, and those who want their money back."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count, cycle
from urllib.parse import urlsplit

from bench.reading import PROGRESS
from bench.sites import SLUG
from bench.visitors import Act, Browser, Records, Stream
from tests.sandbox_process import SandboxProcess

# So many a second.
GIFTS, REFUNDS, PAGES = 1.0, 0.1, 1.0
BAR, KNOWN, FRAME, IMAGE = "bar, JSON", "bar, known (304)", "frame", "image"
SCRIPT, MONTHS = "element script", "past months, JSON"
FORM, SENDING, THANKS = "give page", "donation sent", "thanks"
EVENT, AGAIN, ADMIN = "webhook", "webhook, again", "admin page"
KINDS = (BAR, KNOWN, FRAME, IMAGE, SCRIPT, MONTHS, FORM, SENDING, THANKS, EVENT, AGAIN, ADMIN)
# Of which the answer is to be read here.
PLAIN = {"Accept-Encoding": ""}
_ADMIN_PAGES = (
    *("/admin/", "/admin/live", "/admin/months", "/admin/donations", "/admin/entries"),
    f"/admin/campaigns/{SLUG}/months",
)
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_SESSION = re.compile(r"cs_test_\w+")


@dataclass(slots=True)
class Crowd:
    """What each kind of visitor does, and what they tell each other, and us."""

    port: int
    sandbox: SandboxProcess
    records: Records
    cookies: Mapping[str, str]
    chance: random.Random = field(default_factory=lambda: random.Random(2021))  # noqa: S311 - no secret
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    refundable: list[str] = field(default_factory=list)
    refunds: int = 0
    not_modified: int = 0
    month: str | None = None
    seen_at: float | None = None
    browsers: list[Browser] = field(default_factory=list)

    def close(self) -> None:
        """Close the browsers that stay open for the whole run."""
        for browser in self.browsers:
            browser.close()

    def streams(self, readers: float) -> list[Stream]:
        """Return all of them, of whom so many a second read."""
        return [
            Stream(BAR, readers * 0.3, 3, self.look),
            Stream(KNOWN, readers * 0.4, 4, self.come_again),
            Stream(FRAME, readers * 0.1, 1, lambda: self.read(FRAME, f"/embed/{SLUG}")),
            Stream(IMAGE, readers * 0.1, 1, lambda: self.read(IMAGE, f"/c/{SLUG}.svg")),
            Stream(SCRIPT, readers * 0.09, 1, lambda: self.read(SCRIPT, "/embed/v1.js")),
            Stream(MONTHS, readers * 0.01, 1, lambda: self.read(MONTHS, f"{PROGRESS}/periods")),
            Stream(FORM, GIFTS, 6, lambda: self.give),
            Stream("refund", REFUNDS, 1, lambda: self.refund),
            Stream(ADMIN, PAGES, 2, self.administer),
        ]

    def read(self, kind: str, path: str) -> Act:
        """Look at one thing again and again."""
        browser = self._browser()
        return lambda due: _see(browser.ask(kind, path, due=due).body)

    def look(self) -> Act:
        """Look at the bar, and note when it shows the next month."""
        browser = self._browser()

        def act(due: float) -> None:
            answer = browser.ask(BAR, PROGRESS, headers=PLAIN, due=due)
            month = json.loads(answer.body)["period"]["key"]
            if self.month is not None and month > self.month and self.seen_at is None:
                self.seen_at = due - self.records.begun
            self.month = max(month, self.month or month)

        return act

    def come_again(self) -> Act:
        """Ask for the bar with the tag of the last one."""
        browser, known = self._browser(), [""]

        def act(due: float) -> None:
            headers = {"If-None-Match": known[0]} if known[0] else {}
            expected = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
            answer = browser.ask(KNOWN, PROGRESS, headers=headers, expected=expected, due=due)
            known[0] = answer.headers["etag"]
            self.not_modified += answer.status == HTTPStatus.NOT_MODIFIED

        return act

    def give(self, due: float) -> None:
        """Give as a donor does: the form, Stripe's page, the thanks."""
        with closing(Browser(self.port, self.records)) as browser:
            page = browser.ask(FORM, f"/c/{SLUG}", headers=PLAIN, due=due)
            form = dict(_HIDDEN.findall(page.body.decode())) | {
                "amount": f"{self.chance.randint(1, 50)}.{self.chance.randint(0, 99):02}",
                "frequency": "once",
                "email": f"donor{next(self.numbers) // 2}@example.org",  # each of them gives twice
            }
            expected = (HTTPStatus.SEE_OTHER,)
            sent = browser.ask(SENDING, f"/c/{SLUG}/donate", form=form, expected=expected)
            session = _SESSION.search(sent.headers["location"])
            if session is None:
                raise ValueError(f"the donor is sent to {sent.headers['location']}")
            paid = self.sandbox.pay(session[0])
            if paid["outcome"] != "paid":
                raise ValueError(f"a payment is {paid['outcome']}")
            address = urlsplit(paid["success_url"])
            browser.ask(THANKS, f"{address.path}?{address.query}")
        self.refundable.append(str(paid["payment_intent"]))

    def refund(self, _due: float) -> None:
        """Give a gift back at Stripe, or a part of it."""
        if self.refundable:
            payment = self.refundable.pop(self.chance.randrange(len(self.refundable)))
            self.sandbox.refund(payment, self.chance.choice([None, 50]))
            self.refunds += 1

    def administer(self) -> Act:
        """Go through pages of the admin."""
        browser, pages = self._browser(self.cookies), cycle(_ADMIN_PAGES)
        return lambda due: _see(browser.ask(ADMIN, next(pages), due=due).body)

    def _browser(self, cookies: Mapping[str, str] | None = None) -> Browser:
        browser = Browser(self.port, self.records, cookies)
        self.browsers.append(browser)
        return browser


def _see(body: bytes) -> None:
    if not body:
        raise ValueError("the answer is empty")
