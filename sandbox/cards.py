"""Stripe's test cards, and what a donor types about one.

https://docs.stripe.com/testing
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sandbox.addresses import is_email

NAME_LENGTH_MAX = 150
CARD_DIGITS = range(12, 20)
EXPIRY = re.compile(r"(0?[1-9]|1[0-2])\s*[/-]?\s*(20)?([0-9]{2})", re.ASCII)
CVC = re.compile(r"[0-9]{3,4}", re.ASCII)


class RefundBehaviour(StrEnum):
    """What becomes of a refund to a card."""

    AT_ONCE = "at_once"
    PENDING_FIRST = "pending_first"
    FAILS_LATER = "fails_later"


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a bank says no: the error's code, the bank's own, and the text that the donor reads."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class TestCard:
    """A number with a fixed fate.

    `secured` cards ask the donor for 3-D Secure first; those with a `renewal_decline` pay while
    the donor is there, and never again.
    """

    number: str
    brand: str
    note: str
    decline: Decline | None = None
    renewal_decline: Decline | None = None
    secured: bool = False
    refunds: RefundBehaviour = RefundBehaviour.AT_ONCE

    @property
    def fingerprint(self) -> str:
        """The same for the same number, and no way back to it."""
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline(code="card_declined", decline_code=decline_code, message=message)


_EXPIRED = Decline(code="expired_card", decline_code=None, message="Your card has expired.")
_WRONG_CVC = Decline(
    code="incorrect_cvc", decline_code=None, message="Your card's security code is incorrect."
)
_PROCESSING = Decline(
    code="processing_error",
    decline_code=None,
    message="An error occurred while processing your card. Try again in a little bit.",
)
_POOR = _declined("insufficient_funds", "Your card has insufficient funds.")

CARDS = {
    card.number: card
    for card in (
        TestCard("4242424242424242", "visa", "is paid"),
        TestCard("4000056655665556", "visa", "is paid (debit)"),
        TestCard("5555555555554444", "mastercard", "is paid"),
        TestCard("378282246310005", "amex", "is paid"),
        TestCard("4000000000000002", "visa", "is declined", _declined("generic_decline")),
        TestCard("4000000000009995", "visa", "has insufficient funds", _POOR),
        TestCard("4000000000009987", "visa", "is lost", _declined("lost_card")),
        TestCard("4000000000009979", "visa", "is stolen", _declined("stolen_card")),
        TestCard("4000000000000069", "visa", "has expired", _EXPIRED),
        TestCard("4000000000000127", "visa", "has another CVC", _WRONG_CVC),
        TestCard("4000000000000119", "visa", "meets a processing error", _PROCESSING),
        TestCard("4000002500003155", "visa", "asks for 3-D Secure", secured=True),
        TestCard("4000000000003220", "visa", "asks for 3-D Secure", secured=True),
        TestCard(
            "4000008400001629",
            "visa",
            "asks for 3-D Secure, then is declined",
            _declined("generic_decline"),
            secured=True,
        ),
        TestCard(
            "4000000000000341",
            "visa",
            "is paid; renewals are declined",
            renewal_decline=_declined("generic_decline"),
        ),
        TestCard(
            "4000000000007726",
            "visa",
            "is paid; refunds are pending first",
            refunds=RefundBehaviour.PENDING_FIRST,
        ),
        TestCard(
            "4000000000005126",
            "visa",
            "is paid; refunds fail later",
            refunds=RefundBehaviour.FAILS_LATER,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class CardEntry:
    """What a donor typed, once it is known to be good."""

    card: TestCard
    email: str
    name: str
    expiry_month: int
    expiry_year: int


def read_entry(typed: Mapping[str, str], *, now_seconds: int) -> CardEntry | dict[str, str]:
    """Read the payment page's fields; give the errors by field where there are any."""
    errors: dict[str, str] = {}
    email, name = typed.get("email", "").strip(), typed.get("name", "").strip()
    if not is_email(email):
        errors["email"] = "Enter an email address, such as jane@example.com."
    if not name or len(name) > NAME_LENGTH_MAX:
        errors["name"] = "Enter the name on the card."
    card = _read_card(typed.get("card_number", ""))
    if isinstance(card, str):
        errors["card_number"] = card
    expiry = _read_expiry(typed.get("expiry", ""), now_seconds=now_seconds)
    if isinstance(expiry, str):
        errors["expiry"] = expiry
    if not CVC.fullmatch(typed.get("cvc", "").strip()):
        errors["cvc"] = "Your card's security code is incomplete."
    if errors or isinstance(card, str) or isinstance(expiry, str):
        return errors
    return CardEntry(
        card=card, email=email, name=name, expiry_month=expiry[0], expiry_year=expiry[1]
    )


def passes_luhn(digits: str) -> bool:
    """Check the last digit of a card's number, as every card form does."""
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0  # noqa: PLR2004 - the rule's own digits


def _read_card(typed: str) -> TestCard | str:
    digits = re.sub(r"[\s-]", "", typed)
    if not digits:
        return "Enter a card number."
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in CARD_DIGITS:
        return "Your card number is incomplete."
    if not passes_luhn(digits):
        return "Your card number is invalid."
    return CARDS.get(digits) or "This test card is not known here. Try 4242 4242 4242 4242."


def _read_expiry(typed: str, *, now_seconds: int) -> tuple[int, int] | str:
    match = EXPIRY.fullmatch(typed.strip())
    if match is None:
        return "Enter the expiry as MM/YY."
    month, year = int(match[1]), 2000 + int(match[3])
    today = datetime.fromtimestamp(now_seconds, UTC)
    if (year, month) < (today.year, today.month):
        return "Your card's expiration year is in the past."
    return month, year
