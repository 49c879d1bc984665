from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.interpret.trim import BEFORE, Trim

RATE = 16_000


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(RATE * seconds), np.int16)


def voice(seconds: float) -> np.ndarray:
    return np.full(round(RATE * seconds), 3_000, np.int16)


def trimmed(samples: np.ndarray, cuts: list[int], after: float = 0.1) -> np.ndarray:
    trim = Trim(RATE, after)
    parts = [trim.feed(part) for part in np.split(samples, sorted(cuts))]
    return np.concatenate([*parts, trim.finish()])


@given(st.lists(st.integers(0, 20_000), max_size=8))
def test_only_the_ends_go_however_it_comes(cuts: list[int]) -> None:
    samples = np.concatenate([silence(0.4), voice(0.3), silence(0.2), voice(0.1), silence(0.5)])
    out = trimmed(samples, cuts)
    kept = np.concatenate([silence(BEFORE), voice(0.3), silence(0.2), voice(0.1), silence(0.1)])
    assert np.array_equal(out, kept)


def test_a_short_end_stays_as_it_is() -> None:
    samples = np.concatenate([voice(0.2), silence(0.05)])
    assert np.array_equal(trimmed(samples, []), samples)


def test_nothing_but_silence_is_nothing() -> None:
    assert len(trimmed(silence(1.0), [500, 700])) == 0
