
from benchmarks.capacity.knee import over
from vivavoce.pipelines.benching.take import Packet, Take


def row(late=5.0, v2v=450.0, lost=0):
    return {"lost": lost, "late_ms": {"p99": late}, "v2v_ms": {"p95": v2v}}


def test_the_knee():
    assert over(row(), row()) == ""
    assert "late" in over(row(late=20.0), row())
    assert "late" in over(row(late=None), row())
    assert over(row(v2v=494), row()) == ""
    assert "496" in over(row(v2v=496), row())
    assert "without an answer" in over(row(lost=1), row())
