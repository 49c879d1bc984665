"""Two stations of ours, on real sockets; and configurations that are refused."""

from __future__ import annotations

import asyncio
import importlib.util
import ssl
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.phone.certificates import certificate, server
from tests.phone.conftest import Bot, local_trunk, only, spray
from tests.phone.peers import HERE, right
from vivavoce.phone import DialError, Direction, Exposure, PhoneError, Srtp, Station, Trunk
from vivavoce.phone.sip.leg import CallError
from vivavoce.pipelines.load import Bounds, Gate


def towards(other: Station, **given) -> list[Trunk]:
    address = other.local[0]
    return [local_trunk(port=address.port, transport=address.transport, **given)]


@pytest.mark.parametrize(
    ("codec", "srtp"),
    [("PCMU", "off"), ("PCMA", "required"), ("G722", "optional"), ("OPUS", "off")],
)
async def test_codecs_and_srtp(station, codec, srtp):
    callee, caller = Bot(500), Bot(1000)
    there = await station(callee.take, codecs=("OPUS", "G722", "PCMA", "PCMU"), srtp=Srtp.OPTIONAL)
    here = await station(trunks=towards(there, codecs=(codec,), srtp=Srtp(srtp)))
    line = await here.dial("1", caller="7", display="Seven")
    talking = asyncio.create_task(caller.talk(line))
    rate = {"PCMU": 8000, "PCMA": 8000}.get(codec, 16_000)
    assert line.rate == rate

    def good(bot: Bot, frequency: float) -> bool:
        return len(bot.heard) > 50 and right(np.concatenate(bot.heard[-40:]), frequency, rate) > 0.9

    await callee.until(lambda: good(callee, 1000))
    await callee.until(lambda: good(caller, 500))
    (theirs,) = callee.lines
    assert (theirs.caller, theirs.display, theirs.number) == ("7", "Seven", "1")
    assert theirs.direction is Direction.IN
    assert (line.statistics().srtp is not None) == (srtp != "off")
    line.hang_up()
    await asyncio.wait_for(talking, 5)
    assert await theirs.over(5)
    assert theirs.farewell == "the caller hung up"


async def test_a_wrong_address_in_the_sdp(station):
    """As behind a NAT: audio goes to where audio comes from."""
    callee, caller = Bot(500), Bot(1000)
    there = await station(callee.take)
    here = await station(trunks=towards(there))
    right_one = here.media_for
    here.media_for = lambda line, port: replace(right_one(line, port), host="127.0.0.3", port=9)
    line = await here.dial("1")
    talking = asyncio.create_task(caller.talk(line))
    await callee.hears_tone(1000, 1.0)
    await caller.hears_tone(500, 1.0)
    assert callee.lines[0].statistics().moves == 1
    line.hang_up()
    await asyncio.wait_for(talking, 5)


async def test_audio_of_a_stranger_is_not_heard(station):
    callee, caller = Bot(500), Bot(1000)
    there = await station(callee.take)
    here = await station(trunks=towards(there))
    line = await here.dial("1")
    talking = asyncio.create_task(caller.talk(line))
    await callee.hears_tone(1000, 0.5)
    (theirs,) = callee.lines
    began = len(callee.heard)
    await spray(theirs, 300)
    assert theirs.statistics().rejected == 300
    assert only(np.concatenate(callee.heard[began:]), 1000, 300)
    line.hang_up()
    await asyncio.wait_for(talking, 5)


async def test_keys_are_collected(station):
    callee, caller = Bot(), Bot()
    collected = []

    async def ask(line):
        await line.answer()
        collected.append(await line.collect(first=10, between=5))
        collected.append(await line.collect(2, first=10, between=5))
        collected.append(await line.collect(1, first=0.05))

    there = await station(ask)
    here = await station(trunks=towards(there))
    line = await here.dial("1")
    line.press("123#45")
    assert await line.over(20)
    assert collected == ["123", "45", ""]
    assert line.farewell == "they hung up"
    del callee, caller
    with pytest.raises(ValueError, match="keys are"):
        line.press("x")


async def test_the_example_says_back_what_it_hears(station, capsys):
    path = Path(__file__).parents[2] / "examples" / "phone_echo.py"
    spec = importlib.util.spec_from_file_location("phone_echo", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    there, caller = await station(example.echo), Bot(600)
    here = await station(trunks=towards(there))
    line = await here.dial("echo", caller="me")
    talking = asyncio.create_task(caller.talk(line))
    await caller.hears_tone(600, 1.0)
    line.press("#")
    await asyncio.wait_for(talking, 10)
    assert line.farewell == "they hung up"
    assert "me was heard: #" in capsys.readouterr().out


async def test_what_fails_in_a_call_ends_it(station, caplog):
    async def defect(line):
        await line.answer()
        raise RuntimeError("a defect")

    there = await station(defect)
    here = await station(trunks=towards(there))
    line = await here.dial("1")
    assert await line.over(10)
    assert "a defect" in caplog.text
    assert not there.lines


async def test_who_answers_nothing_is_not_there(station):
    there = await station()
    here = await station(trunks=towards(there))
    with pytest.raises(DialError, match="1: ") as caught:
        await here.dial("1")
    assert caught.value.code == 480


async def test_who_dials_is_told_of_a_certificate_that_is_not_accepted(station, tmp_path):
    theirs, other = certificate(tmp_path, "theirs"), certificate(tmp_path, "other")
    secure = {"listen": ("tls:127.0.0.1:0",)}
    there = await station(exposure={**secure, "server_tls": server(theirs)})
    trusting = ssl.create_default_context(cafile=str(other))
    here = await station(
        trunks=towards(there),
        exposure={**secure, "server_tls": server(other), "client_tls": trusting},
    )
    with pytest.raises(DialError, match="certificate is not accepted") as caught:
        await here.dial("1")
    assert caught.value.code == 503


async def test_cancelling_a_dial_hangs_up(station):
    callee = Bot()
    callee.answering = False
    there = await station(callee.take)
    here = await station(trunks=towards(there))
    dialling = asyncio.create_task(here.dial("1"))
    await callee.until(lambda: callee.lines)
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
    assert await callee.lines[0].over(5)
    assert callee.lines[0].farewell == "the caller gave up"


async def test_closing_hangs_up_and_leaves_nothing(station):
    before = asyncio.all_tasks()
    callee = Bot()
    there = await station(callee.take)
    here = await station(trunks=towards(there))
    lines = [await here.dial(str(number)) for number in range(3)]
    await callee.until(lambda: len(callee.lines) == 3)
    await there.close()
    await there.close()
    for line in lines:
        assert await line.over(5)
    await here.close()
    assert not there.lines
    assert not here.lines
    await asyncio.sleep(0)
    assert not {task for task in asyncio.all_tasks() - before if not task.done()}
    with pytest.raises(DialError):
        await here.dial("1")


async def test_a_far_end_that_falls_silent(station):
    callee = Bot()
    there = await station(callee.take, exposure={"silence_limit": 0.5})
    here = await station(trunks=towards(there))
    line = await here.dial("1")
    await callee.hears(0.2)
    line._endpoint.session.sending = False  # as when its network is gone
    assert await callee.lines[0].over(10)
    assert callee.lines[0].farewell == "no audio came from the far end"


async def test_a_process_without_room_refuses_a_call_and_keeps_those_it_has(station):
    callee, gate = Bot(), Gate(Bounds(cost=0.3))
    there = await station(callee.take, gate=gate)
    here = await station(trunks=towards(there))
    lines = [await here.dial("1"), await here.dial("1")]
    with pytest.raises(DialError) as caught:
        await here.dial("1")
    assert caught.value.code == 503
    assert not any(line.ended for line in lines)
    lines[0].hang_up()
    async with asyncio.timeout(10):
        while gate.full():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.02)
    await here.dial("1")


async def test_a_call_that_is_over_does_nothing(station):
    callee = Bot()
    there = await station(callee.take)
    here = await station(trunks=towards(there))
    line = await here.dial("1")
    line.hang_up("first")
    line.hang_up("second")
    assert await line.over(5)
    assert line.farewell == "first"
    line.press("1")
    line.ring()
    line.reject()
    assert not await line.hold()
    assert not await line.answer()
    assert await line.listen() == []
    assert line.wanted == 0
    with pytest.raises(CallError, match="does not stand"):
        await line.transfer("2")


async def test_a_transfer_that_nobody_takes(station):
    callee = Bot()
    there = await station(callee.take)  # its trunk may not transfer our calls
    here = await station(trunks=towards(there))
    line = await here.dial("1")
    assert (await line.transfer("sip:2@127.0.0.1")).value == "refused"
    with pytest.raises(ValueError, match="no number"):
        await line.transfer("a b")
    line.hang_up()


async def test_the_address_that_a_nat_shows(station):
    there = await station(Bot().take)
    here = await station(trunks=towards(there, public="127.0.0.2"))
    line = await here.dial("1")
    offered = here.media_for(line, 4000)
    assert offered.host == "127.0.0.2"
    line.hang_up()


async def test_a_port_that_is_taken(station):
    there = await station()
    taken = f"udp:127.0.0.1:{there.local[0].port}"
    with pytest.raises(PhoneError, match="cannot listen on"):
        await station(exposure={"listen": (taken,)})


async def test_a_trunk_without_a_listener_of_its_kind():
    other = Station(
        trunks=[Trunk("t", HERE, transport="tcp")], exposure=Exposure(listen=("127.0.0.1:0",))
    )
    with pytest.raises(PhoneError, match="needs a tcp listener"):
        await other.open()
    await other.close()
    with pytest.raises(PhoneError, match="one name"):
        Station(trunks=[Trunk("t", HERE), Trunk("t", HERE)])
    with pytest.raises(PhoneError, match="no trunk"):
        await Station().dial("1", trunk="x")
