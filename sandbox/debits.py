"""Bank debits: a method that is confirmed today and known to have worked days later.

It stands for all of Stripe's delayed methods (SEPA, ACH, Bacs, …), whatever the currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.addresses import is_email
from sandbox.cards import NAME_LENGTH_MAX, Decline

METHOD = "us_bank_account"
LAST4 = "6789"
BOUNCED = Decline(
    code="payment_intent_payment_attempt_failed",
    decline_code=None,
    message="The payment failed: the bank account has insufficient funds.",
)


@dataclass(frozen=True, slots=True)
class DebitEntry:
    """What a donor typed who lets their bank account be debited."""

    email: str
    name: str


def read_debit(typed: Mapping[str, str]) -> DebitEntry | dict[str, str]:
    """Read the payment page's fields; give the errors by field where there are any."""
    email, name = typed.get("email", "").strip(), typed.get("name", "").strip()
    errors: dict[str, str] = {}
    if not is_email(email):
        errors["email"] = "Enter an email address, such as jane@example.com."
    if not name or len(name) > NAME_LENGTH_MAX:
        errors["name"] = "Enter the account holder's name."
    return errors or DebitEntry(email=email, name=name)
