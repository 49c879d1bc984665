from __future__ import annotations

import pytest
from aiohttp import ClientSession
from mistralai.client.errors import SDKError

from vivavoce.sandbox.launch import SandboxError
from vivavoce.sandbox.server import Server

ROUTES = [
    ("GET", "/v1/models"),
    ("GET", "/v1/models/embedded-rules"),
    ("GET", "/v1/audio/voices"),
    ("GET", "/v2/audio/voices"),
    ("POST", "/v1/audio/speech"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/client/sessions"),
    ("POST", "/sandbox/keys"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nothing_answers_without_a_key(sandbox, method, path):
    async with ClientSession() as session, session.request(method, sandbox.url + path) as answer:
        assert answer.status == 401
        assert (await answer.json())["object"] == "error"


async def test_health_needs_no_key_and_tells_no_secret(sandbox):
    async with ClientSession() as session, session.get(f"{sandbox.url}/health") as answer:
        assert (await answer.json())["status"] == "ok"
        assert sandbox.key not in await answer.text()


async def test_unknown_paths_answer_in_the_apis_shape(sandbox):
    async with ClientSession() as session, session.get(f"{sandbox.url}/v1/fly") as answer:
        assert answer.status == 404
        assert (await answer.json())["object"] == "error"


def test_only_the_main_key_manages_keys(profile, sandbox):
    ordinary = profile()
    stranger = type(sandbox)(key=ordinary.key)
    stranger.url = sandbox.url
    with pytest.raises(SandboxError, match="403"):
        stranger.make_key()
    with pytest.raises(SandboxError, match="403"):
        stranger.report(sandbox.key)
    with pytest.raises(SandboxError, match="403"):
        stranger.drop_key(ordinary.key)
    assert stranger.report(ordinary.key)["connections"] == 0


def test_a_dropped_key_no_longer_opens(sandbox):
    key = sandbox.make_key()
    sandbox.drop_key(key)
    with pytest.raises(SandboxError, match="404"):
        sandbox.report(key)
    with pytest.raises(SandboxError, match="400"):
        sandbox.drop_key(sandbox.key)


def test_a_wrong_profile_is_refused_with_the_reason(sandbox):
    with pytest.raises(SandboxError, match=r"422.*known: latency, script, faults"):
        sandbox.make_key(lateness={})


async def test_a_client_session_is_for_one_model_and_expires_as_told(client):
    sdk = await client()
    made = await sdk.realtime.sessions.create_async(
        request={"model": "voxtral-mini-transcribe-realtime-2602", "ttl_seconds": 60}
    )
    assert made.client_secret.expires_at == made.expires_at
    url = f"{sdk.sandbox_key.url.replace('http', 'ws')}/v1/audio/transcriptions/realtime"
    other = f"{url}?model=voxtral-mini-transcribe-realtime-latest"
    async with ClientSession() as session:
        headers = {"Sec-WebSocket-Protocol": f"realtime, {made.client_secret.value}"}
        async with session.get(other, headers=headers) as answer:
            assert answer.status == 403
    with pytest.raises(SDKError, match="Invalid model"):
        await sdk.realtime.sessions.create_async(request={"model": "mistral-small-latest"})


async def test_other_addresses_than_loopback_are_refused():
    server = Server.__new__(Server)
    with pytest.raises(ValueError, match="loopback"):
        await server.start("0.0.0.0")
