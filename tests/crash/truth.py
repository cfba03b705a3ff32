"""The truth beside our books: a log that survives the parent, and what Stripe says of the money.

The rule is stated here anew: a gift minus its refunds, then minus its disputes, never below
nothing, in the calendar month of its charge.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from tests.sandbox_process import Json, SandboxProcess


class TruthLog:
    """What the parent did and was told, a line of JSON each, on the disk before it goes on."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a")

    def write(self, what: str, **facts: object) -> None:
        """Add a line, and wait for the disk."""
        self._file.write(json.dumps({"what": what, **facts}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


@dataclass
class Truth:
    """What the books must be: effects by reference, none of them zero, and sums by month."""

    posted: dict[str, int] = field(default_factory=dict)
    months: Counter[str] = field(default_factory=Counter)
    # The most that each reference could ever have taken.
    most: dict[str, int] = field(default_factory=dict)


def list_all(sandbox: SandboxProcess, path: str, **query: str) -> list[Json]:
    """Return all objects of a list."""
    found: list[Json] = []
    while True:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = sandbox.api("GET", f"/v1/{path}?{urlencode({'limit': '100', **query, **after})}")
        found += page["data"]
        if not page["has_more"]:
            return found


def read_truth(sandbox: SandboxProcess, zone: ZoneInfo) -> Truth:
    """Ask Stripe for all that was paid, and what was taken from it."""
    refunds = _by_payment(list_all(sandbox, "refunds"))
    disputes = _by_payment(list_all(sandbox, "disputes"))
    truth = Truth()
    for payment in list_all(sandbox, "payment_intents", **{"expand[]": "data.latest_charge"}):
        if payment["status"] != "succeeded":
            continue
        left = truth.posted[payment["id"]] = truth.most[payment["id"]] = payment["amount_received"]
        for part in (*refunds[payment["id"]], *disputes[payment["id"]]):
            truth.most[part["id"]] = part["amount"]
            taken = min(left, part["amount"] if _takes(part) else 0)
            left -= taken
            if taken:
                truth.posted[part["id"]] = -taken
        charged_at = datetime.fromtimestamp(payment["latest_charge"]["created"], UTC)
        truth.months[charged_at.astimezone(zone).strftime("%Y-%m")] += left
    return truth


def _by_payment(parts: list[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for part in sorted(parts, key=lambda part: str(part["id"])):
        found[part["payment_intent"]].append(part)
    return found


def _takes(part: dict[str, Any]) -> bool:
    if part["object"] == "refund":
        return str(part["status"]) not in {"failed", "canceled"}
    moved: int = sum(transaction["amount"] for transaction in part["balance_transactions"])
    return moved < 0 and str(part["status"]) != "won"
