"""Agents on the telephone: whole calls, with the models of the sandbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.phone.agents import phone
from tests.phone.conftest import Bot, local_trunk
from tests.phone.peers import HERE, baresip, read, tone
from tests.speech import speak
from vivavoce.agent import Agent, Call
from vivavoce.agent.events import KeyPressed
from vivavoce.agent.line import LineError
from vivavoce.phone import DialError, Phone, PhoneError, Policy, Retries, Trunk, line_of

EXAMPLES = Path(__file__).parents[2] / "examples"
LONG = "Tonight we serve onion soup with roasted garlic bread followed by grilled salmon from the coast"


async def test_what_is_cut_is_silent_with_the_packet_after_the_next(models, station):
    agent = Agent(greeting=LONG)
    caller = Bot()
    async with phone(agent, models) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("1")
        session = line._endpoint.session
        got: list[tuple[int, float]] = []
        receive = session.receive

        def spy(data, source, now):
            payload = np.frombuffer(data[12:], np.uint8)
            # μ-law: bytes with the magnitude bits set are quiet.
            loud = (~payload & 0x7F).max() > 0x20
            got.append((int.from_bytes(data[2:4], "big"), bool(loud)))
            receive(data, source, now)

        session.receive = spy
        talking = asyncio.create_task(caller.talk(line))
        await caller.until(lambda: sum(loud for _, loud in got) > 40)
        sender = seen.begun[0][1]._endpoint.session._sender
        cut = sender._sequence  # of the next packet
        await seen.call.interrupt()
        await caller.until(lambda: got and (got[-1][0] - cut) % 65536 in range(30, 1000))
        late = [(seq - cut) % 65536 for seq, loud in got if loud and (seq - cut) % 65536 < 1000]
        assert max(late, default=-1) <= 2, late
        line.hang_up()
        await asyncio.wait_for(talking, 5)
        await asyncio.wait_for(seen.over.wait(), 10)
    (reply,) = seen.call.transcript.replies
    assert reply.interrupted
    assert LONG.startswith(reply.heard)
    assert 0 < len(reply.heard) < len(LONG)


async def test_keys_reach_the_call_and_tools_the_line(models, station):
    agent, caller = Agent(), Bot()
    async with phone(agent, models) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("1")
        talking = asyncio.create_task(caller.talk(line))
        line.press("4D")

        async def pressed() -> list[str]:
            keys = []
            async for event in seen.call:
                if isinstance(event, KeyPressed):
                    keys.append(event.key)
                    if len(keys) == 2:
                        return keys
            return keys

        assert await asyncio.wait_for(pressed(), 10) == ["4", "D"]
        await seen.call.send_dtmf("7")
        await caller.until(lambda: caller.keys == "7")
        line_of(seen.call).press("8")
        await caller.until(lambda: caller.keys == "78")
        await seen.call.hang_up("done with it")
        await asyncio.wait_for(talking, 10)
        await asyncio.wait_for(seen.over.wait(), 10)
    assert seen.call.reason == "done with it"
    with pytest.raises(LookupError, match="no telephone call"):
        line_of(Call(agent))


async def test_a_call_is_handed_over_and_held(models, station, tmp_path):
    """By what every call can do: the far end, a baresip, follows the REFER."""
    other = Bot(700)
    elsewhere = await station(other.take)
    target = f"sip:desk@{HERE}:{elsewhere.local[0].port}"
    async with phone(Agent(), models) as seen, baresip(tmp_path, tone(60, 1000)) as peer:
        await peer.do("dial", f"sip:bot@{HERE}:{seen.port}")
        await peer.until("CALL_ESTABLISHED")
        await seen.call.hold(tone(1.0, 500, 24_000))
        assert line_of(seen.call).holding
        await seen.call.unhold()
        assert not line_of(seen.call).holding
        other.reject = 486
        with pytest.raises(LineError, match="nobody answered there"):
            await seen.call.transfer(target)
        assert not seen.call.ended
        other.reject = 0
        await seen.call.transfer(target)
        await asyncio.wait_for(seen.over.wait(), 10)
        await other.hears(0.2)
    assert seen.call.reason == f"transferred to {target}"
    assert (seen.call.caller, seen.call.called) == ("alice", "bot")


async def test_speech_waits_while_the_caller_holds_us(models, station):
    caller = Bot()
    async with phone(Agent(greeting=LONG), models) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        line = await here.dial("1")
        talking = asyncio.create_task(caller.talk(line))
        await caller.until(lambda: caller.heard and abs(caller.heard[-1]).max() > 2000)
        assert await line.hold()
        theirs = seen.begun[0][1]
        await caller.until(lambda: theirs.held)
        (reply,) = seen.call.transcript.replies
        await asyncio.sleep(0.3)
        assert not reply.closed
        assert await line.resume()
        await caller.until(lambda: reply.closed)
        assert reply.heard == LONG
        line.hang_up()
        await asyncio.wait_for(talking, 5)


async def test_numbers_have_agents(models, station):
    sales, desk = Agent(name="sales"), Agent(name="desk")
    trunk = local_trunk(numbers={"100": "sales", "*": "desk"})
    async with phone([desk, sales], models, trunks=[trunk]) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        for number in ("100", "200"):
            line = await here.dial(number)
            line.hang_up()
    assert [c.agent.name for c, _ in seen.begun] == ["sales", "desk"]
    async with phone(sales, models, trunks=[local_trunk(numbers={"100": "sales"})]) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        with pytest.raises(DialError) as caught:
            await here.dial("200")
        assert caught.value.code == 404
    assert not seen.begun


async def test_an_agent_calls_somebody(models, station):
    callee = Bot()
    there = await station(callee.take)
    address = there.local[0]
    trunk = local_trunk(port=address.port, transport="udp")
    policy = Policy(numbers=("+33*",), per_minute=1)
    async with phone(
        Agent(greeting="Hello, this is the restaurant."), models, trunks=[trunk], policy=policy
    ) as seen:
        call = await seen.phone.dial("+331", caller="100")
        await callee.until(lambda: any(abs(pcm).max() > 2000 for pcm in callee.heard))
        assert callee.lines[0].caller == "100"
        for number, why in (("+44", "not among"), ("+332", "a minute")):
            with pytest.raises(DialError, match=why) as caught:
                await seen.phone.dial(number)
            assert caught.value.code == 0
        with pytest.raises(PhoneError, match="no agent"):
            await seen.phone.dial("+331", agent="nobody")
        callee.lines[0].hang_up()
        await asyncio.wait_for(seen.over.wait(), 10)
    assert call.ended
    assert call.reason == "they hung up"


async def test_who_is_busy_is_called_again(models, station):
    callee = Bot()
    callee.reject = 486
    there = await station(callee.take)
    trunk = local_trunk(port=there.local[0].port, transport="udp")
    async with phone(Agent(), models, trunks=[trunk]) as seen:
        dialling = asyncio.create_task(seen.phone.dial("1", retries=Retries(attempts=3, busy=0.2)))
        await callee.until(lambda: len(callee.lines) == 2)
        callee.reject = 0
        call = await asyncio.wait_for(dialling, 20)
        assert len(callee.lines) == 3
        await call.hang_up(after_speech=False)
        callee.reject = 603
        with pytest.raises(DialError) as caught:
            await seen.phone.dial("1", retries=Retries(attempts=3, busy=0.1))
        assert caught.value.code == 603
        assert len(callee.lines) == 4
    policy = Policy(per_minute=1)
    callee.reject = 486
    async with phone(Agent(), models, trunks=[trunk], policy=policy) as seen:
        with pytest.raises(DialError, match="a minute are made already"):
            await seen.phone.dial("1", retries=Retries(attempts=3, busy=0.1))


async def test_closing_settles_the_calls_of_ours(models, station, tmp_path):
    callee = Bot()
    there = await station(callee.take)
    trunk = local_trunk(port=there.local[0].port, transport="udp")
    async with phone(Agent(greeting=LONG), models, trunks=[trunk], recordings=tmp_path) as seen:
        call = await seen.phone.dial("1")
        await callee.until(lambda: any(abs(pcm).max() > 2000 for pcm in callee.heard))
    assert call.ended
    assert seen.over.is_set()
    (reply,) = call.transcript.replies
    assert reply.closed
    assert LONG.startswith(reply.heard)
    assert len(read(tmp_path / f"{call.id}.wav")[0]) > 0


@pytest.mark.parametrize(
    ("says", "who"),
    [
        ("You have reached the voicemail of Peter Miller. Please leave a message.", "machine"),
        ("Hello?", "human"),
    ],
)
async def test_who_has_answered(models, station, says, who):
    spoken = np.concatenate([np.zeros(4000, np.int16), speak(says, 8000)])

    async def answer(line):
        await line.answer()
        line.say(spoken)
        await line.over(30)

    there = await station(answer)
    trunk = local_trunk(port=there.local[0].port, transport="udp")
    async with phone(Agent(), models, trunks=[trunk]) as seen:
        call = await seen.phone.dial("1")
        assert (await asyncio.wait_for(seen.phone.answered_by(call), 20)).value == who
        await call.hang_up()


async def test_a_caller_who_does_not_wait(models, station):
    async with phone(Agent(), models, ring_time=20.0) as seen:
        here = await station(trunks=[local_trunk(port=seen.port, transport="udp")])
        with pytest.raises(DialError) as caught:
            await here.dial("1", ring_time=0.3)
        assert caught.value.code == 408
        async with asyncio.timeout(10):
            while seen.phone.station.lines:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.01)
    assert not seen.begun


def test_phones_that_make_no_sense(models):
    with pytest.raises(PhoneError, match="another name"):
        Phone([Agent(), Agent()], models)
    with pytest.raises(PhoneError, match="at least one agent"):
        Phone([], models)
    with pytest.raises(PhoneError, match="none of the agents"):
        Phone(Agent(), models, trunks=[Trunk("t", HERE, numbers={"1": "nobody"})])
    with pytest.raises(PhoneError, match="callers give up"):
        Phone(Agent(), models, ring_time=1000)
