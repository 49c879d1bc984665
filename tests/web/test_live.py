"""A call that is over: its record stays for a while, all that carried it goes at once."""

from __future__ import annotations

import asyncio
import gc
import weakref

import aiohttp

from tests.web.calls import serving
from vivavoce.pipelines.benching.line import Line
from vivavoce.web.live import PastCall


async def test_of_a_call_that_is_over_only_its_record_is_held():
    async with serving() as server:
        async with aiohttp.ClientSession() as http:
            async with Line(http, server.url) as line:
                live = server.desk.calls[line.call]
                while live.conversation is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                kept = [weakref.ref(each) for each in (live, live.conversation, live.line)]
                resume = live.resume
                del live
            async with asyncio.timeout(20):
                while server.desk.calls:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                # Its last tasks end a little later: the farewell, the record.
                while any(each() is not None for each in kept):
                    await asyncio.sleep(0.05)
                    gc.collect()
        held = server.desk.find(line.call, resume)
        assert isinstance(held, PastCall)
        assert held.reached
        assert server.desk.report(held)["ended"] == "the caller hung up"
        await held.hang_up()
