from __future__ import annotations

import io
import wave
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipelines.models import spoken
from tests.pipelines.models.spoken import TEXT, failure
from tests.pipelines.models.test_sample import speech, write
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.http import Http
from vivavoce.pipelines.models.voxtral_com_speech import LONGEST, VoxtralComSpeech, pieces
from vivavoce.sandbox.voxtral_com import PRESETS

pytestmark = pytest.mark.usefixtures("no_task_is_left")

VOICE = next(iter(PRESETS))
TONE = {"speak": "tone"}
LONG = "We have a table for four by the window. " * 150  # 6,000 characters


@pytest.fixture
async def http(quick):
    made = Http(replace(quick, first=2.0))
    yield made
    await made.close()


@pytest.fixture
def model(http, endpoint):
    def make(**given):
        where = endpoint("speak", **given)
        made = replace(where, url=where.url + "/api/tts", model="voxtral", dialect="voxtral")
        return VoxtralComSpeech(http, made), endpoint.keys[where]

    return make


said = partial(spoken.said, voice=VOICE)


async def test_it_speaks_whatever_its_pcm_is(model):
    client, key = model()
    audio = await said(client)
    assert 1.0 < len(audio) / 24_000 < 6.0
    assert 3_000 < np.abs(audio.astype(int)).max() < 32_767
    (body,) = [each["body"] for each in key.report["bodies"]]
    assert body == {"input": TEXT, "voice_id": VOICE, "response_format": "pcm"}


async def test_chunks_that_cut_a_sample_change_nothing(model):
    whole = await said(model(script=TONE)[0])
    for kind in ("odd_chunks", "one_chunk"):
        client, _ = model(script=TONE, faults={"speak": [{"kind": kind}]})
        assert np.array_equal(await said(client), whole)


async def test_a_text_beyond_the_limit_is_spoken_in_pieces(model):
    assert len(LONG) == 6_000
    client, key = model(script=TONE, latency={"speak_char_ms": 2})
    await said(client, LONG)
    texts = [each["body"]["input"] for each in key.report["bodies"]]
    assert [len(text) <= LONGEST for text in texts] == [True, True]
    assert " ".join(texts) == LONG.strip()


async def test_a_text_beyond_the_limit_is_not_generated_at_once(model):
    client, key = model()
    error = await failure(client.generate(LONG, voice=VOICE, language="en"))
    assert error.kind == "refused"
    assert "at most 5,000 characters at once, not 6,000: cut the text, or stream it" in str(error)
    assert key.report["requests"] == {}


async def test_generated_whole_it_tells_what_it_cost(model):
    client, _ = model(script=TONE)
    text = TEXT * 40
    made = await client.generate(text, voice=VOICE, language="en", form="wav")
    assert (made.format, made.credits, made.chunks) == ("wav", len(text), 2)
    assert made.id in made.url
    with wave.open(io.BytesIO(made.audio)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(len(text) * 0.06, rel=0.05)
    assert client.credits == len(text)


async def test_speed_and_a_one_off_clone(model, tmp_path: Path):
    client, key = model(script=TONE)
    usual = await said(client)
    fast = await said(client, voice=Speaker(VOICE, speed=2.0))
    assert len(fast) == pytest.approx(len(usual) / 2, rel=0.05)
    assert len(await said(client, voice=Speaker(sample=write(tmp_path / "a.wav", speech(6)))))
    assert "ref_audio" in key.report["bodies"][-1]["body"]
    short = Speaker(sample=write(tmp_path / "b.wav", speech(4)))
    error = await failure(said(client, voice=short))
    assert "lasts 4.0 s: a sample of a voice must last 5 to 30 s" in str(error)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"kind": "status", "status": 401}, "auth", "check the API key"),
        ({"kind": "status", "status": 402}, "auth", "402"),
        ({"kind": "status", "status": 429, "retry_after": 3}, "busy", "429"),
        ({"kind": "slow", "ms": 9000}, "timeout", "gave no answer within 2 s"),
        ({"kind": "stall", "after": 1}, "timeout", "stopped answering"),
        ({"kind": "reset", "after": 1}, "broken", "broke off"),
        ({"kind": "no_done"}, "broken", "broke off mid-speech"),
        ({"kind": "error", "message": "no credits left", "code": 9}, "refused", "no credits left"),
        ({"kind": "error", "after": 1, "message": "no GPU left"}, "broken", "no GPU left"),
    ],
    ids=lambda part: "-".join(map(str, part.values())) if isinstance(part, dict) else "",
)
async def test_what_goes_wrong_is_told_in_one_line(model, fault, kind, words):
    client, _ = model(script=TONE, faults={"speak": [fault]})
    error = await failure(said(client))
    assert error.kind == kind
    assert words in str(error)
    assert error.retry_after == fault.get("retry_after")


async def test_an_error_told_with_status_200_is_one_when_generating_too(model):
    client, _ = model(faults={"speak": [{"kind": "error", "code": 7, "message": "no credits"}]})
    error = await failure(client.generate(TEXT, voice=VOICE, language="en", form="wav"))
    assert error.kind == "refused"
    assert "code 7: no credits" in str(error)


async def test_a_voice_must_be_named(model):
    assert "wants a voice" in str(await failure(said(model()[0], voice=None)))
    assert "not found" in str(await failure(said(model()[0], voice="nobody")))


@settings(deadline=None, max_examples=100)
@given(text=st.text(st.sampled_from("ab .!?\n。"), max_size=200), longest=st.integers(5, 60))
def test_pieces_are_the_text_and_fit(text: str, longest: int) -> None:
    found = pieces(text, longest)
    assert all(0 < len(piece) <= longest for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())
