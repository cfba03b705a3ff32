"""Logs: one line for each thing that happens, as text or as JSON, and nobody's data in it.

Web processes, scheduler, commands and the web server itself write through here, to stderr. A line
says which request, or which run of a job, it is of. Of a request it tells the route's rule and
never the path, which may be a donor's link; of an error where it happened, and its words only where
these are the code's: a database and a library repeat in theirs what somebody typed.

It is the standard library's logging. What a library for JSON lines would spare is one `json.dumps`.
"""

from __future__ import annotations

import json
import logging
import logging.config
import re
import secrets
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any

from flask import Flask, Response, g, has_app_context, request

from core.clock import stopwatch
from core.errors import DomainError
from core.settings import Settings

REQUEST_ID = "X-Request-Id"
# In the WSGI environment of what the site asks itself for: no reader waits for the answer.
BY_ITSELF = "goalpost.by_itself"
MOST_MESSAGE_CHARACTERS = 4_000
MOST_TRACE_CHARACTERS = 16_000
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
# Our loggers, and Alembic's, which tells of each migration. What others have to say is theirs:
# what they are asked for, and by whom.
_OURS = frozenset({"alembic", "app", "goalpost", "py"})
_PROBES = ("/livez", "/metrics", "/readyz")
# Of these the words are Python's or ours, and speak of code and of machines.
_PLAIN_ERRORS = frozenset(
    {
        *(AttributeError, ImportError, ModuleNotFoundError, NameError, NotImplementedError),
        *(MemoryError, RecursionError, RuntimeError, TypeError, UnboundLocalError),
        *(BrokenPipeError, ConnectionRefusedError, ConnectionResetError, TimeoutError),
        *(FileNotFoundError, OSError, PermissionError),
    }
)
# A "data exception" (22…) quotes the datum: https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATE_OF_DATA = "22"
_SECRETS = re.compile(
    r"(?<=://)[^\s/@]{1,200}@"  # the user and password in an address
    r"|[^\s<>\"'(),;:=@\[\]{}]{1,64}@[^\s<>\"'(),;:=@\[\]{}]{1,255}"  # a mail address
    r"|\b(?:sk|rk)_(?:test|live)_\w+|\bwhsec_\w+|\b(?:cs|pi|seti)_\w+?_secret_\w+"  # Stripe's
    r"|\bgp_[0-9a-f]{12}_[\w-]+|\bgpsec_[\w-]+"  # ours
    r"|(?<=\b[Bb]earer )\S+"
)
_HIDDEN = "[hidden]"
# So that nothing that was typed looks like a line of its own, or moves a terminal's cursor.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
# JSON writes these as they are, which many readers of lines take for the end of one.
_CONTROL_IN_JSON = {code: f"\\u{code:04x}" for code in _CONTROL if code >= 127}  # noqa: PLR2004
_KEY = "goalpost_log"
_log = logging.getLogger("goalpost.requests")


def configure(settings: Settings) -> None:
    """Have this process log as the settings say, unless somebody else has set its logging up."""
    root = logging.getLogger()
    if not root.handlers:
        logging.config.dictConfig(dict_config(settings))
    if any(isinstance(handler.formatter, _Lines) for handler in root.handlers):
        logging.captureWarnings(capture=True)
        sys.excepthook = _tell_end
        threading.excepthook = _tell_thread


def dict_config(settings: Settings) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` needs, here and in the web server's processes."""
    lines = JsonLines if settings.log_format == "json" else TextLines
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"ours": {"()": f"{__name__}.Ours"}},
        "formatters": {"lines": {"()": f"{__name__}.{lines.__name__}"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "lines",
                "filters": ["ours"],
            }
        },
        "root": {"handlers": ["stderr"], "level": settings.log_level},
        # The server's own: its log of accesses would name paths and addresses, and is off.
        "loggers": {"_granian": {}, "granian.access": {"level": "CRITICAL"}},
    }


def init_app(app: Flask, settings: Settings) -> None:
    """Give each request of `app` an id, and a line when it is answered."""
    trusted = settings.trusted_proxies > 0

    @app.before_request
    def begin() -> None:
        given = request.headers.get(REQUEST_ID, "") if trusted else ""
        bind(request_id=given if _ID.fullmatch(given) else new_id())
        g.goalpost_took_ms = stopwatch()

    @app.after_request
    def end(answer: Response) -> Response:
        _tell_request(answer)
        return answer

    def log_exception(
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        # Flask's own would name the path.
        fields = {"method": request.method, "route": _route()}
        app.logger.error("the request failed", exc_info=exc_info, extra={_KEY: fields})

    app.log_exception = log_exception  # type: ignore[method-assign]


def new_id() -> str:
    """Return an id for a request or a run."""
    return secrets.token_hex(8)


def bind(**fields: str) -> None:
    """Have all lines of the present application context carry `fields`."""
    setattr(g, _KEY, fields)


def bound() -> Mapping[str, str]:
    """Return what lines carry here. What is neither a request nor a job, as a command, is a run."""
    if not has_app_context():
        return {}
    fields: Mapping[str, str] | None = g.get(_KEY)
    if fields is None:
        bind(run_id=new_id())
        fields = g.get(_KEY, {})
    return fields


def hide(text: str) -> str:
    """Return a text without what looks like a mail address, a password or a secret in it."""
    return _SECRETS.sub(_HIDDEN, text) if "@" in text or "_" in text or "earer " in text else text


def told(error: BaseException) -> str:
    """Return what may be told of an error: its kind, and its words where they quote nobody.

    What a database says is cut down to its first sentence: behind it PostgreSQL prints the row.
    """
    kind = type(error).__name__
    origin = getattr(error, "orig", None) or error  # SQLAlchemy's stands around the driver's
    state = getattr(origin, "sqlstate", None)
    if state is not None:
        primary = getattr(getattr(origin, "diag", None), "message_primary", None) or ""
        quotes = state.startswith(_STATE_OF_DATA)
        return f"{kind}: {state}" if quotes else hide(f"{kind}: {state} {primary}".rstrip())
    is_of_driver = type(origin).__module__.partition(".")[0] in {"psycopg", "sqlite3"}
    if is_of_driver or isinstance(error, DomainError) or type(error) in _PLAIN_ERRORS:
        return hide(f"{kind}: {origin if is_of_driver else error}")
    return kind


class Ours(logging.Filter):
    """Lets our own lines through, and of libraries only what is wrong with them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is written."""
        return record.levelno >= logging.WARNING or record.name.partition(".")[0] in _OURS


class _Lines(logging.Formatter):
    """What both ways of writing have in common."""

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """Return what a line says, in order."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # a line that can't be made is still told of
            message = str(record.msg)
        # RFC 3339. The record knows when it was made; no clock is asked.
        at = datetime.fromtimestamp(record.created, UTC)
        found: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            # Cut when it is hidden: half of a secret would not look like one.
            "message": hide(message)[:MOST_MESSAGE_CHARACTERS],
            **bound(),
            **getattr(record, _KEY, {}),
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            found["error"] = told(error)
            found["trace"] = hide("".join(_traced(error)))[-MOST_TRACE_CHARACTERS:]
        return found


class JsonLines(_Lines):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        line = json.dumps(self.fields(record), ensure_ascii=False, default=str)
        return line.translate(_CONTROL_IN_JSON)


class TextLines(_Lines):
    """A line for people, and below it where an error happened."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        found = self.fields(record)
        message = str(found["message"]).translate(_CONTROL)
        line = f"{found['time']} {found['level']} {found['logger']}: {message}"
        if "duration_ms" in found:
            line += f" {found['duration_ms']} ms"
        if found.get("bytes") is not None:
            line += f" {found['bytes']} bytes"
        about = found.get("request_id") or found.get("run_id")
        line += f" [{about}]" if about else ""
        return f"{line}\n{str(found['trace']).rstrip()}" if "trace" in found else line


def _traced(error: BaseException) -> Iterator[str]:
    """Yield where an error happened, what caused it first. Lines of code, and no values."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _traced(cause)
        yield "\nwhich led to\n\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{told(error).translate(_CONTROL)}\n"


def _tell_request(answer: Response) -> None:
    fields = {
        "method": request.method,
        "route": _route(),
        "status": answer.status_code,
        "duration_ms": g.goalpost_took_ms(),
        # Unknown where it is sent as it is made.
        "bytes": answer.content_length,
    }
    is_quiet = fields["route"] in _PROBES or BY_ITSELF in request.environ
    level = logging.DEBUG if is_quiet else logging.INFO
    told_of = (fields["method"], fields["route"], fields["status"])
    _log.log(level, "%s %s %s", *told_of, extra={_KEY: fields})
    # What caches keep for everybody is nobody's answer.
    if not answer.cache_control.public:
        answer.headers[REQUEST_ID] = bound()["request_id"]


def _route() -> str:
    rule = request.url_rule
    return rule.rule if rule is not None else f"({HTTPStatus.NOT_FOUND.phrase.lower()})"


def _tell_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("goalpost").critical("this process ends", exc_info=error)


def _tell_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        name = args.thread.name if args.thread else "?"
        logging.getLogger("goalpost").error("thread %s ends", name, exc_info=args.exc_value)
