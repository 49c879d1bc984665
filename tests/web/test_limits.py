"""Limits: buckets and who is let in, on a clock of numbers."""

from __future__ import annotations

import pytest

from vivavoce.web.limits import Admission, Bucket, Limits, network


def test_a_bucket_gives_so_many_at_once_and_so_many_a_second():
    bucket = Bucket(3, 2)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait(0.0) == pytest.approx(0.5)
    assert bucket.take(0.5)
    assert not bucket.take(0.6)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]


def test_calls_are_counted_for_all_for_an_address_and_for_a_caller():
    admission = Admission(Limits(calls=4, per_address=2, per_caller=1, starts=100))
    assert admission.begin("192.0.2.1", "ada", 0.0) is None
    refusal = admission.begin("192.0.2.2", "ada", 0.0)
    assert refusal is not None
    assert not refusal.busy
    assert admission.begin("192.0.2.1", "bob", 0.0) is None
    refusal = admission.begin("192.0.2.1", "eve", 0.0)
    assert refusal is not None
    assert "your address" in refusal.message
    assert admission.begin("192.0.2.3", "", 0.0) is None
    assert admission.begin("192.0.2.4", "", 0.0) is None
    refusal = admission.begin("192.0.2.5", "", 0.0)
    assert refusal is not None
    assert refusal.busy
    admission.end("192.0.2.1", "ada", 1.0)
    assert admission.begin("192.0.2.1", "ada", 1.0) is None
    assert admission.calls == 4


def test_an_address_may_not_begin_calls_without_end():
    admission = Admission(Limits(calls=100, per_address=100, starts=3))
    for _ in range(3):
        assert admission.begin("192.0.2.1", "", 0.0) is None
        admission.end("192.0.2.1", "", 0.0)
    refusal = admission.begin("192.0.2.1", "", 0.0)
    assert refusal is not None
    assert refusal.retry == pytest.approx(20.0)
    assert admission.calls == 0
    assert admission.begin("192.0.2.1", "", 21.0) is None


def test_addresses_are_forgotten_but_not_those_in_a_call():
    admission = Admission(Limits())
    admission.begin("192.0.2.1", "", 0.0)
    for number in range(12_000):
        admission.request(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1.0)
    assert len(admission._addresses) <= 10_001
    assert admission._addresses["192.0.2.1"].calls == 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address, expected):
    assert network(address) == expected


def test_a_limit_is_more_than_nothing():
    with pytest.raises(ValueError, match="calls"):
        Limits(calls=0)
