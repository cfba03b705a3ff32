"""Which addresses, as people paste them, are those of a campaign."""

from __future__ import annotations

import pytest

from widget.oembed import read_address


@pytest.mark.parametrize("base_url", ["http://localhost:8000", "https://goal.example.org"])
@pytest.mark.parametrize(
    "form",
    [
        "{home}/c/support-us",
        "{home}/c/support-us/",
        "{home}/embed/support-us",
        "{home}/embed/support-us/",
        "{home}/c/support-us?utm_source=letter",
        "{home}/c/support-us#give",
        "{home}/c/support%2Dus",
        "http://{host}/c/support-us",
        "https://{host}/c/support-us",
        "HTTPS://{shouted}/c/support-us",
    ],
)
def test_address_is_known_as_people_paste_it(base_url: str, form: str) -> None:
    host = base_url.partition("://")[2]
    url = form.format(home=base_url, host=host, shouted=host.upper())
    asked = read_address(url, base_url=base_url)
    assert asked is not None
    assert (asked.slug, asked.options) == ("support-us", {})


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/c/support-us",
        "https://goal.example.org.elsewhere.example/c/support-us",
        "https://goal.example.org:8443/c/support-us",
        "https://goal.example.org@elsewhere.example/c/support-us",
        "https://someone@goal.example.org/c/support-us",
        "https://goal.example.org:port/c/support-us",
        "https://[/c/support-us",
        "ftp://goal.example.org/c/support-us",
        "//goal.example.org/c/support-us",
        "/c/support-us",
        "javascript:alert(1)",
        "https://goal.example.org/",
        "https://goal.example.org/c/",
        "https://goal.example.org/c/support-us/thanks",
        "https://goal.example.org/c/support-us.png",
        "https://goal.example.org/embed/v1.js",
        "https://goal.example.org/api/v1/campaigns/support-us",
        "https://goal.example.org/c/../c/support-us",
        "https://goal.example.org/c/support-us%00",
    ],
)
def test_foreign_address_is_not_ours(url: str) -> None:
    assert read_address(url, base_url="https://goal.example.org") is None
