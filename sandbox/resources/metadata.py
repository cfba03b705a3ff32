"""Metadata: the names and notes that a merchant ties to an object.

https://docs.stripe.com/api/metadata
"""

from sandbox.errors import invalid
from sandbox.transaction import Body

KEYS_MAX = 50
KEY_LENGTH_MAX = 40
VALUE_LENGTH_MAX = 500


def merge(params: Body, *, into: dict[str, str] | None = None, param: str = "metadata") -> Body:
    """Give what an object's metadata becomes: an empty value unsets a key, an empty text all."""
    given = params.get("metadata", {})
    merged: Body = {} if given == "" else dict(into or {})
    for key, value in (given or {}).items():
        if len(key) > KEY_LENGTH_MAX:
            raise invalid(
                f"Metadata keys can be up to {KEY_LENGTH_MAX} characters long.", param=param
            )
        if len(value) > VALUE_LENGTH_MAX:
            raise invalid(
                f"Metadata values can have up to {VALUE_LENGTH_MAX} characters, but you passed in "
                f"a value that is {len(value)} characters.",
                param=f"{param}[{key}]",
            )
        if value:
            merged[key] = value
        else:
            merged.pop(key, None)
    if len(merged) > KEYS_MAX:
        raise invalid(f"Metadata can have up to {KEYS_MAX} keys.", param=param)
    return merged
