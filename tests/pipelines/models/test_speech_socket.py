"""The 3-0 speech socket, over real sockets against the sandbox."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.pipelines.models.spoken import TEXT, failure, said
from tests.pipelines.models.test_sample import speech, write
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.http import Endpoint, Http, Timeouts
from vivavoce.pipelines.models.speech import SpeechModel
from vivavoce.pipelines.models.speech_socket import RealtimeSpeech

pytestmark = pytest.mark.usefixtures("no_task_is_left")

MODEL = "voxtral-mini-tts-realtime-3-0"
TONE = {"speak": "tone"}


@pytest.fixture
async def http():
    made = Http(Timeouts(connect=5.0, first=1.5, stall=1.0))
    yield made
    await made.close()


@pytest.fixture
def model(http, endpoint):
    """A factory: a client under a profile, and its key."""

    def make(**given):
        where = endpoint("speak", **given)
        client = RealtimeSpeech(http, replace(where, model=MODEL))
        return client, endpoint.keys[where]

    return make


async def test_it_says_what_the_stream_says(model, http, endpoint):
    client, _ = model()
    rest = SpeechModel(http, endpoint("speak"))
    assert np.array_equal(await said(client), await said(rest))


async def test_clauses_follow_each_other_on_open_connections(model):
    client, key = model(script=TONE)
    for _ in range(5):
        await said(client)
    # The first, and the spare that stands by for the clause that overlaps.
    assert key.report["speech_connections"] == 2
    bodies = [each["body"] for each in key.report["bodies"]]
    assert sum("text" in body for body in bodies) == 5
    assert bodies[0] == {
        "session.update": {
            "voice": "en_paul_neutral",
            "response_format": "pcm",
            "streaming_mode": "responsive",
        }
    }


async def test_clauses_overlap(model):
    # None of them gives a sound before the others were asked for.
    client, key = model(script=TONE, latency={"speak_first_audio_ms": 1_200})
    tasks = [asyncio.create_task(said(client, TEXT * n)) for n in (1, 2, 3)]
    async with asyncio.timeout(10):
        while key.report["turns"]["speak"] < 3:
            assert not any(task.done() for task in tasks)
            await asyncio.sleep(0.02)
    found = await asyncio.gather(*tasks)
    assert len(found[2]) > len(found[1]) > len(found[0])


async def test_another_voice_and_expressiveness_on_the_same_connection(model):
    client, key = model(script=TONE)
    await said(client, voice="voice_478")
    await said(client, voice=Speaker("voice_592", expressiveness=3.0, emotion="happy"))
    updates = [each["body"] for each in key.report["bodies"] if "session.update" in each["body"]]
    assert [update["session.update"]["voice"] for update in updates] == ["voice_478", "voice_592"]
    assert updates[1]["session.update"]["expressiveness"] == 3.0
    texts = [each["body"]["text"] for each in key.report["bodies"] if "text" in each["body"]]
    assert texts == [TEXT, TEXT]  # no tag is read out


async def test_a_one_off_clone(model, tmp_path: Path):
    client, key = model(script=TONE)
    path = write(tmp_path / "me.wav", speech(4))
    assert len(await said(client, voice=Speaker(sample=path)))
    (update,) = [e["body"] for e in key.report["bodies"] if "session.update" in e["body"]]
    assert set(update["session.update"]) == {"ref_audio", "response_format", "streaming_mode"}
    short = write(tmp_path / "short.wav", speech(1))
    error = await failure(said(client, voice=Speaker(sample=short)))
    assert error.kind == "refused"
    assert "must last 3 to 25 s" in str(error)


async def test_an_unknown_voice_is_a_close_frame(model):
    client, _ = model()
    error = await failure(said(client, voice="nobody"))
    assert error.kind == "refused"
    assert "Voice 'nobody' not found." in str(error)
    assert len(await said(client, voice="voice_478"))


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"kind": "status", "status": 401, "at": "open"}, "auth", "401"),
        ({"kind": "status", "status": 429, "at": "open", "retry_after": 7}, "busy", "429"),
        ({"kind": "status", "status": 403}, "refused", "403"),
        ({"kind": "status", "status": 422}, "refused", "422"),
        ({"kind": "slow", "ms": 6000}, "timeout", "gave no answer within 1.5 s"),
        ({"kind": "stall", "after": 1}, "timeout", "stopped answering within 1 s"),
        ({"kind": "no_done"}, "timeout", "stopped answering within 1 s"),
        ({"kind": "reset", "after": 1}, "broken", "closed the speech socket"),
        ({"kind": "close", "after": 1, "code": 1011}, "broken", "1011"),
        ({"kind": "close", "after": 1, "code": 1013}, "busy", "1013"),
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


async def test_chunks_that_cut_samples_or_hold_all_of_it(model):
    whole = await said(model(script=TONE)[0], TEXT * 6)
    for kind in ("odd_chunks", "one_chunk", "no_usage"):
        client, _ = model(script=TONE, faults={"speak": [{"kind": kind}]})
        assert np.array_equal(await said(client, TEXT * 6), whole)


async def test_a_connection_that_died_while_idle_costs_nothing(model):
    client, _ = model(script=TONE)
    first = await said(client)
    for line in client._idle:  # the spare, too
        line.socket.transport.abort()
    assert np.array_equal(await said(client), first)


async def test_one_that_breaks_before_any_sound_is_tried_again_once(model):
    # The second generation comes over a connection that was used before.
    client, key = model(script=TONE, faults={"speak": [{"kind": "reset", "after": 0, "on": [2]}]})
    first = await said(client)
    assert np.array_equal(await said(client), first)
    assert key.report["turns"]["speak"] == 3


async def test_what_was_played_is_never_said_again(model):
    client, key = model(script=TONE, faults={"speak": [{"kind": "reset", "after": 3}]})
    chunks = []

    async def run() -> None:
        async with aclosing(client.stream(TEXT, voice=None, language="en")) as sound:
            async for chunk in sound:
                chunks.append(chunk)  # noqa: PERF401

    await failure(run())
    assert 0 < sum(map(len, chunks)) <= 3 * 1_920
    assert key.report["turns"]["speak"] == 1


async def test_a_cut_stops_the_server_and_the_next_clause_does_not_wait(model):
    client, key = model(script=TONE, latency={"speak_realtime_factor": 0.5})
    await said(client, "Hi.")
    async with aclosing(client.stream(TEXT * 20, voice=None, language="en")) as chunks:
        await anext(chunks)
    # 27 s of speech remained of it.
    async with asyncio.timeout(5):
        assert len(await said(client, "Yes?"))
    spoken = key.report["spoken_s"]
    await asyncio.sleep(0.5)
    assert key.report["spoken_s"] == spoken
    assert spoken < 10


async def test_it_can_be_cancelled_anywhere(model):
    client, _ = model(script=TONE, latency={"speak_realtime_factor": 0.2})
    whole = await said(client)
    for wait in (0, 0.001, 0.005, 0.02, 0.05, 0.1):
        task = asyncio.create_task(said(client))
        await asyncio.sleep(wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert np.array_equal(await said(client), whole)


async def test_no_server_and_no_url(http):
    nowhere = RealtimeSpeech(http, Endpoint("http://127.0.0.1:9", "k", MODEL))
    assert (await failure(said(nowhere))).kind == "unreachable"
    odd = RealtimeSpeech(http, Endpoint("no-url", "k", MODEL))
    assert (await failure(said(odd))).kind == "refused"


async def test_a_model_that_is_none_and_a_wrong_key(model, http, endpoint):
    where = endpoint("speak")
    wrong = RealtimeSpeech(http, replace(where, model="voxtral-mini-tts-2603"))
    error = await failure(said(wrong))
    assert (error.kind, "Invalid model" in str(error)) == ("refused", True)
    stranger = RealtimeSpeech(http, replace(where, key="wrong", model=MODEL))
    assert (await failure(said(stranger))).kind == "auth"


async def test_closing_twice(model):
    client, _ = model(script=TONE)
    await said(client)
    await client.close()
    await client.close()
