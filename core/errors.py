"""The one tree of errors that a user may read about; `core.web` and `ops` map it to their edge."""

from __future__ import annotations

from typing import ClassVar

from core.words import N_, Words


class DomainError(Exception):
    """Something that a person asked for and can't have, in words that they may read.

    `code` is stable and for machines; `message` is one sentence for people and carries no
    internals. `field` names the form field or option that the sentence stands beside, if any.
    A sentence that readers may see is marked for translation, with its blanks named:

        raise Invalid(N_("The least is {amount}."), field="amount", amount=label)
    """

    code: ClassVar[str] = "invalid"
    hint: ClassVar[str] = ""

    def __init__(self, message: str, *, field: str | None = None, **blanks: str) -> None:
        self.message = message.format(**blanks) if blanks else message
        super().__init__(self.message)
        self.field = field
        self._text, self._blanks = message, blanks

    def told(self, words: Words) -> str:
        """Return the sentence in the language of `words`; in English where it has no other."""
        text = words.gettext(self._text)
        return text.format(**self._blanks) if self._blanks else text


class NotFound(DomainError):
    """The thing named does not exist, or not for this reader."""

    code = "not_found"


class Invalid(DomainError):
    """What was typed can't be used as it is."""

    code = "invalid"


class Conflict(DomainError):
    """What was asked for contradicts what is there."""

    code = "conflict"


class Unauthenticated(DomainError):
    """Nobody knows who asks."""

    code = "unauthenticated"


class Forbidden(DomainError):
    """Whoever asks may not do this; asking again does not help."""

    code = "forbidden"


class TooMany(DomainError):
    """What was asked for was asked for too often; the same request works later."""

    code = "too_many_requests"
    hint = N_("Nothing was charged.")


class Unavailable(DomainError):
    """Something that we depend on does not answer; the same request may work later."""

    code = "unavailable"
    hint = N_("Nothing was charged. Please try again in a minute.")
