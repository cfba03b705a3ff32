"""Calls go to public hosts only, to the address that was checked, and follow nothing."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.sending import Delayed, Refused
from core.webhooks import WebhookClient, is_local, is_public
from tests.conftest import make_settings
from tests.core.receiver import Receiver, dripping

HERE = WebhookClient(local=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as receiver:
        yield receiver


def test_a_body_arrives_with_its_headers(receiver: Receiver) -> None:
    HERE.post(receiver.url, b'{"text": "hello"}', {"Goalpost-Delivery": "1"})

    (heard,) = receiver.heard
    assert (heard.path, heard.body) == ("/hook?a=b", b'{"text": "hello"}')
    assert heard.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert heard.headers["Goalpost-Delivery"] == "1"
    assert heard.headers["User-Agent"] == "Goalpost"


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_a_no_is_asked_again_later_and_told_in_its_own_words(
    receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    receiver.answer = b"invalid_token\r\n\x00" + b"x" * 9000
    with pytest.raises(Delayed, match=rf"answered {status}: invalid_token x{{10}}") as raised:
        HERE.post(receiver.url, b"{}", {})
    assert len(str(raised.value)) < 300


def test_one_who_is_gone_is_asked_no_more(receiver: Receiver) -> None:
    receiver.statuses = [410]
    with pytest.raises(Refused, match="410"):
        HERE.post(receiver.url, b"{}", {})


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    with Receiver().serving() as elsewhere:
        receiver.statuses, receiver.location = [status], elsewhere.url
        with pytest.raises(Delayed, match="not followed"):
            HERE.post(receiver.url, b"{}", {})
        assert elsewhere.heard == []


def test_nobody_there_is_asked_again_later(receiver: Receiver) -> None:
    with Receiver().serving() as gone:
        url = gone.url
    with pytest.raises(Delayed, match="ConnectionRefusedError"):
        HERE.post(url, b"{}", {})
    assert receiver.heard == []


def test_one_who_never_ends_is_left() -> None:
    with dripping() as port, pytest.raises(Delayed):
        WebhookClient(local=True, deadline_seconds=0.3).post(f"http://127.0.0.1:{port}/", b"{}", {})


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.9.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(address)
    client = WebhookClient(resolve=lambda _host, _port: ["93.184.216.34", address])
    with pytest.raises(Refused, match="not a public address"):
        client.post("https://hook.example/", b"{}", {})


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_what_is_of_it_is_not(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]", "0"]
)
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(Refused, match="not a public address"):
        WebhookClient().post(f"https://{host}/", b"{}", {})


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "0.0.0.0"])  # noqa: S104
def test_on_a_developers_machine_only_that_machine_is_reached(address: str) -> None:
    client = WebhookClient(local=True, resolve=lambda _host, _port: [address])
    with pytest.raises(Refused, match="not a public address"):
        client.post("http://hook.example/", b"{}", {})


def test_plain_http_is_for_a_developers_machine(receiver: Receiver) -> None:
    with pytest.raises(Refused, match="https only"):
        WebhookClient().post(receiver.url, b"{}", {})
    with pytest.raises(Refused, match="https only"):
        HERE.post("ftp://127.0.0.1/", b"{}", {})
    assert receiver.heard == []


@pytest.mark.parametrize(
    ("changes", "local"),
    [
        ({}, True),
        ({"base_url": "http://127.0.0.1:8000"}, True),
        ({"base_url": "https://goal.example.org"}, False),
        ({"base_url": "http://localhost.example.org"}, False),
        (
            {
                "base_url": "https://localhost",
                "stripe_secret_key": "sk_live_x",
                "secret_key": "x" * 40,
                "demo": False,
            },
            False,
        ),
    ],
)
def test_a_developers_machine_is_known_by_its_address(
    changes: dict[str, object], *, local: bool
) -> None:
    assert is_local(make_settings(**changes)) is local


def test_a_name_is_looked_up_once_and_called_where_it_was_found(receiver: Receiver) -> None:
    asked = []

    def rebind(host: str, _port: int) -> Sequence[str]:
        """Lead to the receiver once, and then into the network behind it."""
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    client = WebhookClient(local=True, resolve=rebind)
    client.post(f"http://hook.example:{receiver.port}/", b"{}", {})

    assert asked == ["hook.example"]
    assert receiver.heard[0].headers["Host"] == f"hook.example:{receiver.port}"


def test_a_name_that_nobody_has_is_asked_again_later() -> None:
    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError("Name or service not known")

    with pytest.raises(Delayed, match="not found"):
        WebhookClient(resolve=unknown).post("https://hook.example/", b"{}", {})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, pem = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", str(key), "-out", str(pem), "-subj", "/CN=hook.example",
         "-addext", "subjectAltName=DNS:hook.example"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return key, pem


@pytest.mark.parametrize(("host", "arrives"), [("hook.example", True), ("other.example", False)])
def test_the_certificate_is_held_to_the_name_and_not_to_the_address(
    certificate: tuple[Path, Path], host: str, *, arrives: bool
) -> None:
    key, pem = certificate
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, key)
    client = WebhookClient(
        local=True,
        resolve=lambda _host, _port: ["127.0.0.1"],
        context=ssl.create_default_context(cafile=str(pem)),
    )
    with Receiver().serving(server) as receiver:
        url = f"https://{host}:{receiver.port}/"
        if arrives:
            client.post(url, b"{}", {})
        else:
            with pytest.raises(Delayed, match="CERTIFICATE_VERIFY_FAILED"):
                client.post(url, b"{}", {})
        assert len(receiver.heard) == arrives


def test_an_unknown_authority_is_not_trusted(certificate: tuple[Path, Path]) -> None:
    key, pem = certificate
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, key)
    client = WebhookClient(local=True, resolve=lambda _host, _port: ["127.0.0.1"])
    with Receiver().serving(server) as receiver:
        with pytest.raises(Delayed, match="CERTIFICATE_VERIFY_FAILED"):
            client.post(f"https://hook.example:{receiver.port}/", b"{}", {})
        assert receiver.heard == []
