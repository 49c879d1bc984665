"""OpenRouter's file dialect, with its unmodified SDK as the client."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from openrouter import OpenRouter
from openrouter.errors import OpenRouterError

from tests.speech import speak
from vivavoce.sandbox import pcm

MODEL = "mistralai/voxtral-mini-transcribe"
LINE = "The station is behind the market."


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    return speak(LINE, 16_000) / np.float32(32768)


@pytest.fixture
async def router(profile):
    opened = []

    async def make(**given) -> OpenRouter:
        key = profile(**given)
        sdk = OpenRouter(api_key=key.key, server_url=f"{key.url}/api/v1", timeout_ms=20_000)
        await sdk.__aenter__()
        opened.append(sdk)
        return sdk

    yield make
    for sdk in opened:
        await sdk.__aexit__(None, None, None)


def audio(samples, form="wav"):
    data = pcm.wav(samples, 16_000) if form == "wav" else pcm.encode_s16(samples)
    return {"data": base64.b64encode(data).decode(), "format_": form}


@pytest.mark.parametrize("form", ["wav", "pcm"])
async def test_a_text_and_its_price(router, recording, form):
    sdk = await router()
    got = await sdk.stt.create_transcription_async(
        model=MODEL, input_audio=audio(recording, form), language="en"
    )
    assert got.text == LINE
    assert got.usage.seconds == pytest.approx(len(recording) / 16_000, abs=0.01)
    assert got.usage.cost > 0
    assert got.segments is None


async def test_times_and_speakers(router, recording):
    sdk = await router()
    got = await sdk.stt.create_transcription_async(
        model=MODEL,
        input_audio=audio(recording),
        response_format="verbose_json",
        timestamp_granularities=["word"],
        diarize=True,
    )
    assert got.task == "transcribe"
    assert [one.text for one in got.segments] == [LINE]
    assert got.segments[0].speaker_label == "speaker_1"
    assert [one.word for one in got.words] == LINE.split()
    assert {one.speaker_label for one in got.words} == {"speaker_1"}


async def test_a_form_with_a_file(router, recording):
    sdk = await router()
    got = await sdk.stt.create_transcription_multipart_async(
        file={"file_name": "a.wav", "content": pcm.wav(recording, 16_000)}, model=MODEL
    )
    assert got.text == LINE


@pytest.mark.parametrize(
    ("more", "status", "why"),
    [
        ({"model": "openai/gpt-9"}, 404, "No endpoints found"),
        ({"diarize": True}, 400, "verbose_json"),
        ({"input_audio": {"data": "!!", "format_": "wav"}}, 400, "base64"),
        ({"input_audio": {"data": "AAAA", "format_": "doc"}}, 400, "format must be"),
        ({"input_audio": {"data": "AAAA", "format_": "wav"}}, 400, "no audio file"),
        ({"input_audio": {"url": "http://192.0.2.1/a.wav"}}, 400, "fetches nothing but"),
    ],
)
async def test_what_openrouter_refuses(router, recording, more, status, why):
    sdk = await router()
    request = {"model": MODEL, "input_audio": audio(recording), **more}
    with pytest.raises(OpenRouterError, match=why) as caught:
        await sdk.stt.create_transcription_async(**request)
    assert caught.value.status_code == status


@pytest.mark.parametrize("status", [401, 402, 413, 429, 500, 524, 529])
async def test_faults_strike(router, recording, status):
    sdk = await router(faults={"hear": [{"kind": "status", "status": status}]})
    with pytest.raises(OpenRouterError) as caught:
        await sdk.stt.create_transcription_async(
            model=MODEL, input_audio=audio(recording), retries=None
        )
    assert caught.value.status_code == status
