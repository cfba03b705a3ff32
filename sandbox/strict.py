"""Check a request's parameters against the SDK's own typed params.

The SDK's `TypedDict`s list every parameter of every request. Here they become pydantic validators
that know the wire: numbers and booleans arrive as text, lists as `{"0": …}`, unknown parameters
are refused, and so is a value outside an enumeration (the SDK keeps those open, Stripe does not).
Rules across several parameters are the resource modules' affair.
"""

import importlib
import re
import threading
import types
import typing
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

import pydantic
from pydantic import BeforeValidator, ConfigDict, TypeAdapter
from typing_extensions import TypedDict, get_type_hints, is_typeddict

from sandbox.errors import ApiError, invalid
from sandbox.transaction import Body

INTEGER = re.compile(r"-?[0-9]{1,18}")
EMPTY = (
    "You passed an empty string for '{param}'. We assume empty values are an attempt to unset a "
    "parameter; however '{param}' cannot be unset."
)
_building = threading.Lock()


def validate(params_type: str, params: Body) -> Body:
    """Turn decoded text into typed parameters.

    `params_type` names one of the SDK's types, such as
    `checkout._session_create_params:SessionCreateParams`. Raises a 400 that names the parameter.
    """
    with _building:  # Building twice at once would only waste time, but pydantic is not asked to.
        adapter = _adapter(params_type)
    try:
        validated: Body = adapter.validate_python(params)
    except pydantic.ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0], params) from None
    return validated


@cache
def _adapter(params_type: str) -> TypeAdapter[Any]:
    module, name = params_type.split(":")
    # Imported when first used: the SDK is large and slow to load.
    params_class = getattr(importlib.import_module("stripe.params." + module), name)
    return TypeAdapter(_closed(params_class))


@cache
def _closed(params_class: type) -> Any:
    """Copy a TypedDict with every type inside it closed, without the SDK's request options."""
    options = importlib.import_module("stripe._request_options").RequestOptions.__annotations__
    namespace = {
        **vars(typing),
        **vars(importlib.import_module(params_class.__module__)),
        "StripeContext": str,
        "UntypedStripeObject": _Untyped,
    }
    hints = get_type_hints(params_class, globalns=namespace, include_extras=True)
    fields = {name: _convert(hint) for name, hint in hints.items() if name not in options}
    make_typed_dict: Any = TypedDict  # mypy knows only those that are written out.
    closed = make_typed_dict(params_class.__name__, fields)
    closed.__pydantic_config__ = ConfigDict(extra="forbid")
    return closed


class _Untyped:
    """Stand for the SDK's `UntypedStripeObject[T]`: on the wire it is a plain mapping."""

    def __class_getitem__(cls, item: Any) -> Any:
        return dict[str, item]


def _convert(hint: Any) -> Any:
    """Say what a type of the SDK's is on the wire."""
    origin, arguments = get_origin(hint), get_args(hint)
    converted = hint
    if is_typeddict(hint):
        converted = _closed(hint)
    elif origin in (NotRequired, Required, Annotated):
        inner = _convert(arguments[0])
        converted = inner if origin is Annotated else origin[inner]
    elif origin in (Union, types.UnionType):
        converted = _convert_union(arguments)
    elif origin is list:
        items = list.__class_getitem__(_convert(arguments[0]))
        converted = Annotated[items, BeforeValidator(_as_list)]
    elif origin is dict:
        # Metadata's values may be empty: that unsets them.
        values = str if arguments[1] is str else _convert(arguments[1])
        converted = dict.__class_getitem__((str, values))
    elif isinstance(hint, type):
        converted = LEAVES.get(hint, hint)
    return converted


def _convert_union(members: tuple[Any, ...]) -> Any:
    """Close an open enumeration: `Literal["a", "b"] | str` takes "a" and "b" only."""
    literals = [member for member in members if get_origin(member) is Literal]
    closed = any(get_args(literal) != ("",) for literal in literals)
    kept = [member for member in members if not (closed and member is str)]
    return Union[tuple(_convert(member) for member in kept)]  # noqa: UP007 - made at run time


def _as_list(value: object) -> object:
    if isinstance(value, dict) and list(value) == [str(index) for index in range(len(value))]:
        return list(value.values())
    return value


def _integer(value: object) -> int:
    if not isinstance(value, str) or not INTEGER.fullmatch(value):
        raise ValueError("integer")
    return int(value)


def _boolean(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("boolean")
    return value == "true"


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("string")  # noqa: TRY004 - pydantic collects ValueErrors only
    if value == "":
        raise ValueError("empty")
    return value


LEAVES: dict[type, Any] = {
    int: Annotated[int, BeforeValidator(_integer)],
    bool: Annotated[bool, BeforeValidator(_boolean)],
    str: Annotated[str, BeforeValidator(_string)],
}


def _refusal(error: Any, params: Body) -> ApiError:
    """Say in Stripe's words what pydantic found first."""
    path, value = _locate(error["loc"], params)
    param = path[0] + "".join(f"[{part}]" for part in path[1:])
    kind = str(error.get("ctx", {}).get("error") or error["type"])
    shown = value[:100] if isinstance(value, str) else "a hash"
    if kind == "literal_error":
        return invalid(f"Invalid {param}: must be one of {error['ctx']['expected']}", param=param)
    code, message = {
        "extra_forbidden": ("parameter_unknown", f"Received unknown parameter: {param}"),
        "missing": ("parameter_missing", f"Missing required param: {param}."),
        "empty": ("parameter_invalid_empty", EMPTY.format(param=param)),
        "integer": ("parameter_invalid_integer", f"Invalid integer: {shown}"),
        "boolean": (None, f"Invalid boolean: {shown}"),
        "string": (None, f"Invalid string: {shown}"),
    }.get(kind, (None, f"Invalid value: {shown}"))
    return invalid(message, param=param, code=code)


def _locate(location: tuple[int | str, ...], params: Body) -> tuple[list[str], object]:
    """Walk the request along pydantic's location, which also names members of unions."""
    path: list[str] = []
    here: object = params
    for position, part in enumerate(location):
        if isinstance(here, dict) and str(part) in here:
            here = here[str(part)]
        elif position != len(location) - 1 or not isinstance(here, dict) or "[" in str(part):
            continue
        path.append(str(part))
    return path or [str(location[0])], here
