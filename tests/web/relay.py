"""A network between a WebRTC client and its server: packets lost, late, twice, in another order.

It is a relay in user space, which needs no kernel module and no root: the client knows the server
by the relay's address alone, and the other way round.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiortc import RTCSessionDescription

from tests.web.calls import Browser

LATER = 0.03
"""Seconds by which a packet is later that comes behind the next."""


@dataclass(slots=True)
class Relay:
    """Forwards datagrams between one client and one server, as well as it is told to.

    Attributes:
        loss: Share of packets, each way, that are lost.
        delay: Seconds by which each is late.
        jitter: Seconds by which each is later than that at most.
        swap: Share of packets that come behind the next.
        double: Share of packets that come twice.
        longest: Bytes of the longest packet that passes.
        up: Whether any passes.
        seed: Of its chance.
        port: Where it stands for the server.
        sent: Packets that it was given.
        lost: Those of them that it lost.
    """

    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    swap: float = 0.0
    double: float = 0.0
    longest: int = 65_535
    up: bool = True
    seed: int = 1
    port: int = 0
    sent: int = 0
    lost: int = 0
    _chance: random.Random = field(init=False, repr=False)
    _client: tuple[str, int] | None = None
    _server: tuple[str, int] = ("", 0)
    _down: asyncio.DatagramTransport | None = None
    _up: asyncio.DatagramTransport | None = None

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    async def open(self, server: tuple[str, int]) -> None:
        """Stand in front of a server's address."""
        self._server = server
        self._down, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Side(self._from_client), local_addr=(server[0], 0)
        )
        self.port = self._down.get_extra_info("sockname")[1]
        await self.rebind()

    async def rebind(self) -> None:
        """Come from another port from now on, as behind a router that forgot its binding."""
        old = self._up
        self._up, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Side(self._from_server), local_addr=(self._server[0], 0)
        )
        if old is not None:
            old.close()

    def close(self) -> None:
        """Let go; idempotent."""
        for each in (self._up, self._down):
            if each is not None:
                each.close()

    def _from_client(self, data: bytes, source: tuple[str, int]) -> None:
        self._client = source
        self._pass(lambda: self._up, data, self._server)

    def _from_server(self, data: bytes, _source: tuple[str, int]) -> None:
        if self._client is not None:
            self._pass(lambda: self._down, data, self._client)

    def _pass(
        self,
        out: Callable[[], asyncio.DatagramTransport | None],
        data: bytes,
        target: tuple[str, int],
    ) -> None:
        self.sent += 1
        if not self.up or len(data) > self.longest or self._chance.random() < self.loss:
            self.lost += 1
            return
        delay = self.delay + self._chance.random() * self.jitter
        if self._chance.random() < self.swap:
            delay += LATER

        def send() -> None:
            # Whoever goes out of it when it is due: the port may be another one by then.
            transport = out()
            if transport is not None and not transport.is_closing():
                transport.sendto(data, target)

        for _ in range(2 if self._chance.random() < self.double else 1):
            asyncio.get_running_loop().call_later(delay, send)


class Side(asyncio.DatagramProtocol):
    """One socket, whose packets are given to a function."""

    def __init__(self, take: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Give a packet on."""
        self._take(data, (addr[0], addr[1]))


class Relayed(Browser):
    """A client that reaches its server through a relay, and is reached through it.

    Args:
        url: The call server's.
        relay: The network; closed with the client.
    """

    def __init__(self, url: str, relay: Relay) -> None:
        super().__init__(url)
        self.relay = relay

    async def call(self, **more: Any) -> Self:
        """Send an offer without candidates, and put the relay's in the place of the answer's."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        sdp = re.sub(
            r"a=(candidate|end-of-candidates)[^\r\n]*\r\n", "", self.pc.localDescription.sdp
        )
        body = {"sdp": sdp, "type": "offer", **more}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.url}/api/offer", json=body, headers=self.headers) as response,
        ):
            self.status, self.answer = response.status, await response.json()
        if self.status != 200:
            return self
        found = re.search(r"candidate:\S+ 1 udp \d+ ([\d.]+) (\d+) typ host", self.answer["sdp"])
        assert found is not None, self.answer["sdp"]
        address = found[1]
        await self.relay.open((address, int(found[2])))
        line = f"a=candidate:1 1 udp 2130706431 {address} {self.relay.port} typ host\r\n"
        text = re.sub(r"(a=candidate:[^\r\n]*\r\n)+", line, self.answer["sdp"])
        await self.pc.setRemoteDescription(RTCSessionDescription(text, "answer"))
        return self

    async def close(self) -> None:
        """Hang up, and take the network away."""
        await super().close()
        self.relay.close()
