"""The ring of a call's last seconds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.audio.ring import Ring


def numbered(start, count):
    return np.arange(start, start + count).astype(np.int16)


@given(st.integers(1, 50), st.lists(st.integers(0, 120), max_size=20), st.data())
def test_samples_keep_their_number(capacity, sizes, data):
    ring, pushed = Ring(capacity), 0
    for size in sizes:
        ring.push(numbered(pushed, size))
        pushed += size
        assert ring.end == pushed
        assert len(ring) == min(pushed, capacity)
        assert np.array_equal(ring.read(0), numbered(ring.start, len(ring)))
    start = data.draw(st.integers(0, pushed + 5))
    end = data.draw(st.integers(0, pushed + 5))
    low, high = max(start, ring.start), min(end, pushed)
    assert np.array_equal(ring.read(start, end), numbered(low, max(high - low, 0)))


def test_the_newest_stay():
    ring = Ring(10)
    for at in range(0, 100, 7):
        ring.push(numbered(at, 7))
    assert ring.last(3).tolist() == [102, 103, 104]
    assert ring.last(99).tolist() == list(range(95, 105))
    assert ring.start == 95
    assert ring.last(0).size == 0


def test_what_is_read_is_a_copy():
    ring = Ring(4)
    ring.push(numbered(0, 4))
    before = ring.last(4)
    ring.push(numbered(4, 4))
    assert before.tolist() == [0, 1, 2, 3]


def test_clearing_keeps_the_count():
    ring = Ring(8)
    ring.push(numbered(0, 5))
    ring.clear()
    assert len(ring) == 0
    assert ring.read(0).size == 0
    ring.push(numbered(5, 2))
    assert ring.read(0).tolist() == [5, 6]


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="at least 1 sample"):
        Ring(0)
    with pytest.raises(TypeError, match="int16"):
        Ring(4).push(np.zeros(2, np.float32))
    with pytest.raises(TypeError, match="one-dimensional"):
        Ring(4).push(np.zeros((2, 2), np.int16))
