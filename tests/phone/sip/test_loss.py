"""A network that loses a quarter of all signalling each way: every call comes about, and ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

from tests.phone.lossy import Lossy, lossy
from tests.phone.peers import sipp, sipp_answering
from tests.phone.scenarios import ANSWERED, pause, reply, scenario, sdp, send
from tests.phone.sip.network import media
from tests.phone.sip.test_transport import bot
from tests.ports import HERE, free_port
from vivavoce.phone.sip.decisions import Answered, Ended
from vivavoce.phone.sip.trunk import Trunk

CALLS = 50
WITHIN = 60.0
"""Seconds: what is lost seven times running takes thirty."""


def a_quarter(network: Lossy) -> None:
    """It did lose what it should."""
    for way in ("in", "out"):
        share = network.lost[way] / (network.lost[way] + network.carried[way])
        assert 0.15 < share < 0.35, (way, share)


async def test_fifty_calls_of_sipp(tmp_path: Path):
    steps = send("INVITE", 1, sdp(), to="") + ANSWERED + send("ACK", 1)
    steps += pause(5)  # sipp takes a 200 to its INVITE that comes again for one to its BYE
    steps += send("BYE", 2) + '<recv response="200"/>'
    async with bot("udp") as callee, lossy((HERE, callee.wire.local[0].port)) as network:
        code, logged = await sipp(
            network.port, tmp_path, "-s", "1", "-m", str(CALLS), "-r", "25",
            "-recv_timeout", "50000", "-max_invite_retrans", "9", "-max_non_invite_retrans", "9",
            scenario=scenario(steps), within=WITHIN,
        )  # fmt: skip
        assert code == 0, logged
        assert len(callee.of(Answered)) == CALLS
        assert [end.code for end in callee.of(Ended)] == [200] * CALLS, [
            (call.call_id, call.state) for call in callee.ua.calls
        ]
        assert network.of("out", "200 BYE") == CALLS
        a_quarter(network)


async def test_fifty_calls_to_sipp(tmp_path: Path):
    front = free_port()
    here = f"<sip:sipp@{HERE}:{front}>"  # so that what follows within a call is lost as well
    steps = (
        '<recv request="INVITE"/>'
        + reply(200, body=sdp(), tag="a[call_number]").replace("<send>", '<send retrans="500">')
        + '<recv request="ACK"/><recv request="BYE"/>' + reply(200)
        + '<timewait milliseconds="40000"/>'
    )  # fmt: skip
    steps = steps.replace("<sip:sipp@[local_ip]:[local_port]>", here)
    options = ("-m", str(2 * CALLS), "-max_invite_retrans", "9", "-recv_timeout", "60000")
    trunk = Trunk("sipp", HERE, port=front, transport="udp", max_calls=CALLS)
    async with (
        sipp_answering(tmp_path, scenario(steps), *options) as (port, _),
        lossy((HERE, port), port=front) as network,
        bot("udp", trunk=trunk) as caller,
    ):
        calls = []
        for _ in range(CALLS):
            call, decisions = caller.ua.dial("sipp", "1", media(41000, HERE), monotonic())
            caller.wire.do(decisions)
            calls.append(call)
            await asyncio.sleep(0.03)
        async with asyncio.timeout(WITHIN):
            while len(caller.of(Answered)) + len(caller.of(Ended)) < CALLS:
                caller.changed.clear()
                await caller.changed.wait()
            assert len(caller.of(Answered)) == CALLS, [
                (end.code, end.reason, end.call.call_id) for end in caller.of(Ended)
            ]
            while network.of("in", "ACK") < CALLS:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
            for call in calls:
                caller.wire.do(caller.ua.hang_up(call, monotonic()))
                await asyncio.sleep(0.01)
            while network.of("out", "200 BYE") < CALLS:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert [end.code for end in caller.of(Ended)] == [200] * CALLS
        a_quarter(network)
