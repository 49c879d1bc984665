"""Calls over WebRTC with a client that is not ours (aiortc's): spoken, typed, broken, restarted."""

from __future__ import annotations

import asyncio

import numpy as np
from aiortc.sdp import SessionDescription

from tests.speech import speak
from tests.web.calls import Browser, get, host, request, sandboxed, serving
from vivavoce.agent import Agent
from vivavoce.pipelines.audio.resample import resample
from vivavoce.web import desk as desk_module
from vivavoce.web.line import LOST


def tone_share(sound: np.ndarray, frequency: float = 440.0) -> float:
    """The share of a sound's energy that is one tone."""
    spectrum = np.abs(np.fft.rfft(sound.astype(float) * np.hanning(len(sound)))) ** 2
    bins = np.fft.rfftfreq(len(sound), 1 / 48_000)
    return float(spectrum[abs(bins - frequency) < 15].sum() / max(1.0, spectrum.sum()))


async def test_a_spoken_conversation_is_held(profile):
    key = profile()
    agent = Agent("You help.", name="host", greeting="Good evening.")

    @agent.tool
    async def opening_hours() -> str:
        """Tell the opening hours."""
        return "from seven to eleven"

    async with (
        serving(agent, models=sandboxed(key)) as server,
        Browser(server.url) as browser,
    ):
        await browser.call()
        await browser.event("agent_said")
        # A machine that is busy elsewhere may garble a sentence: then it is said again.
        for count in range(1, 4):
            browser.mic.say(speak("What are your opening hours?", 48_000))
            said = await browser.event("caller_said", count)
            if "hours" in said["utterance"]["text"].lower():
                break
            await browser.event("agent_said", 1 + count)
        tool = await browser.event("tool_ended")
        assert tool["use"]["name"] == "opening_hours"
        assert tool["use"]["ok"]
        reply = (
            await browser.until(
                lambda: [e for e in browser.events("agent_said") if "seven" in e["reply"]["heard"]]
            )
        )[0]["reply"]
        assert reply["heard"] == reply["generated"]
        turn = next(each for each in browser.events("turn") if each["reply"] == reply["id"])
        assert sum(turn["latency"]["stages_us"].values()) == turn["latency"]["total_us"]
        assert np.abs(browser.sound).max() > 2_000
        # What the agent said is heard by a recogniser, not only loud.
        heard = await transcribe(key, browser.sound)
        assert "evening" in heard.lower()
        assert "seven" in heard.lower() or "7" in heard
        browser.send("disconnect-bot")
        assert (await browser.event("call_ended"))["reason"] == "the caller hung up"
        status, record = await get(
            f"{server.url}/api/calls/{browser.answer['call']}?token={browser.answer['resume']}"
        )
        assert status == 200
        kinds = [each["kind"] for each in record["transcript"]]
        assert kinds[0] == "agent"
        assert kinds[-3:] == ["caller", "tool", "agent"]


async def transcribe(key, sound: np.ndarray) -> str:
    import io
    import wave

    import aiohttp

    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(resample(sound, 48_000, 16_000).tobytes())
    form = aiohttp.FormData()
    form.add_field("file", file.getvalue(), filename="heard.wav")
    form.add_field("model", "voxtral-mini-latest")
    headers = {"Authorization": f"Bearer {key.key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{key.url}/v1/audio/transcriptions", data=form) as response,
    ):
        assert response.status == 200, await response.text()
        return str((await response.json())["text"])


async def test_a_typed_conversation_with_keys_and_messages():
    agent = host()
    received = []

    @agent.tool
    async def nothing() -> str:
        """Do nothing."""
        return ""

    async with serving(agent) as server, Browser(server.url) as browser:
        await browser.call()
        snapshot = await browser.event("snapshot")
        assert snapshot["agent"] == "host"
        assert not snapshot["recording"]
        assert browser.messages[0]["type"] == "bot-ready"
        await browser.spoken()
        browser.send("send-text", {"content": "hello there"})
        said = await browser.event("caller_said")
        assert said["utterance"]["text"] == "hello there"
        first = (await browser.event("agent_said"))["reply"]
        assert first["interrupted"]  # what was typed cut the greeting
        assert first["unheard"]
        second = (await browser.event("agent_said", 2))["reply"]
        assert second["heard"] == "you said hello there"
        await browser.until(
            lambda: "listening" in [told["phase"] for told in browser.events("phase")[-1:]]
        )
        live = next(iter(server.desk.calls.values()))
        call = live.conversation.call

        async def follow():
            received.extend([event.to_dict() async for event in call])

        following = asyncio.create_task(follow())
        browser.ask("key", key="5")
        assert (await browser.event("key_pressed"))["key"] == "5"
        browser.ask("send", colour="red")
        assert (await browser.event("message_received"))["message"] == {"colour": "red"}
        await call.send({"show": "menu"})
        assert (await browser.event("message"))["message"] == {"show": "menu"}
        browser.ask("key", key="x")
        refused = await browser.until(
            lambda: [m for m in browser.messages if m["type"] == "error-response"]
        )
        assert refused[0]["id"] == "m-key"
        assert "no key" in refused[0]["data"]["error"]
        browser.ask("mute", on=True)
        browser.ask("snapshot")
        assert (await browser.event("snapshot", 2))["muted"]
        browser.channel.send("ping 17")
        await browser.until(lambda: "pong 17" in browser.texts)
        await browser.until(lambda: len(browser.sound) > 48_000 * 2)
        share = tone_share(browser.sound[-48_000 * 2 : -48_000])
        assert share > 0.5 or tone_share(browser.sound) > 0.5
        browser.send("disconnect-bot")
        await browser.event("call_ended")
        await browser.until(lambda: any("peerLeft" in text for text in browser.texts))
        await asyncio.wait_for(following, 5)
        assert {"key_pressed", "message_received"} <= {each["event"] for each in received}


async def test_a_page_that_is_loaded_again_goes_on_where_it_was():
    words = "one two three four five six seven eight nine ten " * 3
    async with serving(host(greeting=words)) as server:
        async with Browser(server.url) as first:
            await first.call()
            await first.spoken()
            resume, ident = first.answer["resume"], first.answer["call"]
        async with Browser(server.url) as second:
            await second.call(request_data={"resume": resume})
            assert second.answer["call"] == ident
            snapshot = await second.event("snapshot")
            assert snapshot["call"] == ident
            before = snapshot["transcript"][0]
            assert before["id"] == "r1"
            assert not before["closed"]
            said = await second.event("agent_said")
            assert said["reply"]["id"] == "r1"
            assert said["reply"]["heard"] == words.strip()
            assert not said["reply"]["interrupted"]
            told = [each["reply"]["heard"] for each in second.events("reply")]
            assert sum(0 < len(text) < len(words) - 10 for text in told) >= 3  # word by word
            assert told == sorted(told, key=len)
            assert all(words.startswith(text) for text in told)
            live = server.desk.calls[ident]
            await live.hang_up()
            await second.event("call_ended")
        status, _ = await request(
            "POST",
            f"{server.url}/api/offer",
            json={
                "sdp": second.pc.localDescription.sdp,
                "type": "offer",
                "request_data": {"resume": resume},
            },
        )
        assert status == 410


async def test_a_dead_connection_is_replaced_under_its_name():
    async with serving() as server:
        async with Browser(server.url) as first:
            await first.call()
            await first.spoken()
        async with Browser(server.url) as second:
            await second.call(pc_id=first.answer["pc_id"], restart_pc=True)
            assert second.answer["call"] == first.answer["call"]
            assert second.answer["pc_id"] != first.answer["pc_id"]
            await second.event("snapshot")
            status, _ = await request(
                "PATCH",
                f"{server.url}/api/offer",
                json={"pc_id": first.answer["pc_id"], "candidates": []},
            )
            assert status == 404


async def test_a_caller_who_stays_away_ends_the_call():
    async with serving(wait=0.5) as server:
        async with Browser(server.url) as browser:
            await browser.call()
            await browser.spoken()
            ident, resume = browser.answer["call"], browser.answer["resume"]
        for _ in range(200):
            if ident not in server.desk.calls:
                break
            await asyncio.sleep(0.05)
        status, record = await get(f"{server.url}/api/calls/{ident}?token={resume}")
        assert status == 200
        assert record["ended"] == LOST


async def test_ice_is_restarted_in_the_middle_of_a_reply():
    words = "one two three four five six seven eight nine ten " * 3
    async with serving(host(greeting=words)) as server, Browser(server.url) as browser:
        await browser.call()
        await browser.spoken()
        first = SessionDescription.parse(browser.answer["sdp"]).media[0]
        answer = await browser.restart_ice()
        assert answer["pc_id"] == browser.answer["pc_id"]
        second = SessionDescription.parse(answer["sdp"]).media[0]
        assert second.ice.usernameFragment != first.ice.usernameFragment
        assert second.dtls.fingerprints == first.dtls.fingerprints
        heard = len(browser.heard)
        said = await browser.event("agent_said")
        assert said["reply"]["heard"] == words.strip()
        assert len(browser.heard) > heard + 20  # its sound came over the new path
        assert next(iter(server.desk.calls.values())).line.leg.figures()["restarts"] == 1


async def test_a_client_that_is_never_reached_costs_nothing(monkeypatch):
    monkeypatch.setattr(desk_module, "REACH", 0.3)
    async with serving() as server:
        browser = Browser(server.url)
        await browser.pc.setLocalDescription(await browser.pc.createOffer())
        sdp = browser.pc.localDescription.sdp
        await browser.close()
        body = {"sdp": sdp, "type": "offer"}
        status, answer = await request("POST", f"{server.url}/api/offer", json=body)
        assert status == 200
        live = server.desk.calls[answer["call"]]
        await asyncio.wait_for(asyncio.shield(live.task), 10)
        assert live.conversation is None  # no pipeline, no model was asked for anything
        assert server.desk.turnstile.admission.calls == 0
