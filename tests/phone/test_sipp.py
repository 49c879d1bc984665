"""Calls with sipp, which does what telephones rarely do: refusals, CANCEL, INFO, captured RTP."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.phone.conftest import Bot
from tests.phone.peers import needs, running, sipp
from tests.phone.scenarios import (
    ANSWERED,
    BYE,
    RINGING,
    pause,
    reply,
    scenario,
    sdp,
    send,
)
from tests.ports import HERE, free_port
from vivavoce.phone import Station

PCAPS = Path("/usr/share/sip-tester")
INVITE = send("INVITE", 1, sdp(), to="")


def refused(code: int) -> str:
    return (
        INVITE
        + '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
        + f'<recv response="{code}"/>'
        + send("ACK", 1)
    )


def play(name: str) -> str:
    return f'<nop><action><exec play_pcap_audio="{PCAPS / name}"/></action></nop>'


async def calls(there: Station, folder: Path, steps: str) -> None:
    port = there.local[0].port
    code, logged = await sipp(port, folder, "-s", "100", "-m", "1", scenario=scenario(steps))
    assert code == 0, logged


async def test_the_caller_gives_up_while_it_rings(station, tmp_path):
    bot = Bot()
    bot.answering = False
    there = await station(bot.take)
    steps = (
        INVITE + RINGING
        + send("CANCEL", 1, to="").replace("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]", "[last_Via:]")
        + '<recv response="200"/><recv response="487"/>' + send("ACK", 1)
    )  # fmt: skip
    await calls(there, tmp_path, steps)
    (line,) = bot.lines
    assert await line.over(5)
    assert line.farewell == "the caller gave up"
    assert not line.answered


async def test_a_number_that_is_nobodys(station, tmp_path):
    bot = Bot()
    bot.reject = 404
    there = await station(bot.take)
    await calls(there, tmp_path, refused(404))


@pytest.mark.parametrize(
    ("options", "code"),
    [({"max_calls": 1}, 486), ({"exposure": {"max_calls": 1}}, 503)],
    ids=["of the trunk", "of all"],
)
async def test_one_call_too_many(station, tmp_path, options, code):
    bot = Bot()
    there = await station(bot.take, **options)
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    long = INVITE + ANSWERED + send("ACK", 1) + '<recv request="BYE"/>' + reply(200, "OK")
    first = asyncio.create_task(calls(there, tmp_path / "first", long))
    await bot.until(lambda: bot.lines and bot.lines[0].answered)
    await calls(there, tmp_path / "second", refused(code))
    bot.lines[0].hang_up()
    await first
    assert len(bot.lines) == 1


async def test_keys_by_info(station, tmp_path):
    bot = Bot()
    there = await station(bot.take)
    info = "".join(
        send("INFO", 2 + at, f"Signal={key}\nDuration=160\n", "application/dtmf-relay")
        + '<recv response="200"/>'
        for at, key in enumerate("4*D")
    )
    await calls(there, tmp_path, INVITE + ANSWERED + send("ACK", 1) + info + BYE)
    assert bot.keys == "4*D"


@pytest.mark.skipif(os.geteuid() != 0, reason="sipp plays captured packets for root alone")
async def test_captured_speech_and_keys(station, tmp_path):
    bot = Bot()
    needs("sipp")
    there = await station(bot.take, codecs=("PCMA", "PCMU"))
    # Speech in packets of 30 ms; telephone events.
    offer = (
        sdp()
        .replace("RTP/AVP 0", "RTP/AVP 8")
        .replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000")
    )
    steps = (
        send("INVITE", 1, offer, to="")
        + ANSWERED
        + send("ACK", 1)
        + play("g711a.pcap")
        + pause(3)
        + play("dtmf_2833_7.pcap")
        + pause(1.5)
        + play("dtmf_2833_star.pcap")
        + pause(1.5)
        + BYE
    )
    await calls(there, tmp_path, steps)
    assert bot.keys == "7*"
    assert abs(bot.sound).max() > 1000


async def test_it_is_called(station, tmp_path):
    bot = Bot()
    port = free_port(8)
    program = needs("sipp")
    command = [program, "-sn", "uas", "-i", HERE, "-p", str(port), "-mi", HERE]
    command += ["-mp", str(free_port(8)), "-rtp_echo", "-m", "1", "-nostdin"]
    async with running(*command, cwd=tmp_path):
        there = await station(port=port)
        line = await there.dial("100")
        talking = asyncio.create_task(bot.talk(line))
        # Its echo is our own tone.
        await bot.hears(1.5)
        line.hang_up()
        await asyncio.wait_for(talking, 5)
    assert abs(bot.sound).max() > 4000
