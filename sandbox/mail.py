"""A mail server that sends nothing, keeps what it is given and shows it: `python -m sandbox.mail`.

Stands in for a real one while Goalpost is tried on one's own machine. It keeps the latest mails in
memory, and forgets them when it is stopped.
"""

import argparse
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask, Response, abort, render_template
from werkzeug.serving import WSGIRequestHandler, make_server

MAILS_MAX = 200
MAIL_BYTES_MAX = 5_000_000
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Kept:
    """One mail, as it came."""

    number: int
    came_at: datetime
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def subject(self) -> str:
        """The subject line."""
        return str(self.message["Subject"] or "(no subject)")

    def body(self, kind: str) -> str | None:
        """The text of one kind, `plain` or `html`; None where there is none."""
        part = self.message.get_body((kind,))
        return None if part is None else str(part.get_content())

    def to_json(self) -> dict[str, object]:
        """Return the mail for tests."""
        return {
            "number": self.number,
            "to": list(self.recipients),
            "from": str(self.message["From"]),
            "subject": self.subject,
            "text": self.body("plain"),
            "html": self.body("html"),
        }


@dataclass(slots=True)
class Mailbox:
    """All that came, the newest last; given mails by one thread and read by others."""

    mails: deque[Kept] = field(default_factory=lambda: deque(maxlen=MAILS_MAX))
    count: int = 0

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a mail."""
        self.count += 1
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        self.mails.append(Kept(self.count, datetime.now(UTC), tuple(envelope.rcpt_tos), message))
        return "250 kept, and sent to nobody"

    def find(self, number: int) -> Kept:
        """Return one mail; not found, where it is not there or was forgotten."""
        found = next((kept for kept in tuple(self.mails) if kept.number == number), None)
        return found or abort(404)


def create_app(mailbox: Mailbox) -> Flask:
    """Make the pages."""
    app = Flask(__name__, static_url_path="/_sandbox/static")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.get("/")
    def index() -> str:
        return render_template("mails.html", mails=tuple(reversed(mailbox.mails)))

    @app.get("/mails/<int:number>")
    def show(number: int) -> str:
        return render_template("mail.html", mail=mailbox.find(number))

    @app.get("/mails/<int:number>.html")
    def html(number: int) -> Response:
        """Serve a mail's own HTML alone, where nothing in it can run or call."""
        response = app.make_response(mailbox.find(number).body("html") or "")
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox;"
            " frame-ancestors 'self'"
        )
        return response

    @app.get("/_sandbox/mails")
    def as_json() -> list[dict[str, object]]:
        return [kept.to_json() for kept in tuple(mailbox.mails)]

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "service": "mail catcher"}

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.setdefault(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self';"
            " base-uri 'none'; frame-ancestors 'none'",
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return app


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of requests that were answered."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.mail", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8003, help="port of the page that shows mail")
    parser.add_argument("--smtp-port", type=int, default=8004, help="port that takes mail")
    options = parser.parse_args(arguments)
    mailbox = Mailbox()
    controller = Controller(
        mailbox,
        hostname=options.host,
        port=options.smtp_port,
        data_size_limit=MAIL_BYTES_MAX,
    )
    server = None
    try:
        # The page first: a mail server that can't listen leaves nothing behind that way.
        server = make_server(
            options.host,
            options.port,
            create_app(mailbox),
            threaded=True,
            request_handler=_QuietHandler,
        )
        controller.start()
    except OSError as error:
        if server is not None:
            server.server_close()
        controller.loop.close()
        sys.stderr.write(f"mail: Cannot listen: {error.strerror or error}.\n")
        return 1
    # Blocked in every thread and waited for below, as in the sandbox itself.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    sys.stdout.write(f"Mail is kept at http://{options.host}:{server.server_port}.\n")
    sys.stdout.flush()
    signal.sigwait(STOP_SIGNALS)
    server.shutdown()
    server.server_close()
    controller.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
