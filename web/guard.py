"""The door: how many connections there are, and how long one may dawdle over a request.

aiohttp waits for a request's head as long as it takes. Somebody who opens connections and sends a
byte now and then (a slow loris) would hold them all.
"""

from __future__ import annotations

import asyncio
from typing import Any

from vivavoce.web.limits import Limits, network

IDLE = 30.0
"""Seconds that a connection may wait for its next request."""


class Guard:
    """Makes connections' protocols, and closes the slow ones.

    Args:
        server: Makes aiohttp's protocols.
        limits: How many connections, and how long a head may take.
    """

    def __init__(self, server: Any, limits: Limits) -> None:
        self._server = server
        self.limits = limits
        self._doors: dict[int, _Door] = {}
        self._addresses: dict[str, int] = {}
        self.refused = 0

    def __len__(self) -> int:
        return len(self._doors)

    def __call__(self) -> asyncio.Protocol:
        """Make the protocol of a new connection."""
        return _Door(self, self._server())

    def began(self, transport: Any) -> None:
        """The head of a request is there."""
        door = self._doors.get(id(transport))
        if door is not None:
            door.expect(None)

    def ended(self, transport: Any) -> None:
        """A request was answered; there may be another."""
        door = self._doors.get(id(transport))
        if door is not None:
            door.expect(IDLE)

    def enter(self, door: _Door) -> bool:
        """Let a connection in, if there is room."""
        limits, address = self.limits, door.address
        there = self._addresses.get(address, 0)
        if len(self._doors) >= limits.connections or there >= limits.connections_per_address:
            self.refused += 1
            return False
        self._doors[id(door.transport)] = door
        self._addresses[address] = there + 1
        return True

    def leave(self, door: _Door) -> None:
        """A connection is gone."""
        if self._doors.pop(id(door.transport), None) is not None:
            left = self._addresses[door.address] - 1
            if left:
                self._addresses[door.address] = left
            else:
                del self._addresses[door.address]


class _Door(asyncio.Protocol):
    """One connection: hands everything to aiohttp's protocol, if it was let in."""

    def __init__(self, guard: Guard, inner: Any) -> None:
        self._guard = guard
        self._inner = inner
        self._timer: asyncio.TimerHandle | None = None
        self._entered = False
        self.transport: Any = None
        self.address = ""

    def expect(self, within: float | None) -> None:
        """Close the connection after so many seconds; None for never."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if within is not None and not self.transport.is_closing():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(within, self.transport.abort)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self.address = network(str(peer[0])) if isinstance(peer, tuple) else ""
        self._entered = self._guard.enter(self)
        if not self._entered:
            transport.abort()
            return
        self.expect(self._guard.limits.header_time)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._entered:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return bool(self._inner.eof_received()) if self._entered else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._entered:
            self._entered = False
            self.expect(None)
            self._guard.leave(self)
            self._inner.connection_lost(exc)
