"""Donors who fill in the form by HTTP, and send it again where no answer came."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode

ANSWER_SECONDS = 20.0
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_SESSION = re.compile(r"cs_test_\w+")


def come_back(address: str) -> None:
    """Open the page of thanks, which asks Stripe by itself; whether it answers decides nothing."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError, http.client.HTTPException):
        opener.open(address, timeout=ANSWER_SECONDS).close()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_request: Any, **_more: Any) -> None:
        """Stay where we are: the address is what we want to know."""


@dataclass
class Donor:
    """One filled-in form; `session_id` is known once we were sent to Stripe's page."""

    page: str
    fields: dict[str, str]
    session_id: str | None = None
    is_over: bool = False  # sent to the thanks: there is nothing left to pay
    _opener: Any = field(init=False)

    def __post_init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(CookieJar()),
            _NoRedirect,
        )

    def give(self) -> bool:
        """Open the form where that is not done, and send it; tell whether we were sent on."""
        if "form_token" not in self.fields:
            status, text, _ = self._ask(self.page)
            if status != http.HTTPStatus.OK:
                return False
            self.fields |= dict(_HIDDEN.findall(text))
        status, _, location = self._ask(f"{self.page}/donate", urlencode(self.fields).encode())
        if status != http.HTTPStatus.SEE_OTHER:
            return False
        found = _SESSION.search(location)
        self.is_over = found is None
        self.session_id = found[0] if found else None
        return True

    def _ask(self, address: str, data: bytes | None = None) -> tuple[int, str, str]:
        """Return status, text and where to; status 0 where the other side died."""
        try:
            with self._opener.open(address, data, timeout=ANSWER_SECONDS) as answer:
                return answer.status, answer.read().decode(), ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "", error.headers.get("Location", "")
        except (OSError, http.client.HTTPException):
            return 0, "", ""
