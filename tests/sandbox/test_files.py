from __future__ import annotations

import base64

import numpy as np
import pytest
import soxr
from aiohttp import ClientSession, FormData
from mistralai.client.errors import SDKError

from tests.speech import speak
from vivavoce.pipelines.audio.media import encode
from vivavoce.sandbox import pcm

MODEL = "voxtral-mini-2602"
THIRD = "voxtral-mini-transcribe-3-0"
CLIP = base64.b64encode(pcm.wav(pcm.tone(1.0), 24_000)).decode()


@pytest.fixture
async def recording(client, say):
    """Two sentences with 1.5 s between them, as a WAV file."""
    sdk = await client()
    gap = np.zeros(36_000, np.float32)
    parts = [await say(sdk, "Where is the station?"), gap, await say(sdk, "Thank you very much.")]
    return pcm.wav(np.concatenate(parts), 24_000), len(parts[0]) / 24_000


def upload(data: bytes) -> dict:
    return {"content": data, "file_name": "a.wav"}


async def test_a_file_is_transcribed_with_its_segments(client, recording):
    data, first_s = recording
    sdk = await client()
    got = await sdk.audio.transcriptions.complete_async(
        model=MODEL, file=upload(data), timestamp_granularities=["segment"]
    )
    assert got.text.lower() == "where is the station? thank you very much."
    one, two = got.segments
    assert one.text.lower() == "where is the station?"
    assert one.start < 0.3
    assert two.start == pytest.approx(first_s + 1.5, abs=0.6)
    assert got.usage.prompt_audio_seconds >= 4
    assert sdk.sandbox_key.report["requests"]["audio/transcriptions"] == 1


async def test_without_granularities_there_are_no_segments(client, recording):
    sdk = await client()
    got = await sdk.audio.transcriptions.complete_async(model=MODEL, file=upload(recording[0]))
    assert got.segments == []


async def test_a_file_as_a_stream_of_events(client, recording):
    sdk = await client()
    source = await sdk.audio.transcriptions.stream_async(model=MODEL, file=upload(recording[0]))
    async with source:
        found = [event async for event in source]
    kinds = [event.event for event in found]
    assert kinds == [
        "transcription.language",
        *["transcription.text.delta", "transcription.segment"] * 2,
        "transcription.done",
    ]
    assert found[0].data.audio_language == "en"
    deltas = "".join(e.data.text for e in found if e.event == "transcription.text.delta")
    assert deltas == found[-1].data.text


async def test_silence_is_an_empty_text(client):
    sdk = await client()
    data = pcm.wav(np.zeros(48_000, np.float32), 24_000)
    got = await sdk.audio.transcriptions.complete_async(model=MODEL, file=upload(data))
    assert got.text == ""


async def test_a_script_answers_for_files_too(client):
    sdk = await client(script={"hear": ["one two"]})
    data = pcm.wav(pcm.tone(0.5), 24_000)
    got = await sdk.audio.transcriptions.complete_async(model=MODEL, file=upload(data))
    assert got.text == "one two"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"model": "voxtral-mini-transcribe-9-0"}, "Invalid model"),
        ({"file": None}, "Exactly one of file"),
        ({"file": None, "file_url": "http://192.0.2.1/a.wav"}, "fetches nothing but"),
        ({"file": None, "file_url": "http://127.0.0.1:9/a.wav"}, "could not be fetched"),
        ({"file": None, "file_id": "nothing"}, "no file nothing"),
        ({"file": upload(b"ID3 no wav")}, "no audio file"),
        (
            {"model": THIRD, "timestamp_granularities": ["word"]},
            "word timestamps are not supported",
        ),
        ({"timestamp_granularities": ["segment"], "language": "en"}, "cannot be combined"),
        ({"language": "english"}, "pattern"),
        ({"context_bias": ["two words"]}, "commas or spaces"),
        ({"context_bias": ["word"] * 101}, "At most 100"),
        ({"model": "voxtral-mini-2507", "diarize": True}, "not supported by voxtral-mini-2507"),
        ({"speaker_references": {"Ann": CLIP}, "diarize": True}, "not supported by"),
        ({"model": THIRD, "speaker_references": {"Ann": CLIP}}, "requires diarize"),
        (
            {"model": THIRD, "diarize": True, "speaker_references": {"Ann": CLIP}},
            "3 to 15 s are taken",
        ),
    ],
)
async def test_requests_that_are_refused(client, more, why):
    sdk = await client()
    request = {"model": MODEL, "file": upload(pcm.wav(pcm.tone(0.1), 24_000)), **more}
    with pytest.raises(SDKError, match=why) as caught:
        await sdk.audio.transcriptions.complete_async(**request)
    assert caught.value.status_code in {400, 404, 422}


async def test_what_is_no_form_is_refused(profile):
    key = profile()
    headers = {"Authorization": f"Bearer {key.key}"}
    url = f"{key.url}/v1/audio/transcriptions"
    async with ClientSession() as session:
        async with session.post(url, json={"model": MODEL}, headers=headers) as answer:
            assert answer.status == 422
        form = FormData({"model": MODEL})
        form.add_field("context_bias", "one")
        form.add_field("context_bias", "two")
        form.add_field("file", pcm.wav(pcm.tone(0.1), 24_000), filename="a.wav")
        async with session.post(url, data=form, headers=headers) as answer:
            assert answer.status == 200
    assert key.report["bodies"][-1]["body"]["context_bias"] == ["one", "two"]


async def test_faults_strike_files_too(client):
    sdk = await client(faults={"hear": [{"kind": "status", "status": 500}]})
    with pytest.raises(SDKError) as caught:
        await sdk.audio.transcriptions.complete_async(
            model=MODEL, file=upload(pcm.wav(pcm.tone(0.1), 24_000))
        )
    assert caught.value.status_code == 500


async def test_any_format_is_read(client):
    sdk = await client()
    spoken = speak("The station is behind the market.", 16_000)
    for form in ("mp3", "flac"):
        got = await sdk.audio.transcriptions.complete_async(
            model=MODEL, file={"content": encode(spoken, form), "file_name": f"a.{form}"}
        )
        assert got.text == "The station is behind the market."


async def test_speakers_and_words(client):
    sdk = await client()
    low = speak("Where is the station?", 16_000)
    high = soxr.resample(speak("Thank you very much.", 16_000), 20_000, 16_000)
    gap = np.zeros(16_000, np.int16)
    samples = np.concatenate((low, gap, high, gap)) / np.float32(32768)
    got = await sdk.audio.transcriptions.complete_async(
        model=MODEL,
        file=upload(pcm.wav(samples, 16_000)),
        diarize=True,
        timestamp_granularities=["word"],
    )
    words = [(one.text, one.speaker_id) for one in got.segments]
    assert words == [
        *((word, "speaker_1") for word in ("Where", "is", "the", "station?")),
        *((word, "speaker_2") for word in ("Thank", "you", "very", "much.")),
    ]
    times = [(one.start, one.end) for one in got.segments]
    assert times == sorted(times)


async def test_voxtral_3_takes_a_language_with_times_and_samples_of_voices(client):
    sdk = await client()
    spoken = speak("Where is the station?", 16_000)
    sample = base64.b64encode(encode(np.tile(spoken, 3), "wav")).decode()
    stream = await sdk.audio.transcriptions.stream_async(
        model=THIRD,
        file=upload(encode(spoken, "wav")),
        language="en",
        timestamp_granularities=["segment"],
        diarize=True,
        context_bias=["station"],
        speaker_references={"Ann": sample},
    )
    async with stream:
        found = [event async for event in stream]
    assert [event.event for event in found] == [
        "transcription.text.delta",
        "transcription.segment",
        "transcription.done",
    ]
    assert found[1].data.speaker_id == "Ann"
    assert found[2].data.segments[0].speaker_id == "Ann"


async def test_a_file_that_was_uploaded_before(client):
    sdk = await client()
    spoken = encode(speak("Where is the station?", 16_000), "wav")
    stored = await sdk.files.upload_async(file=upload(spoken), purpose="audio")
    assert stored.size_bytes == len(spoken)
    for _ in range(2):
        got = await sdk.audio.transcriptions.complete_async(model=MODEL, file_id=stored.id)
        assert got.text == "Where is the station?"
    assert (await sdk.files.retrieve_async(file_id=stored.id)).filename == "a.wav"
    other = await client()
    with pytest.raises(SDKError, match="no file"):
        await other.audio.transcriptions.complete_async(model=MODEL, file_id=stored.id)
    assert (await sdk.files.delete_async(file_id=stored.id)).deleted
    with pytest.raises(SDKError, match="no file"):
        await sdk.audio.transcriptions.complete_async(model=MODEL, file_id=stored.id)


@pytest.mark.parametrize("model", [MODEL, THIRD, "voxtral-mini-2507"])
async def test_a_card_tells_what_is_taken(client, model):
    sdk = await client()
    told = (await sdk.models.retrieve_async(model_id=model)).audio_transcription_capabilities
    assert told.modes == ["offline"]
    assert told.diarization == told.context_bias == (model != "voxtral-mini-2507")
    assert ("word" in told.timestamp_granularities) == (model == MODEL)


async def test_a_stream_may_lose_its_end(client):
    sdk = await client(faults={"hear": [{"kind": "lost_done"}]}, script={"hear": ["one two"]})
    data = pcm.wav(pcm.tone(0.5), 24_000)
    stream = await sdk.audio.transcriptions.stream_async(model=MODEL, file=upload(data))
    async with stream:
        kinds = [event.event async for event in stream]
    assert "transcription.done" not in kinds
