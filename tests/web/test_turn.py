"""Calls through a real TURN server, for callers whose network lets nothing else through."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aioice
import pytest
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
)

from tests.phone.peers import needs
from tests.ports import HERE, free_port
from tests.web.calls import Browser, get, host, serving
from vivavoce.web.turn import IceServers

SECRET = "what the TURN server and the call server share"


@contextlib.asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[str]:
    """Run it as docs/web.md has it, on loopback and without certificates; give its URL."""
    program, port = needs("turnserver"), free_port()
    config = folder / "turnserver.conf"
    config.write_text(
        f"listening-ip={HERE}\nlistening-port={port}\nrelay-ip={HERE}\n"
        f"use-auth-secret\nstatic-auth-secret={SECRET}\nrealm=voice.example.com\n"
        "min-port=46000\nmax-port=46999\nno-multicast-peers\nno-tls\nno-dtls\nno-cli\n"
        "allow-loopback-peers\n"  # in tests everything is here
        f"no-stdout-log\nlog-file={folder / 'turn.log'}\nsimple-log\npidfile={folder / 'turn.pid'}\n"
        f"userdb={folder / 'turn.db'}\n"
    )
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(config), cwd=folder,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while True:
                assert process.returncode is None, (folder / "turn.log").read_text()
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(HERE, port)
                    writer.close()
                    await writer.wait_closed()
                    break
                await asyncio.sleep(0.05)
        yield f"turn:{HERE}:{port}?transport=udp"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def behind(servers: list[dict[str, object]], url: str) -> Browser:
    """A client that reaches nothing but the TURN server."""
    made = Browser(url)
    connection = RTCPeerConnection(
        RTCConfiguration(
            iceServers=[RTCIceServer(**each) for each in servers],  # type: ignore[arg-type]
            iceTransportPolicy=RTCIceTransportPolicy.RELAY,
        )
    )
    connection.addTrack(made.mic)
    made.channel = connection.createDataChannel("chat")
    made.channel.on("open", made._ready)
    made.channel.on("message", made._told)
    connection.on("track", made._track)
    made.pc = connection
    return made


async def test_a_call_through_it(tmp_path):
    async with coturn(tmp_path) as turn:
        servers = IceServers((turn,), secret=SECRET)
        async with serving(host(), servers=servers) as server:
            given = (await get(f"{server.url}/api/ice"))[1]["iceServers"]
            async with behind(given, server.url) as browser:
                await browser.call()
                kinds = {
                    line.split(" typ ")[1].split()[0]
                    for line in browser.pc.localDescription.sdp.splitlines()
                    if line.startswith("a=candidate")
                }
                assert kinds == {"relay"}
                await browser.event("snapshot")
                await browser.spoken()
                await browser.until(
                    lambda: abs(browser.sound[-4_800:].astype(int)).max(initial=0) > 2_000
                )
                browser.send("send-text", {"content": "hello there"})
                said = await browser.event("caller_said")
                assert said["utterance"]["text"] == "hello there"


@pytest.mark.parametrize("wrong", ["expired", "another secret"])
async def test_credentials_that_are_none_open_nothing(tmp_path, wrong):
    async with coturn(tmp_path) as turn:
        made = IceServers(
            (turn,), secret=SECRET if wrong == "expired" else "something else", lifetime=60
        )
        wall = time.time() - (120 if wrong == "expired" else 0)
        given = made.for_client(wall)["iceServers"]
        connection = aioice.Connection(
            ice_controlling=True,
            turn_server=(HERE, int(turn.split(":")[2].split("?")[0])),
            turn_username=given[0]["username"],
            turn_password=given[0]["credential"],
            transport_policy=aioice.TransportPolicy.RELAY,
        )
        try:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(20):
                    await connection.gather_candidates()
            assert not connection.local_candidates
        finally:
            await connection.close()
