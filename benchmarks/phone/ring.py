"""A telephone that rings for longer than any transaction lasts, in real time, each way."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from tests.phone.peers import HERE, sipp, sipp_answering
from tests.phone.scenarios import pause, reply, scenario, sdp, send
from vivavoce.phone import Exposure, PhoneLine, Station, Trunk

LISTEN = Exposure(listen=("udp:127.0.0.1:0",))


async def _in(folder: Path, seconds: float) -> dict[str, object]:
    """We ring, then answer; sipp waits."""
    ended: list[str] = []

    async def answer(line: PhoneLine) -> None:
        if not await line.over(seconds) and await line.answer():
            await line.over(30)
        ended.append(line.farewell)

    trunk = Trunk("lab", HERE, transport=None, allow=(HERE,))
    async with Station(answer, trunks=[trunk], exposure=LISTEN) as station:
        steps = (
            send("INVITE", 1, sdp(), to="")
            + '<recv response="100" optional="true"/><recv response="180"/>'
            + f'<recv response="200" timeout="{round(seconds * 1000 + 15_000)}"/>'
            + send("ACK", 1) + send("BYE", 2) + '<recv response="200"/>'
        )  # fmt: skip
        began = time.monotonic()
        code, logged = await sipp(
            station.local[0].port, folder, "-s", "1", "-m", "1",
            scenario=scenario(steps), within=seconds + 30,
        )  # fmt: skip
        took = time.monotonic() - began
    wrong = {} if code == 0 else {"log": logged[-2000:]}
    return {"good": code == 0, "seconds": round(took, 1), "ended": ended, **wrong}


async def _out(folder: Path, seconds: float) -> dict[str, object]:
    """sipp rings, then answers; we wait."""
    steps = (
        '<recv request="INVITE"/>' + reply(180, tag="a") + pause(seconds)
        + reply(200, body=sdp(), tag="a")
        + '<recv request="ACK"/><recv request="BYE"/>' + reply(200)
    )  # fmt: skip
    async with sipp_answering(folder, scenario(steps)) as (port, ends_well):
        trunk = Trunk("sipp", HERE, port=port)
        async with Station(trunks=[trunk], exposure=LISTEN) as station:
            began = time.monotonic()
            line = await station.dial("1", ring_time=seconds + 20)
            took = time.monotonic() - began
            line.hang_up()
            await ends_well()
    return {"good": True, "seconds": round(took, 1)}


def run(seconds: float = 40.0) -> dict[str, object]:
    """Let it ring in both directions."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        return {
            "rings_s": seconds,
            "called_by_sipp": asyncio.run(_in(Path(one), seconds)),
            "calling_sipp": asyncio.run(_out(Path(two), seconds)),
        }
