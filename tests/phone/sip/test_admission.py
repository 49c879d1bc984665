"""Admission: who is heard at all."""

from __future__ import annotations

import pytest

from vivavoce.phone.sip.admission import Admission, Pass, Rate


def test_only_the_networks_of_trunks_are_heard():
    admission = Admission({"carrier": ["203.0.113.0/24", "2001:db8::/32"], "pbx": ["203.0.113.7"]})
    assert admission.admit("203.0.113.5", 0.0) == Pass("carrier")
    assert admission.admit("203.0.113.7", 0.0) == Pass("pbx")
    assert admission.admit("::ffff:203.0.113.5", 0.0) == Pass("carrier")
    assert admission.admit("2001:db8::9", 0.0) == Pass("carrier")
    assert admission.admit("203.0.114.1", 0.0) is None
    assert admission.dropped == 1


def test_a_peer_of_a_call_is_heard_for_as_long():
    admission = Admission({})
    admission.lend("192.0.2.1")
    admission.lend("192.0.2.1")
    admission.take_back("192.0.2.1")
    assert admission.admit("192.0.2.1", 0.0) == Pass(None)
    admission.take_back("192.0.2.1")
    assert admission.admit("192.0.2.1", 0.0) is None


def test_a_bucket_for_each_source():
    admission = Admission({"t": ["203.0.113.0/24"]}, trunk_rate=Rate(10, 5))
    heard = [admission.admit("203.0.113.1", 0.0) is not None for _ in range(8)]
    assert heard == [True] * 5 + [False] * 3
    assert admission.admit("203.0.113.2", 0.0) is not None
    later = [admission.admit("203.0.113.1", 0.3) is not None for _ in range(4)]
    assert later == [True] * 3 + [False]


def test_strangers_may_prove_themselves_only_where_there_are_phones():
    assert Admission({}, phones=True).admit("198.51.100.1", 0.0) == Pass(None, phone=True)
    assert Admission({}).admit("198.51.100.1", 0.0) is None


def test_memory_is_bounded():
    admission = Admission({}, phones=True)
    for number in range(Admission.MAX_SOURCES + 500):
        admission.admit(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert len(admission._buckets) == Admission.MAX_SOURCES


def test_a_wrong_network_is_named():
    with pytest.raises(ValueError, match=r"'carrier'.*'203.0.113/24'"):
        Admission({"carrier": ["203.0.113/24"]})
