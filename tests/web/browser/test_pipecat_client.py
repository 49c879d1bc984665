"""pipecat's own JavaScript client calls our server, as it comes from npm, in Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.web.browser.agents import OPENING

ROOT = Path(__file__).parents[3]
PACKAGES = (
    "@pipecat-ai/client-js@1.13.1",
    "@pipecat-ai/small-webrtc-transport@1.10.8",
    "esbuild@0.27.0",
)
ENTRY = """
import { PipecatClient } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";
window.pipecat = { PipecatClient, SmallWebRTCTransport };
"""
# Its own device manager fetches a script from a company's server; this one asks the browser.
CALL = """
(async () => {
const track = (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks()[0];
const none = async () => [];
const devices = {
  supportsScreenShare: false, isCamEnabled: false, isSharingScreen: false, isMicEnabled: true,
  selectedMic: {}, selectedCam: {}, selectedSpeaker: {},
  setClientOptions() {}, async initialize() {}, async connect() {},
  async disconnect() { track.stop() },
  getAllMics: none, getAllCams: none, getAllSpeakers: none,
  updateMic() {}, updateCam() {}, updateSpeaker() {}, enableCam() {}, enableScreenShare() {},
  enableMic(on) { track.enabled = on },
  tracks: () => ({ local: { audio: track } }),
};
window.told = { ready: 0, states: [], user: [], bot: [], server: [], tracks: 0 };
window.client = new pipecat.PipecatClient({
  transport: new pipecat.SmallWebRTCTransport({ mediaManager: devices }),
  enableMic: true,
  enableCam: false,
  callbacks: {
    onBotReady: (data) => { told.ready = data.version },
    onTransportStateChanged: (state) => told.states.push(state),
    onUserTranscript: (data) => { if (data.final) told.user.push(data.text) },
    onBotTranscript: (data) => told.bot.push(data.text),
    onServerMessage: (data) => told.server.push(data),
    onTrackStarted: (track, who) => { if (!who?.local) told.tracks += 1 },
    onError: (error) => told.states.push("error " + JSON.stringify(error.data)),
  },
});
window.calling = client.connect({ webrtcUrl: location.origin + "/api/offer" })
  .catch((error) => told.states.push("failed " + error));
})()
"""


@pytest.fixture(scope="session")
def bundle() -> str:
    """The client as one script. It is kept in `build/`, so it is fetched once."""
    folder = ROOT / "build" / "pipecat-client"
    made = folder / f"{re.sub(r'[^0-9.]+', '-', ' '.join(PACKAGES))}.js"
    if not made.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("needs npm: apt install npm")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        (folder / "entry.js").write_text(ENTRY)
        install = [npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES]
        done = subprocess.run(install, cwd=folder, capture_output=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip("needs an npm registry")
        esbuild = folder / "node_modules" / ".bin" / "esbuild"
        subprocess.run(
            [esbuild, "entry.js", "--bundle", "--format=iife", f"--outfile={made}"],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=120,
        )
    return made.read_text()


@pytest.mark.asyncio(loop_scope="session")
async def test_pipecats_client_holds_a_conversation(server, chromium, tab, bundle):
    context = await chromium.new_context()
    await context.grant_permissions(["microphone"])
    try:
        page = await context.new_page()
        url = f"{server.url}pipecat.html"
        blank = "<!doctype html><title>pipecat</title>"
        await page.route(url, lambda route: route.fulfill(body=blank, content_type="text/html"))
        await page.goto(url)
        await page.add_script_tag(content=bundle)
        await page.evaluate(CALL)
        wait = {"timeout": 90_000}
        await page.wait_for_function("told.ready", **wait)
        assert await page.evaluate("told.ready") == "2.2.0"
        # It says what its microphone hears, and is answered.
        await page.wait_for_function("told.user.length > 0", **wait)
        await page.wait_for_function("text => told.bot.includes(text)", arg=OPENING, **wait)
        assert await page.evaluate("told.tracks") > 0  # the agent's sound, playing
        # It types, and is answered.
        said = "told.server.filter(each => each.event === 'agent_said').length"
        before = await page.evaluate(said)
        await page.evaluate("client.sendText('when do you open')")
        await page.wait_for_function(f"{said} > {before}", **wait)
        await page.evaluate("client.sendClientMessage('key', { key: '7' })")
        await page.wait_for_function(
            "told.server.some(each => each.event === 'key_pressed' && each.key === '7')", **wait
        )
        answer = await page.evaluate("client.sendClientRequest('mute', { on: true })")
        assert answer == {"ok": True}
        states = await page.evaluate("told.states")
        assert "ready" in states
        assert not [state for state in states if state.startswith(("error", "failed"))]
        await page.evaluate("client.disconnectBot()")
        await page.wait_for_function(
            "told.server.some(each => each.event === 'call_ended')", **wait
        )
    finally:
        await context.close()
