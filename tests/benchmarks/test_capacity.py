import pytest

from benchmarks.capacity import lateness, over
from vivavoce.pipelines.benching.take import Packet, Take


def take(*at):
    return Take([Packet(each, 0.02, 1000) for each in at])


def test_packets_in_time_are_not_late():
    assert lateness(take(1.0, 1.02, 1.04)) == pytest.approx([0, 0, 0])


def test_packets_that_come_early_wait():
    assert lateness(take(1.0, 1.001, 1.002)) == [0, 0, 0]


def test_a_stall_is_late_once_and_what_it_held_back_too():
    late = lateness(take(1.0, 1.02, 1.10, 1.10, 1.10, 1.10, 1.12))
    assert late == pytest.approx([0, 0, 0.06, 0.04, 0.02, 0, 0])


def test_another_reply_begins_anew():
    assert lateness(take(1.0, 1.02, 5.0, 5.02)) == pytest.approx([0, 0, 0, 0])


def test_silence_is_not_speech():
    silent = Take([Packet(1.0, 0.02, 0), Packet(1.5, 0.02, 0)])
    assert lateness(silent) == []


def row(late=5.0, v2v=450.0, lost=0):
    return {"lost": lost, "late_ms": {"p99": late}, "v2v_ms": {"p95": v2v}}


def test_the_knee():
    assert over(row(), row()) == ""
    assert "late" in over(row(late=20.0), row())
    assert "late" in over(row(late=None), row())
    assert over(row(v2v=494), row()) == ""
    assert "496" in over(row(v2v=496), row())
    assert "without an answer" in over(row(lost=1), row())
