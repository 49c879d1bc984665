"""The bad network of tests and benchmarks: it has to be as bad as it is told to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.web.relay import Relay


class Peer(asyncio.DatagramProtocol):
    """Keeps what it gets, with where it came from; says it back where it is to."""

    def __init__(self, *, echoes: bool) -> None:
        self.echoes = echoes
        self.got: list[bytes] = []
        self.sources: set[int] = set()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.got.append(data)
        self.sources.add(addr[1])
        if self.echoes:
            self.transport.sendto(data, addr)

    async def has(self, count: int) -> None:
        async with asyncio.timeout(20.0):
            while len(self.got) < count:  # noqa: ASYNC110 (both ends are loopback's)
                await asyncio.sleep(0.005)


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Peer, Peer]]:
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_datagram_endpoint(lambda e=e: Peer(echoes=e), ("127.0.0.1", 0)))[1]
        for e in (False, True)
    ]
    yield made[0], made[1]
    for each in made:
        each.transport.close()


async def joined(relay: Relay, ends: tuple[Peer, Peer]) -> Relay:
    await relay.open(ends[1].transport.get_extra_info("sockname"))
    return relay


def send(relay: Relay, client: Peer, *packets: bytes) -> None:
    for each in packets:
        client.transport.sendto(each, ("127.0.0.1", relay.port))


async def test_what_it_is_not_told_to_spoil_passes_both_ways(ends):
    client, server = ends
    relay = await joined(Relay(), ends)
    send(relay, client, b"one", b"two")
    await client.has(2)
    relay.close()
    assert sorted(client.got) == sorted(server.got) == [b"one", b"two"]
    assert (relay.sent, relay.lost) == (4, 0)


async def test_packets_are_lost_twice_and_too_long(ends):
    client, server = ends
    relay = await joined(Relay(double=1.0, longest=4), ends)
    send(relay, client, b"long one", b"two")
    await client.has(4)
    assert (server.got, relay.lost) == ([b"two"] * 2, 1)
    relay.up = False
    send(relay, client, b"one")
    async with asyncio.timeout(20.0):
        while relay.lost < 2:  # noqa: ASYNC110 (nothing is told of what is lost)
            await asyncio.sleep(0.005)
    relay.close()
    assert server.got == [b"two"] * 2


async def test_a_router_that_forgot_its_binding_comes_from_another_port(ends):
    client, server = ends
    relay = await joined(Relay(), ends)
    send(relay, client, b"one")
    await client.has(1)
    await relay.rebind()
    send(relay, client, b"two")
    await client.has(2)
    relay.close()
    relay.close()
    assert len(server.sources) == 2
