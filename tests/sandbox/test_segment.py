from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.sandbox.pcm import HEARING_RATE
from vivavoce.sandbox.segment import CLOSED, LONGEST, PREROLL, WINDOW, Commitment, Segmenter


def windows(seconds: float, value: float = 0.1):
    for _ in range(round(seconds * HEARING_RATE / WINDOW)):
        yield np.full(WINDOW, value, np.float32)


def run(segmenter: Segmenter, *stretches: tuple[float, float]):
    """Push stretches of (seconds, probability); give the segments that closed."""
    closed = []
    for seconds, probability in stretches:
        for window in windows(seconds, probability):
            segment = segmenter.push(window, probability)
            if segment is not None:
                closed.append(segment)
    return closed


def test_speech_between_silences_is_one_segment_with_preroll():
    (segment,) = run(Segmenter(), (2, 0), (1, 0.9), (2, 0))
    spoken_from, spoken_to = 2 * HEARING_RATE, 3 * HEARING_RATE
    assert segment.start == pytest.approx(spoken_from - PREROLL, abs=2 * WINDOW)
    assert segment.voiced_end == pytest.approx(spoken_to, abs=2 * WINDOW)
    assert segment.end == pytest.approx(spoken_to + CLOSED, abs=2 * WINDOW)


def test_a_short_pause_does_not_split():
    assert len(run(Segmenter(), (1, 0.9), (0.5, 0), (1, 0.9), (1, 0))) == 1


def test_a_long_pause_does():
    assert len(run(Segmenter(), (1, 0.9), (0.9, 0), (1, 0.9), (1, 0))) == 2


def test_a_click_is_no_speech():
    segmenter = Segmenter()
    assert run(segmenter, (1, 0), (0.05, 0.9), (2, 0)) == []
    assert segmenter.close() is None


def test_silence_alone_keeps_no_memory():
    segmenter = Segmenter()
    run(segmenter, (120, 0.1))
    assert segmenter._kept_samples <= PREROLL + WINDOW
    assert segmenter.close() is None


def test_endless_speech_is_cut_at_its_quietest_and_loses_nothing():
    segmenter, total = Segmenter(), 0
    closed = []
    for n in range(40 * HEARING_RATE // WINDOW):
        # Loud, with a dip every 4 s; the model still says speech.
        value = 0.001 if n % 125 < 6 else 0.3
        window = np.full(WINDOW, value, np.float32)
        total += WINDOW
        if segment := segmenter.push(window, 0.9):
            closed.append(segment)
    closed.append(segmenter.close())
    assert len(closed) >= 3
    assert all(len(s.samples) <= LONGEST + WINDOW for s in closed)
    assert sum(len(s.samples) for s in closed) == total
    for before, after in itertools.pairwise(closed):
        assert before.end == after.start
        assert abs(before.samples[-1]) < 0.01  # cut in a dip


def test_hysteresis_holds_a_wavering_voice():
    assert len(run(Segmenter(), (0.2, 0.9), (1.5, 0.4), (0.9, 0))) == 1
    assert run(Segmenter(), (1.5, 0.4), (0.9, 0)) == []


def test_peek_does_not_end_the_segment():
    segmenter = Segmenter()
    run(segmenter, (1, 0.9))
    assert segmenter.speaking
    first = segmenter.peek()
    run(segmenter, (0.3, 0))
    assert segmenter.settled
    second = segmenter.close()
    assert first.start == second.start
    assert second.voiced_end == first.end


def test_words_are_sent_once_two_passes_agree():
    commitment = Commitment()
    assert commitment.partial("I would.") == ""
    assert commitment.partial("I would like a.") == "I"
    assert commitment.partial("I would like a table.") == " would like"
    assert commitment.final("I would like a table for four.") == " a table for four."
    assert commitment.sent == "I would like a table for four."


def test_a_pass_that_repeats_keeps_its_last_word_back():
    commitment = Commitment()
    commitment.partial("Good evening.")
    assert commitment.partial("Good evening.") == "Good"
    assert commitment.final("Good evening, sir.") == " evening, sir."


def test_a_wrong_word_is_not_taken_back_and_the_rest_still_comes():
    commitment = Commitment()
    for _ in range(2):
        commitment.partial("evening that ate my")
    assert commitment.sent == "evening that ate"
    assert commitment.final("evening at eight my name") == " my name"


texts = st.lists(st.sampled_from(["a", "b.", "c", "D", "e,"]), max_size=6).map(" ".join)


@given(st.lists(texts, max_size=6), texts)
def test_deltas_only_ever_append_and_often_make_the_truth(passes, truth):
    commitment, sent = Commitment(), ""
    for text in passes:
        sent += commitment.partial(text)
        assert sent == commitment.sent
    was_right = truth.startswith(sent)
    sent += commitment.final(truth)
    assert sent == commitment.sent
    if was_right:
        assert sent == truth
