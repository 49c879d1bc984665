"""Where the card's thread and the loop meet: nothing lost unseen, nothing reordered."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.duplex import DEEPEST, SLACK, Duplex

RATE = 1_000


def ramp(start: int, count: int) -> np.ndarray:
    return np.arange(start, start + count, dtype=np.int16)


def test_what_was_played_goes_with_what_was_captured_meanwhile() -> None:
    duplex = Duplex(RATE)
    duplex.put(ramp(1, 10), sounding=True)
    assert duplex.exchange(ramp(100, 4)).tolist() == [1, 2, 3, 4]
    assert duplex.exchange(ramp(104, 6)).tolist() == [5, 6, 7, 8, 9, 10]
    for captured, played in ((ramp(100, 4), ramp(1, 4)), (ramp(104, 6), ramp(5, 6))):
        pair = duplex.take()
        assert pair is not None
        assert pair[0].tolist() == captured.tolist()
        assert pair[1].tolist() == played.tolist()
    assert duplex.take() is None


def test_the_card_is_never_kept_waiting() -> None:
    duplex = Duplex(RATE)
    assert duplex.exchange(ramp(0, 5)).tolist() == [0] * 5
    assert duplex.counters.late == 0, "the call has not begun"
    duplex.put(ramp(1, 3), sounding=True)
    assert duplex.exchange(ramp(0, 5)).tolist() == [1, 2, 3, 0, 0]
    assert (duplex.counters.late, duplex.counters.underruns) == (1, 1)
    duplex.put(ramp(1, 3), sounding=False)
    duplex.exchange(ramp(0, 5))
    assert (duplex.counters.late, duplex.counters.underruns) == (2, 1), "nobody hears that"


def test_more_is_kept_ready_for_a_card_that_had_to_wait() -> None:
    duplex = Duplex(RATE)
    duplex.exchange(ramp(0, 10))
    before = duplex.wanted
    assert before == pytest.approx(10 / RATE + SLACK)
    duplex.put(ramp(0, 4), sounding=True)
    duplex.exchange(ramp(0, 10))
    assert duplex.wanted == pytest.approx(before + 6 / RATE)
    for _ in range(1_000):
        duplex.exchange(ramp(0, 10))
    assert duplex.wanted == DEEPEST


def test_a_loop_that_is_too_late_loses_the_oldest_and_it_is_counted() -> None:
    duplex = Duplex(RATE, longest=0.1)
    for start in range(0, 200, 10):
        duplex.exchange(ramp(start, 10))
    assert duplex.counters.overruns == 10
    first = duplex.take()
    assert first is not None
    assert first[0].tolist() == ramp(100, 10).tolist()


def test_the_card_may_use_its_buffer_again() -> None:
    duplex = Duplex(RATE)
    buffer = ramp(0, 4)
    duplex.exchange(buffer)
    buffer[:] = 9
    pair = duplex.take()
    assert pair is not None
    assert pair[0].tolist() == [0, 1, 2, 3]


def test_glitches_are_counted() -> None:
    duplex = Duplex(RATE)
    duplex.exchange(ramp(0, 4), glitch=True)
    duplex.exchange(ramp(0, 4))
    assert duplex.counters.glitches == 1


@given(
    puts=st.lists(st.integers(0, 50), max_size=40), takes=st.lists(st.integers(1, 70), max_size=40)
)
def test_every_sample_is_played_once_in_order(puts: list[int], takes: list[int]) -> None:
    duplex = Duplex(RATE, longest=60)
    given_, played, number = 0, [], 1
    for index in range(max(len(puts), len(takes))):
        if index < len(puts):
            duplex.put(ramp(number, puts[index]), sounding=True)
            number += puts[index]
            given_ += puts[index]
        if index < len(takes):
            out = duplex.exchange(np.zeros(takes[index], np.int16))
            assert len(out) == takes[index]
            played += [sample for sample in out.tolist() if sample]
    assert played == list(range(1, len(played) + 1))
    assert len(played) + round(duplex.depth * RATE) == given_


def test_two_threads_lose_nothing() -> None:
    duplex = Duplex(RATE, longest=1e6)
    blocks = 2_000

    def card() -> None:
        for number in range(blocks):
            duplex.exchange(ramp(number % 30_000, 3))

    thread = threading.Thread(target=card)
    thread.start()
    seen = 0
    while seen < blocks:
        if (pair := duplex.take()) is not None:
            assert pair[0][0] == seen % 30_000
            seen += 1
            duplex.put(pair[0], sounding=False)
    thread.join(10)
    assert not thread.is_alive()
    assert duplex.counters.overruns == 0
