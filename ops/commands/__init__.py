"""The command line: each command parses, calls one service, commits once, and prints."""

from __future__ import annotations

from flask import Flask

from ops.commands.books import ledger, quarantine
from ops.commands.copies import backup, restore
from ops.commands.donations import donations
from ops.commands.donors import donors
from ops.commands.exports import export
from ops.commands.guard import guard
from ops.commands.move import move
from ops.commands.notices import notices
from ops.commands.outbox import outbox
from ops.commands.schedule import campaigns
from ops.commands.serving import serve
from ops.commands.site import demo, doctor, scheduler
from ops.commands.stripe import inbox, stripe


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in (
        campaigns,
        donations,
        donors,
        export,
        ledger,
        quarantine,
        guard,
        inbox,
        outbox,
        notices,
        stripe,
        serve,
        scheduler,
        doctor,
        backup,
        restore,
        move,
        demo,
    ):
        app.cli.add_command(command)
