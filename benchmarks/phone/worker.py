"""A station in a process of its own, which says back what it hears; prints its port."""

from __future__ import annotations

import asyncio
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from vivavoce.phone import Exposure, PhoneLine, Station, Trunk


async def echo(line: PhoneLine) -> None:
    if await line.answer():
        while blocks := await line.listen():
            for pcm, _rate in blocks:
                line.say(pcm)


async def main() -> None:
    trunk = Trunk(
        "lab", "127.0.0.1", transport=None, allow=("127.0.0.1",), max_calls=500, codecs=("PCMU",)
    )
    exposure = Exposure(listen=("udp:127.0.0.1:0",), max_calls=500, rtp=range(20_000, 30_000))
    async with Station(echo, trunks=[trunk], exposure=exposure) as station:
        print(station.local[0].port, flush=True)
        loop = asyncio.get_running_loop()
        # It lives as long as whoever started it.
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
