"""Identifiers that look like Stripe's: a prefix for the kind, then random letters and digits."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """Make a fresh identifier: `prefix` followed by `length` random characters."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(length))
