"""An entrance: another way for calls to come in than SIP."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from vivavoce.phone.exposure import PhoneError
from vivavoce.phone.lines import TelephoneLine

Answering = Callable[[TelephoneLine], Awaitable[None]]
"""Takes a call: it answers or rejects the line, and returns when done with it."""


class Entrance(Protocol):
    """Another way for calls to come in.

    Attributes:
        name: What its lines have as `trunk`.
        agent: Who answers; "" for the first agent.
    """

    name: str
    agent: str

    @property
    def host(self) -> str:
        """The address that it listens on."""

    @property
    def port(self) -> int:
        """The port, once it is open."""

    async def open(self, answer: Answering) -> None:
        """Listen, and give each call to `answer`.

        Raises:
            PhoneError: The address cannot be bound, or would let anybody in.
        """

    async def close(self) -> None:
        """Hang up its calls and listen no more; idempotent."""


class Door:
    """Who may come in, by address.

    Args:
        name: The way in, for messages.
        listen: `HOST:PORT`, an IP literal; IPv6 addresses stand in brackets.
        allow: Networks (CIDR) that may come in; none: this machine alone.

    Raises:
        PhoneError: It lets anybody in, or says nothing sensible.
    """

    def __init__(self, name: str, listen: str, allow: Sequence[str]) -> None:
        host, _, port = listen.rpartition(":")
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            raise PhoneError(
                f"{name}: listen={listen!r}: give ADDRESS:PORT, such as 127.0.0.1:9092"
            ) from None
        if not port.isdigit() or int(port) > 65535:
            raise PhoneError(f"{name}: listen={listen!r}: the port is 0 to 65535")
        self.host, self.port = str(address), int(port)
        if not allow and not address.is_loopback:
            raise PhoneError(
                f"{name}: listening on {host} without knowing who may come in: give `allow`, the"
                " addresses (CIDR) of your PBX. Nothing else proves who it is"
            )
        self._networks = []
        for text in allow or ("127.0.0.0/8", "::1/128"):
            try:
                network = ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise PhoneError(
                    f"{name}: {text!r} in its allow-list is neither an address nor a CIDR"
                ) from None
            if network.prefixlen == 0:
                raise PhoneError(f"{name}: {text} lets the whole internet in; name your PBX")
            self._networks.append(network)

    def admits(self, host: str) -> bool:
        """Whether a connection from an IP literal is let in."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
