from __future__ import annotations

import logging
from pathlib import Path

import pytest

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.delivery import Abilities, deliver, mistral_abilities
from vivavoce.pipelines.models.errors import ModelError

SECOND = mistral_abilities("voxtral-mini-tts-2603")
THIRD = mistral_abilities("voxtral-mini-tts-3-0")
CALM = Speaker("voice_478", emotion="calm", pace="slow", expressiveness=2.0, speed=1.5)


def test_a_model_gets_what_it_has() -> None:
    asked = deliver("Hello.", CALM, "en", THIRD)
    assert asked.text == "[emotion=calm][pace=slow]Hello."
    assert (asked.voice, asked.expressiveness, asked.speed) == ("voice_478", 2.0, None)
    swift = deliver("Hello.", CALM, "en", Abilities("omni", speed=True))
    assert (swift.text, swift.speed, swift.expressiveness) == ("Hello.", 1.5, None)


def test_tags_in_the_text_win_and_go_where_there_are_none() -> None:
    written = "[emotion=happy] Hello. [pace=fast]Bye."
    assert deliver(written, CALM, "en", THIRD).text == f"[pace=slow]{written}"
    assert deliver(written, CALM, "en", SECOND).text == "Hello. Bye."
    assert deliver("[emotion=x]", None, "en", SECOND).text == ""


def test_what_is_left_out_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    plain = Abilities("a model of its own")
    with caplog.at_level(logging.WARNING, "vivavoce"):
        for _ in range(3):
            deliver("Hello.", Speaker(speed=2.0), "en", plain)
    assert [r.getMessage() for r in caplog.records] == [
        "a model of its own has no speed: it speaks as usual"
    ]


@pytest.mark.parametrize(
    ("text", "voice", "language", "abilities", "says"),
    [
        ("Hi.", None, "ja", SECOND, "voxtral-mini-tts-2603 does not speak 'ja': it speaks ar, de"),
        ("Hi.", Speaker(sample=Path("a")), "en", Abilities("m", samples="none"), "takes no sample"),
        ("Hi" * 9, None, "en", Abilities("m", longest=10), "at most 10 characters at once, not 18"),
    ],
    ids=["language", "sample", "length"],
)
def test_what_it_would_refuse_is_refused_in_one_line(text, voice, language, abilities, says):
    with pytest.raises(ModelError, match=says) as caught:
        deliver(text, voice, language, abilities)
    assert caught.value.kind == "refused"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "third", "limited"),
    [
        ("voxtral-mini-tts-2603", False, True),
        ("voxtral-mini-tts-3-0", True, False),
        ("voxtral-mini-tts-3", True, False),
        ("voxtral-mini-tts-realtime-3-0", True, False),
        ("my-own-tts", False, False),
    ],
)
def test_generations_are_told_apart(model: str, third: bool, limited: bool) -> None:
    found = mistral_abilities(model)
    assert (found.tags, found.expressiveness, bool(found.languages)) == (third, third, limited)
