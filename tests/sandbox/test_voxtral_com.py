from __future__ import annotations

import base64
import json

import pytest
from aiohttp import ClientSession

from vivavoce.sandbox import pcm
from vivavoce.sandbox.voxtral_com import PRESETS

VOICE = next(iter(PRESETS))
SAMPLE = base64.b64encode(pcm.wav(pcm.tone(6.0), 24_000)).decode()


async def ask(key, method: str, path: str, body=None):
    headers = {"Authorization": f"Bearer {key.key}"}
    url = f"{key.url}/api/tts{path}"
    async with (
        ClientSession(headers=headers) as session,
        session.request(method, url, json=body) as answer,
    ):
        return answer.status, await answer.read()


async def test_generated_whole(profile):
    text = "word " * 300
    request = {"input": text, "voice_id": VOICE, "response_format": "wav"}
    key = profile(script={"speak": "tone"}, latency={"speak_char_ms": 2})
    status, body = await ask(key, "POST", "/generate", request)
    answer = json.loads(body)
    assert (status, answer["code"]) == (200, 0)
    data = answer["data"]
    assert set(data) == {
        "audio_data",
        "format",
        "generation_id",
        "audio_url",
        "chunks",
        "credits_used",
    }
    assert (data["chunks"], data["credits_used"]) == (2, 1_500)
    samples, rate = pcm.read_wav(base64.b64decode(data["audio_data"]))
    assert (rate, len(samples)) == (24_000, pytest.approx(1_500 * 0.002 * 24_000, abs=2))


async def test_streamed_events_have_names_and_no_type(profile):
    request = {"input": "Hello.", "voice_id": VOICE}
    _, body = await ask(profile(script={"speak": "tone"}), "POST", "/stream", request)
    blocks = body.decode().strip().split("\n\n")
    assert blocks[0].startswith('event: speech.audio.delta\ndata: {"audio_data":')
    assert blocks[-1] == "event: speech.audio.done\ndata: {}"


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"input": ""}, 400, "input is required"),
        ({"input": "x" * 6_000}, 400, "at most 5000 characters, not 6000"),
        ({"voice_id": "nobody"}, 404, "not found"),
        ({"speed": 9}, 400, "between 0.25 and 4"),
        ({"response_format": "aac"}, 400, "must be one of"),
        ({"ref_audio": base64.b64encode(pcm.wav(pcm.tone(1), 24_000)).decode()}, 400, "5 to 30"),
    ],
)
async def test_what_is_refused(profile, change, status, says):
    for path in ("/generate", "/stream"):
        request = {"input": "Hello.", "voice_id": VOICE, **change}
        got, body = await ask(profile(), "POST", path, request)
        answer = json.loads(body)
        assert (got, answer["code"]) == (status, status)
        assert says in answer["message"]


async def test_a_voice_from_its_making_to_its_end(profile):
    key = profile(script={"speak": "tone"})
    new = {"name": "Mine", "ref_audio": SAMPLE, "language": "fr", "gender": "female"}
    _, body = await ask(key, "POST", "/voices/clone", new)
    voice = json.loads(body)["data"]
    assert {"id", "name", "mistral_voice_id"} <= set(voice)
    _, body = await ask(key, "GET", "/voices/mine?page=1&limit=50")
    assert voice in json.loads(body)["data"]["voices"]
    _, body = await ask(key, "PATCH", f"/voices/{voice['id']}", {"name": "Ours"})
    assert json.loads(body)["data"]["name"] == "Ours"
    status, _ = await ask(key, "POST", "/stream", {"input": "Hi.", "voice_id": voice["id"]})
    assert status == 200
    status, _ = await ask(key, "DELETE", f"/voices/{voice['id']}")
    assert status == 200
    status, _ = await ask(key, "DELETE", f"/voices/{voice['id']}")
    assert status == 404


async def test_a_key_that_is_none(profile):
    key = profile()
    async with (
        ClientSession(headers={"Authorization": "Bearer wrong"}) as session,
        session.get(f"{key.url}/api/tts/voices/mine") as answer,
    ):
        assert answer.status == 401
