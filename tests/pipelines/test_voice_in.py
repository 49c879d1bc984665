"""The chat model hears the caller itself: `Agent(hear="llm")`."""

from __future__ import annotations

import base64
import io
import json
import wave

import numpy as np
import pytest
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from tests.speech import speak
from vivavoce.agent import Agent, Turns
from vivavoce.agent.transcript import Transcript, Utterance
from vivavoce.pipelines import voice
from vivavoce.pipelines.models.http import Timeouts

NOBODY_WRITES = {"hear": {"dialect": "none", "url": "", "model": ""}}
# The recogniser takes its time to hear what is in a message.
PATIENT = Timeouts(first=15, stall=15, final=10)
LISTENER = {"model": "voxtral-small-latest"}


def heard(message: dict) -> list[str]:
    """The audio of a message as it was sent, in base64."""
    content = message["content"]
    if isinstance(content, str):
        return []
    return [part["input_audio"] for part in content if part["type"] == "input_audio"]


def seconds(sent) -> float:
    data = sent if isinstance(sent, str) else sent["data"]
    with wave.open(io.BytesIO(base64.b64decode(data))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return file.getnframes() / 16_000


async def test_the_model_hears_and_calls_a_tool_by_voice(hold):
    found = []
    agent = Agent("You take reservations.", hear="llm")

    @agent.tool
    async def free_tables(people: int) -> str:
        """Find the free tables for a number of people.

        Args:
            people: How many people will come.
        """
        found.append(people)
        return "two are free"

    held = await hold(
        agent,
        ["Is there a free table for four people?"],
        timeouts=PATIENT,
        wrong={**NOBODY_WRITES, "think": {"model": "voxtral-small-latest"}},
    )
    assert found == [4]
    call = held.call
    (said,) = call.transcript.caller
    assert not said.written
    assert said.text.endswith("s of speech)")
    assert said.why_ended
    assert not call.transcript.failures
    assert call.transcript.replies[-1].heard
    assert call.transcript.replies[-1].latency is not None
    # What was sent is the speech, with nothing cut off and little beside it.
    # A body that is kept is shortened: its length is told in place of the audio.
    assert [message["role"] for message in held.asked[0]["messages"]] == ["system", "user"]


async def test_the_transcript_is_written_beside_it_where_there_is_a_transcriber(hold):
    held = await hold(
        Agent(hear="llm"),
        ["Where is the station?", "Thank you very much."],
        timeouts=PATIENT,
        wrong={"think": LISTENER},
        script={
            "hear": ["Where is the station?", "where is it", "Thank you.", "thanks"],
            "think": ["Around the corner.", "Good bye."],
        },
    )
    first, second = held.call.transcript.caller
    assert first.written
    assert first.served
    assert first.audio is None  # let go of: it is told as text from now on
    assert second.audio is not None
    asked = held.asked[-1]["messages"]
    assert asked[0] == {"role": "user", "content": first.text}
    assert len(heard(asked[-1])) == 1


@pytest.mark.parametrize("dialect", ["mistral", "vllm"])
async def test_the_caller_cuts_in_and_is_heard(hold, dialect):
    url = {"vllm": "/vllm"}.get(dialect, "")
    where = {"model": "voxtral-small-latest", "dialect": dialect}
    held = await hold(
        Agent(hear="llm", turns=Turns(eager=False)),
        ["Tell me a story, please.", ("No, stop it, I meant a poem.", 1.0)],
        timeouts=PATIENT,
        wrong={**NOBODY_WRITES, "think": where},
        base={"think": url},
        script={"think": ["Once upon a time there was a king who had three daughters.", "Fine."]},
    )
    story, fine = held.call.transcript.replies
    assert story.interrupted
    assert fine.heard == "Fine."
    messages = held.asked[-1]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    # Nobody wrote the first one down: the model hears it again, and what was heard of the reply.
    assert len(heard(messages[0])) == len(heard(messages[2])) == 1
    assert messages[1]["content"] == story.said
    kept = heard(messages[2])[0]
    assert isinstance(kept, str) == (dialect == "mistral")


async def test_a_cough_is_no_turn(hold):
    rng = np.random.default_rng(3)
    cough = (rng.normal(0, 5_000, 1_600) * np.linspace(1, 0, 1_600)).astype(np.int16)
    held = await hold(
        Agent(hear="llm"), [cough], wrong={**NOBODY_WRITES, "think": LISTENER}, patience=2
    )
    assert held.call.transcript.caller == []


async def test_a_model_that_cannot_hear_says_so_in_a_line(hold):
    held = await hold(Agent(hear="llm"), ["Where is the station?"], wrong=NOBODY_WRITES, patience=3)
    assert any("use a Voxtral model" in each.message for each in held.call.transcript.failures)


# -- the recording


def test_a_recording_holds_the_speech_and_a_little_around_it():
    kept = voice.Voice()
    said = np.asarray(speak("Where is the station?"), np.int16)
    pause = np.zeros(16_000, np.int16)
    for part in (pause, said, pause):
        kept.push(part)
    length = len(said) / 16_000
    made = kept.recording(length + 1.0, 1.0)
    with wave.open(io.BytesIO(made)) as file:
        assert file.getnframes() / 16_000 == pytest.approx(length + 0.5, abs=0.01)
        audio = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert np.array_equal(audio[voice.LEAD : voice.LEAD + len(said)], said)


def test_of_a_very_long_turn_the_end_is_kept():
    kept = voice.Voice()
    kept.push(np.zeros(voice.LONGEST + 5 * 16_000, np.int16))
    assert len(kept.recording(300.0, 0.0)) == 44 + 2 * voice.LONGEST


def test_sound_is_let_go_of_when_the_model_needs_it_no_more():
    transcript = Transcript()
    for number in range(12):
        utterance = Utterance("", number, number + 1)
        voice.give(utterance, b"x", 1.0)
        transcript.add(utterance)
        voice.forget(transcript)
    kept = [utterance.audio is not None for utterance in transcript.caller]
    assert kept == [False] * 4 + [True] * voice.KEPT
    assert all(utterance.text == "(1.0 s of speech)" for utterance in transcript.caller)
    assert json.dumps(transcript.to_dict())


def test_histories_with_sound_are_valid_wherever_the_model_takes_it():
    from vivavoce.agent.history import bound, messages
    from vivavoce.agent.transcript import Reply

    wav = voice.wav(np.zeros(16_000, np.int16).tobytes(), 16_000)
    entries = [
        Utterance("Hello.", 0, 1),
        Utterance("", 1, 2, audio=wav, written=False),
        Utterance("There.", 2, 3),
        Reply("Yes", "Yes", closed=True),
        Utterance("(1.0 s of speech)", 3, 4, audio=wav, written=False),
    ]
    history = messages("", entries)
    assert [each["role"] for each in history] == ["user", "assistant", "user"]
    assert [part["type"] for part in history[0]["content"]] == ["text", "input_audio", "text"]
    request = ChatCompletionRequest.model_validate({"model": "m", "messages": history})
    get_validator(TokenizerVersion.v13, ValidationMode.serving).validate_request(request)
    # A second of sound counts as what a model makes of it, not as its letters.
    assert bound(history, tokens=200) == history
    assert len(bound(history, tokens=20)) == 1


def test_what_a_check_put_in_its_place_is_told_and_not_played():
    from vivavoce.agent.history import messages

    utterance = Utterance("My card is 1234", 0, 1, told="My card is ****", audio=b"secret")
    assert messages("", [utterance]) == [{"role": "user", "content": "My card is ****"}]
