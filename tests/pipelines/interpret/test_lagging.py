"""Lagging: the field's scores against values worked out by hand, and against SimulEval's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.interpret.lagging import (
    LaggingError,
    average_lagging,
    average_proportion,
    differentiable_lagging,
    token_delay,
)


@pytest.mark.parametrize(
    ("delays", "source", "reference", "al", "laal"),
    [
        # A word behind a speaker of one word a second: (1 + 1 + 1) / 3.
        ([1, 2, 3], 3, None, 1.0, 1.0),
        # The second word waited for all of it; the third one does not count: (2 + 2) / 2.
        ([2, 3, 3], 3, None, 2.0, 2.0),
        # Nothing came before the end.
        ([4, 5], 3, None, 4.0, 4.0),
        # Longer than the reference: AL's step is 1, (1 + 1 + 1) / 3; LAAL's is 3/4.
        ([1, 2, 3, 3], 3, 3, 1.0, (1 + 1.25 + 1.5) / 3),
        # Shorter than the reference: both go by the reference, (2 + 2) / 2 with steps of 1.
        ([2, 3], 3, 3, 2.0, 2.0),
    ],
)
def test_average_lagging_is_what_it_is_by_hand(
    delays: list[float], source: float, reference: int | None, al: float, laal: float
) -> None:
    assert average_lagging(delays, source, reference) == pytest.approx(al)
    assert average_lagging(delays, source, reference, adaptive=True) == pytest.approx(laal)


def test_the_other_scores_are_what_they_are_by_hand() -> None:
    assert average_proportion([1, 2, 3], 3) == pytest.approx(6 / 9)
    # The second word comes with the first and counts one step later: (1 + 1 + 1) / 3.
    assert differentiable_lagging([1, 1, 3], 3) == pytest.approx(1.0)
    # Two tokens of 0.3 s end at 0.9 and 1.2 s; the source's at 0.3 and 0.6 s.
    assert token_delay([0.6], [0.6]) == pytest.approx(0.6)
    # Three tokens of the first chunk are all of the one token heard so far; the second chunk
    # waits for them and belongs to the second token: (0.3 + 0.6 + 0.9 + 0.9) / 4.
    assert token_delay([0.3, 0.6], [0.9, 0.3]) == pytest.approx(0.675)


def test_a_sentence_without_words_has_no_score() -> None:
    for wrong in (
        lambda: average_lagging([], 3),
        lambda: average_lagging([1], 0),
        lambda: average_lagging([1], 1, 0),
        lambda: differentiable_lagging([], 3),
        lambda: token_delay([], []),
        lambda: token_delay([1], [1, 2]),
        lambda: token_delay([0.5, 1.0, 0.5], [0.3, 0.3, 0.3]),
        lambda: token_delay([1], [0]),
    ):
        with pytest.raises(LaggingError):
            wrong()


def test_the_scores_are_simulevals() -> None:
    # What its version 1.1.4 printed of these; `python -m benchmarks.interpret.simuleval` compares
    # thousands.
    delays, durations, source = [0.28, 0.347, 3.333, 3.579, 3.62], [0.554, 0.51], 4.105
    durations += [0.711, 0.119, 0.665]
    assert average_lagging(delays, source) == pytest.approx(0.5898)
    assert average_proportion(delays, source) == pytest.approx(0.5436784409257004)
    assert differentiable_lagging(delays, source) == pytest.approx(1.1266)
    assert token_delay(delays, durations) == pytest.approx(1.7487272727272727)
    chunks, lengths = [1.0, 1.0, 1.0, 1.0, 1.749], [0.155, 0.192, 0.682, 0.039, 0.482]
    assert average_lagging(chunks, 1.749) == pytest.approx(0.4502)
    assert token_delay(chunks, lengths) == pytest.approx(1.0143333333333333)


@given(
    st.lists(st.integers(1, 20_000), min_size=1, max_size=30).map(sorted),
    st.integers(1, 10_000),
    st.integers(1, 40),
)
def test_laal_never_rewards_what_is_too_long(
    delays: list[int], source: int, reference: int
) -> None:
    plain = average_lagging(delays, source, reference)
    adaptive = average_lagging(delays, source, reference, adaptive=True)
    if len(delays) <= reference:
        assert adaptive == pytest.approx(plain)
    else:
        assert adaptive >= plain - 1e-6
