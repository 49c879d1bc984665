"""How a station is reached, by whom, and what it refuses: configuration, checked."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vivavoce.phone.media.endpoint import PORTS
from vivavoce.phone.sip.decisions import Address
from vivavoce.phone.sip.session import Srtp
from vivavoce.phone.sip.trunk import USUAL, Trunk, formats
from vivavoce.phone.sip.uri import DEFAULT_PORT, bracketed, ip_literal


class PhoneError(ValueError):
    """The telephone is configured wrongly; the message says what to change."""


def listener(text: str) -> Address:
    """Read `[udp:|tcp:|tls:]host[:port]`; IPv6 addresses stand in brackets.

    Raises:
        PhoneError: It is none.
    """
    transport, rest = "udp", text
    for name in DEFAULT_PORT:
        if text.lower().startswith(f"{name}:"):
            transport, rest = name, text[len(name) + 1 :]
    host, port = rest, str(DEFAULT_PORT[transport])
    if rest.startswith("["):
        host, _, after = rest.partition("]")
        host, port = f"{host}]", after.removeprefix(":") or port
    elif rest.count(":") == 1:
        host, _, port = rest.partition(":")
    literal = ip_literal(host)
    if literal is None or not port.isdigit() or int(port) > 65535:
        raise PhoneError(
            f"{text!r}: listen on [udp:|tcp:|tls:]ADDRESS[:PORT], such as udp:127.0.0.1:5060"
        )
    return Address(transport, literal, int(port))


def place(address: Address) -> str:
    """Return an address as people write it."""
    return f"{address.transport}:{bracketed(address.host)}:{address.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """How a station is reached, and what it is willing to do.

    Attributes:
        listen: Where it listens; port 0 takes a free one.
        public: The IP address the far ends are to send to, where a NAT stands between or the
            station listens on every address; "" for the one that it is bound to.
        rtp: UDP ports of the media.
        phones: Password by user of phones that may call in from anywhere, by digest.
        realm: What they see in the challenge.
        max_calls: Most calls at once; 503 beyond (486 beyond a trunk's own).
        codecs: What is spoken with phones of our own (trunks have theirs).
        srtp: Whether media with them are encrypted.
        silence_limit: Seconds without a packet after which a call is hung up.
        server_tls: The certificate of TLS listeners.
        client_tls: How far ends' certificates are verified; None: the system's authorities,
            and the name must be right.
        media_thread: Whether media run on a thread of their own, so that what is said goes on
            while the event loop is busy.
        session_timer: Seconds after which each side is asked whether it still lives (RFC 4028).

    Raises:
        PhoneError: Something does not hold together.
    """

    listen: Sequence[str] = ("udp:127.0.0.1:5060",)
    public: str = ""
    rtp: range = PORTS
    phones: Mapping[str, str] = field(default_factory=dict, repr=False)
    realm: str = "vivavoce"
    max_calls: int = 50
    codecs: tuple[str, ...] = USUAL
    srtp: Srtp = Srtp.OFF
    silence_limit: float = 60.0
    server_tls: ssl.SSLContext | None = None
    client_tls: ssl.SSLContext | None = None
    media_thread: bool = True
    session_timer: int = 1800

    def __post_init__(self) -> None:
        if not self.listen:
            raise PhoneError("listen: give at least one address, such as udp:127.0.0.1:5060")
        for text in self.listen:
            address = listener(text)
            if address.transport == "tls" and self.server_tls is None:
                raise PhoneError(f"{text}: a TLS listener needs a certificate (server_tls)")
        if self.public and ip_literal(self.public) is None:
            raise PhoneError(f"public={self.public!r}: give an IP address, not a name")
        if self.max_calls < 1:
            raise PhoneError(f"max_calls={self.max_calls}: at least 1")
        if len(self.rtp) < 4:
            raise PhoneError(f"rtp={self.rtp}: each call needs a pair of ports; give some hundred")
        if self.silence_limit <= 0:
            raise PhoneError(f"silence_limit={self.silence_limit}: more than 0 s")
        try:
            formats(self.codecs)
        except ValueError as error:
            raise PhoneError(str(error)) from None


def guard(exposure: Exposure, trunks: Sequence[Trunk]) -> None:
    """Refuse a configuration that would take calls from just anybody, or from nobody.

    Raises:
        PhoneError: It would; the message says what to add.
    """
    for trunk in trunks:
        for network in trunk.allow:
            try:
                wide = ipaddress.ip_network(network, strict=False).prefixlen == 0
            except ValueError:
                raise PhoneError(
                    f"trunk {trunk.name!r}: {network!r} in its allow-list is neither an address"
                    " nor a CIDR, such as 203.0.113.0/24"
                ) from None
            if wide:
                raise PhoneError(
                    f"trunk {trunk.name!r}: {network} allows the whole internet to call in; name"
                    " the networks of your carrier or PBX"
                )
    if trunks or exposure.phones:
        return
    for text in exposure.listen:
        host = listener(text).host
        if not ipaddress.ip_address(host).is_loopback:
            raise PhoneError(
                f"listening on {host} without knowing who may call: name a trunk or an"
                " allow-list (CIDR), or phones with passwords. Within minutes of being reachable"
                " a SIP port is found by scanners"
            )


def loopback_trunk() -> Trunk:
    """Return the trunk of a station that has none: whoever calls from this machine."""
    return Trunk("local", "127.0.0.1", transport=None, allow=("127.0.0.0/8", "::1/128"))


def own_address(version: int) -> str:
    """Return the address that this machine reaches the internet from; sends nothing.

    Raises:
        PhoneError: It has none.
    """
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    there = "2001:db8::1" if version == 6 else "192.0.2.1"
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((there, 9))
            return str(probe.getsockname()[0])
        except OSError:
            raise PhoneError(
                "this machine has no address to be called at: listen on one by its number, or"
                " give `public`"
            ) from None
