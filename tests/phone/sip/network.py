"""A network of user agents in virtual time: it loses, delays, reorders and duplicates."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

from vivavoce.phone.sip.decisions import Address, Decision, Send
from vivavoce.phone.sip.message import Request, Response, parse
from vivavoce.phone.sip.session import LocalMedia
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.ua import UserAgent

ALICE = Address("udp", "192.0.2.1", 5060)
BOB = Address("udp", "192.0.2.2", 5060)


def tokens(seed: int) -> Callable[[int], str]:
    rng = random.Random(seed)
    return lambda count: rng.randbytes(count).hex()


def media(port: int = 40000, host: str = "192.0.2.9", **options: Any) -> LocalMedia:
    return LocalMedia(host, port, **options)


class Host:
    """One user agent with what it was told; `react` answers each piece of news."""

    def __init__(self, world: World, address: Address, ua: UserAgent) -> None:
        self.world, self.address, self.ua = world, address, ua
        self.news: list[Decision] = []
        self.react: Callable[[Host, Decision], list[Decision] | None] | None = None

    def do(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Send):
                self.world.carry(self.address, decision)
                continue
            self.news.append(decision)
            if self.react is not None:
                more = self.react(self, decision)
                if more:
                    self.do(more)

    def of(self, kind: type[Any]) -> list[Any]:
        return [decision for decision in self.news if isinstance(decision, kind)]


class World:
    """Carries packets between hosts.

    `loss` and `twice` are chances per packet; the delay is uniform in `delay`, so packets
    overtake each other. `drop(message, source, to)` decides about single messages.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        loss: float = 0.0,
        twice: float = 0.0,
        delay: tuple[float, float] = (0.01, 0.01),
    ) -> None:
        self.now = 0.0
        self.rng = random.Random(seed)
        self.loss, self.twice, self.delay = loss, twice, delay
        self.hosts: dict[Address, Host] = {}
        self.drop: Callable[[Request | Response, Address, Address], bool] | None = None
        self.carried: list[tuple[float, Address, Address, Request | Response]] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def host(self, address: Address, trunks: list[Trunk] | None = None, **options: Any) -> Host:
        ua = UserAgent([address], trunks or [], token=tokens(self.rng.randrange(2**32)), **options)
        host = self.hosts[address] = Host(self, address, ua)
        return host

    def at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (when, next(self._order), action))

    def carry(self, source: Address, send: Send) -> None:
        message = parse(send.data)
        self.carried.append((self.now, source, send.to, message))
        if self.drop is not None and self.drop(message, source, send.to):
            return
        for _ in range(2 if self.rng.random() < self.twice else 1):
            if self.rng.random() >= self.loss:
                self.at(
                    self.now + self.rng.uniform(*self.delay),
                    lambda: self.deliver(send.data, source, send.to),
                )

    def deliver(self, data: bytes, source: Address, to: Address) -> None:
        host = self.hosts.get(to)
        if host is not None:
            host.do(host.ua.receive(data, source, self.now))

    def run(self, until: float) -> None:
        """Let everything happen up to a time."""
        while True:
            ticks = [host.ua.next for host in self.hosts.values() if host.ua.next is not None]
            nexts = ticks + ([self._queue[0][0]] if self._queue else [])
            when = min(nexts, default=until + 1)
            if when > until:
                break
            self.now = max(self.now, when)
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            for host in list(self.hosts.values()):
                host.do(host.ua.tick(self.now))
        self.now = until

    def sent(self, method: str, source: Address | None = None) -> list[Request]:
        return [
            message
            for _, origin, _, message in self.carried
            if isinstance(message, Request)
            and message.method == method
            and source in {None, origin}
        ]

    def answered(self, status: int, method: str | None = None) -> list[Response]:
        return [
            message
            for *_, message in self.carried
            if isinstance(message, Response)
            and message.status == status
            and method in {None, message.cseq.method}
        ]


def pair(world: World, **options: Any) -> tuple[Host, Host]:
    """Alice and Bob, each the other's trunk."""
    to_bob = Trunk("bob", BOB.host, user="alice", max_calls=100, **options)
    to_alice = Trunk("alice", ALICE.host, user="bob", max_calls=100, **options)
    return world.host(ALICE, [to_bob]), world.host(BOB, [to_alice])
