"""One sandbox and one receiver for each file of tests; tests tell their objects apart by id.

Where a test moves the clock or stops the process, it takes `own_sandbox`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import stripe

from tests.sandbox.donor import client_of
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import SandboxProcess, running_sandbox


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture(scope="module")
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
def own_receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def own_sandbox(tmp_path: Path, own_receiver: Receiver) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path / "sandbox.sqlite", own_receiver.url) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Take the system's Chromium where there is one, and Playwright's own otherwise."""
    system = shutil.which("chromium")
    return {"args": ["--no-sandbox"], **({"executable_path": system} if system else {})}
