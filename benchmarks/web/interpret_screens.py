"""Pictures of the page of interpreted sessions in every state, in both themes and sizes.

python -m benchmarks.web.interpret_screens [FOLDER [LOOK …]]     pictures to build/screens
python -m benchmarks.web.interpret_screens docs/pictures docs    the one of the docs: the sandbox's
                                                                 models hear, translate and speak
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from playwright.async_api import Browser

from benchmarks.web.screens import LOOKS, RATE, Shots, chromium, looking, main_of, voice
from tests.speech import speak
from tests.web.browser.played import FRENCH, Player, carried
from tests.web.calls import MODELS, humming
from tests.web.calls import Browser as Client
from vivavoce.agent import Interpreter
from vivavoce.pipelines.audio.wav import WavWriter
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Exposure
from vivavoce.web.server import CallServer

NOW = "#dialogue [data-state=speaking]"
TALK = [
    "Good evening, and welcome.",
    "We have a table for four people.",
    "The house is open until nine o'clock.",
    "What would you like to drink?",
    "The red wine is very good.",
    "The fish comes with potatoes and a green salad.",
    "Would you like a coffee after the meal?",
    "Thank you very much, and good night.",
]
ALLOWED = ("--use-fake-ui-for-media-stream",)
"""The microphone may be used: nobody is asked."""
LAGS = [1.6, 2.3, 1.9, 2.8, 1.7, 2.1]


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[CallServer]:
    """A server that interprets, deaf and mute: what it tells is played."""
    both = Interpreter("fr", "en", name="counter", both_ways=True, voice="speaker")
    hosts = [Interpreter("fr", ["en", "es"], name="booth", voice="speaker"), both]
    async with humming() as models:
        desk = Desk(hosts, models, recordings=folder)
        async with CallServer(desk, Exposure(port=0)) as server:
            yield server


async def room(server: CallServer, **asked: Any) -> dict[str, Any]:
    """Open a room."""
    url = f"{server.url}/api/rooms"
    async with aiohttp.ClientSession() as http, http.post(url, json=asked) as answer:
        return dict(await answer.json())


async def alone(shots: Shots, server: CallServer) -> None:
    """A session of one line, from its beginning to its files."""
    page = shots.page
    await page.goto(server.url)
    await page.wait_for_selector("body[data-stage=ready]")
    await page.wait_for_timeout(900)
    await shots.take("booth-ready")
    await page.click("#try")
    await page.wait_for_timeout(6500)
    await shots.take("booth-level")
    others = tuple(server.desk.calls)
    await page.click("#start")
    await page.wait_for_selector("body[data-stage=call]")
    player = Player(await carried(server, others=others))
    await page.wait_for_timeout(500)
    await shots.take("booth-empty")
    await page.wait_for_timeout(21_000)
    player.past(FRENCH, lags=LAGS)
    segment = player.add("Ensuite, chacun choisit son chemin.", started=14.6)
    segment.ended = 16.3
    player.caption(segment, "Then everyone picks")
    await page.wait_for_timeout(400)
    player.speak(segment, "Then everybody chooses their own way.", lag=2.2)
    failed = player.add("Avez-vous des questions ?", started=16.8)
    failed.ended = 18.0
    player.fail(failed)
    last = player.add("Les enfants de moins de douze ans", started=18.4)
    last.ended = 20.2
    player.caption(last, "Children under")
    player.partial("Les enfants de moins de douze ans entrent gratuitement")
    await page.wait_for_timeout(700)
    await shots.take("booth-going")
    await page.click("#captions")
    await page.wait_for_timeout(400)
    await shots.take("booth-beamer")
    await page.click("#beamer-both")
    await page.wait_for_timeout(200)
    await shots.take("booth-beamer-both")
    await page.click("#beamer-both")
    await page.click("#beamer-close")
    if shots.look.startswith("phone"):
        await page.click("#details")
        await page.wait_for_timeout(300)
        await shots.take("booth-panel")
        await page.click("#side-close")
    await page.click("#end")
    await page.wait_for_selector("body[data-stage=after]")
    await page.wait_for_timeout(900)
    await shots.take("booth-after")
    await page.click("#dialogue li:nth-child(3) .at")
    await page.wait_for_timeout(2500)
    await shots.take("booth-playing")
    await page.click("#play")


async def together(shots: Shots, server: CallServer) -> None:
    """A room of two, then a lecture's listener."""
    page = shots.page
    opened = await room(server, interpreter="counter", kind="room", title="Musée · Ada & Ben")
    client = Client(server.url)
    try:
        await client.call(request_data={"room": opened["room"], "name": "Ben", "speaks": "en"})
        await page.goto(f"{server.url}/{opened['links']['speak']}")
        await page.reload()
        await page.wait_for_timeout(900)
        await page.fill("#name-field", "")
        await page.click("#start")
        await page.wait_for_timeout(300)
        await shots.take("room-ready")
        await page.fill("#name-field", "Ada")
        others = tuple(server.desk.calls)
        await page.click("#start")
        await page.wait_for_selector("body[data-stage=call]")
        live = await carried(server, others=others)
        ada, ben = Player(live, "Ada", "fr", "en"), Player(live, "Ben", "en", "fr")
        ada.past(FRENCH[:2], lags=LAGS)
        question = ben.add("Is the garden open tonight?")
        ben.speak(question, "Le jardin est-il ouvert ce soir ?")
        ben.spoken(question)
        answer = ada.add("Oui, jusqu'à vingt heures.")
        ada.speak(answer, "Yes, until eight.")
        await page.wait_for_timeout(700)
        if shots.look.startswith("phone"):
            await shots.take("room-going")
            await page.click("#details")
            await page.wait_for_timeout(300)
        await shots.take("room-people")
        await page.reload()
        await page.wait_for_selector("body[data-stage=call]")
        if shots.look.startswith("phone"):
            await page.click("#side-close")
        await page.click("#end")
        await page.wait_for_selector("body[data-stage=after]")
    finally:
        await client.close()
    opened = await room(server, interpreter="booth", kind="lecture", title="La nuit des musées")
    await page.goto("about:blank")
    await page.goto(f"{server.url}/{opened['links']['listen']}")
    await page.wait_for_timeout(900)
    await shots.take("lecture-ready")
    await page.goto("about:blank")
    await page.goto(f"{server.url}/interpret#room=nothing")
    await page.wait_for_timeout(900)
    await shots.take("no-room")


async def real(folder: Path, scratch: Path) -> None:
    """Take the docs' picture: nothing in it is played from a list."""
    silence = np.zeros(int(0.7 * RATE), np.int16)
    parts = [np.concatenate([silence, speak(text)]) for text in TALK]
    path = scratch / "talk.wav"
    with WavWriter(path, RATE) as file:
        file.write(np.concatenate([*parts, np.zeros(60 * RATE, np.int16)]))
    with Sandbox.launch() as sandbox:
        where = {
            stage: Endpoint(sandbox.url, sandbox.key, model) for stage, model in MODELS.items()
        }
        async with Models.connect(**where) as models:
            desk = Desk([Interpreter("en", "fr", name="booth")], models)
            async with (
                CallServer(desk, Exposure(port=0)) as server,
                chromium(path, *ALLOWED) as browser,
            ):
                page = await browser.new_page(**{"locale": "en-GB", **LOOKS["desktop-light"]})
                await page.goto(server.url)
                await page.wait_for_selector("#hears option", state="attached")
                await page.click("#start")
                shots = Shots(page, folder, "docs")
                rows = "document.querySelectorAll('#dialogue [data-state=spoken]').length >= 5"
                await shots.until(f"{rows} && document.querySelector('{NOW}')", 60)
                await page.wait_for_timeout(300)
                await page.screenshot(path=folder / "interpret.png")
                await page.click("#end")
                await page.wait_for_selector("body[data-stage=after]")


async def looked(browser: Browser, folder: Path, look: str, server: CallServer) -> None:
    """Take one look's pictures."""
    async with looking(browser, folder, look) as shots:
        await alone(shots, server)
        await together(shots, server)


async def main(folder: Path, looks: list[str]) -> None:
    """Take the pictures of some looks."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        voice(place / "voice.wav")
        if looks == ["docs"]:
            await real(folder, place)
            return
        async with (
            served(place) as server,
            chromium(place / "voice.wav", *ALLOWED) as browser,
        ):
            for look in looks:
                await looked(browser, folder, look, server)
    print(f"pictures in {folder}")


if __name__ == "__main__":
    main_of(main)
