"""Two people who do not share a language, at real lines: browsers, and a telephone.

What each of them hears is recorded where they hear it, and understood.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from playwright.async_api import async_playwright

from tests import understood as french
from tests.phone.agents import phone
from tests.phone.peers import HERE, baresip
from tests.phone.spoken import transcribe
from tests.speech import speak
from tests.web.browser import ears
from tests.web.browser.conftest import WAIT, Tab
from tests.web.calls import sandboxed, serving
from vivavoce.agent import Interpreter
from vivavoce.pipelines.interpret.room import Room

pytestmark = pytest.mark.asyncio(loop_scope="session")

RATE = 16_000
ENGLISH = "What time do you open tomorrow morning?"
FRENCH = "La gare est derrière l'hôtel."
OTHERS = ["Le train part à huit heures.", "Nous avons deux enfants.", FRENCH]
"""What nobody said to the French speaker."""


def spoken(path: Path, speech: Any, before: float, after: float = 60.0) -> Path:
    """Write what a microphone hears."""
    parts = [np.zeros(round(before * RATE)), speech, np.zeros(round(after * RATE))]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate(parts).astype(np.int16).tobytes())
    return path


@contextlib.asynccontextmanager
async def browser(microphone: Path) -> AsyncIterator[Tab]:
    """A Chromium of its own: what its microphone hears belongs to the whole of it."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs a Chromium: apt install chromium")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=program,
            timeout=WAIT,
            args=[
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={microphone}%noloop",
                "--autoplay-policy=user-gesture-required",
            ],
        )
        try:
            context = await running.new_context(locale="en-GB", permissions=["microphone"])
            tab = Tab(await context.new_page())
            yield tab
            assert not tab.wrong, tab.wrong
        finally:
            await running.close()


async def join(tab: Tab, url: str, name: str, language: str) -> None:
    """Join a room as a person does: by its link."""
    await tab.page.goto(url)
    await tab.until("document.querySelector('#speaks option')")
    await tab.page.fill("#name-field", name)
    await tab.page.select_option("#speaks", language)
    await tab.page.click("#start")
    await tab.stage("call")
    await ears.listen(tab.page)


async def opened(server: Any, **asked: Any) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{server.url}/api/rooms", json=asked) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def heard_by_all(room: Room, within: float = 60.0) -> None:
    """Wait until something was spoken in each direction, and nothing is on its way."""
    async with asyncio.timeout(within):
        while True:
            segments = room.call.transcript.segments
            ways = {each.target for each in segments if each.state == "spoken"}
            if ways == {"en", "fr"} and all(each.settled for each in segments):
                break
            await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)  # what was said last is still on its way to the ear


def told(room: Room, language: str) -> str:
    """What was said in a language, in the room's own words."""
    segments = room.call.transcript.segments
    return " ".join(each.translation for each in segments if each.target == language)


def understood_in_french(sound: Any, said: str) -> bool:
    """Whether a recording is of a sentence rather than of any of those that nobody said."""
    return french.understood(sound, RATE, [said, *OTHERS], "fr").text == said


async def test_two_browsers_in_one_room(tmp_path, profile):
    words = await asyncio.to_thread(french.speak, FRENCH, "fr")
    # Who is heard first speaks French, which no engine here knows; the other one is really heard.
    key = profile(script={"hearing": [{"on": [1], "hear": [words.words]}]})
    here = spoken(tmp_path / "en.wav", speak(ENGLISH), before=3.0)
    there = spoken(tmp_path / "fr.wav", words.samples, before=13.0)
    interpreter = Interpreter("en", "fr", name="booth", both_ways=True, original="off")
    folder = tmp_path / "calls"
    folder.mkdir()
    async with (
        serving(interpreter, models=sandboxed(key), recordings=folder) as server,
        browser(here) as ann,
        browser(there) as luc,
    ):
        made = await opened(server, kind="room", title="Reception")
        url = f"{server.url}/{made['links']['speak']}"
        await join(luc, url, "Luc", "fr")
        await join(ann, url, "Ann", "en")
        opened_room = server.desk.interpreting.rooms.find(made["room"])
        assert opened_room is not None
        room = opened_room.room
        await ann.until("document.querySelector('#people')?.textContent.includes('Luc')")
        await heard_by_all(room)
        by_ann, by_luc = await ears.heard(ann.page), await ears.heard(luc.page)
        segments = room.call.transcript.segments
        # Each reads both, aligned.
        for tab in (ann, luc):
            shown = await tab.text("#dialogue")
            assert all(each.text in shown and each.translation in shown for each in segments)
        said = told(room, "en")
        await ann.hang_up()
        await luc.hang_up()
        records = {live.person.name: live.record for live in server.desk.past}
        whole = room.record()
    meant = await ears.transcribe(key.sandbox, by_ann)
    assert ears.error_rate(said, meant) < 0.35, meant
    assert understood_in_french(by_luc, told(room, "fr"))
    assert {row["speaker"] for row in whole["transcript"]} == {"Ann", "Luc"}
    assert [each["name"] for each in whole["room"]["participants"]] == ["Luc", "Ann"]
    # Each one's recording: what they said left, what they heard right.
    for name, record in records.items():
        left, right, rate = ears.stereo((folder / f"{record['call']}.wav").read_bytes())
        assert rate == 24_000
        assert ears.level(left) > 100, name
        assert ears.level(right) > 100, name
        assert record["seat"]["name"] == name


async def test_a_telephone_and_a_browser_in_one_room(tmp_path, profile):
    words = await asyncio.to_thread(french.speak, FRENCH, "fr")
    key = profile(script={"hearing": [{"on": [1], "hear": [words.words]}]})
    there = spoken(tmp_path / "fr.wav", words.samples, before=16.0)
    silence = np.zeros(8_000 * 3, np.int16)
    plays = np.concatenate([silence, speak(ENGLISH, 8_000), np.zeros(8_000 * 60, np.int16)])
    interpreter = Interpreter("en", "fr", name="booth", both_ways=True, original="off")
    async with (
        serving(interpreter, models=sandboxed(key)) as server,
        phone([interpreter], server.desk.models, rooms=server.desk.interpreting.rooms) as line,
        browser(there) as luc,
        baresip(tmp_path, plays) as peer,
    ):
        made = await opened(server, kind="room", number="100", number_language="en")
        await join(luc, f"{server.url}/{made['links']['speak']}", "Luc", "fr")
        await peer.do("dial", f"sip:100@{HERE}:{line.port}")
        await peer.until("CALL_ESTABLISHED")
        await luc.until("document.querySelector('#people')?.children.length === 2")
        opened_room = server.desk.interpreting.rooms.find(made["room"])
        assert opened_room is not None
        room = opened_room.room
        await heard_by_all(room)
        by_luc = await ears.heard(luc.page)
        await peer.do("hangup")
        await peer.until("CALL_CLOSED")
        await luc.until("document.querySelector('#people')?.children.length === 1")
        await luc.hang_up()
    by_phone, rate = peer.heard()
    meant = await transcribe(key.url, key.key, by_phone, rate, tmp_path)
    assert ears.error_rate(told(room, "en"), meant) < 0.35, meant
    assert understood_in_french(by_luc, told(room, "fr"))
    kinds = {each["name"]: each["kind"] for each in room.record()["room"]["participants"]}
    assert kinds == {"Luc": "webrtc", "B": "phone in"}  # who gave no name
