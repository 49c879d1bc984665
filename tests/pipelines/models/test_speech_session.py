from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from mistralai.client.models import (
    RealtimeSpeechInputTextFlush,
    RealtimeSpeechSessionUpdateMessage,
)

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.speech_session import SpeechSession, kind_of_close

SETTINGS = {"voice": "voice_478", "response_format": "pcm", "streaming_mode": "responsive"}


def told(kind: str, **more) -> str:
    return json.dumps({**more, "type": kind})


def delta(samples: list[float]) -> str:
    data = np.array(samples, "<f4").tobytes()
    return told("speech.audio.delta", audio_data=base64.b64encode(data).decode())


@pytest.fixture
def session() -> SpeechSession:
    made = SpeechSession()
    made.receive(told("session.created", session={}))
    return made


def test_the_messages_are_the_sdks(session: SpeechSession) -> None:
    update, flush = session.say("Hello.", SETTINGS)
    parsed = RealtimeSpeechSessionUpdateMessage.model_validate_json(update)
    assert parsed.session.voice == "voice_478"
    assert RealtimeSpeechInputTextFlush.model_validate_json(flush).text == "Hello."


def test_generations_follow_each_other_and_settings_are_sent_once(session: SpeechSession) -> None:
    for number, settings in enumerate((SETTINGS, SETTINGS, {**SETTINGS, "voice": "voice_592"})):
        messages = session.say("Hello.", settings)
        assert len(messages) == (1 if number == 1 else 2)
        if number != 1:
            session.receive(told("session.updated", session={}))
        found = session.receive(delta([0.5, -0.5]))
        assert list(found) == [16_384, -16_384]
        assert session.speaking
        session.receive(told("speech.audio.done", usage={"total_tokens": number}))
        assert not session.speaking
        assert session.usage == {"total_tokens": number}


def test_what_comes_before_the_settings_are_confirmed_is_not_ours(session: SpeechSession) -> None:
    session.say("Hello.", SETTINGS)
    assert session.receive(delta([0.5])) is None
    assert session.receive(told("speech.audio.done")) is None
    session.receive(told("session.updated", session={}))
    assert session.speaking
    assert len(session.receive(delta([0.5]))) == 1


def test_a_session_that_is_not_open_or_speaks_takes_no_text(session: SpeechSession) -> None:
    with pytest.raises(RuntimeError):
        SpeechSession().say("Hello.", SETTINGS)
    session.say("Hello.", SETTINGS)
    with pytest.raises(RuntimeError):
        session.say("And again.", SETTINGS)


@pytest.mark.parametrize(
    ("error", "begun", "kind"),
    [
        ({"message": "Invalid model: x", "code": 1500}, False, "refused"),
        ({"message": {"detail": "streaming_mode ..."}, "code": 9}, False, "refused"),
        ({"message": "out of memory", "code": 9}, True, "broken"),
        ({"message": "moderated", "code": 403}, False, "refused"),
        ({"message": "slow down", "code": 429}, False, "busy"),
        ({"message": "slow down", "code": 1300}, False, "busy"),
        ("in words", False, "refused"),
    ],
)
def test_error_events(session: SpeechSession, error, begun: bool, kind: str) -> None:
    session.say("Hello.", SETTINGS)
    session.receive(told("session.updated", session={}))
    if begun:
        session.receive(delta([0.5]))
    with pytest.raises(ModelError) as caught:
        session.receive(told("error", error=error))
    assert caught.value.kind == kind
    assert not session.speaking


@pytest.mark.parametrize("message", ["{", "[]", '{"kind": 1}', b"\xff\xfe", "null"])
def test_what_cannot_be_read(session: SpeechSession, message) -> None:
    with pytest.raises(ModelError) as caught:
        session.receive(message)
    assert caught.value.kind == "broken"


def test_unknown_events_are_passed_over(session: SpeechSession) -> None:
    assert session.receive(told("speech.something.new", data=1)) is None


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (1008, "Voice 'nope' not found.", "refused"),
        (1008, "Unauthorized", "auth"),
        (1013, "", "busy"),
        (1011, "", "broken"),
        (None, "", "broken"),
    ],
)
def test_close_frames(code, reason: str, kind: str) -> None:
    assert kind_of_close(code, reason) == kind
