"""Calls over the network: one server, and a crowd that grows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.capacity.climb import BRIEF_MS, CHAR_MS, SCRIPTED, TURN, Ramp
from benchmarks.capacity.crowd import Callers, Crowd
from benchmarks.capacity.machine import Server
from benchmarks.latency import roster
from benchmarks.latency.backend import REPLY, Backend
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.sandbox.launch import Sandbox

SETTLE = 4.0
"""Seconds after the last one has called."""
ASKED = 30.0
"""Seconds that a server may take to tell of its stalls."""


@asynccontextmanager
async def serving(
    engine: str,
    cache: Path,
    clip: Clip,
    *,
    char_ms: float = CHAR_MS,
    gate: bool = False,
    uvloop: bool = False,
    watch: bool = False,
) -> AsyncGenerator[Server]:
    """Run a server of an engine's (`ours`, or one of pipecat's) with its model servers.

    Ours is watched for stalls only where that is asked for: it takes 4 % of what ten calls do.
    """
    with Sandbox() as sandbox:
        backend = Backend.make(sandbox)
        await asyncio.to_thread(backend.script, [clip] * SCRIPTED, REPLY, char_ms)
        options: dict[str, Any] = {"url": sandbox.url, "key": backend.key}
        if engine == "ours":
            options |= {"gate": gate, "uvloop": uvloop, "watch": watch}
            server = Server(engine, sys.executable, "benchmarks.capacity.servers.ours", options)
        else:
            python = await asyncio.to_thread(roster.python_of, "pipecat-webrtc", cache)
            options["variant"] = {"pipecat-mistral": "mistral"}.get(engine, "ideal")
            module = "benchmarks.capacity.servers.pipecat_peer"
            server = Server(engine, python, module, options)
        await server.start()
        try:
            yield server
        finally:
            await server.close()


@dataclass
class Network(Ramp):
    """One engine's server over the network.

    Attributes:
        engine: Which.
        wire: `webrtc` or `websocket`.
        cache: Where peers' environments are.
        clip: What callers say.
        uvloop: Ours on uvloop.
    """

    engine: str
    wire: str
    cache: Path
    clip: Clip
    uvloop: bool = False

    def __post_init__(self) -> None:
        self.name = f"{self.engine} over {self.wire}"
        self.about: dict[str, Any] = {"what": self.name}
        self._server: Server | None = None
        self._crowd: Callers | None = None

    @asynccontextmanager
    async def _serving(self, char_ms: float) -> AsyncGenerator[tuple[Server, Callers]]:
        async with serving(
            self.engine, self.cache, self.clip, char_ms=char_ms, uvloop=self.uvloop
        ) as server:
            self.about["versions"] = server.ready.get("versions", {})
            self.about["loop"] = server.ready.get("loop", "")
            async with Callers(server, self.wire, self.clip) as crowd:
                yield server, crowd

    @asynccontextmanager
    async def alone(self) -> AsyncGenerator[Crowd]:
        """See `Ramp`."""
        async with self._serving(BRIEF_MS) as (_, crowd):
            await crowd.offer(1, 0.0)
            await crowd.connected()
            if crowd.gone:
                raise ChildError(f"{self.name}: no call came about: {crowd.gone[0]}")
            yield crowd

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[None]:
        """See `Ramp`: one server for all of them."""
        async with self._serving(CHAR_MS) as (self._server, self._crowd):
            yield

    def people(self, calls: int) -> AbstractAsyncContextManager[Crowd]:
        """See `Ramp`: those who talk already go on."""
        return self._more(calls)

    @asynccontextmanager
    async def _more(self, calls: int) -> AsyncGenerator[Crowd]:
        assert self._crowd is not None
        assert self._server is not None
        await self._crowd.offer(calls - self._crowd.calls, TURN / calls)
        await self._crowd.connected()
        # The new ones' first turns warm them up.
        await asyncio.sleep(SETTLE)
        yield self._crowd


async def ask(server: Server) -> dict[str, Any]:
    """Ask our server how late its loop was."""
    async with (
        aiohttp.ClientSession() as http,
        asyncio.timeout(ASKED),
        http.get(f"{server.url}/bench/stalls") as response,
    ):
        found: dict[str, Any] = await response.json()
    return found


async def forget(server: Server) -> None:
    """Have our server forget what was before."""
    async with (
        aiohttp.ClientSession() as http,
        asyncio.timeout(ASKED),
        http.post(f"{server.url}/bench/stalls"),
    ):
        pass
