"""Where a trunk's name leads: NAPTR, SRV and address records (RFC 3263), by dnspython."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.rdatatype

from vivavoce.phone.sip.decisions import Resolve
from vivavoce.phone.sip.resolve import Naptr, Records, Srv, srv_names
from vivavoce.phone.sip.transport import addresses_of

log = logging.getLogger("vivavoce")

LIFETIME = 3.0
"""Seconds that one question may take."""
MOST = 16
"""Most targets whose addresses are looked up."""


class LookUp:
    """Answers `Resolve`; only names of the configuration come here, never one of a packet's.

    Args:
        resolver: Asks; by default as the system is configured.
        otherwise: Asked for the addresses of a name that DNS does not know, such as one of
            `/etc/hosts`.
    """

    def __init__(
        self,
        resolver: dns.asyncresolver.Resolver | None = None,
        otherwise: Callable[[Resolve], Awaitable[Records]] = addresses_of,
    ) -> None:
        self._resolver = resolver
        self._otherwise = otherwise

    async def __call__(self, asked: Resolve) -> Records:
        """Look a trunk up; what is not found is left out. Cancellation-safe."""
        if self._resolver is None:
            try:
                self._resolver = dns.asyncresolver.Resolver()
            except dns.exception.DNSException as error:  # no configuration: a bare container
                log.debug("DNS: %s", error)
                return await self._otherwise(asked)
        host = asked.host.lower()
        naptr: list[Naptr] = []
        if asked.port is None and asked.transport is None:
            naptr = [
                Naptr(
                    entry.order,
                    entry.preference,
                    entry.flags.decode("ascii", "replace"),
                    entry.service.decode("ascii", "replace"),
                    entry.replacement.to_text(),
                )
                for entry in await self._ask(host, "NAPTR")
            ]
        names = [name for _, name in srv_names(host, asked.port, asked.transport, naptr)]
        found = await asyncio.gather(*(self._ask(name, "SRV") for name in names))
        srv = {
            name: [
                Srv(entry.priority, entry.weight, entry.port, entry.target.to_text())
                for entry in entries
            ]
            for name, entries in zip(names, found, strict=True)
            if entries
        }
        targets = {
            entry.target.rstrip(".").lower() for entries in srv.values() for entry in entries
        }
        hosts = sorted(target for target in targets if target)[:MOST] or [host]
        addresses = dict(
            zip(hosts, await asyncio.gather(*map(self._addresses, hosts)), strict=True)
        )
        if not any(addresses.values()):
            plain = await self._otherwise(asked)
            return Records(naptr, {}, plain.addresses)
        return Records(naptr, srv, addresses)

    async def _addresses(self, name: str) -> Sequence[str]:
        found = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"))
        return [entry.address for entries in found for entry in entries]

    async def _ask(self, name: str, kind: str) -> list[Any]:
        assert self._resolver is not None
        try:
            answer = await self._resolver.resolve(
                name, dns.rdatatype.from_text(kind), lifetime=LIFETIME, search=False
            )
        except (dns.exception.DNSException, OSError) as error:
            log.debug("DNS: %s of %s: %s", kind, name, error)
            return []
        return list(answer)
