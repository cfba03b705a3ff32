"""The types of fields that JSON has none for: instants, sums of money, keys of periods.

Shapes of answers are TypedDicts of these beside the code that writes them. mypy holds that code to
its shape, and the OpenAPI document (`core/openapi.py`) is made of the same shapes.
"""

from __future__ import annotations

from typing import Annotated, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

Instant: TypeAlias = Annotated[
    str,
    Field(
        description="A UTC instant, to the second.",
        examples=["2021-05-12T10:11:12Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
Minor: TypeAlias = Annotated[
    int, Field(description="Whole minor units of the currency: cents, yen, fils.")
]
Currency: TypeAlias = Annotated[
    str, Field(description="ISO 4217.", pattern="^[A-Z]{3}$", examples=["USD"])
]
PeriodKey: TypeAlias = Annotated[
    str,
    Field(
        description="As in addresses: a month, a quarter, a year, or the day it begins.",
        examples=["2021-05"],
    ),
]
Address: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "uri"})]


class ErrorDetailJson(TypedDict):
    """What went wrong."""

    code: Annotated[str, Field(description="For programs; it stays.")]
    message: Annotated[str, Field(description="For people, in their language.")]
    hint: Annotated[str, Field(description="What to do next; may be empty.")]
    field: NotRequired[
        Annotated[str, Field(description="The field or parameter that it is about.")]
    ]


class ErrorJson(TypedDict):
    """What every error says."""

    error: ErrorDetailJson
