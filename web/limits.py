"""Limits: how much of the server one caller, one address and all together may use. Pure.

All times are seconds on one monotonic clock.
"""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass, field

KEPT = 10_000
"""Addresses whose pace is remembered; beyond, the ones that were quiet longest are forgotten."""


class Bucket:
    """A token bucket: so many at once, and so many a second.

    Args:
        size: How many at once.
        rate: How many a second.
    """

    __slots__ = ("_at", "_left", "_rate", "_size")

    def __init__(self, size: float, rate: float) -> None:
        self._size, self._rate = float(size), float(rate)
        self._left, self._at = float(size), -math.inf

    def take(self, now: float) -> bool:
        """Take one, if there is one."""
        self._refill(now)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def wait(self, now: float) -> float:
        """Return the seconds until there is one."""
        self._refill(now)
        return max(0.0, (1.0 - self._left) / self._rate)

    def _refill(self, now: float) -> None:
        if now > self._at:
            gained = (now - self._at) * self._rate
            self._left = min(self._size, self._left + gained)
            self._at = now


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the server.

    Attributes:
        calls: Calls at once.
        per_address: Calls at once from one address (an IPv6 /64 is one).
        per_caller: Calls at once of one caller, as call tokens name them.
        starts: Calls that one address may begin in a minute.
        requests: Requests that one address may make in a second; for a moment twice as many.
        body: Bytes of a request's body.
        message: Bytes of a websocket's message.
        connections: Connections at once.
        connections_per_address: Of these from one address.
        header_time: Seconds in which a request's head must have come.
        body_time: Seconds in which its body must have.
    """

    calls: int = 20
    per_address: int = 5
    per_caller: int = 2
    starts: int = 20
    requests: float = 20.0
    body: int = 200_000
    message: int = 1_000_000
    connections: int = 500
    connections_per_address: int = 50
    header_time: float = 10.0
    body_time: float = 10.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"limits: {name} is more than 0")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not begin.

    Attributes:
        busy: The server is full, rather than the caller too eager.
        message: For the client.
        retry: Seconds after which it may try again.
    """

    busy: bool
    message: str
    retry: float


@dataclass(slots=True)
class _Address:
    starts: Bucket
    requests: Bucket
    calls: int = 0
    seen: float = 0.0


@dataclass(slots=True)
class Admission:
    """Counts calls and requests.

    Args:
        limits: The bounds.
    """

    limits: Limits
    calls: int = 0
    _addresses: dict[str, _Address] = field(default_factory=dict)
    _callers: dict[str, int] = field(default_factory=dict)

    def request(self, address: str, now: float) -> float:
        """Count a request; return 0, or the seconds after which another one is let in."""
        entry = self._address(address, now)
        return 0.0 if entry.requests.take(now) else max(0.05, entry.requests.wait(now))

    def begin(self, address: str, caller: str, now: float) -> Refusal | None:
        """Let a call begin, or say why it may not. Who is let in calls `end` once it is over."""
        limits = self.limits
        if self.calls >= limits.calls:
            return Refusal(True, f"all {limits.calls} lines are busy: try again soon", 5.0)
        entry = self._address(address, now)
        if entry.calls >= limits.per_address:
            text = f"there are {entry.calls} calls from your address already: end one first"
            return Refusal(False, text, 10.0)
        if caller and self._callers.get(caller, 0) >= limits.per_caller:
            text = f"you are in {self._callers[caller]} calls already: end one first"
            return Refusal(False, text, 10.0)
        if not entry.starts.take(now):
            text = f"more than {limits.starts} calls were begun from your address in a minute"
            return Refusal(False, text, math.ceil(entry.starts.wait(now)))
        self.calls += 1
        entry.calls += 1
        if caller:
            self._callers[caller] = self._callers.get(caller, 0) + 1
        return None

    def end(self, address: str, caller: str, now: float) -> None:
        """A call that was let in is over."""
        self.calls = max(0, self.calls - 1)
        entry = self._address(address, now)
        entry.calls = max(0, entry.calls - 1)
        if caller:
            left = self._callers.get(caller, 0) - 1
            if left > 0:
                self._callers[caller] = left
            else:
                self._callers.pop(caller, None)

    def _address(self, address: str, now: float) -> _Address:
        key = network(address)
        entry = self._addresses.pop(key, None)
        if entry is None:
            limits = self.limits
            entry = _Address(
                Bucket(limits.starts, limits.starts / 60.0),
                Bucket(limits.requests * 2, limits.requests),
            )
        entry.seen = now
        self._addresses[key] = entry  # the newest stands last
        if len(self._addresses) > KEPT:
            for old in list(self._addresses)[: KEPT // 10]:
                if not self._addresses[old].calls:
                    del self._addresses[old]
        return entry


def network(address: str) -> str:
    """Return what counts as one address: an IPv6 client has a whole /64 to choose from."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False))
