"""Draw docs/images/article.png: the demo article as a reader sees it, on 12 May 2021.

Run it by `make picture`, after a change of how the widget or the article looks.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app import create_app  # noqa: E402 - a script is not a package: it has to find ours first
from core.clock import MovableClock  # noqa: E402
from core.db import db  # noqa: E402
from core.settings import load_settings  # noqa: E402
from ops.demo_data import make_demo  # noqa: E402
from tests.conftest import browser_launch_options  # noqa: E402

DAY = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)
PORT = 8473
WIDTH, HEIGHT = 760, 1180


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """Serve the demo as it would be on that day."""
    base_url = f"http://localhost:{PORT}"
    settings = load_settings(
        _env_file=None,
        database_url=f"sqlite:///{folder / 'goalpost.sqlite'}",
        secret_key="picture",
        base_url=base_url,
        stripe_secret_key="sk_test_picture",
        stripe_webhook_secret="whsec_picture",
        demo=True,
    )
    app = create_app(settings, clock=MovableClock(DAY))
    with app.app_context():
        app.extensions["alembic"].upgrade()
        make_demo(db.session, now=DAY, step=lambda: None)
        db.session.commit()
    server = make_server("127.0.0.1", PORT, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield base_url
    server.shutdown()


def main() -> None:
    """Draw the pictures."""
    target = ROOT / "docs" / "images" / "article.png"
    with (
        tempfile.TemporaryDirectory() as folder,
        site(Path(folder)) as address,
        sync_playwright() as playwright,
        playwright.chromium.launch(**browser_launch_options()) as browser,
    ):
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.5
        )
        page.goto(f"{address}/demo/article")
        page.locator("donation-goal .raised").first.wait_for()
        page.screenshot(path=target)
    sys.stdout.write(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KB\n")


if __name__ == "__main__":
    main()
