"""Who tells people from machines, on one's own machine: in Turnstile's and in hCaptcha's place.

It serves a script that puts a checkbox where theirs puts a widget, and answers `siteverify` as they
do. What begins with `pass` is a person's answer, once; anything else is none. A secret that begins
with `wrong` is not known here.
"""

from __future__ import annotations

import threading

from flask import Blueprint, Response, request

_SCRIPT = """\
'use strict';
for (const [name, field] of [
  ['cf-turnstile', 'cf-turnstile-response'],
  ['h-captcha', 'h-captcha-response'],
]) {
  for (const place of document.getElementsByClassName(name)) {
    const label = document.createElement('label');
    const box = document.createElement('input');
    const answer = document.createElement('input');
    box.type = 'checkbox';
    answer.type = 'hidden';
    answer.name = field;
    box.addEventListener('change', () => {
      const prefix = place.dataset.sitekey.startsWith('fail') ? 'fail-' : 'pass-';
      const random = crypto.getRandomValues(new Uint32Array(2)).join('-');
      answer.value = box.checked ? prefix + random : '';
    });
    label.append(box, ' I am a person (sandbox)');
    place.append(label, answer);
  }
}
"""
_WRONG = "wrong"
_PERSON = "pass"


def make_blueprint() -> Blueprint:
    """Make the pages; which answers were seen is kept for as long as the process lives."""
    challenge = Blueprint("challenge", __name__)
    seen: set[str] = set()
    lock = threading.Lock()

    def verify(*, used: str) -> dict[str, object]:
        secret, answer = request.form.get("secret", ""), request.form.get("response", "")
        if not secret or secret.startswith(_WRONG):
            return _no("invalid-input-secret")
        if not answer:
            return _no("missing-input-response")
        if not answer.startswith(_PERSON):
            return _no("invalid-input-response")
        with lock:
            if answer in seen:
                return _no(used)
            seen.add(answer)
        return {"success": True, "error-codes": []}

    @challenge.get("/turnstile/v0/api.js")
    @challenge.get("/1/api.js")
    def script() -> Response:
        return Response(_SCRIPT, content_type="text/javascript; charset=utf-8")

    @challenge.post("/turnstile/v0/siteverify")
    def turnstile() -> dict[str, object]:
        return verify(used="timeout-or-duplicate")

    @challenge.post("/siteverify")
    def hcaptcha() -> dict[str, object]:
        return verify(used="already-seen-response")

    return challenge


def _no(code: str) -> dict[str, object]:
    return {"success": False, "error-codes": [code]}
