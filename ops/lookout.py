"""The look that web processes take at the scheduler, as nobody else would tell that it is dead.

At most once a minute, beside a request that is being answered anyway, one row is read. Where no
tick came for too long, the process that sees it first posts the notice and, as the scheduler is
what sends, sends it too. A site that nobody asks for anything tells nobody: for that there is
`/readyz`, which a monitor elsewhere asks.
"""

from __future__ import annotations

import logging
import threading

from flask import Flask, Response
from sqlalchemy.exc import SQLAlchemyError

from core import clock as clocks
from core.clock import now
from core.db import db, read_only
from core.logs import told
from core.revisions import what_to_do
from ops.jobs import send_calls, send_mail
from ops.runs import LATE_TICK
from ops.watch import is_late, last_tick, tell_late
from payments.edge import open_session

log = logging.getLogger("goalpost.lookout")

LOOK_EVERY_SECONDS = 60.0


def init_app(app: Flask) -> None:
    """Have `app` look after its answers, the first time when a scheduler could be late."""
    seconds = clocks.seconds_of(app.extensions[clocks.EXTENSION])
    due = seconds() + LATE_TICK.total_seconds()

    @app.after_request
    def look(answer: Response) -> Response:
        nonlocal due
        if seconds() >= due:
            due = seconds() + LOOK_EVERY_SECONDS
            # What the request has read is answered; on SQLite, reading on would keep us waiting.
            db.session.rollback()
            look_at_scheduler(app)
        return answer


def look_at_scheduler(app: Flask) -> bool:
    """Tell whoever wants it told that no scheduler runs, once; tell whether that was now.

    Never raises for the database's sake: the answer beside which it is called is worth more.
    """
    try:
        with open_session() as session:
            read_only(session)
            if what_to_do(session.connection()) is not None:
                return False
            if not is_late(last_tick(session), now()):
                return False
        with open_session() as session:
            count = tell_late(session, now=now())
            session.commit()
    except SQLAlchemyError:
        log.exception("could not look at the scheduler")
        return False
    if count:
        log.error("the scheduler does not run")
        # Not beside the answer: a mail server may take its time.
        threading.Thread(target=_send, args=(app,), daemon=True, name="lookout").start()
    return count > 0


def _send(app: Flask) -> None:
    """Send what waits, as the scheduler's jobs would; what fails stays for them."""
    with app.app_context():
        for send in (send_mail, send_calls):
            try:
                send()
            except (OSError, SQLAlchemyError) as error:
                log.warning("%s: %s", send.__name__, told(error))
