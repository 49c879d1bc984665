from __future__ import annotations

import pytest

from vivavoce.agent import Agent, AgentError
from vivavoce.agent.voices import PRESETS


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
