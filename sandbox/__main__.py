"""Run the sandbox: `python -m sandbox`."""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.addresses import is_web_address
from sandbox.application import Parts, create_app
from sandbox.delivery import Post
from sandbox.resources.portal_configurations import ensure_default
from sandbox.resources.webhook_endpoints import follow_command_line
from sandbox.settings import Settings
from sandbox.store import StateError, Store
from sandbox.upkeep import Upkeep

STOP_SECONDS = 2.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
BACKLOG = 128
PORT_MAX = 65_535

MANUAL = """\
A Stripe that runs on your own machine. It is not Stripe, and no money moves.

It speaks the part of Stripe's API that Goalpost uses, to Stripe's official SDK: give the SDK this
process's address instead of api.stripe.com, and any key that starts with sk_test_. With a real key
and without that address the same code talks to Stripe.
"""

EXAMPLES = """\
pages:
  /                 what it holds, with buttons to refund, dispute, cancel and redeliver, and to
                    move the clock
  /pay/<session>    the payment page that a Checkout Session's url leads to
  /portal/<secret>  the donor's own page, made by the API's billing_portal/sessions
  /health           200 while it works

test cards (any future expiry, any CVC):
  4242 4242 4242 4242   is paid
  4000 0000 0000 0002   is declined
  4000 0000 0000 9995   has insufficient funds
  4000 0025 0000 3155   asks for 3-D Secure first
  More of them stand on the payment page.

controls for tests (JSON):
  POST /_sandbox/sessions/<id>/pay {"card": "4242424242424242"}
  POST /_sandbox/sessions/<id>/authenticate {"passed": true}
  POST /_sandbox/sessions/<id>/pay {"method": "bank_debit"}
  POST /_sandbox/payments/<id>/settle and /fail, for a bank debit that is processing
  POST /_sandbox/payments {"amount": 500, "currency": "usd"}, which is no donation of ours
  POST /_sandbox/payments/<id>/dispute {"amount": 500, "kind": "dispute" or "inquiry"}
  POST /_sandbox/disputes/<id>/win, lose, respond, escalate, close_inquiry, reinstate
  POST /_sandbox/subscriptions/<id>/cancel {"at_period_end": true}
  POST /_sandbox/invoices/<id>/pay_outside
  POST /_sandbox/webhooks/redeliver/<event>   POST /_sandbox/webhooks/hurry
  GET  /_sandbox/deliveries
  POST /_sandbox/clock {"advance_seconds": 3600} or {"advance_months": 1}
  POST, GET, DELETE /_sandbox/faults, such as
    {"webhooks": {"duplicate": 0.3, "reorder": 0.5, "drop": 0.1, "delay_seconds": [0, 2]},
     "api": {"status": 500, "times": 2, "path": "checkout/sessions",
             "timeout_after_success": 1, "latency_seconds": 0.5}, "seed": 7}

example:
  python -m sandbox --webhook-url http://127.0.0.1:8000/webhooks/stripe --webhook-secret whsec_local

It runs until SIGTERM or Ctrl-C. Webhooks that were not delivered by then go out after the next
start.
"""


class _QuietHandler(WSGIRequestHandler):
    """Leave the log to what is worth reading."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of requests that were answered."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; give the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.webhook_url and not options.webhook_secret:
        parser.error("--webhook-url needs --webhook-secret: every delivery is signed.")
    logging.basicConfig(level=logging.WARNING, format="sandbox: %(levelname)s %(message)s")
    try:
        listener = socket.create_server((options.host, options.port), backlog=BACKLOG)
    except OSError as error:
        return _fail(f"Cannot listen on {options.host}, port {options.port}: {_reason(error)}.")
    with listener:
        host, port = listener.getsockname()[:2]
        settings = Settings(
            state_path=options.state,
            public_url=(options.public_url or f"http://{host}:{port}").rstrip("/"),
            webhook_url=options.webhook_url,
            webhook_secret=options.webhook_secret,
        )
        try:
            store = Store(settings.state_path, clock_file=options.clock_file)
            store.tell_clock()
        except (StateError, OSError) as error:
            return _fail(str(error))
        _run(store, settings, listener)
    return 0


def _run(store: Store, settings: Settings, listener: socket.socket) -> None:
    post, upkeep = Post(store), Upkeep(store)
    with store.write() as tx:
        follow_command_line(tx, settings)
        ensure_default(tx)
    server = _serve(Parts(store, post, settings), listener)
    # Blocked in every thread and waited for below: a handler that set a threading.Event could
    # interrupt this thread while it holds the event's own lock, and hang.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    serving = threading.Thread(
        target=server.serve_forever, args=(0.05,), name="server", daemon=True
    )
    serving.start()
    post.start()
    upkeep.start()
    sys.stdout.write(f"The sandbox listens on {settings.public_url} (this is not Stripe).\n")
    sys.stdout.flush()
    signal.sigwait(STOP_SIGNALS)
    server.shutdown()
    upkeep.stop(timeout_seconds=STOP_SECONDS)
    post.stop(timeout_seconds=STOP_SECONDS)
    server.server_close()


def _serve(parts: Parts, listener: socket.socket) -> BaseWSGIServer:
    host, port = listener.getsockname()[:2]
    return make_server(
        host,
        port,
        create_app(parts),
        threaded=True,
        request_handler=_QuietHandler,
        fd=listener.fileno(),
    )


def _reason(error: OSError) -> str:
    """Say why in the system's words, without the address that Python adds to some of them."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror or error)
    return os.strerror(error.errno)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {PORT_MAX}")
    return int(text)


def _address(text: str) -> str:
    if not is_web_address(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an http or https address")
    return text


def _fail(sentence: str) -> int:
    sys.stderr.write(f"sandbox: {sentence}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description=MANUAL,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=8002, help="port; 0 picks a free one (default: %(default)s)")
    add(
        "--state",
        type=Path,
        default=Path("instance/sandbox.sqlite"),
        help="file that keeps everything; delete it to start afresh (default: %(default)s)",
    )
    add(
        "--clock-file",
        type=Path,
        help="file to tell by how many seconds the clock is ahead, for a site that follows it;"
        " webhooks are then signed at the sandbox's time",
    )
    add(
        "--webhook-url", type=_address, help="where to post events; without it they are only listed"
    )
    add("--webhook-secret", help="what deliveries are signed with (whsec_…)")
    add(
        "--public-url",
        type=_address,
        help="address under which browsers reach this process (default: where it listens)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
