"""Pictures of the page in every state, in both themes and sizes, and how fast it is there.

python -m benchmarks.web.screens [FOLDER [LOOK …]]     pictures to build/screens
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Browser, Page, Route, async_playwright

from tests.cli.served import Served
from tests.speech import speak
from vivavoce.web.assets import assets

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "restaurant.py"
RATE = 16_000
LOOKS = {
    "desktop-light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "desktop-dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone-light": {
        "color_scheme": "light",
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "locale": "fr-FR",
    },
    "phone-dark": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}
PEERS = (
    "window.peers = []; window.RTCPeerConnection = class extends RTCPeerConnection {"
    " constructor(...given) { super(...given); window.peers.push(this); } };"
)
FIGURES = """
() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const [page] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    resolve({
      "first paint": paint.startTime,
      "largest paint": list.getEntries().at(-1).startTime,
      "interactive": Number(document.documentElement.dataset.ready),
      "loaded": page.loadEventEnd,
    });
  }).observe({ type: "largest-contentful-paint", buffered: true });
})
"""


def voice(path: Path) -> None:
    """What the microphone hears: a question after the greeting, and one that cuts in."""
    silence = np.zeros
    parts = [
        silence(int(5.5 * RATE), np.int16),
        speak("Do you have a table for four people tomorrow?"),
        silence(int(60 * RATE), np.int16),
    ]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate(parts).tobytes())


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """The restaurant example on a call server, with the embedded models."""
    with Served(folder, str(EXAMPLE), "--models", "sandbox") as server:
        server.start()
        await asyncio.to_thread(server.listens)
        yield f"{server.origin}/"
        await asyncio.to_thread(server.end)


class Shots:
    """Takes one look's pictures."""

    def __init__(self, page: Page, folder: Path, look: str) -> None:
        self.page, self.folder, self.look = page, folder, look
        self.number = 0

    async def take(self, state: str) -> None:
        self.number += 1
        await self.page.screenshot(path=self.folder / f"{self.look}-{self.number:02d}-{state}.png")

    async def until(self, condition: str, seconds: float = 15) -> None:
        for _ in range(int(seconds * 20)):
            if await self.page.evaluate(condition):
                return
            await asyncio.sleep(0.05)
        print(f"{self.look}: waited in vain for {condition}")


@asynccontextmanager
async def chromium(hears: Path | str, *flags: str) -> AsyncIterator[Browser]:
    """A browser with a recorded voice as its microphone.

    Args:
        hears: The recording; "%noloop" behind its path has it played once.
        flags: More of its command line.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={hears}",
                *flags,
            ],
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def looking(browser: Browser, folder: Path, look: str) -> AsyncIterator[Shots]:
    """One look at a page, in which the microphone may be used."""
    options: dict[str, Any] = {"locale": "en-GB", **LOOKS[look]}
    context = await browser.new_context(**options)
    try:
        await context.grant_permissions(["microphone"])
        page = await context.new_page()
        page.on("pageerror", lambda error: print("page error:", error))
        yield Shots(page, folder, look)
    finally:
        await context.close()


def main_of(take: Callable[[Path, list[str]], Coroutine[Any, Any, None]]) -> None:
    """Take the pictures that the command line asks for."""
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "build/screens")
    where.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(where, sys.argv[2:] or list(LOOKS)))


def refusal(status: int) -> Callable[[Route], Awaitable[None]]:
    """Answer a request in the server's place."""
    error = {"code": "busy", "message": "20 of 20 calls are on"} if status == 503 else {}

    async def answer(route: Route) -> None:
        await route.fulfill(status=status, json={"error": error})

    return answer


async def walk(shots: Shots, url: str) -> None:
    """Lead one call through all of the page's states."""
    page = shots.page
    await page.goto(url)
    await page.wait_for_selector("body[data-stage=ready]")
    await page.wait_for_timeout(700)
    await shots.take("ready")
    await page.click("#start")
    await page.wait_for_selector("body[data-stage=call]")
    await shots.until("document.querySelector('#state').dataset.phase === 'speaking'")
    await page.wait_for_timeout(1500)
    await shots.take("speaking")
    await shots.until("document.querySelector('#dialogue .interim')")
    await page.wait_for_timeout(300)
    await shots.take("hearing")
    await shots.until("document.querySelector('#dialogue .tool .badge.ok')")
    await shots.until("document.querySelector('#dialogue .agent .delay')")
    await page.click("#captions")
    await page.wait_for_timeout(1200)
    await shots.take("tool")
    await shots.until("document.querySelector('#state').dataset.phase === 'listening'")
    await page.fill("#text", "Is there a table for two people on Friday?")
    await page.press("#text", "Enter")
    await shots.until("document.querySelectorAll('#dialogue .tool').length > 1")
    await shots.until("document.querySelector('#state').dataset.phase === 'speaking'")
    await page.wait_for_timeout(1500)
    await page.fill("#text", "And for three people on Friday?")
    await page.press("#text", "Enter")
    await shots.until("document.querySelector('#dialogue .agent .badge.cut')")
    await page.wait_for_timeout(1500)
    await shots.take("cut")
    await page.click("#keys")
    await page.click("#keypad [data-key='5']")
    await page.wait_for_timeout(200)
    await shots.take("keypad")
    await page.click("#keys")
    await page.click("#push")
    await shots.take("push")
    await page.click("#push")
    await page.click("#hold")
    await shots.until("document.querySelector('#state').dataset.phase === 'holding'")
    await shots.take("hold")
    await page.click("#hold")
    if shots.look.startswith("phone"):
        await page.click("#details")
    for tab in ("network", "events", "cost", "timing"):
        await page.click(f"#tab-{tab}")
        if tab == "events":
            await page.click("#events details summary >> nth=3")
        await page.wait_for_timeout(250)
        await shots.take(f"details-{tab}")
    if shots.look.startswith("phone"):
        await page.click("#side-close")
    await page.route("**/api/offer", lambda route: route.abort())
    await page.evaluate("peers.at(-1).close()")
    await shots.until("document.querySelector('.problem')")
    await shots.take("reconnecting")
    await page.unroute("**/api/offer")
    await shots.until("document.querySelector('#state').dataset.phase === 'listening'")
    await page.click("#end")
    await page.wait_for_selector("body[data-stage=after]")
    await page.wait_for_timeout(600)
    await shots.take("after")
    await page.click("#dialogue li.caller .at")
    await page.wait_for_timeout(900)
    await shots.take("playing")
    await page.click("#play")
    await page.click("#back")
    await page.wait_for_selector("body[data-stage=ready]")
    for state, status in (("busy", 503), ("token", 401)):
        answer = refusal(status)
        await page.route("**/api/offer", answer)
        await page.click("#start")
        await shots.until("document.querySelector('.problem')")
        await page.wait_for_timeout(300)
        await shots.take(state)
        await page.unroute("**/api/offer")
        await page.reload()
        await page.wait_for_selector("body[data-stage=ready]")
        await page.wait_for_timeout(300)
    await page.click("#try")
    await page.wait_for_timeout(7000)
    await shots.take("level")
    await page.reload()
    await page.wait_for_selector("body[data-stage=ready]")
    await page.context.clear_permissions()
    await page.click("#start")
    await shots.until("document.querySelector('.problem')")
    await shots.take("denied")
    await page.route("**/api/**", lambda route: route.abort())
    await page.reload()
    await shots.until("document.querySelector('.problem')")
    await shots.take("gone")


async def speed(browser: Browser, url: str) -> None:
    """Print how heavy the page is and how soon it can be used: the median of five cold visits."""
    rows: list[dict[str, float]] = []
    for _ in range(5):
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(url)
        await page.wait_for_selector("body[data-stage=ready]")
        rows.append(await page.evaluate(FIGURES))
        await context.close()
    files = [each for path, each in assets().items() if not path.startswith("component/")]
    sizes = sum(len(each.body) for each in files), sum(len(each.compressed) for each in files)
    print(f"page: {len(files)} files, {sizes[0]:,} bytes, {sizes[1]:,} gzipped")
    for name in rows[0]:
        values = sorted(row[name] for row in rows)
        print(f"{name}: {values[2]:.0f} ms (of 5 cold visits: {values[0]:.0f} to {values[-1]:.0f})")


async def main(folder: Path, looks: list[str]) -> None:
    """Take the pictures of some looks."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        voice(place / "voice.wav")
        heard = f"{place / 'voice.wav'}%noloop"
        async with served(place) as url, chromium(heard) as browser:
            await speed(browser, url)
            for look in looks:
                async with looking(browser, folder, look) as shots:
                    await shots.page.add_init_script(PEERS)
                    await walk(shots, url)
    print(f"pictures in {folder}")


if __name__ == "__main__":
    main_of(main)
