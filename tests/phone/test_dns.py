"""A trunk's name, asked of a DNS server of the test's own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.phone.conftest import Bot, local_trunk
from tests.ports import HERE, free_port
from vivavoce.phone import Exposure, Station
from vivavoce.phone.dns import LookUp
from vivavoce.phone.sip.decisions import Address, Resolve
from vivavoce.phone.sip.resolve import Naptr, Records, targets

ZONE = """
carrier.test. 60 IN NAPTR 10 50 "s" "SIP+D2T" "" _sip._tcp.carrier.test.
carrier.test. 60 IN NAPTR 20 50 "s" "SIP+D2U" "" _sip._udp.carrier.test.
_sip._tcp.carrier.test. 60 IN SRV 10 1 {port} dead.carrier.test.
_sip._tcp.carrier.test. 60 IN SRV 20 1 {port} one.carrier.test.
_sip._udp.carrier.test. 60 IN SRV 10 1 5070 one.carrier.test.
one.carrier.test. 60 IN A 127.0.0.1
one.carrier.test. 60 IN AAAA ::1
dead.carrier.test. 60 IN A 127.0.0.77
plain.test. 60 IN A 127.0.0.2
"""


class Server(asyncio.DatagramProtocol):
    def __init__(self, zone: str) -> None:
        self.asked: list[tuple[str, str]] = []
        self.records: dict[tuple[str, str], list[str]] = {}
        for line in filter(None, zone.splitlines()):
            name, _, _, kind, rest = line.split(None, 4)
            self.records.setdefault((name, kind), []).append(rest)

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        found = self.records.get((name, kind))
        if found:
            response.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        elif not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(response.to_wire(), addr)


@asynccontextmanager
async def look_up(port: int = 5060, **options):
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Server(ZONE.format(port=port)), (HERE, 0)
    )
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [HERE]
    resolver.port = transport.get_extra_info("sockname")[1]
    try:
        yield LookUp(resolver, **options), server
    finally:
        transport.close()
        await asyncio.sleep(0)


async def nothing(asked: Resolve) -> Records:
    return Records()


async def test_naptr_srv_and_addresses():
    async with look_up() as (find, _):
        records = await find(Resolve("t", "carrier.test", None, None))
    assert Naptr(10, 50, "s", "SIP+D2T", "_sip._tcp.carrier.test.") in records.naptr
    assert targets("carrier.test", None, None, records, lambda: 0.0, (4,)) == [
        Address("tcp", "127.0.0.77", 5060),
        Address("tcp", HERE, 5060),
        Address("udp", HERE, 5070),
    ]


async def test_a_port_asks_for_addresses_alone():
    async with look_up() as (find, server):
        records = await find(Resolve("t", "Plain.test", 5060, "udp"))
    assert list(records.addresses["plain.test"]) == ["127.0.0.2"]
    assert {kind for _, kind in server.asked} == {"A", "AAAA"}


async def test_a_transport_asks_for_its_srv():
    async with look_up() as (find, server):
        records = await find(Resolve("t", "carrier.test", None, "udp"))
    assert set(records.srv) == {"_sip._udp.carrier.test"}
    assert not any(kind == "NAPTR" for _, kind in server.asked)


async def test_what_dns_does_not_know():
    async def hosts(asked: Resolve) -> Records:
        return Records(addresses={asked.host: (HERE,)})

    async with look_up(otherwise=hosts) as (find, _):
        records = await find(Resolve("t", "nowhere.test", None, "udp"))
    assert records.addresses == {"nowhere.test": (HERE,)}
    async with look_up(otherwise=nothing) as (find, _):
        assert not (await find(Resolve("t", "nowhere.test", None, "udp"))).addresses


async def test_a_dead_target_is_passed_over(station):
    """Nobody listens at the first SRV target; the call goes to the second."""
    callee = Bot()
    port = free_port()
    await station(callee.take, exposure={"listen": (f"tcp:{HERE}:{port}",)})
    trunk = local_trunk(host="carrier.test", transport="tcp")
    async with look_up(port) as (find, _):
        here = Station(
            trunks=[trunk],
            exposure=Exposure(listen=(f"tcp:{HERE}:0",), rtp=range(40_000, 48_000)),
            look_up=find,
        )
        async with here:
            line = await asyncio.wait_for(here.dial("1", ring_time=60), 60)
            assert line.answered
            line.hang_up()
