"""Downloads of a session over HTTP: whose they are, and what is in them."""

from __future__ import annotations

import asyncio
import io
import wave

import aiohttp
import numpy as np
import pytest

from tests.web.calls import host, serving
from tests.web.test_socket import connected
from vivavoce.agent.segment import Segment
from vivavoce.web.store_settings import StoreSettings


def interpreted(live) -> None:
    """Enter what an interpreter would have: the routes ask for the transcript alone."""
    segment = Segment(1, "A", "fr", "en", "Bonjour.", 0.1, 0.6, translation="Good morning.")
    segment.spoken_from, segment.spoken_to, segment.state = 1.0, 1.7, "spoken"
    live.conversation.call.transcript.add(segment)


@pytest.mark.parametrize("kept", [False, True])
async def test_subtitles_and_the_dubbed_recording(tmp_path, kept):
    store = StoreSettings(where=str(tmp_path / "kept")).make() if kept else None
    given = {"records": store} if store else {"recordings": tmp_path}
    if store is not None:
        await store.open()
    try:
        async with (
            serving(host("Good evening, all of you."), began=interpreted, **given) as server,
            aiohttp.ClientSession() as http,
        ):
            async with connected(server, "/api/ws?rate=24000") as client:
                about = await client.event("call")
                head = {"Authorization": f"Bearer {about['resume']}"}
                url = f"{server.url}/api/calls/{about['call']}"
                asked = f"{url}/subtitles?language=en&form=vtt&at=heard"
                async with http.get(asked, headers=head) as answer:
                    assert answer.status == 200
                    assert answer.content_type == "text/vtt"
                    assert f"{about['call']}.en.vtt" in answer.headers["Content-Disposition"]
                    assert "00:00:01.000 --> 00:00:01.700\nGood morning." in await answer.text()
                for query, status in (
                    ("language=de", 404),
                    ("language=en&form=ass", 400),
                    ("language=en&at=once", 400),
                ):
                    async with http.get(f"{url}/subtitles?{query}", headers=head) as answer:
                        assert answer.status == status
                async with http.get(f"{url}/dubbed", headers=head) as answer:
                    assert answer.status == 409  # it grows still
                tone = (8_000 * np.sin(np.arange(24_000) / 10)).astype("<i2").tobytes()
                await client.socket.send_bytes(tone)
                await client.until(lambda: len(b"".join(client.sound)) > 48_000)
            for name in ("subtitles?language=en", "dubbed"):
                async with http.get(f"{url}/{name}") as answer:
                    assert answer.status == 404  # not theirs
            for _ in range(100):
                async with http.get(f"{url}/dubbed", headers=head) as answer:
                    status, body = answer.status, await answer.read()
                if status == 200:
                    break
                assert status in {404, 409}  # the file is on its way to where it is kept
                await asyncio.sleep(0.05)
            with wave.open(io.BytesIO(body)) as file:
                assert (file.getnchannels(), file.getframerate()) == (1, 24_000)
                sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            assert len(body) == 44 + 2 * len(sound)
            assert np.abs(sound.astype(int)).max() > 4_000
    finally:
        if store is not None:
            await store.close()


async def test_a_session_that_is_not_recorded_has_no_dubbed_recording():
    async with serving() as server, aiohttp.ClientSession() as http:
        async with connected(server, "/api/ws") as client:
            about = await client.event("call")
            asked = {"t": "original", "d": {"original": "off"}}
            await client.socket.send_json({"type": "client-message", "id": "7", "data": asked})
            await client.until(lambda: [e for e in client.texts if e.get("id") == "7"])
            (refused,) = [e for e in client.texts if e.get("id") == "7"]
            assert "no interpreted session" in refused["data"]["error"]
        head = {"Authorization": f"Bearer {about['resume']}"}
        url = f"{server.url}/api/calls/{about['call']}"
        for _ in range(100):
            async with http.get(f"{url}/dubbed", headers=head) as answer:
                if answer.status != 409:
                    break
            await asyncio.sleep(0.05)
        assert answer.status == 404
        async with http.get(f"{url}/subtitles?language=en", headers=head) as answer:
            assert answer.status == 404
