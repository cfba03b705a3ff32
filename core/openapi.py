"""OpenAPI 3.1: what each route of the JSON APIs says of itself, gathered at `/openapi.json`.

    @bp.get("/api/v1/campaigns/<slug>")
    @described(ProgressJson, SLUG, LANG, errors=(HTTPStatus.NOT_FOUND,))
    def campaign_progress(slug: str) -> Response:
        \"\"\"Serve the progress.\"\"\"

Path and method are the route's own, the summary is the first line of its docstring, the shapes are
those that mypy holds the code to. https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, TypeAlias, TypeVar, cast

from flask import Blueprint, Flask, Response, current_app, request
from pydantic import TypeAdapter
from werkzeug.routing import Rule

from core.shapes import ErrorJson
from core.web import settings

F = TypeVar("F", bound=Callable[..., Any])
Json: TypeAlias = dict[str, Any]
VERSION = "1.0"
_ABOUT = """\
How a campaign stands, for anybody; and the admin's books, for programs that show a token.

Money is whole minor units in fields that end in `_minor`, times are UTC, periods are named as in
their addresses. Within v1 fields are added; none is taken away or changes what it means.
"""
_TOKEN = "An owner makes it at `/admin/tokens` and chooses its scopes."  # noqa: S105 - no token
_OPERATION = "goalpost_operation"
_TEXT = "goalpost.openapi"
_BLANK = re.compile(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>")
_CACHED = "public, max-age=300"

bp = Blueprint("openapi", __name__)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One that an operation reads; `schema` is JSON Schema."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    where: Literal["query", "path", "header"] = "query"
    required: bool = False

    def to_json(self) -> Json:
        """Return it as OpenAPI writes it."""
        return {
            "name": self.name,
            "in": self.where,
            "description": self.description,
            "required": self.required or self.where == "path",
            "schema": dict(self.schema),
        }


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route answers and reads. `scope` is that of a token, where it wants one."""

    answer: Any
    parameters: tuple[Parameter, ...]
    status: HTTPStatus
    body: Any
    scope: str | None
    has_tag: bool
    media: tuple[str, ...]
    also: tuple[tuple[HTTPStatus, Any], ...]


def described(
    answer: Any,
    *parameters: Parameter,
    status: HTTPStatus = HTTPStatus.OK,
    body: Any = None,
    errors: tuple[HTTPStatus, ...] = (),
    scope: str | None = None,
    has_tag: bool = False,
    media: tuple[str, ...] = (),
    also: tuple[tuple[HTTPStatus, Any], ...] = (),
) -> Callable[[F], F]:
    """Say what a route answers (a TypedDict), what it reads, and how it may fail.

    With `has_tag` what the asker has already is answered by 304. `media` are others than JSON,
    `also` are other answers with shapes of their own.
    """
    also = (*also, *((status, ErrorJson) for status in errors))
    operation = Operation(answer, parameters, status, body, scope, has_tag, media, also)

    def mark(view: F) -> F:
        setattr(view, _OPERATION, operation)
        return view

    return mark


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """Return what a route says of itself; None where it is in no API."""
    return cast("Operation | None", getattr(view, _OPERATION, None))


def init_app(app: Flask) -> None:
    """Serve the document."""
    app.register_blueprint(bp)


@bp.get("/openapi.json")
@described(dict[str, Any], has_tag=True)
def description() -> Response:
    """Describe the APIs: this document."""
    kept = current_app.extensions
    if _TEXT not in kept:  # written when it is first asked for: it takes a fifth of a second
        document = write_document(current_app, base_url=settings().base_url)
        kept[_TEXT] = json.dumps(document, ensure_ascii=False, indent=1)
    text: str = kept[_TEXT]
    response = current_app.response_class(text, mimetype="application/json")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cache-Control"] = _CACHED
    response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:16])
    response.make_conditional(request)
    return response


def write_document(app: Flask, *, base_url: str) -> Json:
    """Return the document of all routes that say what they answer."""
    found = sorted(_operations(app), key=lambda one: (one[0].rule, one[1]))
    shapes = _Shapes([operation for _, _, operation, _ in found])
    paths: dict[str, Json] = {}
    for rule, method, operation, view in found:
        path = paths.setdefault(_BLANK.sub(r"{\1}", rule.rule), {})
        path[method.lower()] = _operation_json(rule, operation, view, shapes)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Goalpost", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": shapes.definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": _TOKEN}
            },
        },
    }


def _operations(app: Flask) -> Iterator[tuple[Rule, str, Operation, Callable[..., Any]]]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        operation = operation_of(view)
        if operation is not None:
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield rule, method, operation, view


def _operation_json(
    rule: Rule, operation: Operation, view: Callable[..., Any], shapes: _Shapes
) -> Json:
    blanks = _BLANK.findall(rule.rule)
    parameters = [one for one in operation.parameters if one.where != "path" or one.name in blanks]
    said = {one.name for one in parameters if one.where == "path"}
    if missing := set(blanks) - said:
        raise LookupError(f"{rule.rule} does not say what {', '.join(missing)} is.")
    summary, _, more = (view.__doc__ or "").strip().partition("\n")
    told: Json = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": summary,
        "tags": ["Admin" if operation.scope else "Public"],
        "parameters": [one.to_json() for one in parameters],
        "responses": dict(_answers_json(operation, shapes)),
    }
    if more.strip():
        told["description"] = " ".join(more.split())
    if operation.body is not None:
        content = {"application/json": {"schema": shapes.of(operation.body)}}
        told["requestBody"] = {"required": True, "content": content}
    if operation.scope:
        told["security"] = [{"token": [operation.scope]}]
    return told


def _answers_json(operation: Operation, shapes: _Shapes) -> Iterator[tuple[str, Json]]:
    content: Json = {"application/json": {"schema": shapes.of(operation.answer)}}
    content |= {media: {"schema": {"type": "string"}} for media in operation.media}
    yield (
        str(operation.status.value),
        {"description": operation.status.phrase, "content": content},
    )
    if operation.has_tag:
        yield "304", {"description": "What the `If-None-Match` of the request names is still so"}
    for status, shape in operation.also:
        content = {"application/json": {"schema": shapes.of(shape)}}
        yield str(status.value), {"description": status.phrase, "content": content}


class _Shapes:
    """The schemas of all shapes, those with a name under it in `definitions`."""

    def __init__(self, operations: list[Operation]) -> None:
        wanted: list[tuple[Literal["serialization", "validation"], Any]] = [
            *(("serialization", operation.answer) for operation in operations),
            *(("validation", one.body) for one in operations if one.body is not None),
            *(("serialization", shape) for one in operations for _, shape in one.also),
        ]
        modes = {repr(shape): mode for mode, shape in wanted}
        adapters = {repr(shape): TypeAdapter(shape) for _, shape in wanted}
        made, told = TypeAdapter.json_schemas(
            [(name, modes[name], adapter) for name, adapter in adapters.items()],
            ref_template="#/components/schemas/{model}",
        )
        self._made = {name: schema for (name, _), schema in made.items()}
        self.definitions: Json = told.get("$defs", {})

    def of(self, shape: Any) -> Json:
        """Return the schema of a shape, or the reference to it."""
        return self._made[repr(shape)]
