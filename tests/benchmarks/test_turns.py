"""What is measured on recordings of turn-taking: the yardsticks themselves."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.turns import measure, sounds

RATE = 16_000
REPLY = "Tonight we serve onion soup with roasted garlic bread, and then a cake."


@pytest.fixture
def speech() -> np.ndarray:
    """Two seconds of loud noise, which is never silent, with faint ends."""
    noise = np.random.default_rng(1).integers(1_000, 20_000, 2 * RATE)
    hull = np.minimum(1, np.minimum(np.arange(2 * RATE), np.arange(2 * RATE)[::-1]) / 400 + 0.01)
    return (noise * hull).astype(np.int16)


def held(speech, at: int, silence: float, fade: int = 160) -> np.ndarray:
    """Speech that faded out at a sample, was silent, and faded in again."""
    out, back = speech[:at].astype(float), speech[at:].astype(float)
    out[-fade:] *= np.linspace(1, 0, fade, endpoint=False)
    back[:fade] *= np.linspace(0, 1, fade)
    return np.concatenate([out, np.zeros(round(silence * RATE)), back]).astype(np.int16)


# -- words


@pytest.mark.parametrize(
    ("transcribed", "words"),
    [
        ("", 0),
        ("Tonight we serve", 3),
        ("tonight, we serve on your soup", 5),
        ("Tonight we serve onion soup with roast and garlic bread fowl", 9),
        (REPLY, 13),
    ],
)
def test_how_far_a_transcription_reaches(transcribed, words):
    assert measure.reach(REPLY, transcribed) == words


def test_the_beginning_that_sounds_most_like_a_transcription():
    assert measure.prefix(REPLY, "to night we serve on your soup") == 5
    assert measure.prefix(REPLY, "Tonight we serve onion soup with ro") == 6
    assert measure.prefix(REPLY, "") == 0
    assert measure.prefix(REPLY, REPLY) == 13


# -- samples


def test_the_same_is_whole(speech):
    assert measure.compare(speech, speech, RATE) == measure.Match(whole=True)


@pytest.mark.parametrize("silence", [0.05, 0.4, 3.0])
def test_a_hold_is_whole_and_its_silence_is_measured(speech, silence):
    found = measure.compare(held(speech, RATE, silence), speech, RATE)
    assert found.whole, found
    assert found.pause == pytest.approx(silence, abs=0.001)
    assert found.resumed == pytest.approx(RATE + silence * RATE, abs=0.02 * RATE)


def test_two_holds_are_whole_unless_a_sample_is_lost_between_them(speech):
    twice = held(held(speech, RATE, 0.1), RATE + 1_600 + 1_500, 0.35)
    found = measure.compare(twice, speech, RATE)
    assert found.whole, found
    assert found.pause == pytest.approx(0.45, abs=0.001)
    lost = np.delete(twice, slice(RATE + 1_600 + 700, RATE + 1_600 + 780))
    assert not measure.compare(lost, speech, RATE).whole


def test_a_lowered_voice_is_whole(speech):
    lowered = speech.astype(float)
    lowered[8_000:16_000] *= 0.3
    found = measure.compare(lowered.astype(np.int16), speech, RATE)
    assert found.whole, found
    assert found.altered == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("change", [-400, -1, 1, 400])
def test_lost_and_doubled_samples_are_found(speech, change):
    cut = held(speech, RATE, 0.4)
    at = round(1.8 * RATE)
    wrong = np.concatenate([cut[: at + max(0, change)], cut[at + max(0, -change) :]])
    assert len(wrong) == len(cut) + change
    assert not measure.compare(wrong, speech, RATE).whole


def test_other_samples_are_found(speech):
    wrong = speech.copy()
    wrong[20_000:20_400] = wrong[20_000:20_400][::-1]
    assert not measure.compare(wrong, speech, RATE).whole


def test_gaps_are_counted_and_nothing_is_missed(speech):
    twice = held(held(speech, 8_000, 0.2), 20_000, 0.1)
    found = measure.align(twice, speech, RATE)
    assert (found.gaps, found.lost, found.doubled, found.strange) == (2, 0, 0, 0)
    assert found.silent == pytest.approx(0.3, abs=0.01)
    assert not measure.clicks(twice, RATE)


def test_what_is_missing_or_out_of_order_or_clicks_is_told(speech):
    silence = np.zeros(3_200, np.int16)
    first, second, third = speech[:10_000], speech[10_000:20_000], speech[20_000:]
    missing = measure.align(np.concatenate([first, silence, third]), speech, RATE)
    assert missing.lost == pytest.approx(10_000 / RATE, abs=0.01)
    order = np.concatenate([first, silence, third, silence, second])
    assert measure.align(order, speech, RATE).strange == 1
    # The ends of the first and the second piece, the beginnings of the two others.
    assert len(measure.clicks(order, RATE)) == 4


def test_a_reaction_lasts_until_the_reply_is_silent(speech):
    later = np.concatenate([speech[: RATE // 2], np.zeros(RATE, np.int16), speech])
    assert measure.reaction(later, RATE // 4, RATE) == pytest.approx(0.25, abs=0.001)
    assert measure.reaction(np.zeros(RATE, np.int16), 0, RATE) == 0.0
    found = measure.reactions([0.1] * 9 + [0.2])
    assert found == {"reaction_p50_ms": 100.0, "reaction_p90_ms": 100.0, "reaction_p95_ms": 200.0}
    assert measure.reactions([])["reaction_p50_ms"] is None


def test_percentiles():
    assert measure.percentile([3, 1, 2], 50) == 2
    assert measure.percentile([1.0] * 9 + [5.0], 90) == 1.0
    assert np.isnan(measure.percentile([], 50))


# -- sounds


@pytest.mark.parametrize("kind", sounds.NOISES)
def test_noises_are_sounds_and_differ(kind):
    dice = np.random.default_rng(2)
    one, other = sounds.NOISES[kind](dice), sounds.NOISES[kind](dice)
    for sound in (one, other):
        assert sound.dtype == np.int16
        assert 0.08 * RATE <= len(sound) <= 3 * RATE
        assert np.abs(sound.astype(int)).max() > 1_000
    assert not np.array_equal(one[:2_000], other[:2_000])
