"""Who speaks at a microphone that is shared."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from benchmarks.interpret import people as made
from benchmarks.interpret.people import Person, Synthesiser
from tests.speech import has_espeak
from vivavoce.agent import Interpreter
from vivavoce.agent.voices import Speaker, VoiceSample
from vivavoce.pipelines.interpret.quality import RATE
from vivavoce.pipelines.interpret.speakers import Speakers
from vivavoce.pipelines.interpret.tracker import Said, Tracker
from vivavoce.pipelines.models.consent import Consent
from vivavoce.pipelines.models.delivery import Abilities

pytestmark = pytest.mark.skipif(not has_espeak(), reason="needs espeakng-loader")

PEOPLE = (Person("espeak", "f2", "en-us"), Person("espeak", "m3", "fr", 0.94))


@pytest.fixture(scope="module")
def dialogue() -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Return a talk of two in turns, and who speaks from which sample to which."""
    random = np.random.default_rng(3)
    parts, spoken, at = [], [], 0
    with Synthesiser() as synthesiser:
        texts = [made.sentences(who.language, random) for who in PEOPLE]
        for turn in range(10):
            who = turn % 2
            said = synthesiser.say(PEOPLE[who], next(texts[who]))
            gap = np.zeros(int(random.uniform(0.4, 0.9) * RATE), np.int16)
            spoken.append((who, at, at + len(said)))
            parts += [said, gap]
            at += len(said) + len(gap)
    return np.concatenate(parts), spoken


def blocks(pcm: np.ndarray, spoken: list[tuple[int, int, int]]):
    for start in range(0, len(pcm), 512):
        middle = start + 256
        speech = any(first <= middle < last for _, first, last in spoken)
        yield pcm[start : start + 512], 0.95 if speech else 0.02


def test_two_people_have_a_name_each(dialogue) -> None:
    pcm, spoken = dialogue
    tracker = Tracker()
    said: list[Said] = []
    for block, speech in blocks(pcm, spoken):
        said += tracker.feed(block, speech)
    assert set(tracker.people) == {"A", "B"}
    assert len(said) == len(spoken)
    for found, (who, start, end) in zip(said, spoken, strict=True):
        assert found.name == "AB"[who]
        assert abs(found.start - start) < 1_024
        assert end < found.end < end + RATE
        assert tracker.who((start + end) / 2 / RATE) == "AB"[who]
    assert tracker.who() == "AB"[spoken[-1][0]]


def test_silence_is_nobody() -> None:
    tracker = Tracker()
    for _ in range(100):
        assert tracker.feed(np.zeros(512, np.int16), 0.0) == []
    assert tracker.who() == ""
    assert tracker.who(1.0) == ""


def test_each_at_a_shared_microphone_is_copied_for_themselves(dialogue) -> None:
    pcm, spoken = dialogue

    class Model:
        abilities = Abilities("a model")

    speakers = Speakers(Interpreter("en", "fr", voice="speaker"), Model(), lambda: 0.0)
    speakers.share("desk")
    for name in "AB":
        speakers.agree(name, Consent(name, date(2026, 11, 20), "aloud"))
    for block, speech in blocks(pcm, spoken):
        speakers.feed("desk", block, speech)
    for _ in range(300):
        speakers.feed("desk", np.zeros(512, np.int16), 0.0)
    for who, start, end in spoken[-2:]:
        voice = speakers.voice_for("desk", "fr", at=(start + end) / 2 / RATE)
        assert isinstance(voice, Speaker)
        assert isinstance(voice.sample, VoiceSample)
        assert voice.sample.speaker == "AB"[who]
    speakers.withdraw("A")
    assert speakers.voice_for("A", "fr") is None
    assert speakers.voice_for("B", "fr") is not None
