"""Two small web servers on loopback: a tracker that can be told what to say, and a paper's site."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from widget.gallery import Example, make_face


@dataclass
class Page:
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    delay_seconds: float = 0


class Site:
    """Serves `pages` by path, and remembers in `asked` what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                site.asked.append(self.path)
                page = site.pages.get(path, Page("nothing here", status=404))
                time.sleep(page.delay_seconds)
                body = page.body.encode()
                self.send_response(page.status)
                for name, value in {"Content-Type": "text/html", **page.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Keep the test's output clean."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_args: object) -> None:
                """A browser that closes its page breaks connections, which is its right."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


LOOKS = ("title", "locale", "state", "shows", "frequencies", "button", "accent", "money_format")


def progress_json(origin: str, **changes: Any) -> dict[str, Any]:
    """Return the contract's example, with `changes`; sums and tiers may be given in whole units."""
    example = Example(
        name="support-us",
        caption="",
        raised_minor=changes.pop("raised", 520) * 100,
        tiers_minor=tuple(tier * 100 for tier in changes.pop("tiers", (0, 2500, 5000)) if tier),
        coming_minor=changes.pop("coming", 0) * 100,
        gifts=changes.pop("gifts", ()),
        look={name: changes.pop(name) for name in LOOKS if name in changes}
        | {"slug": "support-us"},
    )
    face = make_face(example, now=datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC), base_url=origin)
    told: dict[str, Any] = {**face.progress.to_json(), "face": face.to_json()}
    told["period"] |= {"ends_at": changes.pop("ends_at", "2999-06-01T04:00:00Z")}
    if "label" in changes:
        told["period"] |= {"label": changes.pop("label")}
    return told | changes


class Tracker(Site):
    """A tracker with the real script and made-up numbers."""

    PATH = "/api/v1/campaigns/support-us"

    def serve_image(self) -> None:
        """Serve the snippet's image; its format does not matter to a page."""
        self.pages["/c/support-us.png"] = Page(
            '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="160"/>',
            {"Content-Type": "image/svg+xml"},
        )

    def serve_script(self, script: bytes, *, delay_seconds: float = 0) -> None:
        self.pages["/embed/v1.js"] = Page(
            script.decode(), {"Content-Type": "text/javascript"}, delay_seconds=delay_seconds
        )

    def say(self, *, delay_seconds: float = 0, **changes: Any) -> None:
        """Answer with the example's progress from now on, with `changes`."""
        self.pages[self.PATH] = Page(
            json.dumps(progress_json(self.origin, **changes)),
            {
                "Content-Type": "application/json",
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Expose-Headers": "Date",
            },
            delay_seconds=delay_seconds,
        )

    def fail(self) -> None:
        """Answer with an error from now on."""
        self.pages[self.PATH] = Page("{", {"Access-Control-Allow-Origin": "*"}, status=503)

    @property
    def reads(self) -> int:
        """How often the progress was asked for."""
        return sum(path.startswith(self.PATH) for path in self.asked)
