from __future__ import annotations

import numpy as np
import pytest

from tests.speech import speak
from vivavoce.pipelines.turns.echo import ECHO, HEARD, LATEST, likeness, repeats

RATE = 16_000
SPAN = round(HEARD * RATE)
REACH = round((HEARD + LATEST) * RATE)
OURS = "Our menu changes with the season, and tonight we start with onion soup and a salad."
THEIRS = "Sorry, could you tell me whether there is anything else that I could have?"


@pytest.fixture(scope="module")
def ours():
    return speak(OURS, RATE).astype(np.float64)


@pytest.fixture(scope="module")
def theirs():
    return speak(THEIRS, RATE, voice="slt").astype(np.float64)


def room(dice) -> np.ndarray:
    """An echo's path: a first arrival and 50 ms of what comes after."""
    tail = dice.normal(0, 1, 800) * np.exp(-np.arange(800) / 150) * 0.3
    tail[0] = 1.0
    return tail


def level(samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples)))) + 1e-9


def whole(samples) -> np.ndarray:
    return np.clip(samples, -32_000, 32_000).astype(np.int16)


def scenes(ours, theirs, count=60):
    """What is played, its echo and a caller's voice, at random moments, delays and rooms."""
    dice = np.random.default_rng(4)
    while count:
        end = int(dice.integers(REACH, len(ours)))
        delay = int(dice.uniform(0, LATEST - 0.05) * RATE)
        echo = np.convolve(ours, room(dice))[end - delay - SPAN : end - delay]
        start = int(dice.integers(0, len(theirs) - SPAN))
        voice = theirs[start : start + SPAN]
        if level(echo) < 300 or level(voice) < 300:
            continue  # a pause
        count -= 1
        noise = dice.normal(0, 15, SPAN)
        echo = echo / level(echo) * dice.uniform(200, 3_000)
        yield whole(ours[end - REACH : end]), echo + noise, voice + noise


def test_an_echo_is_known_however_late_quiet_and_coloured(ours, theirs):
    for played, echo, _ in scenes(ours, theirs):
        assert likeness(whole(echo), played, RATE, RATE) >= ECHO


def test_a_caller_is_not_taken_for_an_echo(ours, theirs):
    alike = [likeness(whole(v), p, RATE, RATE) >= ECHO for p, _, v in scenes(ours, theirs)]
    assert sum(alike) <= 0.05 * len(alike)


def test_a_caller_is_heard_over_an_echo(ours, theirs):
    alike = [
        likeness(whole(voice * level(echo) / level(voice) * 3 + echo), played, RATE, RATE) >= ECHO
        for played, echo, voice in scenes(ours, theirs)
    ]
    assert sum(alike) <= 0.1 * len(alike)


def test_rates_may_differ(ours):
    played = whole(ours[:REACH])
    finer = whole(np.interp(np.arange(REACH * 3 // 2) / 1.5, np.arange(REACH), ours[:REACH]))
    heard = played[-SPAN:] // 4
    assert likeness(heard, finer, RATE, 24_000) >= ECHO


@pytest.mark.parametrize("count", [0, 1, 100, SPAN])
def test_too_little_of_either_is_no_echo(count):
    noise = whole(np.random.default_rng(1).normal(0, 3_000, count))
    assert likeness(noise, whole(np.zeros(100)), RATE, RATE) == 0.0


def test_silence_is_no_echo():
    noise = whole(np.random.default_rng(1).normal(0, 3_000, REACH))
    silence = np.zeros(REACH, np.int16)
    assert likeness(silence[:SPAN], noise, RATE, RATE) == 0.0
    assert likeness(noise[:SPAN], silence, RATE, RATE) == 0.0


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("menu changes with this season", True),
        ("Onion soup, and a salad!", True),
        ("", True),
        ("I would like the soup", False),
        ("Wait a moment", False),
    ],
)
def test_words_of_ours_are_known(text, ours):
    assert repeats(text, OURS) is ours
