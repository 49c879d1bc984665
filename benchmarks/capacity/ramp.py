"""Calls over the network: one server, and a crowd that grows."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from benchmarks.capacity.crowd import Crowd
from benchmarks.capacity.knee import LATE, over, summary
from benchmarks.capacity.machine import Server
from benchmarks.capacity.pipe import CHAR_MS, FEWEST, TURN, line
from benchmarks.latency import roster
from benchmarks.latency.backend import REPLY, Backend
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.sandbox.launch import Sandbox

SETTLE = 4.0
"""Seconds after the last one has called."""
WINDOW = 18.0
"""Seconds that are measured: two turns of each call."""
SCRIPTED = 5_000
"""Utterances that the transcriber knows: more than are said."""
ASKED = 30.0
"""Seconds that a server may take to tell of its stalls."""
EVERY = 0.4
"""Seconds between two people who call a server that is to be overrun."""


@asynccontextmanager
async def serving(
    engine: str, cache: Path, clip: Clip, *, gate: bool = False, uvloop: bool = False
) -> AsyncGenerator[Server]:
    """Run a server of an engine's (`ours`, or one of pipecat's) with its model servers."""
    with Sandbox() as sandbox:
        backend = Backend.make(sandbox)
        await asyncio.to_thread(backend.script, [clip] * SCRIPTED, REPLY, CHAR_MS)
        options: dict[str, Any] = {"url": sandbox.url, "key": backend.key}
        if engine == "ours":
            options |= {"gate": gate, "uvloop": uvloop}
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


async def curve(
    engine: str,
    wire: str,
    cache: Path,
    clip: Clip,
    steps: Sequence[int],
    say: Console,
    *,
    uvloop: bool = False,
) -> dict[str, Any]:
    """Have more and more people call one server until it is too many."""
    rows: list[dict[str, Any]] = []
    gc.collect()
    async with serving(engine, cache, clip, uvloop=uvloop) as server:
        async with Crowd(server, wire, clip) as crowd:
            for calls in steps:
                added = calls - len(crowd.talkers)
                await crowd.add(added, TURN / calls)
                await asyncio.sleep(SETTLE)
                await _forget(engine, server)
                row = await crowd.window(WINDOW, least=FEWEST)
                row["gone"] += crowd.failed
                row["stalls"] = await stalls(engine, server)
                row["stalls"].pop("stalls", None)  # what made them is for ten minutes of one load
                rows.append(row)
                row["over"] = over(row, rows[0])
                say.print(line(f"{engine} over {wire}", row), highlight=False)
                if row["over"] and len(rows) > 1:
                    break
        return {
            "what": f"{engine} over {wire}",
            "versions": server.ready.get("versions", {}),
            "loop": server.ready.get("loop", ""),
            **summary(rows),
            "rows": rows,
        }


async def overrun(wire: str, cache: Path, clip: Clip, calls: int, say: Console) -> dict[str, Any]:
    """Offer a server with its gate more calls than it carries; return how those fared that it took.

    Args:
        wire: `webrtc` or `websocket`.
        cache: Where peers' environments are.
        clip: What callers say.
        calls: How many call.
        say: For who waits.
    """
    async with serving("ours", cache, clip, gate=True) as server:
        async with Crowd(server, wire, clip) as crowd:
            await crowd.add(calls, EVERY)
            await asyncio.sleep(SETTLE)
            await _forget("ours", server)
            row = await crowd.window(WINDOW, least=FEWEST)
            stalled = await stalls("ours", server)
        late = row["late_ms"]["p99"]
        found = {
            "offered": calls,
            "taken": len(crowd.talkers),
            "refused": {str(code): crowd.refused.count(code) for code in set(crowd.refused)},
            "failed": crowd.failed[:5],
            "kept": not (row["gone"] or row["lost"] or late is None or late >= LATE),
            "row": row,
            "stalls": stalled,
        }
    say.print(
        f"[dim]offered {calls} calls over {wire}: {found['taken']} taken, refused"
        f" {found['refused']}, p99 {row['late_ms']['p99']} ms late, {row['cpu']:.0%} of a core[/]",
        highlight=False,
    )
    return found


async def endure(
    wire: str, cache: Path, clip: Clip, calls: int, minutes: float, say: Console
) -> dict[str, Any]:
    """Let calls go on for minutes; return the server's stalls."""
    async with serving("ours", cache, clip) as server, Crowd(server, wire, clip) as crowd:
        await crowd.add(calls, TURN / calls)
        await asyncio.sleep(SETTLE)
        await _forget("ours", server)
        row = await crowd.window(minutes * 60, least=FEWEST, most=minutes * 60 + TURN)
        found = await stalls("ours", server)
    say.print(
        f"[dim]{calls} calls over {wire} for {minutes:g} min: longest stall"
        f" {found['longest_ms']} ms[/]",
        highlight=False,
    )
    return {"wire": wire, "calls": calls, "minutes": minutes, **found, "row": row}


async def stalls(engine: str, server: Server) -> dict[str, Any]:
    """Ask our server how late its loop was; peers do not tell."""
    if engine != "ours":
        return {}
    async with (
        aiohttp.ClientSession() as http,
        asyncio.timeout(ASKED),
        http.get(f"{server.url}/bench/stalls") as response,
    ):
        found: dict[str, Any] = await response.json()
    return found


async def _forget(engine: str, server: Server) -> None:
    """Have our server forget what was before."""
    if engine != "ours":
        return
    async with (
        aiohttp.ClientSession() as http,
        asyncio.timeout(ASKED),
        http.post(f"{server.url}/bench/stalls"),
    ):
        pass
