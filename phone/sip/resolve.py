"""Where a configured trunk is (RFC 3263): an ordered choice over records that were looked up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from vivavoce.phone.sip.decisions import Address
from vivavoce.phone.sip.uri import DEFAULT_PORT, ip_literal

_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_PREFIX = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


@dataclass(frozen=True, slots=True)
class Naptr:
    """One NAPTR record; only those of flag `s` count."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """One SRV record."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Records:
    """What the resolver found; empty where it asked in vain.

    Attributes:
        naptr: NAPTR records of the host.
        srv: SRV records by owner name, such as `_sip._udp.example.com`.
        addresses: A and AAAA records (IP literals) by name.
    """

    naptr: Sequence[Naptr] = ()
    srv: Mapping[str, Sequence[Srv]] = field(default_factory=dict)
    addresses: Mapping[str, Sequence[str]] = field(default_factory=dict)


def srv_names(
    host: str, port: int | None, transport: str | None, naptr: Sequence[Naptr] = ()
) -> list[tuple[str, str]]:
    """Return the `(transport, SRV name)` to ask for, best first; none when a port is given.

    Args:
        host: The trunk's host name.
        port: The port configured.
        transport: The transport configured.
        naptr: Its NAPTR records.
    """
    if port is not None or ip_literal(host) is not None:
        return []
    if transport is not None:
        return [(transport, f"{_PREFIX[transport]}.{host}")]
    ranked = sorted(naptr, key=lambda record: (record.order, record.preference))
    named = [
        (_SERVICES[record.service.upper()], record.replacement.rstrip(".").lower())
        for record in ranked
        if record.flags.lower() == "s" and record.service.upper() in _SERVICES
    ]
    # Without NAPTR each transport is tried, the secure one first.
    return named or [(name, f"{_PREFIX[name]}.{host}") for name in ("tls", "tcp", "udp")]


def targets(
    host: str,
    port: int | None,
    transport: str | None,
    records: Records,
    random: Callable[[], float],
    families: Sequence[int] = (4, 6),
) -> list[Address]:
    """Return every address to try, in the order to try them.

    Args:
        host: The trunk's host: a name or an IP literal.
        port: The port configured, None to let SRV decide.
        transport: `udp`, `tcp`, `tls`, or None to let NAPTR decide (UDP without any).
        records: What was looked up; not needed for a literal.
        random: Uniform in [0, 1), for the weights of SRV.
        families: IP versions that we have listeners for.
    """
    literal = ip_literal(host)
    plain = transport or "udp"
    if literal is not None:
        return [Address(plain, literal, port or DEFAULT_PORT[plain])]
    found: list[Address] = []
    for kind, name in srv_names(host, port, transport, records.naptr):
        for record in _weighed(records.srv.get(name, ()), random):
            found += _hosts(kind, record.target.rstrip(".").lower(), record.port, records, families)
    if not found:
        found = _hosts(plain, host, port or DEFAULT_PORT[plain], records, families)
    return list(dict.fromkeys(found))


def _hosts(
    transport: str, name: str, port: int, records: Records, families: Sequence[int]
) -> list[Address]:
    literals = (ip_literal(text) for text in records.addresses.get(name, ()))
    return [
        Address(transport, literal, port)
        for literal in literals
        if literal is not None and (6 if ":" in literal else 4) in families
    ]


def _weighed(records: Sequence[Srv], random: Callable[[], float]) -> list[Srv]:
    """Order by priority, and by weighted chance within one (RFC 2782)."""
    ordered: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        # Weight 0 first, so that it is taken only when the draw is 0 too.
        left = sorted((r for r in records if r.priority == priority), key=lambda r: r.weight > 0)
        while left:
            draw = random() * sum(record.weight for record in left)
            total = 0
            for record in left:
                total += record.weight
                if total >= draw and (record.weight or draw == 0):
                    break
            left.remove(record)
            if record.target not in {"", "."}:  # "." says: no such service
                ordered.append(record)
    return ordered


def valid_name(host: str) -> bool:
    """Whether a configured host is a name that may be looked up."""
    return (
        re.fullmatch(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_.])?", host)
        is not None
    )
