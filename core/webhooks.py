"""Posting to webhooks: to public hosts only, and to the very address that was checked.

An admin may name any host, and names may lead anywhere: to this machine, into the network behind
it, to the cloud's metadata. So the name is resolved once, every address that it has must be a
public one, and the connection is made to that address, while TLS and `Host` keep the name. A
second look at the name might find another address.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from core.sending import Delayed, Refused
from core.settings import Settings

TIMEOUT_SECONDS = 10
# For all of it: one that answers a byte at a time keeps nobody waiting longer.
DEADLINE_SECONDS = 30
_MOST_ADDRESSES = 4
_MOST_ANSWER_BYTES = 2000
_MOST_TOLD_CHARACTERS = 200
_OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
# RFC 6052: an IPv4 address in its last 32 bits, reached through a translator.
_NAT64 = IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], Sequence[str]]


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Return the addresses that a host has. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookClient:
    """What posts. `local` lets it reach this machine too, and by plain http: for development."""

    local: bool = False
    resolve: Resolve = resolve_host
    # What TLS trusts; the system's own authorities where there is none.
    context: ssl.SSLContext | None = None
    deadline_seconds: float = DEADLINE_SECONDS

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Post a body; return the host's yes: a status from 200 to 299, and what it said with it.

        No redirect is followed. Raises Refused where asking again can't help, Delayed otherwise
        (see `core.sending`).
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and not (self.local and parts.scheme == "http"):
            raise Refused("Webhooks are called by https only.")
        addresses = self._checked_addresses(parts)
        try:
            with closing(self._connect(parts, addresses)) as connected:
                status, told = _ask(connected, parts, body, headers, self.deadline_seconds)
        except (OSError, http.client.HTTPException) as error:
            raise Delayed(f"{type(error).__name__}: {error}") from None
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return f"{status}{told}"
        if status == HTTPStatus.GONE:
            raise Refused("answered 410: it wants no more calls")
        redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
        raise Delayed(
            f"answered {status}" + (": redirects are not followed" if redirected else told)
        )

    def _checked_addresses(self, parts: SplitResult) -> Sequence[str]:
        try:
            found = self.resolve(parts.hostname or "", _port(parts))
        except (OSError, UnicodeError) as error:
            raise Delayed(f"{parts.hostname} is not found: {error}") from None
        for address in found:
            if not (is_public(address) or (self.local and ip_address(address).is_loopback)):
                raise Refused(f"{parts.hostname} is {address}, which is not a public address")
        return found[:_MOST_ADDRESSES]

    def _connect(self, parts: SplitResult, addresses: Sequence[str]) -> socket.socket:
        problem: OSError = ConnectionError("no address")
        for address in addresses:
            try:
                plain = socket.create_connection((address, _port(parts)), TIMEOUT_SECONDS)
            except OSError as error:
                problem = error
                continue
            if parts.scheme == "http":
                return plain
            try:
                context = self.context or ssl.create_default_context()
                return context.wrap_socket(plain, server_hostname=parts.hostname)
            except BaseException:
                plain.close()
                raise
        raise problem


def client_of(settings: Settings) -> WebhookClient:
    """Return what posts for this site: on a developer's own machine, to that machine too."""
    return WebhookClient(local=is_local(settings))


def is_local(settings: Settings) -> bool:
    """Tell whether this is a test site on somebody's own machine, which only it can reach."""
    return not settings.livemode and urlsplit(settings.base_url).hostname in _OWN_MACHINE


def is_public(address: str) -> bool:
    """Tell whether an address is one of the public internet's, and of one machine there."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.sixtofour is not None or ip.teredo is not None or ip.is_site_local:
            return False
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.is_global and not (
        ip.is_private
        or ip.is_loopback
        or ip.is_link_local
        or ip.is_multicast
        or ip.is_reserved
        or ip.is_unspecified
    )


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _ask(
    connected: socket.socket,
    parts: SplitResult,
    body: bytes,
    headers: Mapping[str, str],
    deadline_seconds: float,
) -> tuple[int, str]:
    """Return the status, and the beginning of what was said with it, for the admin to read."""
    # Given its connection, http.client opens none; and it follows and repeats nothing.
    client = http.client.HTTPConnection(parts.hostname or "", _port(parts))
    client.sock = connected
    deadline = threading.Timer(deadline_seconds, _break_off, (connected,))
    deadline.daemon = True
    deadline.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        own = {"Host": parts.netloc, "User-Agent": "Goalpost", "Connection": "close"}
        client.request("POST", path, body, {**own, **headers})
        answer = client.getresponse()
        said = answer.read(_MOST_ANSWER_BYTES).decode(errors="replace")
    finally:
        deadline.cancel()
    told = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return answer.status, f": {told[:_MOST_TOLD_CHARACTERS]}" if told else ""


def _break_off(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
