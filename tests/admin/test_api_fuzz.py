"""Schemathesis goes over the APIs by their description: no 500, and no answer but those told."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import nullcontext, suppress
from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy.orm import Session

from tests.admin.conftest import Token
from tests.campaigns.books import fill
from tests.conftest import MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LONG = 100
# 501 is oEmbed's own, for a format that it does not know.
OURS = {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE}
HELD = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.mark.parametrize("examples", [5, pytest.param(400, marks=pytest.mark.slow)])
def test_whatever_is_asked_is_answered_as_described(
    app: Flask, token: Token, make_campaign: MakeCampaign, session: Session, examples: int
) -> None:
    fill(session, make_campaign(), seed=7, gifts=10)
    session.commit()
    headers, numbers = token(), itertools.count()
    described = schemathesis.openapi.from_wsgi("/openapi.json", app)
    answers: Counter[int] = Counter()

    for found in described.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        for mode in GenerationMode:

            @settings(
                max_examples=examples,
                derandomize=examples < LONG,  # what is committed passes; the long run looks on
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                # A key of its own, so that each gift that can be recorded is.
                key = {"Idempotency-Key": f"transfer-{next(numbers)}"}
                answer = case.call_and_validate(headers=headers | key, checks=HELD)
                answers[answer.status_code] += 1
                assert answer.status_code not in OURS

            # Of some nothing wrong can be asked: they take no parameter.
            with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
                ask()

    assert {HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY} <= set(answers)
