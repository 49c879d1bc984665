from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wordtimes import espeak, flite
from vivavoce.pipelines.speakable import speakable
from vivavoce.pipelines.turns.heard import ENOUGH, boundaries, heard, weight, words

SENTENCES = (
    "Two tables are free on Friday evening.",
    "Of course, I can book a table for four people at eight o'clock.",
    "We open at six this evening, and the kitchen closes at ten.",
    "The menu has onion soup, grilled salmon, and a chocolate cake.",
    "Tonight we serve a risotto with wild mushrooms; it is vegetarian.",
    "Sorry, I did not understand that. Could you say it again, please?",
    "Your reservation is under the name Miller, for the 24th of May.",
    "That will be 42 dollars and 50 cents, including the tax.",
    "Unfortunately, everything is fully booked until next Wednesday.",
    "Yes.",
    "Thank you very much for calling, and have a wonderful evening!",
    "The restaurant is on the corner of Main Street and Fifth Avenue, opposite the library.",
    "Please hold the line while I look for the next available appointment.",
    "I have three options: Monday at nine, Tuesday at noon, or Thursday at half past four.",
    "Internationalization and responsibility are extraordinarily complicated words.",
    "He is in it, so am I, and so are we all if you do as I say.",
    "Our wifi password is written on the back of the receipt that you got when you paid.",
    "If you would like to change your order, you can do so until five minutes before we start.",
    "The train leaves platform 12 at 17:45 and arrives at 19:05.",
    "A dog, a cat, a bird and a fish went into a bar, and nobody was surprised.",
    "I will send you a confirmation by email in the next few minutes.",
    "Great, see you then!",
    "The chef recommends the duck breast with cherries, served with potatoes and vegetables.",
    "You can cancel free of charge up to twenty-four hours in advance.",
    "Well, that depends: are there any children in your party, and do they need a high chair?",
)
CUTS = 60  # per sentence


def speech(voice: str):
    if voice == "espeak":
        return espeak(SENTENCES)
    return [flite(text, voice) for text in SENTENCES]


def agreement(voice: str, *, complete: bool) -> float:
    """Return the share of random cuts whose estimate is within one word of the truth."""
    dice = random.Random(11)
    good = 0
    for text, (audio, rate, ends) in zip(SENTENCES, speech(voice), strict=True):
        places = words(text)
        assert len(places) == len(ends)
        starts = np.concatenate([[0.0], ends[:-1]])
        needed = starts + ENOUGH * (ends - starts)
        for _ in range(CUTS):
            played = dice.randrange(len(audio) + 1)
            known = len(audio) if complete else min(len(audio), played + dice.randrange(rate // 2))
            truth = int(np.searchsorted(needed, played, side="right"))
            reach = heard(text, audio[:known], rate, played, complete=complete)
            good += abs(sum(end <= reach for _, end in places) - truth) <= 1
    return good / (CUTS * len(SENTENCES))


@pytest.mark.needs_flite
@pytest.mark.parametrize("voice", ["rms", "slt", "kal16"])
def test_what_was_heard_of_flites_voices_is_known_to_a_word(voice):
    assert agreement(voice, complete=True) >= 0.98


def test_what_was_heard_of_espeaks_voice_is_known_to_a_word():
    assert agreement("espeak", complete=True) >= 0.98


@pytest.mark.needs_flite
@pytest.mark.parametrize("voice", ["rms", "slt"])
def test_it_is_known_nearly_as_well_while_the_speech_is_still_being_made(voice):
    assert agreement(voice, complete=False) >= 0.87


@pytest.mark.needs_flite
@pytest.mark.parametrize("text", SENTENCES[:4])
def test_more_is_never_less_and_ends_with_all(text):
    audio, rate, _ = flite(text)
    reaches = [
        heard(text, audio, rate, played, complete=True) for played in range(0, len(audio), 160)
    ]
    assert reaches == sorted(reaches)
    assert reaches[0] == 0
    assert heard(text, audio, rate, len(audio), complete=True) == len(text)


# -- of any sound at all

sounds = st.builds(
    lambda seed, parts: np.concatenate(
        [np.zeros(0, np.int16)]
        + [
            np.random.default_rng(seed).integers(-level - 1, level + 1, count).astype(np.int16)
            for level, count in parts
        ]
    ),
    st.integers(0, 99),
    st.lists(st.tuples(st.sampled_from([0, 40, 3_000, 20_000]), st.integers(0, 3_000)), max_size=6),
)


@given(st.text(max_size=60), sounds, st.integers(-5, 9_000), st.booleans())
def test_the_answer_is_the_end_of_a_word_or_nothing(text, audio, played, complete):
    reach = heard(text, audio, 8_000, played, complete=complete)
    assert reach in {0, *(end for _, end in words(text))}


@given(st.text(max_size=60), sounds, st.booleans())
def test_words_end_in_order_within_the_audio(text, audio, complete):
    ends = boundaries(text, audio, 8_000, complete=complete)
    assert len(ends) == len(words(text))
    assert np.all(np.isfinite(ends))
    assert np.all(np.diff(ends) >= 0)
    if complete and len(ends):
        assert ends[0] >= 0
        assert ends[-1] <= len(audio)


@pytest.mark.parametrize("played", [0, -1])
def test_nothing_played_is_nothing_heard(played):
    assert heard("Hello there", np.full(8_000, 5_000, np.int16), 8_000, played, complete=True) == 0


def test_the_pauses_are_where_the_punctuation_is():
    tone = (8_000 * np.sin(np.arange(8_800) / 3)).astype(np.int16)
    # By its letters "One moment," would be shorter: only the pause can tell.
    audio = np.concatenate([tone[:8_000], np.zeros(2_400, np.int16), tone])
    ends = boundaries("One moment, for your evening.", audio, 8_000)
    assert ends[1] == pytest.approx(8_000, abs=160)
    assert ends[-1] == pytest.approx(len(audio), abs=160)


def test_places_of_words():
    assert words("  Well, — I'm  in. ") == [(2, 7), (8, 9), (10, 13), (15, 18)]


def test_longer_words_weigh_more_and_numbers_are_read_out():
    assert weight("extraordinary") > weight("evening") > weight("the") > weight("—") == 0
    assert weight("1945") > weight("nine")


# -- what is said otherwise than it is written

FIGURES = (
    "That will be $42.50, including the tax of 7.25%.",
    "The train leaves platform 12 at 17:45 and arrives at 19:05.",
    "Your reservation is for the 24th of May, 2026, under number 4711.",
    "Call us at 555-123-4567, or write to info@example.com.",
    "We have 21 tables, **1,234** seats, and 3 kitchens 😀 on 2 floors.",
    "Between 9:00 and 17:00 it is -5 °C, 12 km from here.",
)


def figures(*, complete: bool, mapped: bool) -> float:
    """Return the share of random cuts whose estimate is within one written word of the truth."""
    dice = random.Random(3)
    good = total = 0
    for written in FIGURES:
        spoken = speakable(written, "en")
        samples, rate, ends = flite(spoken.said)
        stops = [unit.end for unit in spoken.units]
        truth = np.array(ends)[np.cumsum([unit.words for unit in spoken.units]) - 1]
        starts = np.concatenate([[0.0], truth[:-1]])
        needed = starts + ENOUGH * (truth - starts)
        for _ in range(CUTS):
            played = dice.randrange(len(samples) + 1)
            known = (
                len(samples) if complete else min(len(samples), played + dice.randrange(rate // 2))
            )
            reach = heard(
                written,
                samples[:known],
                rate,
                played,
                complete=complete,
                spoken=spoken if mapped else None,
            )
            assert not mapped or reach in {0, *stops}
            whole = int(np.searchsorted(needed, played, side="right"))
            good += abs(sum(end <= reach for end in stops) - whole) <= 1
            total += 1
    return good / total


@pytest.mark.needs_flite
def test_what_was_heard_of_figures_is_told_as_they_are_written() -> None:
    assert figures(complete=True, mapped=True) >= 0.98
    known = figures(complete=False, mapped=True)
    assert known >= 0.8
    # By the figures' own lengths it would be a guess.
    assert figures(complete=False, mapped=False) < known


def test_a_whole_clause_of_figures_is_heard_to_its_end() -> None:
    written = "It costs **$42.50**, right?"
    audio = np.full(24_000, 5_000, np.int16)
    for played, end in ((24_000, len(written)), (0, 0)):
        found = heard(
            written, audio, 24_000, played, complete=True, spoken=speakable(written, "en")
        )
        assert found == end
