"""The crash loop: donors give, money comes and goes, and everything of ours is killed meanwhile.

A round starts web processes and two schedulers, each with a fuse that may kill it at a named
point, lets donors, Stripe and banks act, and kills whatever is left. With all of them dead the
oracle looks at the books. Every few rounds Stripe delivers again what was not taken, we
reconcile, and the amounts must be equal.
"""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from core.settings import Settings
from tests.crash.books import SLUG, check_after_crash, check_after_reconciliation, read_books
from tests.crash.donors import Donor, come_back
from tests.crash.points import OF_THE_SCHEDULER, OF_THE_WEB, OF_WORK
from tests.crash.processes import Zygote, end, is_alive, kill, wait_dead
from tests.crash.server import KillableServer
from tests.crash.truth import TruthLog
from tests.sandbox_process import Json, SandboxError, SandboxProcess

RECONCILED_EVERY = 12
SETTLE_SECONDS = 60.0
A_MONTH_SECONDS = 31 * 86_400
LEASE_SECONDS = 150
Taken = TypeVar("Taken")


@dataclass
class Tally:
    """What a run did, to be printed."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.kills.total()

    def __str__(self) -> str:
        points = "\n".join(f"  {count:5} {point}" for point, count in self.kills.most_common())
        did = ", ".join(f"{count} {what}" for what, count in self.done.most_common())
        return f"{self.rounds} rounds, {self.total} kills:\n{points}\n  meanwhile: {did}"


@dataclass
class CrashLoop:
    """One site, killed again and again. `bug` is set into every worker (see `seeded`).

    `webs` processes listen on one port, which the kernel deals out; `crowd` people act at once.
    """

    zygote: Zygote
    sandbox: SandboxProcess
    settings: Settings
    folder: Path
    port: int
    seed: int
    server: KillableServer | None = None
    bug: str | None = None
    webs: int = 1
    crowd: int = 1
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - no secret
        self._lock = threading.Lock()
        self._log = TruthLog(self.folder / "truth.jsonl")
        self._donors: list[Donor] = []  # who still wait for an answer
        self._to_pay: list[str] = []
        self._promised: set[str] = set()
        self._paid: list[Json] = []
        self._disputes: list[str] = []
        self._ahead = 0
        self._hits_seen = 0
        self._log.write("begin", seed=self.seed, database=self.settings.database_url)

    def run(self, kills: int) -> None:
        """Go on until so many processes were killed, and end whole."""
        while self.tally.total < kills:
            self._between_rounds()
            self._round()
            if self.tally.rounds % RECONCILED_EVERY == 0:
                self._reconcile()
        self._reconcile()

    def _round(self) -> None:
        self.tally.rounds += 1
        webs = [
            self._spawn("web", OF_THE_WEB, port=self.port, served=str(self.folder / "served"))
            for _ in range(self.webs)
        ]
        schedulers = [
            self._spawn("scheduler", OF_THE_SCHEDULER, seed=self._chance.random()) for _ in range(2)
        ]
        workers = (*webs, *schedulers)
        try:
            self._wait_for(*webs)
            self.sandbox.hurry()
            actions = self.crowd * [
                *(self._give, self._give, self._pay, self._pay),
                *(self._refund, self._dispute, self._end_a_dispute),
            ]
            self._chance.shuffle(actions)
            server_dies_at = self._chance.randrange(30 * self.crowd) if self.server else -1
            if server_dies_at in range(len(actions)):
                actions.insert(server_dies_at, self._kill_server)
            with ThreadPoolExecutor(self.crowd) as pool:
                for done in [pool.submit(act) for act in actions]:
                    done.result()
            time.sleep(self._chance.random() * 0.2)
            self._count_fuses(workers)
        finally:
            self.tally.kills["at random"] += sum(kill(pid) for pid in workers)
            wait_dead(*workers)
        check_after_crash(read_books(self.settings), self.sandbox, self._promised)

    def _spawn(self, role: str, points: tuple[str, ...], **order: object) -> int:
        # What only this role does comes by less often than the work on events.
        common = self._chance.random() < 0.5
        point = self._chance.choice(OF_WORK if common else points)
        fuse = [point, self._chance.randint(1, 4 if common else 1)]
        return self.zygote.spawn(role, fuse=fuse, bug=self.bug, **order)

    def _count_fuses(self, workers: tuple[int, ...]) -> None:
        """Count those that killed themselves; nobody may have ended otherwise."""
        dead = sum(not is_alive(pid) for pid in workers)
        file = self.folder / "hits"
        hits = file.read_text().splitlines() if file.exists() else []
        new, self._hits_seen = hits[self._hits_seen :], len(hits)
        assert dead <= len(new), (self.folder / "workers.log").read_text()[-4_000:]
        self.tally.kills.update(new)

    def _wait_for(self, *webs: int) -> None:
        """Wait until a web process listens, or all are dead."""
        while any(is_alive(web) for web in webs):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return

    # What people do.

    def _give(self) -> None:
        """Fill in a form, or send again one that got no answer."""
        waiting = self._take(self._donors) if self._chance.random() < 0.5 else None
        donor = waiting or self._new_donor()
        if not donor.give():
            self._donors.append(donor)
            return
        self._note("donations", "promised", session=donor.session_id, fields=donor.fields)
        if donor.session_id is not None:
            self._promised.add(donor.session_id)
            self._to_pay.append(donor.session_id)

    def _new_donor(self) -> Donor:
        whole = self._chance.randint(1, 50)
        cents = self._chance.randint(0, 99)
        fields = {
            "amount": f"{whole}.{cents:02}",
            "frequency": "once",
            "email": self._chance.choice(["", "ann@example.org", "bob@example.org"]),
        }
        return Donor(f"http://127.0.0.1:{self.port}/c/{SLUG}", fields)

    def _pay(self) -> None:
        session_id = self._take(self._to_pay)
        if session_id is None:
            return
        result = self.sandbox.pay(session_id)
        outcome = result["outcome"]
        self._note(f"sessions {outcome}", "paid", session=session_id, result=result)
        if outcome == "paid":
            self._paid.append(result)
            if self._chance.random() < 0.5:
                come_back(result["success_url"])

    def _refund(self) -> None:
        payment_id = self._a_payment()
        if payment_id is None:
            return
        try:
            refund = self.sandbox.refund(payment_id, self._chance.choice([None, 10, 50]))
        except SandboxError:
            return  # it was given back before, or is disputed
        self._note("refunds", "refunded", payment=payment_id, refund=refund["id"])

    def _dispute(self) -> None:
        payment_id = self._a_payment()
        if payment_id is None or self._chance.random() < 0.5:
            return
        kind = self._chance.choice(["dispute", "dispute", "inquiry"])
        try:
            dispute = self.sandbox.dispute(payment_id, kind=kind)
        except SandboxError:
            return  # it is disputed already
        self._note("disputes", "disputed", payment=payment_id, dispute=dispute["id"], kind=kind)
        self._disputes.append(dispute["id"])

    def _end_a_dispute(self) -> None:
        dispute_id = self._take(self._disputes)
        if dispute_id is None:
            return
        outcome = self._chance.choice(["win", "lose"])
        try:
            self.sandbox.resolve(dispute_id, outcome)
        except SandboxError:
            return  # an inquiry has another end
        self._note("disputes ended", "resolved", dispute=dispute_id, outcome=outcome)

    def _a_payment(self) -> str | None:
        if not self._paid:
            return None
        return str(self._chance.choice(self._paid)["payment_intent"])

    def _take(self, those: list[Taken]) -> Taken | None:
        """Take one of them away by chance; nobody else gets it."""
        with self._lock:
            return those.pop(self._chance.randrange(len(those))) if those else None

    def _note(self, what: str, told: str, **facts: object) -> None:
        """Count what was done, and have it on the disk."""
        with self._lock:
            self.tally.done[what] += 1
            self._log.write(told, **facts)

    def _kill_server(self) -> None:
        assert self.server is not None
        by = self._chance.choice([signal.SIGKILL, signal.SIGQUIT])
        self.server.kill(by=by)
        self.tally.kills[f"PostgreSQL, by {by.name}"] += 1
        self.server.restart()

    # What happens with nobody of ours alive.

    def _between_rounds(self) -> None:
        """Let time pass."""
        far = self._chance.random() < 0.2
        self._pass_time(A_MONTH_SECONDS if far else LEASE_SECONDS)

    def _pass_time(self, seconds: int) -> None:
        """Move Stripe's clock and ours."""
        self.sandbox.advance(seconds)
        self._ahead += seconds
        (self.folder / "ahead.new").write_text(str(self._ahead))
        (self.folder / "ahead.new").replace(self.folder / "ahead")

    def _reconcile(self) -> None:
        """Deliver again what was not taken, ask Stripe for the rest, and hold the books to it."""
        self._pass_time(LEASE_SECONDS)
        web = self.zygote.spawn("web", port=self.port, bug=self.bug)
        try:
            self._wait_for(web)
            self.sandbox.hurry()
            self._wait_for_deliveries()
        finally:
            end(web)
        check_after_crash(read_books(self.settings), self.sandbox, self._promised)
        wait_dead(self.zygote.spawn("settle", bug=self.bug))
        check_after_reconciliation(read_books(self.settings), self.sandbox)

    def _wait_for_deliveries(self) -> None:
        until = time.monotonic() + SETTLE_SECONDS
        while any(d["state"] in {"waiting", "sending"} for d in self.sandbox.deliveries()):
            assert time.monotonic() < until, "deliveries are not taken"
            time.sleep(0.05)

    def read_served(self) -> Counter[str]:
        """Return how many requests each web process was given, by its id."""
        return Counter((self.folder / "served").read_text().split())

    def close(self) -> None:
        self._log.close()
