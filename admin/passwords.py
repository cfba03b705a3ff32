"""Which passwords are taken: long ones that are in no list.

As https://pages.nist.gov/800-63-4/sp800-63b.html has it: a length, no rules of composition.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from core.errors import Invalid

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 128


def checked_password(password: str, *, email: str, site_name: str) -> str:
    """Return a password in the form in which it is hashed; raise Invalid.

    Any character is taken, and none is asked for. `email` and `site_name` are what whoever guesses
    tries first.
    """
    normal = unicodedata.normalize("NFKD", password)
    if len(normal) < LEAST_CHARACTERS:
        raise Invalid(f"Take at least {LEAST_CHARACTERS} characters.", field="password")
    if len(normal) > MOST_CHARACTERS:
        raise Invalid(f"Take at most {MOST_CHARACTERS} characters.", field="password")
    bare = _bare(normal)
    guesses = {_bare(part) for part in (email, email.partition("@")[0], site_name)}
    if any(guess and bare.replace(guess, "").isdigit() for guess in guesses) or bare in guesses:
        raise Invalid("That is too near to your address or this site's name.", field="password")
    if len(set(normal)) < _LEAST_DIFFERENT or _is_common(normal.lower()) or _is_common(bare):
        raise Invalid("That is among the first that thieves try: take another.", field="password")
    return normal


_LEAST_DIFFERENT = 5


def _bare(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _is_common(password: str) -> bool:
    """Tell whether a password, or the one that is written in it twice, is in the list."""
    common = _common()
    half = len(password) // 2
    return (
        password in common
        or password.rstrip("0123456789!.?") in common
        or (
            len(password) % 2 == 0
            and password[:half] == password[half:]
            and password[:half] in common
        )
    )


@cache
def _common() -> frozenset[str]:
    # Read where a password is chosen, which is seldom, and not at every start.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415

    return frozenset(FREQUENCY_LISTS["passwords"])
