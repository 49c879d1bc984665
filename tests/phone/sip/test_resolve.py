"""RFC 3263: the order in which servers are tried."""

from __future__ import annotations

import random
from collections import Counter

from vivavoce.phone.sip.decisions import Address
from vivavoce.phone.sip.resolve import Naptr, Records, Srv, srv_names, targets

NAPTR = (
    Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com."),
    Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
    Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
    Naptr(10, 10, "u", "E2U+sip", "x"),
    Naptr(10, 10, "s", "SIP+D2W", "_ws.example.com"),
)


def test_the_rfcs_example_in_order():
    assert srv_names("example.com", None, None, NAPTR) == [
        ("tls", "_sips._tcp.example.com"),
        ("tcp", "_sip._tcp.example.com"),
        ("udp", "_sip._udp.example.com"),
    ]
    assert srv_names("example.com", None, "udp") == [("udp", "_sip._udp.example.com")]
    assert srv_names("example.com", 5060, None) == []
    assert srv_names("192.0.2.1", None, None) == []


def test_priorities_then_addresses():
    records = Records(
        srv={
            "_sip._tcp.example.com": (
                Srv(8, 1, 5060, "server2.example.com"),
                Srv(1, 1, 5070, "server1.example.com."),
            )
        },
        addresses={
            "server1.example.com": ("192.0.2.1", "2001:db8::1", "not-an-address"),
            "server2.example.com": ("192.0.2.2",),
        },
    )
    assert targets("example.com", None, "tcp", records, lambda: 0.5) == [
        Address("tcp", "192.0.2.1", 5070),
        Address("tcp", "2001:db8::1", 5070),
        Address("tcp", "192.0.2.2", 5060),
    ]
    only4 = targets("example.com", None, "tcp", records, lambda: 0.5, families=[4])
    assert [target.host for target in only4] == ["192.0.2.1", "192.0.2.2"]


def test_without_srv_the_name_itself_is_the_server():
    records = Records(addresses={"example.com": ("192.0.2.9",)})
    assert targets("example.com", None, None, records, lambda: 0.0) == [
        Address("udp", "192.0.2.9", 5060)
    ]
    assert targets("example.com", 5099, "tls", records, lambda: 0.0) == [
        Address("tls", "192.0.2.9", 5099)
    ]


def test_a_literal_needs_no_records():
    assert targets("[2001:db8::5]", None, "tls", Records(), lambda: 0.0) == [
        Address("tls", "2001:db8::5", 5061)
    ]


def test_weights_are_chances():
    names = {f"s{weight}.example": (f"192.0.2.{weight}",) for weight in (1, 3, 0)}
    records = Records(
        srv={"_sip._udp.e": tuple(Srv(1, w, 5060, f"s{w}.example") for w in (1, 3, 0))},
        addresses=names,
    )
    rng = random.Random(2782)
    first = Counter(targets("e", None, "udp", records, rng.random)[0].host for _ in range(2000))
    assert 0.70 < first["192.0.2.3"] / 2000 < 0.80
    assert first["192.0.2.0"] < 20


def test_a_dot_says_that_there_is_no_such_service():
    records = Records(srv={"_sip._udp.e": (Srv(0, 0, 0, "."),)})
    assert targets("e", None, "udp", records, lambda: 0.0) == []
