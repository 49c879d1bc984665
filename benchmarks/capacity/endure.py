"""Endurance: one load for minutes, and every moment in which the server's loop stood still."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.capacity.climb import TURN
from benchmarks.capacity.crowd import Callers
from benchmarks.capacity.network import SETTLE, ask, forget, serving
from vivavoce.pipelines.benching.clip import Clip


async def endure(
    wire: str, cache: Path, clip: Clip, calls: int, minutes: float, say: Console
) -> dict[str, Any]:
    """Let calls go on for minutes; return the server's stalls.

    Args:
        wire: `webrtc` or `websocket`.
        cache: Where peers' environments are.
        clip: What callers say.
        calls: How many.
        minutes: How long.
        say: For who waits.
    """
    async with (
        serving("ours", cache, clip, watch=True) as server,
        Callers(server, wire, clip) as crowd,
    ):
        await crowd.offer(calls, TURN / calls)
        await crowd.connected()
        await asyncio.sleep(SETTLE)
        await forget(server)
        window = await crowd.window(minutes * 60)
        found = await ask(server)
    row = window.row()
    for name in ("v2v", "late_turns"):
        row.pop(name)  # of thousands of turns
    say.print(
        f"[dim]{calls} calls over {wire} for {minutes:g} min: longest stall"
        f" {found['longest_ms']} ms, of our own {found['own_longest_ms']} ms; the machine took"
        f" {found['elsewhere_ms']} ms from the loop, {found['stolen_ms']} ms of it its host[/]",
        highlight=False,
    )
    return {"wire": wire, "calls": calls, "minutes": minutes, **found, "row": row}
