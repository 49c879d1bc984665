"""A worker's side of a cluster: it lets fronts in and nobody else, and tells them how it stands."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from vivavoce.pipelines.load import AGAIN
from vivavoce.web.cluster.names import worker_of_id
from vivavoce.web.cluster.proof import ADDRESS, BEGINS, PROOF, Asked, ProofError, Seal
from vivavoce.web.cluster.state import WorkerState
from vivavoce.web.limits import network
from vivavoce.web.live import DeskError
from vivavoce.web.tokens import Signer

if TYPE_CHECKING:
    from vivavoce.web.desk import Desk

TOLD = 5.0
"""Seconds for which it is told that a call was let in: ten heartbeats."""
STATE, DRAIN = "/cluster/state", "/cluster/drain"
_SCRAPED = frozenset({"/metrics", "/healthz", "/readyz"})  # by who looks after the worker


class Stop:
    """Tells a worker to end.

    Attributes:
        last: Whether no other worker is left: then its calls end with it. Else they are left to the
            others, which their callers come back to.
    """

    def __init__(self) -> None:
        self.last = False
        self._asked = asyncio.Event()

    def set(self, *, last: bool = False) -> None:
        """Have it end; idempotent, but that it is the last one may be told later on."""
        self.last = self.last or last
        self._asked.set()

    async def wait(self) -> None:
        """Wait until it is to end."""
        await self._asked.wait()


@dataclass(slots=True, eq=False)
class Inside:
    """Makes of a call server the worker of a cluster.

    Attributes:
        name: The worker's name.
        key: The cluster's.
        host: Where it listens: loopback, or the machine's address in the cluster's network.
        port: 0 takes a free one.
        draining: Told when no more calls are to be taken, beside the desk: a telephone is, too.
        home: Which page stands at `/`.

    Raises:
        ValueError: The key is too short.
    """

    name: str
    key: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    draining: Callable[[], None] = lambda: None
    home: Callable[[], str] = lambda: ""
    seal: Seal = field(init=False)
    _taken: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=1_000))

    def __post_init__(self) -> None:
        self.seal = Seal(self.key)

    def enter(self, request: web.Request, desk: Desk) -> bool:
        """Let a request in; return whether it is the front's own, and no client's.

        Raises:
            DeskError: It does not come from a front, or begins a call where there is no room.
        """
        if request.path in _SCRAPED:
            # A foreign page's own name, pointed here, must not read them.
            if not _is_address(request.host):
                raise DeskError(403, "wrong_host", "ask for it by its address")
            return True
        begins = request.headers.get(BEGINS, "")
        asked = Asked(
            self.name, request.method, request.raw_path, request.headers.get(ADDRESS, ""), begins
        )
        try:
            self.seal.check(request.headers.get(PROOF, ""), asked, time.time())
        except ProofError as error:
            raise DeskError(403, "no_proof", str(error)) from None
        if begins and desk.turnstile.busy:
            # Before anything is begun: the front asks another one.
            if desk.turnstile.draining:
                raise DeskError(503, "closing", "this server is shutting down: call another", 10.0)
            raise DeskError(503, "busy", "this server has no room for a call: try again", AGAIN)
        if begins:
            self._let_in(begins, time.monotonic())
        return request.path in {STATE, DRAIN}

    def _let_in(self, ident: str, now: float) -> None:
        self._taken.append((now, ident))
        while self._taken and self._taken[0][0] < now - TOLD:
            self._taken.popleft()

    @property
    def taken(self) -> tuple[str, ...]:
        """What fronts call the calls that were let in lately."""
        return tuple(ident for at, ident in self._taken if at >= time.monotonic() - TOLD)

    def address(self, request: web.Request) -> str:
        """Return the client's address, as the front has found it."""
        return request.headers.get(ADDRESS, "") or request.remote or ""

    def scraper(self, signer: Signer | None) -> Signer | None:
        """Return who knows the key by which this worker's metrics are read.

        On loopback none is needed where calls need no tokens; elsewhere one always is.
        """
        if signer is not None or _is_near(self.host):
            return signer
        return Signer(self.key)

    def _told(self, desk: Desk) -> WorkerState:
        return told(desk, self.name, home=self.home(), taken=self.taken)

    def routes(self, desk: Desk) -> list[web.RouteDef]:
        """Return what fronts ask of the worker itself."""

        async def state(_request: web.Request) -> web.Response:
            return web.json_response(self._told(desk).to_dict())

        async def drain(_request: web.Request) -> web.Response:
            if not desk.turnstile.draining:  # it may be asked again and again
                desk.turnstile.draining = True
                self.draining()
            return web.json_response(self._told(desk).to_dict())

        return [web.get(STATE, state), web.post(DRAIN, drain)]


def told(desk: Desk, name: str, *, home: str = "", taken: tuple[str, ...] = ()) -> WorkerState:
    """Return how a worker stands."""
    addresses: Counter[str] = Counter()
    callers: Counter[str] = Counter()
    for live in desk.calls.values():
        addresses[network(live.wish.address)] += 1
        if live.wish.caller:
            callers[live.wish.caller] += 1
    calls = len(desk.calls)
    if desk.turnstile.gate is not None:
        calls = max(calls, desk.turnstile.gate.strain.calls)  # with those by telephone
    return WorkerState(
        name=name,
        calls=calls,
        room=room_left(desk),
        strain=round(strain(desk), 3),
        draining=desk.turnstile.draining,
        addresses=addresses,
        callers=callers,
        taken=taken,
        adopted=tuple(each for each in desk.calls if worker_of_id(each) != name),
        home=home,
        about=_about(desk),
    )


def room_left(desk: Desk) -> int:
    """Return how many calls fit beside those that a desk carries, by what is measured."""
    room = desk.limits.calls - desk.turnstile.admission.calls
    gate = desk.turnstile.gate
    if desk.turnstile.busy or room <= 0:
        return 0
    if gate is not None and (bound := gate.strain.bounds.loop):
        figures = gate.strain.figures
        # The one that fits, as the gate has just said, and what the rest of the core is good for.
        spare = (bound - figures.loop) / max(figures.cost, 0.001)
        room = min(room, max(1, int(spare)))
    return room


def strain(desk: Desk) -> float:
    """Return the largest share that is used of one of a desk's bounds; 0 where none is measured."""
    if desk.turnstile.gate is None:
        return desk.turnstile.admission.calls / desk.limits.calls
    figures, bounds = desk.turnstile.gate.strain.figures, desk.turnstile.gate.strain.bounds
    pairs = (
        (figures.lag, bounds.lag),
        (figures.loop, bounds.loop),
        (figures.process, bounds.process),
    )
    return max((used / bound for used, bound in pairs if bound), default=0.0)


def _about(desk: Desk) -> Mapping[str, Any]:
    return {
        "max_calls": desk.limits.calls,
        "models": dict(desk.models.names),
        "recording": desk.recordings is not None,
        "kept": desk.records is not None,
        "version": desk.version,
    }


def _is_address(header: str) -> bool:
    """Whether a `Host` header names an address, or this machine."""
    host = header[1 : header.find("]")] if header.startswith("[") else header.partition(":")[0]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
