"""Our front before an echo: `python -m benchmarks.cluster.front URL`, the cluster's key in the
environment. Its first line tells its address.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from benchmarks.cluster.echo import NAME
from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.front import Front
from vivavoce.web.cluster.proof import KEY
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits

MANY = 1_000_000


async def _main(url: str) -> None:
    limits = Limits(calls=MANY, per_address=MANY, starts=MANY, requests=MANY)
    async with Front(Exposure(port=0), limits, os.environ[KEY]) as front:
        front.meet([Member(NAME, url)])
        while not front.placement.states():  # noqa: ASYNC110 (once)
            await asyncio.sleep(0.05)
        print(json.dumps({"url": front.url, "pids": [os.getpid()]}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
