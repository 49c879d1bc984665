"""Quotas: bounds of one address and one caller over all workers."""

from __future__ import annotations

from vivavoce.web.cluster.placement import Placed
from vivavoce.web.cluster.quota import Quota
from vivavoce.web.cluster.state import WorkerState
from vivavoce.web.limits import KEPT, Limits

LIMITS = Limits(per_address=3, per_caller=2, starts=4, requests=2.0)


def test_what_all_workers_tell_and_what_is_on_its_way_counts():
    quota = Quota(LIMITS)
    states = [
        WorkerState("aaa", addresses={"10.0.0.1": 1}, callers={"ada": 1}),
        WorkerState("bbb", addresses={"10.0.0.1": 1}),
    ]
    assert quota.begin("10.0.0.1", "ada", states, [], 0.0) is None
    coming = [Placed("f.1", "aaa", "10.0.0.1", "ada", 0.0)]
    refused = quota.begin("10.0.0.1", "eve", states, coming, 0.0)
    assert refused is not None
    assert "3 calls from your address" in refused.message
    refused = quota.begin("10.0.0.2", "ada", states, coming, 0.0)
    assert refused is not None
    assert "you are in 2 calls" in refused.message
    assert quota.begin("10.0.0.2", "", states, coming, 0.0) is None


def test_an_ipv6_client_has_one_address():
    quota = Quota(LIMITS)
    states = [WorkerState("aaa", addresses={"2001:db8::/64": 3})]
    assert quota.begin("2001:db8::1", "", states, [], 0.0) is not None
    assert quota.begin("2001:db8:0:1::1", "", states, [], 0.0) is None


def test_starts_and_requests_are_paced():
    quota = Quota(LIMITS)
    assert [quota.begin("10.0.0.1", "", [], [], 0.0) is None for _ in range(5)] == [True] * 4 + [
        False
    ]
    assert quota.begin("10.0.0.1", "", [], [], 15.1) is None
    assert [quota.request("10.0.0.1", 0.0) == 0.0 for _ in range(5)] == [True] * 4 + [False]
    assert quota.request("10.0.0.1", 1.0) == 0.0
    for number in range(KEPT + 10):
        quota.request(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 2.0)
    assert len(quota._requests) <= KEPT
