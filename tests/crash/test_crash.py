"""Killed at any point, as often as you like, we lose nothing and invent nothing.

Each run prints its seed. What is done follows from it; when it is killed, which the machine
decides too, does not always.
"""

from __future__ import annotations

import os
import random
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import make_settings
from tests.crash.books import make_campaign
from tests.crash.loop import CrashLoop
from tests.crash.processes import running_zygote
from tests.crash.seeded import BUGS
from tests.crash.server import KillableServer, running_server
from tests.databases import KINDS, SqliteTemplate, migrate
from tests.sandbox_process import API_KEY, running_sandbox

OpenLoop = Callable[..., AbstractContextManager[CrashLoop]]
KILLS = 100  # on each database
# A grown site: as many people at once, and processes that the kernel deals them out to.
WEBS, CROWD, KILLS_OF_MANY = 4, 6, 40
# In the long run a site is left for a new one after so many: what has passed is not looked at
# for ever.
KILLS_A_SITE = 250
MANY_KILLS = int(os.environ.get("GOALPOST_CRASH_KILLS", "2000"))
SEED = os.environ.get("GOALPOST_CRASH_SEED")


@pytest.fixture(params=KINDS)
def open_loop(request: pytest.FixtureRequest, tmp_path: Path) -> OpenLoop:
    @contextmanager
    def open_it(bug: str | None = None, *, webs: int = 1, crowd: int = 1) -> Iterator[CrashLoop]:
        seed = int(SEED) if SEED else random.SystemRandom().randrange(10**9)
        print(f"seed {seed}: GOALPOST_CRASH_SEED={seed} runs the same again")  # noqa: T201 - for whoever reads the failure
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        with ExitStack() as stack:
            server: KillableServer | None = None
            if request.param == "sqlite":
                template: SqliteTemplate = request.getfixturevalue("sqlite_template")
                url = stack.enter_context(template.copy(folder))
            else:
                server = stack.enter_context(running_server())
                url = server.url
                migrate(url)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port: int = free.getsockname()[1]
            (folder / "ahead").write_text("0")
            sandbox = stack.enter_context(
                running_sandbox(
                    folder / "sandbox.sqlite", f"http://127.0.0.1:{port}/webhooks/stripe"
                )
            )
            told = {
                "database_url": url,
                "base_url": f"http://127.0.0.1:{port}",
                "stripe_secret_key": API_KEY,
                "stripe_api_base": sandbox.url,
            }
            settings = make_settings(**told)
            make_campaign(settings)
            plain = {"secret_key": "test", "ratelimit_enabled": False, "log_level": "ERROR"}
            secret = {"stripe_webhook_secret": sandbox.webhook_secret}
            zygote = stack.enter_context(running_zygote(folder, told | plain | secret))
            loop = CrashLoop(
                zygote, sandbox, settings, folder, port, seed, server, bug, webs, crowd
            )
            stack.callback(loop.close)
            stack.callback(lambda: print(loop.tally))  # noqa: T201 - what the run did
            yield loop

    return open_it


def test_nothing_is_lost_and_nothing_is_invented(
    open_loop: OpenLoop, record_property: Callable[[str, object], None]
) -> None:
    with open_loop() as loop:
        loop.run(KILLS)
        record_property("told", str(loop.tally))


@pytest.mark.parametrize("open_loop", ["postgresql"], indirect=True)
def test_four_web_processes_and_two_schedulers_keep_one_set_of_books(
    open_loop: OpenLoop, record_property: Callable[[str, object], None]
) -> None:
    with open_loop(webs=WEBS, crowd=CROWD) as loop:
        loop.run(KILLS_OF_MANY)
        record_property("told", str(loop.tally))
        served = loop.read_served()
    # Some die at their first request, and no round is of one process.
    assert len(served) > loop.tally.rounds * WEBS / 2, served


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_is_invented_for_long(
    open_loop: OpenLoop, record_property: Callable[[str, object], None]
) -> None:
    for _ in range(-(-MANY_KILLS // KILLS_A_SITE)):
        with open_loop() as loop:
            loop.run(KILLS_A_SITE)
            record_property("told", str(loop.tally))


@pytest.mark.slow
@pytest.mark.parametrize("open_loop", ["sqlite"], indirect=True)
@pytest.mark.parametrize("bug", BUGS)
def test_seeded_bug_is_found(open_loop: OpenLoop, bug: str) -> None:
    with open_loop(bug) as loop, pytest.raises(AssertionError, match=r"acknowledged|is done"):
        loop.run(300)
