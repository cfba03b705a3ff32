"""Form-encoded nested parameters, as the SDK sends them: `line_items[0][price_data][currency]=usd`.

Everything becomes nested dicts of strings. Whether `{"0": …}` means a list is known only to the
parameter's type (metadata may have a key "0"), so strict.py decides that.
"""

import re
from typing import cast
from urllib.parse import parse_qsl

from sandbox.errors import invalid
from sandbox.transaction import Body

FIELDS_MAX = 1_000
DEPTH_MAX = 12
KEY = re.compile(r"(?P<head>[^\[\]]+)(?P<rest>(\[[^\[\]]*\])*)")


def decode(raw: str) -> Body:
    """Decode a query string or a form body; raise a 400 for what no SDK would send."""
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise invalid(
            "The request's parameters could not be decoded as UTF-8 form data."
        ) from error
    decoded: Body = {}
    for key, value in pairs:
        _place(decoded, _path(key), key, value)
    return decoded


def _path(key: str) -> list[str]:
    match = KEY.fullmatch(key)
    if match is None:
        raise invalid(f"Invalid parameter name: {key[:100]}", param=key[:100])
    path = [match["head"], *re.findall(r"\[([^\[\]]*)\]", match["rest"])]
    if len(path) > DEPTH_MAX:
        raise invalid("The request's parameters are nested too deeply.", param=match["head"])
    return path


def _place(decoded: Body, path: list[str], key: str, value: str) -> None:
    here = decoded
    for part in path[:-1]:
        below = here.setdefault(_index(here, part), {})
        if not isinstance(below, dict):
            raise invalid(f"Invalid parameter: {key[:100]} is given twice.", param=path[0])
        here = cast("Body", below)
    last = _index(here, path[-1])
    if isinstance(here.get(last), dict):
        raise invalid(f"Invalid parameter: {key[:100]} is given twice.", param=path[0])
    here[last] = value


def _index(here: Body, part: str) -> str:
    """Number the items of `expand[]=…&expand[]=…`, which name no index."""
    return part or str(len(here))
