"""The operator's view in a real Chromium: a call is followed and listened to while it goes on."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from axe_playwright_python.async_playwright import Axe

from tests.web.browser.agents import MARKUP
from tests.web.test_socket import Client
from vivavoce.web.tokens import Signer

SECRET = "an operator's secret of 32 characters and more"
# Counts what the page plays, and how loud.
EARS = """
window.played = []; window.starts = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...given) {
  window.played.push(Math.max(...this.buffer.getChannelData(0)));
  return window.starts.apply(this, given);
};
"""

pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextlib.asynccontextmanager
async def caller(url: str, agent: str, token: str = "") -> AsyncIterator[Client]:
    """A call over a websocket, whose caller hums."""
    async with aiohttp.ClientSession() as http:
        path = f"{url}api/ws?agent={agent}&rate=16000" + (f"&token={token}" if token else "")
        client = Client(await http.ws_connect(path))
        try:
            ready = {"label": "rtvi-ai", "type": "client-ready", "id": "1"}
            await client.socket.send_str(json.dumps({**ready, "data": {"version": "1.2.0"}}))
            await client.event("snapshot")
            yield client
        finally:
            await client.close()


async def type_in(client: Client, text: str) -> None:
    data = {"content": text, "options": {"run_immediately": True}}
    message = {"label": "rtvi-ai", "type": "send-text", "id": "2", "data": data}
    await client.socket.send_str(json.dumps(message))


async def violations(page) -> list[str]:
    found = await Axe().run(page)
    return [
        f"{each['id']}: {each['nodes'][0]['html']}"
        for each in found.response["violations"]
        if each["impact"] in {"serious", "critical"}
    ]


async def test_calls_are_followed_side_by_side_and_listened_to(tab, server):
    one = await tab()
    page = one.page
    await page.add_init_script(EARS)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    async with caller(server.url, "bell") as bell, caller(server.url, "guide"):
        await page.goto(f"{server.url}operator")
        await one.until("document.querySelectorAll('#live .call-line').length === 2")
        # By the keyboard: from line to line, and open.
        await page.focus("#live .call-line")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await page.click("#live .call-line:has-text('guide')")
        await one.until("document.querySelectorAll('.pane').length === 2")
        pane = ".pane[aria-labelledby]:has(h2:text-is('bell'))"
        await page.wait_for_selector(f"{pane} .dialogue .agent")
        await type_in(bell, "hello <there>")
        await page.wait_for_selector(f"{pane} .dialogue .caller:has-text('Caller')")
        # What anybody says is text, wherever it stands.
        await one.until(
            f"document.querySelector('#panes').textContent.includes({json.dumps(MARKUP)})"
        )
        assert await page.evaluate("window.hurt") is None
        assert await page.query_selector("#bold") is None
        await page.click(f"{pane} .listen-along")
        await one.until("document.querySelector('.listen-along[aria-pressed=true]')")
        sound = (b"\x00\x20\x00\xe0" * 160) * 5
        for _ in range(15):
            await bell.socket.send_bytes(sound)
        await one.until("window.played.some((loudest) => loudest > 0.2)")
        assert not await violations(page)
        # Words find a call, live or past.
        await page.fill("#search", "hello the")
        await one.until("document.querySelectorAll('#live .call-line').length === 1")
        await page.select_option("#tongue", "fr")
        await one.until("document.querySelector('h1').textContent === 'Appels'")
        await page.fill("#search", "")
        await page.select_option("#tongue", "en")
    # Both are over: the panes stay, and say so; what was said is among what is past.
    await one.until("document.querySelectorAll('.pane[data-phase=ended]').length === 2")
    await one.until("document.querySelectorAll('#past .call-line').length >= 2")
    assert await page.is_hidden(f"{pane} .listen-along")
    await page.click(f"{pane} h2")
    await page.focus(f"{pane} .scroller")
    await page.keyboard.press("Escape")
    await one.until("document.querySelectorAll('.pane').length === 1")
    assert {each.split("/")[2] for each in asked if "://" in each} == {f"127.0.0.1:{server.port}"}


async def test_a_token_opens_it_and_a_recording_is_played(tab, server, tmp_path):
    server.kill()
    server.start("--out", str(tmp_path), VIVAVOCE_WEB_SECRET=SECRET)
    signer = Signer(SECRET)
    one = await tab()
    page = one.page
    await page.goto(f"{server.url}operator")
    await page.wait_for_selector("#enter:not([hidden])")
    assert await page.is_hidden("#view")
    assert not await violations(page)
    call_token = signer.issue(time.time())
    await page.fill("#token", call_token)
    await page.click("#enter button")
    await one.until("document.querySelector('#enter-why').textContent.includes('no operator')")
    async with caller(server.url, "guide", call_token):
        token = signer.issue_operator(time.time(), name="ada")
        await page.goto(f"{server.url}operator#token={token}")
        await page.reload()
        await page.click("#live .call-line")
        await page.wait_for_selector(".pane .dialogue .agent")
        assert token not in page.url
        await one.page.wait_for_timeout(1_000)  # some of it is to be heard
    await one.until("document.querySelectorAll('.pane[data-phase=ended]').length === 1")
    # Once the call is over its recording is played from where something was said.
    await page.click(".pane header button")
    await page.click("#past .call-line")
    await page.click(".pane-actions button:has-text('recording')")
    await page.wait_for_selector(".pane audio:not([hidden])")
    await page.wait_for_selector(".pane .at:not(:disabled)")
    length = await one.until("document.querySelector('.pane audio').duration || 0")
    assert length > 0.5
    await page.click(".pane .at:not(:disabled)")
    await one.until("!document.querySelector('.pane audio').paused")
