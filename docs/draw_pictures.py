"""Draw docs/images: the demo article as a reader sees it on 12 May 2021, and the bar's states.

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

from playwright.sync_api import Browser, sync_playwright
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
IMAGES = ROOT / "docs" / "images"
PORT = 8473
WIDTH, HEIGHT = 760, 1180
# What the picture of the gallery shows: as much as says what the bar can do.
STATES = ("usual", "far-over", "all-notes", "once", "dinar")


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


def draw_article(browser: Browser, address: str) -> Path:
    """Draw the article, with the bar above its text."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.5)
    page.goto(f"{address}/demo/article")
    page.locator("donation-goal .face .raised").first.wait_for()
    page.screenshot(path=IMAGES / "article.png")
    return IMAGES / "article.png"


def draw_gallery(browser: Browser, address: str) -> Path:
    """Draw some of the bar's states, as the element and the server show them."""
    page = browser.new_page(viewport={"width": 1104, "height": 600})
    page.goto(f"{address}/demo/gallery?width=320")
    page.locator("donation-goal .face .raised").last.wait_for()
    wanted = ", ".join(f"#{state}" for state in STATES)
    others = page.locator(f"section:not(:has({wanted}))")
    others.evaluate_all("(all) => all.forEach((one) => one.remove())")
    page.screenshot(path=IMAGES / "gallery.png", full_page=True)
    return IMAGES / "gallery.png"


def main() -> None:
    """Draw the pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        site(Path(folder)) as address,
        sync_playwright() as playwright,
        playwright.chromium.launch(**browser_launch_options()) as browser,
    ):
        for drawn in (draw_article(browser, address), draw_gallery(browser, address)):
            size = drawn.stat().st_size // 1024
            sys.stdout.write(f"{drawn.relative_to(ROOT)}: {size} KB\n")


if __name__ == "__main__":
    main()
