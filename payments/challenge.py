"""The challenge that tells people from machines: Turnstile or hCaptcha, verified on the server.

Only a form that is guarded shows one, and only where the settings name it. What their pages say:
https://developers.cloudflare.com/turnstile/get-started/server-side-validation/ and
https://docs.hcaptcha.com/.
"""

from __future__ import annotations

import json
import logging
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from core.settings import Settings
from payments.errors import ChallengeUnavailable

ANSWER_SECONDS = 5
_MOST_ANSWER_BYTES = 64 * 1024
# Theirs are about 2,000 characters long, 2,048 at most.
_MOST_TOKEN_CHARACTERS = 8192
# What their servers say of an answer; all else they say of themselves, or of our keys.
_ITS_FAULT = frozenset(
    {
        "missing-input-response",
        "invalid-input-response",
        "timeout-or-duplicate",
        "expired-input-response",
        "already-seen-response",
        "invalid-or-already-seen-response",
        "not-using-dummy-passcode",
    }
)

log = logging.getLogger("goalpost.guard")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """One who makes challenges, and how a page shows theirs."""

    name: str
    css_class: str
    field: str
    script: str
    verify: str
    # What a page must allow, as sources of the Content-Security-Policy.
    sources: tuple[str, ...]
    directives: tuple[str, ...]


_MAKERS: Mapping[str, _Maker] = {
    "turnstile": _Maker(
        name="Cloudflare",
        css_class="cf-turnstile",
        field="cf-turnstile-response",
        script="https://challenges.cloudflare.com/turnstile/v0/api.js",
        verify="https://challenges.cloudflare.com/turnstile/v0/siteverify",
        # https://developers.cloudflare.com/turnstile/reference/content-security-policy/
        sources=("https://challenges.cloudflare.com",),
        directives=("script-src", "frame-src"),
    ),
    "hcaptcha": _Maker(
        name="hCaptcha",
        css_class="h-captcha",
        field="h-captcha-response",
        script="https://js.hcaptcha.com/1/api.js",
        verify="https://api.hcaptcha.com/siteverify",
        # https://docs.hcaptcha.com/#content-security-policy-settings
        sources=("https://hcaptcha.com", "https://*.hcaptcha.com"),
        directives=("script-src", "frame-src", "style-src", "connect-src"),
    ),
}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow none: the secret goes to the address that we know, and to no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """The challenge of this site, as `templates/_challenge.html` prints it."""

    maker: str
    css_class: str
    field: str
    site_key: str
    script_url: str
    verify_url: str
    sources: tuple[str, ...]
    directives: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> Challenge | None:
        """Return that of the settings, None where they name none."""
        if settings.challenge is None or settings.challenge_site_key is None:
            return None
        maker, base = _MAKERS[settings.challenge], settings.challenge_api_base
        return cls(
            maker=maker.name,
            css_class=maker.css_class,
            field=maker.field,
            site_key=settings.challenge_site_key,
            script_url=_at(maker.script, base),
            verify_url=_at(maker.verify, base),
            sources=(base,) if base else maker.sources,
            directives=maker.directives,
        )

    def allowed(self, policy: str) -> str:
        """Return a page's Content-Security-Policy with what this challenge needs, and no more."""
        told = [directive.split() for directive in policy.split(";")]
        by_name = {name: sources for name, *sources in told}
        for name in self.directives:
            by_name[name] = [*by_name.get(name, []), *self.sources]
        return "; ".join(" ".join([name, *sources]) for name, sources in by_name.items())

    def verify(self, answer: str, *, secret: str) -> bool:
        """Ask its maker whether a person gave `answer`, for the first time.

        Over the network: hold no transaction. Where the donor's address is wanted (`remoteip`), we
        leave it out: it is not needed, and behind a proxy that we don't know of it would be wrong.
        Raises ChallengeUnavailable where the maker can't be asked, or does not know our keys: who
        is not verified is not let through.
        """
        if not answer or len(answer) > _MOST_TOKEN_CHARACTERS:
            return False
        told = self._ask({"secret": secret, "response": answer})
        if told.get("success") is True:
            return True
        codes = told.get("error-codes")
        reasons = {str(code) for code in codes} if isinstance(codes, list) else set()
        if not reasons or reasons - _ITS_FAULT:
            log.error(
                "%s does not verify: %s", self.maker, ", ".join(sorted(reasons)) or "no reason"
            )
            raise ChallengeUnavailable
        return False

    def _ask(self, form: Mapping[str, str]) -> Mapping[str, object]:
        request = urllib.request.Request(  # noqa: S310 - an https address of ours, or the sandbox's
            self.verify_url, data=urllib.parse.urlencode(form).encode(), method="POST"
        )
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=ANSWER_SECONDS) as answer:
                told = json.loads(answer.read(_MOST_ANSWER_BYTES))
        except (OSError, ValueError) as error:  # what urllib raises, and time-outs, are OSErrors
            log.warning("%s can't be asked: %s", self.maker, error)
            raise ChallengeUnavailable from None
        if not isinstance(told, dict):
            raise ChallengeUnavailable
        return told


def _at(address: str, base: str | None) -> str:
    """Return an address at `base` where there is one: the sandbox stands for all their hosts."""
    if base is None:
        return address
    return base + urllib.parse.urlsplit(address).path
