"""Admission: who is listened to at all, judged before a byte is parsed."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vivavoce.phone.sip.message import Request

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What scanners of the internet call themselves; a phone that does so is not worth answering.
_SCANNERS = (
    "friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sundayddr", "vaxsipuseragent",
    "iwar", "sipscan", "smap", "pplsip", "gulp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `rate` packets per second, `burst` at once."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class Pass:
    """A source that is let in.

    Attributes:
        trunk: The trunk it belongs to; None for a phone, which must prove itself, or for a
            peer of a call that stands.
        phone: Whether it may open calls once it has proved who it is.
        user: Who it has proved to be.
    """

    trunk: str | None
    phone: bool = False
    user: str = ""


class Admission:
    """Allow-lists, token buckets and the addresses of calls that stand.

    Args:
        trunks: For each trunk the networks (CIDR) or addresses that it sends from.
        phones: Whether unknown sources may prove themselves as registered phones; else they
            are dropped unheard.
        trunk_rate: Bucket of each address of a trunk.
        phone_rate: Bucket of each other address.

    Raises:
        ValueError: A network is no CIDR.
    """

    MAX_SOURCES = 4096

    def __init__(
        self,
        trunks: Mapping[str, Iterable[str]],
        *,
        phones: bool = False,
        trunk_rate: Rate = Rate(500, 1000),
        phone_rate: Rate = Rate(10, 40),
    ) -> None:
        self._networks: list[tuple[_Network, str]] = []
        for name, networks in trunks.items():
            for network in networks:
                self._networks.append((_network(network, name), name))
        # Narrow before wide, so that one address can be carved out of another trunk's range.
        self._networks.sort(key=lambda entry: -entry[0].prefixlen)
        self._phones = phones
        self._trunk_rate, self._phone_rate = trunk_rate, phone_rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._found: dict[str, set[str]] = {}
        self._lent: Counter[str] = Counter()
        self.dropped = 0

    def learn(self, trunk: str, hosts: Iterable[str]) -> None:
        """Let a trunk send from the addresses its name resolved to."""
        self._found[trunk] = set(hosts)

    def lend(self, host: str) -> None:
        """Let a call's peer in; balanced by `take_back`."""
        self._lent[host] += 1

    def take_back(self, host: str) -> None:
        """Undo one `lend`."""
        self._lent[host] -= 1
        if self._lent[host] <= 0:
            del self._lent[host]

    def admit(self, host: str, now: float) -> Pass | None:
        """Judge a packet by its source; None is silence.

        Args:
            host: The source's IP literal.
            now: Seconds.
        """
        verdict = self._who(host)
        if verdict is None or not self._spend(host, verdict, now):
            self.dropped += 1
            return None
        return verdict

    def knows(self, host: str) -> bool:
        """Whether anything from an address is heard; costs it nothing."""
        return self._who(host) is not None

    def _who(self, host: str) -> Pass | None:
        trunk = self.trunk_of(host)
        if trunk is not None:
            return Pass(trunk)
        if self._phones:
            return Pass(None, phone=True)
        return Pass(None) if host in self._lent else None

    def trunk_of(self, host: str) -> str | None:
        """Return the trunk that an address belongs to."""
        for name, hosts in self._found.items():
            if host in hosts:
                return name
        address = ipaddress.ip_address(host)
        mapped = address.ipv4_mapped if address.version == 6 else None
        return next((name for net, name in self._networks if (mapped or address) in net), None)

    def _spend(self, host: str, verdict: Pass, now: float) -> bool:
        known = verdict.trunk is not None or host in self._lent
        rate = self._trunk_rate if known else self._phone_rate
        tokens, then = self._buckets.pop(host, (rate.burst, now))
        tokens = min(rate.burst, tokens + (now - then) * rate.rate)
        self._buckets[host] = (tokens - 1 if tokens >= 1 else tokens, now)
        while len(self._buckets) > self.MAX_SOURCES:
            self._buckets.popitem(last=False)
        return tokens >= 1


def _network(text: str, trunk: str) -> _Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"trunk {trunk!r}: {text!r} in its allow-list is neither an address nor a CIDR, "
            "such as 203.0.113.0/24"
        ) from None


def scanner(request: Request) -> bool:
    """Whether a request comes from a known scanner: it gets no reply."""
    agent = (request.headers.get("User-Agent") or "").lower()
    # "nm@nm" is what nmap's scripts call themselves.
    return any(name in agent for name in _SCANNERS) or str(request.from_.uri) == "sip:nm@nm"
