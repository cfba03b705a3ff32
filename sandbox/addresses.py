"""What passes for an address of mail and of the web."""

import re
from urllib.parse import urlsplit

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
EMAIL_LENGTH_MAX = 254
WEB_LENGTH_MAX = 5_000


def is_email(text: str) -> bool:
    """Say whether a text looks like an address for mail."""
    return len(text) <= EMAIL_LENGTH_MAX and EMAIL.fullmatch(text) is not None


def is_web_address(text: str) -> bool:
    """Say whether a text is an absolute http or https address."""
    if len(text) > WEB_LENGTH_MAX or any(character.isspace() for character in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
