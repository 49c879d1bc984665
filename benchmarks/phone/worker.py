"""A station in a process of its own, which says back what it hears; prints its port.

For each line on its standard input it prints its figures as JSON; it ends with the input. With
`--same-loop` media are on the event loop of the calls.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from vivavoce.phone import Exposure, PhoneLine, Station, Trunk


async def echo(line: PhoneLine) -> None:
    if await line.answer():
        while blocks := await line.listen():
            for pcm, _rate in blocks:
                line.say(pcm)


def figures(station: Station) -> str:
    gc.collect()
    return json.dumps(
        {
            "lines": len(station.lines),
            "calls": len(station.signalling.calls),
            "transactions": station.signalling.pending,
            "tasks": len(asyncio.all_tasks()),
            "objects": len(gc.get_objects()),
        }
    )


async def main() -> None:
    trunk = Trunk(
        "lab", "127.0.0.1", transport=None, allow=("127.0.0.1",), max_calls=500, codecs=("PCMU",)
    )
    exposure = Exposure(
        listen=("udp:127.0.0.1:0",),
        max_calls=500,
        rtp=range(20_000, 30_000),
        media_thread="--same-loop" not in sys.argv,
    )
    async with Station(echo, trunks=[trunk], exposure=exposure) as station:
        print(station.local[0].port, flush=True)
        loop = asyncio.get_running_loop()
        # It lives as long as whoever started it.
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(figures(station), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
