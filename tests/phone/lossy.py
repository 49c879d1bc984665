"""A network between a peer and us that loses packets of SIP, the same ones in every run."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.phone.peers import HERE

Place = tuple[str, int]


class _Wire(asyncio.DatagramProtocol):
    def __init__(self, take) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: Place) -> None:
        self._take(data, addr)


class Lossy:
    """Carries datagrams between whoever sends to `port` and one address; loses a share each way.

    What is lost depends on what a message is (its call in order of appearance, its CSeq, request
    or status, how often it came before), not on when it comes nor on random tags.

    Attributes:
        port: Where it listens.
        lost: Messages lost, by direction (`in` is towards the address).
        carried: Messages carried, by direction.
        arrived: What arrived: (direction, method or status with its CSeq, Call-ID).
    """

    def __init__(self, to: Place, share: float, seed: int) -> None:
        self.port = 0
        self.lost: Counter[str] = Counter()
        self.carried: Counter[str] = Counter()
        self.arrived: set[tuple[str, str, str]] = set()
        self._to, self._share, self._seed = to, share, seed
        self._calls: dict[str, int] = {}
        self._times: Counter[tuple[str, int, str]] = Counter()
        self._front: asyncio.DatagramTransport | None = None
        self._behind: dict[Place, asyncio.DatagramTransport] = {}
        self._opening: set[asyncio.Task[None]] = set()

    async def open(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Wire(self._came), local_addr=(HERE, port)
        )
        self.port = self._front.get_extra_info("sockname")[1]

    async def close(self) -> None:
        await asyncio.gather(*self._opening)
        for transport in (self._front, *self._behind.values()):
            if transport is not None:
                transport.close()
        await asyncio.sleep(0)

    def of(self, direction: str, what: str) -> int:
        """Of how many calls something arrived, such as `200 BYE`."""
        return len({call for way, kind, call in self.arrived if (way, kind) == (direction, what)})

    def _came(self, data: bytes, source: Place) -> None:
        if self._loses("in", data):
            return
        behind = self._behind.get(source)
        if behind is not None:
            behind.sendto(data)
            return
        task = asyncio.create_task(self._open_behind(data, source))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open_behind(self, data: bytes, source: Place) -> None:
        def back(answer: bytes, _from: Place) -> None:
            if not self._loses("out", answer) and self._front is not None:
                self._front.sendto(answer, source)

        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Wire(back), remote_addr=self._to
        )
        other = self._behind.setdefault(source, transport)
        if other is not transport:  # two packets came before the socket stood
            transport.close()
        other.sendto(data)

    def _loses(self, direction: str, data: bytes) -> bool:
        text = data.decode("utf-8", "replace")
        found = re.search(r"^Call-ID: *(\S+)", text, re.MULTILINE | re.IGNORECASE)
        cseq = re.search(r"^CSeq: *\d+ +(\w+)", text, re.MULTILINE | re.IGNORECASE)
        if found is None or cseq is None:
            return False
        call = self._calls.setdefault(found[1], len(self._calls))
        status = re.match(r"SIP/2.0 (\d+)", text)
        kind = f"{status[1]} {cseq[1]}" if status else cseq[1]
        key = (direction, call, kind)
        self._times[key] += 1
        chance = random.Random(f"{self._seed} {key} {self._times[key]}").random()
        if chance < self._share:
            self.lost[direction] += 1
            return True
        self.carried[direction] += 1
        self.arrived.add((direction, kind, found[1]))
        return False


@asynccontextmanager
async def lossy(
    to: Place, *, port: int = 0, share: float = 0.25, seed: int = 1
) -> AsyncIterator[Lossy]:
    """Run such a network towards an address, on a port (0: any)."""
    it = Lossy(to, share, seed)
    await it.open(port)
    try:
        yield it
    finally:
        await it.close()
