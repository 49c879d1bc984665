"""An entrance: another way for calls to come in than SIP."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

from vivavoce.phone.exposure import PhoneError
from vivavoce.phone.lines import TelephoneLine
from vivavoce.pipelines.load import Gate

log = logging.getLogger("vivavoce")

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

    async def open(self, answer: Answering, gate: Gate | None = None) -> None:
        """Listen, and give each call to `answer` that there is room for.

        Args:
            answer: Takes the calls.
            gate: Measures whether one more fits; None: its own bound alone counts.

        Raises:
            PhoneError: The address cannot be bound, or would let anybody in.
        """

    async def close(self) -> None:
        """Hang up its calls and listen no more; idempotent."""


class Door:
    """Who may come in: by address, and while there is room.

    Args:
        name: The way in, for messages.
        listen: `HOST:PORT`, an IP literal; IPv6 addresses stand in brackets.
        allow: Networks (CIDR) that may come in; none: this machine alone.
        max_calls: Most calls at once.

    Attributes:
        gate: Measures whether one more call fits; None: `max_calls` alone bounds them.
        calls: How many there are.

    Raises:
        PhoneError: It lets anybody in, or says nothing sensible.
    """

    def __init__(
        self, name: str, listen: str, allow: Sequence[str] = (), max_calls: int = 50
    ) -> None:
        self._name, self._max_calls = name, max_calls
        self.gate: Gate | None = None
        self.calls = 0
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

    def full(self) -> str:
        """Return why no call may begin now, which is logged; "" if one may."""
        why = "" if self.gate is None else self.gate.full()
        if self.calls >= self._max_calls:
            why = f"there are {self.calls}"
        if why:
            log.warning("%s: a call is refused: %s", self._name, why)
        return why

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Count a call in, and out at its end."""
        self.calls += 1
        if self.gate is not None:
            self.gate.begin()
        try:
            yield
        finally:
            self.calls -= 1
            if self.gate is not None:
                self.gate.end()
