"""One Chromium with a recorded voice as its microphone, and one call server."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.cli.served import Served
from tests.speech import speak
from tests.web.calls import get
from vivavoce.sandbox.launch import Sandbox

AGENTS = Path(__file__).with_name("agents.py")
QUESTION = "What time do you open tomorrow morning?"
LEAD = 5.0  # s after the microphone opened until the caller speaks, unless it is muted by then
RATE = 16_000
CALLS = 3  # that the server takes at once
WAIT = 60_000  # ms; of anything, on a machine that is busy elsewhere


class Server(Served):
    """A call server with three agents, and a page elsewhere that may call them."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        (folder / "setup.toml").write_text(f"[limits]\ncalls = {CALLS}\nstarts = 100\n")
        self.sandbox = sandbox
        self.changed = False  # it is not as the fixture starts it
        # Where a page is that is not ours, and may call: held, or it is another's by then.
        self.elsewhere = socket.create_server(("127.0.0.1", 0))
        self.other = int(self.elsewhere.getsockname()[1])
        super().__init__(
            folder,
            *(f"{AGENTS}:{name}" for name in ("bell", "guide", "clerk")),
            *("--setup", "setup.toml", "--origin", f"http://localhost:{self.other}"),
            VIVAVOCE_MODELS="sandbox",
            VIVAVOCE_SANDBOX_URL=sandbox.url,
            VIVAVOCE_SANDBOX_KEY=sandbox.key,
        )

    @property
    def url(self) -> str:
        """Of its page."""
        return f"{self.origin}/"

    def start(self, *more: str, **settings: str) -> None:
        """Start it, with more words and settings than it has, and wait until it takes calls."""
        self.changed = bool(more or settings)
        super().start(*more, **settings)
        self.listens()

    async def free(self) -> None:
        """Wait until no call is left of tests before: a page that was closed may come back."""
        until = time.monotonic() + WAIT / 1000
        while time.monotonic() < until:
            if not (await get(f"{self.url}api/health"))[1]["calls"]:
                return
            await asyncio.sleep(0.2)
        raise AssertionError("calls of other tests go on")

    def kill(self) -> None:
        """End it without a word; idempotent."""
        self.changed = True
        super().kill()


@pytest.fixture(scope="session")
def one_server(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("serve"), sandbox)
    try:
        running.start()
        yield running
    finally:
        running.kill()
        running.elsewhere.close()


@pytest.fixture
def server(one_server: Server) -> Server:
    """The call server; one that a test left otherwise, or dead, is started again."""
    if one_server.changed:
        one_server.kill()
        one_server.start()
    return one_server


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears: silence, a question, silence. It begins anew with each call."""
    parts = [np.zeros(int(LEAD * RATE), np.int16), speak(QUESTION), np.zeros(60 * RATE, np.int16)]
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate(parts).tobytes())
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(voice: Path) -> AsyncIterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs a Chromium: apt install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            timeout=WAIT,
            args=[
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={voice}%noloop",
                "--autoplay-policy=user-gesture-required",
            ],
        )
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """A page of ours, and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.wrong.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text
                else None
            ),
        )

    async def stage(self, name: str) -> None:
        await self.page.wait_for_selector(f"body[data-stage={name}]", state="attached")

    async def open(self, url: str, agent: str = "bell") -> Tab:
        await self.page.goto(url)
        await self.stage("ready")
        # The agents are known a moment after the page is there.
        await self.page.wait_for_selector("#agent option", state="attached")
        await self.page.select_option("#agent", agent)
        return self

    async def call(self) -> None:
        await self.page.click("#start")
        await self.stage("call")

    async def text(self, selector: str) -> str:
        return (await self.page.inner_text(selector)).strip()

    async def say(self, text: str) -> None:
        """Type something to the agent; what cannot be sent yet stays in its box."""
        await self.page.fill("#text", text)
        end = time.monotonic() + WAIT / 1000
        await self.page.press("#text", "Enter")
        while await self.page.input_value("#text"):
            assert time.monotonic() < end, "the page sends nothing"
            await asyncio.sleep(0.2)
            await self.page.press("#text", "Enter")

    async def until(self, condition: str, argument: Any = None) -> Any:
        """Wait until a JavaScript expression is true; return its value.

        Playwright's own way evaluates text in the page, which the page's policy forbids.
        """
        end = time.monotonic() + WAIT / 1000
        while not (found := await self.page.evaluate(condition, argument)):
            assert time.monotonic() < end, condition
            await asyncio.sleep(0.1)
        return found

    async def hang_up(self) -> None:
        await self.page.click("#end")
        await self.stage("after")


@pytest_asyncio.fixture(loop_scope="session")
async def tab(chromium: Browser) -> AsyncIterator[Callable[..., Any]]:
    """Open a tab: `await tab()`; with `context=` beside another one."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    async def make(
        context: BrowserContext | None = None, *, allow: bool = True, **given: Any
    ) -> Tab:
        if context is None:
            context = await chromium.new_context(
                **{"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **given}
            )
            contexts.append(context)
            if allow:
                await context.grant_permissions(["microphone", "clipboard-read", "clipboard-write"])
        tabs.append(Tab(await context.new_page()))
        return tabs[-1]

    yield make
    for context in contexts:
        await asyncio.wait_for(context.close(), 20)
    for each in tabs:
        assert not each.wrong, each.wrong
