"""What the workers of the crash loop do: serve the site, be a scheduler, or clean up."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from core.clock import EXTENSION, MovableClock
from ops import jobs
from payments.inbox import MOST_BACK_OFF

TICK_SECONDS = 0.02
RECONCILE_EVERY = 4
MOST_TRIES = 8


def serve(app: Flask, order: Mapping[str, Any]) -> None:
    """Serve the site until killed, each request in a thread of its own.

    Others may listen on the same port: the kernel deals out who connects.
    """
    told = partial(_tell_served, app, Path(order["served"])) if "served" in order else app
    with socket.create_server(("127.0.0.1", order["port"]), reuse_port=True) as door:
        make_server(
            "127.0.0.1", order["port"], told, threaded=True, fd=door.fileno()
        ).serve_forever()


def _tell_served(app: Flask, file: Path, environ: Any, start_response: Any) -> Any:
    with file.open("a") as served:
        served.write(f"{os.getpid()}\n")
    return app(environ, start_response)


def schedule(app: Flask, order: Mapping[str, Any]) -> None:
    """Do what the scheduler does, without its pauses, until killed."""
    chance = random.Random(order["seed"])  # noqa: S311 - no secret
    while True:
        jobs.run_job(app, "roll")
        jobs.run_job(app, "inbox")
        if not chance.randrange(RECONCILE_EVERY):
            jobs.run_job(app, "reconcile")
        time.sleep(TICK_SECONDS)


def settle(app: Flask, _order: Mapping[str, Any]) -> None:
    """Ask Stripe for what was missed, and work until nothing is left to be tried again."""
    with app.app_context():
        jobs.ask_stripe()
    # From here time runs, so that back-offs and dead workers' leases end.
    clock = MovableClock(app.extensions[EXTENSION].now())
    app.extensions[EXTENSION] = clock
    with app.app_context():
        for _ in range(MOST_TRIES):
            clock.advance(MOST_BACK_OFF + timedelta(seconds=1))
            if not jobs.work_inbox():
                break
        jobs.roll()


ROLES: Mapping[str, Callable[[Flask, Mapping[str, Any]], None]] = {
    "web": serve,
    "scheduler": schedule,
    "settle": settle,
}
