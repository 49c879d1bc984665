from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from tests.pipelines.models.test_sample import speech, write
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.speech import SpeechModel, default_voice

pytestmark = pytest.mark.usefixtures("no_task_is_left")

TONE = {"speak": "tone"}
TEXT = "Two tables are free on Friday evening."


@pytest.fixture
async def http(quick):
    made = Http(quick)
    yield made
    await made.close()


@pytest.fixture
def speak(http, endpoint):
    """Have a text spoken under a profile; return its chunks."""

    async def run(where=None, text=TEXT, voice=None, language="en", **given):
        model = SpeechModel(http, where or endpoint("speak", **given))
        async with aclosing(model.stream(text, voice=voice, language=language)) as chunks:
            return [chunk async for chunk in chunks]

    return run


async def failure(answer) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await answer
    assert "\n" not in str(caught.value)
    assert caught.value.stage == "speaking"
    return caught.value


async def test_speech_streams_as_int16(speak):
    chunks = await speak(script=TONE)
    assert len(chunks) > 1
    assert {chunk.dtype for chunk in chunks} == {np.dtype(np.int16)}
    audio = np.concatenate(chunks)
    # 60 ms a character, at 24 kHz.
    assert len(audio) == pytest.approx(len(TEXT) * 0.06 * 24_000, rel=0.05)
    assert 1_000 < np.abs(audio.astype(int)).max() <= 32_767


async def test_a_voice_speaks(speak):
    audio = np.concatenate(await speak())
    assert 1.0 < len(audio) / 24_000 < 6.0
    assert np.abs(audio.astype(int)).max() > 3_000


async def test_chunks_that_cut_a_sample_change_nothing(speak):
    whole = np.concatenate(await speak(script=TONE))
    odd = await speak(script=TONE, faults={"speak": [{"kind": "odd_chunks"}]})
    assert np.array_equal(np.concatenate(odd), whole)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"kind": "status", "status": 401}, "auth", "check the API key"),
        ({"kind": "status", "status": 403}, "refused", "403"),
        ({"kind": "status", "status": 422}, "refused", "422"),
        ({"kind": "status", "status": 429}, "busy", "rate limit"),
        ({"kind": "status", "status": 500}, "broken", "500"),
        ({"kind": "slow", "ms": 3000}, "timeout", "gave no answer within 0.5 s"),
        ({"kind": "stall", "after": 1}, "timeout", "stopped answering within 0.4 s"),
        ({"kind": "reset", "after": 1}, "broken", "broke off"),
        ({"kind": "close", "after": 1}, "broken", "broke off"),
        ({"kind": "error", "after": 1, "message": "no GPU left"}, "broken", "no GPU left"),
    ],
    ids=lambda part: "-".join(map(str, part.values())) if isinstance(part, dict) else "",
)
async def test_what_goes_wrong_is_told_in_one_line(speak, fault, kind, words):
    error = await failure(speak(script=TONE, faults={"speak": [fault]}))
    assert error.kind == kind
    assert words in str(error)


async def test_a_first_byte_that_is_slow_but_in_time_is_waited_for(speak):
    assert await speak(script=TONE, faults={"speak": [{"kind": "slow", "ms": 200}]})


async def test_what_was_spoken_before_it_broke_off_is_given(http, endpoint):
    where = endpoint("speak", script=TONE, faults={"speak": [{"kind": "close", "after": 2}]})
    chunks = []

    async def run():
        async with aclosing(
            SpeechModel(http, where).stream(TEXT, voice=None, language="en")
        ) as got:
            async for chunk in got:
                chunks.append(chunk)  # noqa: PERF401

    await failure(run())
    assert sum(map(len, chunks)) > 0


async def test_a_wrong_key(speak, endpoint):
    where = endpoint("speak")
    assert (await failure(speak(Endpoint(where.url, "wrong", where.model)))).kind == "auth"


async def test_an_unknown_voice_is_refused(speak):
    assert (await failure(speak(voice="nobody_at_all"))).kind == "refused"


async def test_closing_early_ends_the_request(http, endpoint):
    where = endpoint("speak", script=TONE, latency={"speak_realtime_factor": 0.5})
    model = SpeechModel(http, where)
    async with aclosing(model.stream("word " * 100, voice=None, language="en")) as chunks:
        await anext(chunks)
    await asyncio.sleep(0.2)
    first = endpoint.keys[where].report["spoken_s"]
    await asyncio.sleep(0.4)
    # The server makes no more of it.
    assert endpoint.keys[where].report["spoken_s"] == first
    assert first < 10


async def test_what_is_sent_is_what_the_protocol_says(speak, endpoint):
    where = endpoint("speak", script=TONE)
    await speak(where, voice="gb_jane_neutral")
    await speak(where, language="fr-CA", text="Bonjour.")
    named, left = [each["body"] for each in endpoint.keys[where].report["bodies"]]
    assert named == {
        "model": where.model,
        "input": TEXT,
        "voice_id": "gb_jane_neutral",
        "stream": True,
        "response_format": "pcm",
    }
    assert left["voice_id"] == "fr_marie_neutral"


@pytest.mark.parametrize(
    ("language", "voice"),
    [("en", "en_paul_neutral"), ("fr", "fr_marie_neutral"), ("FR-ca", "fr_marie_neutral")],
)
def test_presets_speak_where_no_voice_is_named(language, voice):
    assert default_voice(language) == voice


# -- clips, which the models of a process keep


async def test_a_clip_is_made_once(endpoint, quick):
    where = endpoint("speak", script=TONE)
    async with Models.connect(hear=where, think=where, speak=where, timeouts=quick) as models:
        first = await models.clip(TEXT, voice=None, language="en")
        again = await models.clip(TEXT, voice=None, language="en")
    assert first is again
    assert endpoint.keys[where].report["requests"] == {"audio/speech": 1}


async def test_a_clip_that_cannot_be_made_is_none_and_is_tried_again(endpoint, quick):
    where = endpoint(
        "speak", script=TONE, faults={"speak": [{"kind": "status", "status": 500, "on": [1]}]}
    )
    async with Models.connect(hear=where, think=where, speak=where, timeouts=quick) as models:
        assert await models.clip(TEXT, voice=None, language="en") is None
        assert await models.clip(TEXT, voice=None, language="en") is not None


async def test_models_name_who_serves_each_stage_and_no_key(endpoint, quick):
    where = endpoint("speak")
    async with Models.connect(hear=where, think=where, speak=where, timeouts=quick) as models:
        assert set(models.names) == {"hearing", "thinking", "speaking"}
        assert all(where.url in name for name in models.names.values())
        assert where.key not in str(models.names)
    await models.close()


# -- what the third generation has, and samples


async def test_the_third_generation_is_sent_what_it_has(http, endpoint):
    where = endpoint("speak", script=TONE)
    third = SpeechModel(http, replace(where, model="voxtral-mini-tts-3-0"))
    speaker = Speaker("voice_478", emotion="calm", expressiveness=2.5, speed=2.0)
    for model in (third, SpeechModel(http, where)):
        async with aclosing(model.stream(TEXT, voice=speaker, language="en")) as chunks:
            assert [chunk async for chunk in chunks]
    told, plain = [each["body"] for each in endpoint.keys[where].report["bodies"]]
    assert (told["input"], told["expressiveness"]) == (f"[emotion=calm]{TEXT}", 2.5)
    assert (plain["input"], "expressiveness" in plain, "speed" in told) == (TEXT, False, False)


async def test_a_one_off_clone_is_sent_with_the_text(speak, endpoint, tmp_path):
    where = endpoint("speak", script=TONE)
    sample = write(tmp_path / "me.mp3", speech(4), "libmp3lame", 44_100)
    assert await speak(where, voice=Speaker(sample=sample))
    (body,) = [each["body"] for each in endpoint.keys[where].report["bodies"]]
    assert "voice_id" not in body
    assert body["ref_audio"].startswith("<")  # some 250,000 characters


async def test_a_sample_that_is_none_is_not_sent(speak, endpoint, tmp_path):
    where = endpoint("speak", script=TONE)
    short = write(tmp_path / "short.wav", speech(1))
    error = await failure(speak(where, voice=Speaker(sample=short)))
    assert error.kind == "refused"
    assert "lasts 1.0 s: a sample of a voice must last 3 to 25 s" in str(error)
    assert endpoint.keys[where].report["requests"] == {}


async def test_a_language_that_the_model_does_not_speak_is_not_sent(speak, endpoint):
    where = endpoint("speak", script=TONE)
    error = await failure(speak(where, language="ja"))
    assert "voxtral-mini-tts-2603 does not speak 'ja'" in str(error)
    assert endpoint.keys[where].report["requests"] == {}


@pytest.mark.parametrize("kind", ["one_chunk", "no_usage"])
async def test_ends_and_chunks_of_other_shapes(speak, kind):
    whole = np.concatenate(await speak(script=TONE))
    found = await speak(script=TONE, faults={"speak": [{"kind": kind}]})
    assert np.array_equal(np.concatenate(found), whole)


async def test_a_stream_without_an_end_was_broken_off(speak):
    error = await failure(speak(script=TONE, faults={"speak": [{"kind": "no_done"}]}))
    assert (error.kind, "broke off mid-speech" in str(error)) == ("broken", True)


async def test_retry_after_is_told(speak):
    fault = {"kind": "status", "status": 429, "retry_after": 4}
    assert (await failure(speak(script=TONE, faults={"speak": [fault]}))).retry_after == 4
