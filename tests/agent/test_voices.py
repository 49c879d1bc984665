from __future__ import annotations

import math
from pathlib import Path

import pytest

from vivavoce.agent import Agent, AgentError, Speaker
from vivavoce.agent.voices import PRESETS, VoiceError


def test_there_are_the_presets():
    assert len(PRESETS) == len(set(PRESETS)) == 30
    assert "fr_marie_neutral" in PRESETS


@pytest.mark.parametrize("voice", ["fr_marie_neutral", "casual_male", "voice_478", "b4f1-uuid"])
def test_voices_that_may_exist(voice):
    assert Agent(voice=voice).voice_for("en") == voice


def test_one_for_each_language():
    agent = Agent(voice={"en": "en_paul_happy", "fr": "fr_marie_happy"}, languages=["en", "fr"])
    assert agent.voice_for("fr-CA") == "fr_marie_happy"
    assert agent.voice_for("de") is None


@pytest.mark.parametrize(
    ("voice", "says"),
    [
        ("fr_marie_nuetral", "did you mean fr_marie_neutral"),
        ({"en": "en_paul_hapy"}, "did you mean en_paul_happy"),
        ({"ja": "x"}, "does not speak 'ja'"),
        ({}, "leave it out"),
        ({"en": {"fr": "x"}}, "give the name of a voice"),
    ],
)
def test_voices_that_do_not(voice, says):
    with pytest.raises(AgentError, match=says):
        Agent(voice=voice)


def test_a_speaker_says_more_than_a_voice():
    calm = Speaker("voice_478", emotion="calm", pace="slow", expressiveness=2, speed=1.5)
    agent = Agent(voice={"en": calm, "fr": "fr_marie_happy"}, languages=["en", "fr"])
    assert agent.voice_for("en") is calm
    assert agent.voice_for("fr") == "fr_marie_happy"
    assert Speaker(sample="me.wav").sample == Path("me.wav")
    assert len({calm, Speaker("voice_478")}) == 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"voice": "a", "sample": "b.wav"}, "a voice or a sample, not both"),
        ({"voice": "en_paul_hapy"}, "did you mean en_paul_happy"),
        ({"voice": " "}, "give a text"),
        ({"speed": 5}, "within 0.25 and 4"),
        ({"speed": True}, "within 0.25 and 4"),
        ({"speed": math.nan}, "within 0.25 and 4"),
        ({"expressiveness": 0.9}, "within 1 and 100"),
        ({"emotion": "very happy"}, 'emotion="calm"'),
        ({"pace": "x]"}, 'pace="calm"'),
    ],
)
def test_a_speaker_checks_itself(given, says):
    with pytest.raises(VoiceError, match=says):
        Speaker(**given)
