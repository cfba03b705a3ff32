"""A process that has imported everything, and forks workers: a new one costs no second, as it did.

    python -m tests.crash.zygote    (reads orders from stdin, a line of JSON each)

It opens no connection: none of SQLite may cross a fork. What a worker does is in `roles`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask

from app import create_app
from core.clock import DemoClock, SystemClock
from core.db import db
from core.settings import Settings
from payments import stripe_events
from payments.errors import GatewayRefused
from payments.stripe_gateway import StripeGateway
from tests.crash import points, roles, seeded
from tests.crash.books import SLUG

YEARS_SECONDS = 100 * 366 * 86_400


class AheadClock(DemoClock):
    """A demo's clock, which is looked at each time: as far ahead as Stripe's was moved."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._ahead_file = file

    def now(self) -> datetime:
        """Return the present instant, as far ahead as the file says."""
        return SystemClock().now() + timedelta(seconds=int(self._ahead_file.read_text()))


def main() -> None:
    """Read the site's settings, then fork a worker for each order."""
    Settings.model_config["env_file"] = None
    told = json.loads(sys.stdin.readline())
    settings = Settings(**told["settings"])
    folder = Path(told["folder"])
    # The sandbox's clock moves ahead, and so does ours; its signatures are of the real time.
    stripe_events.SIGNATURE_TOLERANCE_SECONDS = YEARS_SECONDS
    app = create_app(settings, clock=AheadClock(folder / "ahead"))
    _warm_up(app, settings)
    # Nobody waits for the workers: the kernel buries them at once.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - how it answers
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order, app, folder)
        print(json.dumps({"pid": pid}), flush=True)  # noqa: T201 - how it answers


def _warm_up(app: Flask, settings: Settings) -> None:
    """Do once what is slow the first time, and leave no connection behind."""
    assert app.test_client().get(f"/c/{SLUG}").status_code == HTTPStatus.OK
    with suppress(GatewayRefused):
        StripeGateway(settings).checkout("cs_none")  # of its own: its connection goes with it
    with app.app_context():
        db.engine.dispose()


def _live(order: dict[str, Any], app: Flask, folder: Path) -> None:
    """Be a worker, and end with it, whatever happens."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        with (folder / "workers.log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.close(0)
        if order.get("bug"):
            seeded.BUGS[order["bug"]]()
        if order.get("fuse"):
            point, passes = order["fuse"]
            points.install(points.Fuse(point, passes, folder / "hits"))
        roles.ROLES[order["role"]](app, order)
    except BaseException:  # noqa: BLE001 - a process's edge
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _end_with(zygote: int) -> None:
    """End when the zygote has ended: a run that is broken off leaves no worker behind."""
    while os.getppid() == zygote:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
