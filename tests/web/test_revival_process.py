"""Calls whose server is killed and started again, as real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from pathlib import Path

from benchmarks.web.killed import FIRST, SCRIPT, calling, made, missing

LATER = 0.7
"""Seconds between the two calls' last words, and until their server is killed."""


async def test_two_calls_outlive_their_server(sandbox, profile, tmp_path: Path):
    """One is killed while it is answered, the other a moment later in its reply."""
    key = profile(script=SCRIPT)
    with made(tmp_path, sandbox, key.key) as served:
        served.start()
        await asyncio.to_thread(served.listens)
        async with contextlib.AsyncExitStack() as stack:
            callers = [await stack.enter_async_context(calling(served.origin)) for _ in range(2)]
            tokens = [each.events("call")[0]["resume"] for each in callers]
            for caller in callers:
                await caller.heard("Good evening.")
                await caller.types(FIRST)
            for caller in callers:
                await caller.heard("Green it is.")
            await callers[0].types("and then")
            await asyncio.sleep(LATER)
            await callers[1].types("and then")
            await asyncio.sleep(LATER)
            served.kill()
            killed = time.monotonic()
            known = [[data for at, data in caller.told if at <= killed - 1.0] for caller in callers]
        base = tmp_path / "calls" / "calls.sqlite3"
        with contextlib.closing(sqlite3.connect(base)) as read:
            rows = read.execute("SELECT digest, record FROM calls").fetchall()
        for token in tokens:
            assert all(token not in record for _, record in rows)
        assert len({digest for digest, _ in rows}) == 2
        served.start()
        async with contextlib.AsyncExitStack() as stack:
            back = [
                await stack.enter_async_context(calling(served.origin, token)) for token in tokens
            ]
            for caller, before in zip(back, known, strict=True):
                (snapshot,) = caller.events("snapshot")
                transcript = snapshot["transcript"]
                assert not missing(before, transcript)
                greetings = [each for each in transcript if each.get("heard") == "Good evening."]
                assert len(greetings) == 1
                await caller.types("what did I say first")
            for caller in back:
                await caller.heard("first words")
        asked = [json.dumps(each["body"]) for each in key.report["bodies"]]
        asked = [each for each in asked if "what did I say first" in each]
        assert len(asked) >= 2
        for told in asked:
            assert FIRST in told
            assert "Green it is." in told
            assert told.count("Good evening.") == 1
