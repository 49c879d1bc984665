"""Voice to voice through WebRTC, at the client: ours against pipecat's SmallWebRTC as it comes.

`python -m benchmarks.web.transport [--bursts 120] [--rounds 3]`. The same agent (benchmarks/web/
echo.py), the same client (aiortc's, as it comes), in processes of their own, turn by turn. The
client says a burst of 20 ms each half second; what is measured is the time from handing a burst to
its sender to the arrival of its first sound from its receiver. The client's own part (its encoder,
its jitter buffer) is in both figures and cancels out in their difference.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from tests.web.calls import Browser

RESULTS = Path(__file__).parent.parent / "results" / "web_transport.json"
EVERY = 0.5
LOUD = 3_000


class Caller(Browser):
    """Notes when each burst was said, and when it was heard."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.greets = False
        self.heard_at: list[float] = []
        self._quiet = 0

    def note(self) -> None:
        """Look at what came since the last time."""
        while self._seen < len(self.heard):
            block = self.heard[self._seen]
            self._seen += 1
            if np.abs(block.astype(int)).max(initial=0) > LOUD:
                if self._quiet > 5:
                    self.heard_at.append(time.monotonic())
                self._quiet = 0
            else:
                self._quiet += 1

    _seen = 0


async def measure(url: str, bursts: int) -> list[float]:
    """Return the delay of each burst that came back (ms)."""
    tone = (np.sin(2 * np.pi * 700 * np.arange(960) / 48_000) * 15_000).astype(np.int16)
    delays = []
    async with Caller(url) as caller:
        await caller.call()
        await caller.until(lambda: len(caller.heard) > 100)
        for _ in range(bursts):
            await asyncio.sleep(EVERY)
            before = len(caller.heard_at)
            caller.mic.say(tone)
            said = None
            deadline = time.monotonic() + 1.0
            while time.monotonic() < deadline:
                if said is None and caller.mic.said:
                    said = time.monotonic()  # its sender has taken it
                caller.note()
                if len(caller.heard_at) > before and said is not None:
                    delays.append((caller.heard_at[-1] - said) * 1000)
                    break
                await asyncio.sleep(0.001)
    return delays


async def engine(name: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.web.echo", name,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    while True:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        with contextlib.suppress(ValueError):
            return process, f"http://127.0.0.1:{json.loads(line)['port']}"


async def main(bursts: int, rounds: int) -> None:
    found: dict[str, list[float]] = {"ours": [], "pipecat": []}
    load = os.getloadavg()[0]
    for _ in range(rounds):
        for name, delays in found.items():
            process, url = await engine(name)
            try:
                delays.extend(await measure(url, bursts // rounds))
            finally:
                process.terminate()
                await process.wait()
    report = {
        name: {
            "bursts": len(delays),
            "median_ms": round(statistics.median(delays), 1),
            "p10_ms": round(float(np.percentile(delays, 10)), 1),
            "p90_ms": round(float(np.percentile(delays, 90)), 1),
        }
        for name, delays in found.items()
    }
    less = report["pipecat"]["median_ms"] - report["ours"]["median_ms"]
    result = {"engines": report, "less_ms": round(less, 1), "of": bursts, "load": round(load, 1)}
    print(json.dumps(result, indent=2))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**result, "delays_ms": found}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bursts", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(main(given.bursts, given.rounds))
