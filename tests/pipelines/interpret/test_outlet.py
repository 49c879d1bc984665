from __future__ import annotations

import numpy as np
import pytest

from vivavoce.pipelines.interpret.outlet import BENEATH, DUCKED, READY, Beneath, Outlet

RATE = 16_000
BLOCK = 320


class Tape:
    """A source that counts: its samples are 1, 2, 3 … as long as there are any."""

    rate = RATE

    def __init__(self, length: int) -> None:
        self.left = np.arange(1, length + 1).astype(np.int16)
        self.outlets: list[Outlet] = []

    def draw(self, count: int) -> None:
        taken, self.left = self.left[: count + 7], self.left[count + 7 :]  # more than asked for
        for outlet in self.outlets:
            outlet.put(taken)

    def peek(self, count: int) -> np.ndarray:
        return self.left[:count]

    def outlet(self, limit: float = 10.0) -> Outlet:
        self.outlets.append(Outlet(self, limit=limit))
        return self.outlets[-1]


def test_all_outlets_give_the_same_whoever_is_ahead() -> None:
    tape = Tape(3_000)
    one, other = tape.outlet(), tape.outlet()
    ours = [one.take(BLOCK), one.take(BLOCK)]
    theirs = [other.take(100), other.take(2 * BLOCK), other.take(BLOCK)]
    ours += [one.take(500), one.take(BLOCK)]
    a, b = np.concatenate(ours), np.concatenate(theirs)
    both = min(len(a), len(b))
    assert np.array_equal(a[:both], np.arange(1, both + 1))
    assert np.array_equal(b[:both], np.arange(1, both + 1))
    assert one.position == 2 * BLOCK + 500 + BLOCK


def test_what_comes_next_is_known() -> None:
    tape = Tape(1_000)
    outlet = tape.outlet()
    for count in (0, 50, 400, 5_000):
        assert np.array_equal(outlet.peek(count), np.arange(1, min(count, 1_000) + 1))
    outlet.take(BLOCK)
    ahead = outlet.peek(2 * BLOCK)
    assert np.array_equal(np.concatenate([outlet.take(BLOCK), outlet.take(BLOCK)]), ahead)
    outlet.close()
    assert not len(outlet.peek(BLOCK))


def test_silence_at_the_end() -> None:
    tape = Tape(100)
    outlet = tape.outlet()
    samples = outlet.take(BLOCK)
    assert outlet.speaking
    assert np.count_nonzero(samples) == 100
    assert not outlet.take(BLOCK).any()
    assert not outlet.speaking


def test_who_is_away_for_long_begins_at_the_present() -> None:
    tape = Tape(32_000)
    here, away = tape.outlet(), tape.outlet(limit=0.5)
    for _ in range(50):
        here.take(BLOCK)
    assert away.waiting <= 0.5
    assert away.skipped + round(away.waiting * RATE) == 50 * BLOCK + round(here.waiting * RATE)
    assert away.take(1)[0] == away.skipped + 1


def test_a_closed_outlet_is_silent() -> None:
    tape = Tape(1_000)
    outlet = tape.outlet()
    outlet.close()
    outlet.close()
    assert not outlet.take(BLOCK).any()
    outlet.put(np.ones(5, np.int16))
    assert outlet.waiting == 0.0


@pytest.mark.parametrize(
    ("original", "translated", "gain"),
    [
        ("ducked", False, BENEATH),
        ("ducked", True, DUCKED),
        ("full", True, 1.0),
        ("off", False, 0.0),
    ],
)
def test_an_original_is_as_loud_as_it_should_be(
    original: str, translated: bool, gain: float
) -> None:
    beneath = Beneath(RATE, original)  # type: ignore[arg-type]
    out = np.zeros(0, np.int16)
    for _ in range(10):
        beneath.feed(np.full(BLOCK, 10_000, np.int16), RATE)
        out = beneath.take(BLOCK, translated=translated)
    assert abs(int(out[-1]) - round(10_000 * gain)) <= 1
    assert 20 * np.log10(BENEATH) == pytest.approx(-12)
    assert 20 * np.log10(DUCKED) == pytest.approx(-18)


def test_an_original_is_kept_for_a_moment_so_that_it_has_no_gaps() -> None:
    beneath = Beneath(RATE, "full")
    silent = 0
    for step in range(100):
        if step % 2:  # two blocks at a time, as a line may bring them
            beneath.feed(np.full(2 * BLOCK, 9_000, np.int16), RATE)
        silent += not beneath.take(BLOCK, translated=False).any()
    assert silent <= 2 + READY * RATE / BLOCK


def test_an_original_of_another_rate_is_heard_as_it_is_spoken() -> None:
    beneath = Beneath(24_000, "full")
    for _ in range(200):
        beneath.feed(np.full(BLOCK, 5_000, np.int16), RATE)
    heard = 0
    while beneath.take(480, translated=False).any():
        heard += 480
    assert heard <= 24_000 * 1.1  # a second is kept at most
