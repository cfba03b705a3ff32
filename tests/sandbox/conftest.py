"""One sandbox and one receiver for all these tests, which tell their objects apart by id.

Starting a process takes a second. Tests that move the clock share another (test_clock.py), and
those that stop the process start their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest
import stripe

from tests.sandbox.donor import client_of
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import SandboxProcess, running_sandbox


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def sandbox(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> Iterator[SandboxProcess]:
    state_path = tmp_path_factory.mktemp("sandbox") / "sandbox.sqlite"
    with running_sandbox(state_path, receiver.url) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxProcess) -> stripe.StripeClient:
    return client_of(sandbox)


@pytest.fixture
def listener(client: stripe.StripeClient) -> Iterator[Receiver]:
    """Listen to the sandbox beside the others, with answers of one's own."""
    with closing(Receiver()) as receiver:
        endpoint = client.v1.webhook_endpoints.create(
            {"url": receiver.url, "enabled_events": ["*"]}
        )
        assert endpoint.secret is not None
        receiver.secret = endpoint.secret
        yield receiver
        client.v1.webhook_endpoints.delete(endpoint.id)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Take the system's Chromium where there is one, and Playwright's own otherwise."""
    system = shutil.which("chromium")
    return {"args": ["--no-sandbox"], **({"executable_path": system} if system else {})}
