"""Calls with a real telephone: baresip, in and out, over UDP, TCP and TLS."""

from __future__ import annotations

import asyncio
import ssl

import numpy as np
import pytest

from tests.phone.certificates import certificate, server
from tests.phone.conftest import Bot, port_of
from tests.phone.peers import HERE, Baresip, baresip, best, tone
from vivavoce.phone import DialError, Outcome, Srtp
from vivavoce.phone.media.dtmf import KEYS

SECONDS = 2.5


def check(bot: Bot, phone: Baresip) -> None:
    """What it recorded is our tone, in 95 % of the windows of a stretch as long as most of it."""
    got, rate = phone.heard()
    assert len(got) > rate * SECONDS * 0.5
    assert best(got, bot.frequency, rate) >= 0.95


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_it_calls(station, tmp_path, transport):
    bot = Bot()
    there = await station(bot.take, exposure={"listen": (f"{transport}:127.0.0.1:0",)})
    async with baresip(tmp_path, tone(30, 1000), transport=transport) as phone:
        kind = "" if transport == "udp" else f";transport={transport}"
        await phone.do("dial", f"sip:bot@{HERE}:{port_of(there, transport)}{kind}")
        await phone.until("CALL_ESTABLISHED")
        await bot.hears_tone(1000)
        await phone.do("hangup")
        assert await bot.lines[0].over(10)
    assert bot.lines[0].farewell == "the caller hung up"
    assert (bot.lines[0].number, bot.lines[0].caller) == ("bot", "alice")
    check(bot, phone)


async def test_it_is_called_and_we_hang_up(station, tmp_path):
    bot = Bot()
    async with baresip(tmp_path, tone(30, 1000), account=";answermode=auto") as phone:
        there = await station(bot.take, port=phone.port)
        line = await there.dial("alice", caller="bot")
        talking = asyncio.create_task(bot.talk(line))
        await bot.hears_tone(1000)
        line.hang_up("enough")
        await asyncio.wait_for(talking, 5)
        await phone.until("CALL_CLOSED")
    assert line.farewell == "enough"
    check(bot, phone)


async def test_it_is_busy(station, tmp_path):
    async with baresip(tmp_path, tone(30, 1000)) as phone:
        there = await station(port=phone.port)
        dialling = asyncio.create_task(there.dial("alice"))
        await phone.until("CALL_INCOMING")
        await phone.do("hangup")
        with pytest.raises(DialError) as caught:
            await asyncio.wait_for(dialling, 15)
        with pytest.raises(DialError) as unknown:
            await there.dial("nobody")
    assert caught.value.code == 486
    assert unknown.value.code == 404
    assert not there.lines


async def test_it_rings_until_we_give_up(station, tmp_path):
    async with baresip(tmp_path, tone(30, 1000)) as phone:
        there = await station(port=phone.port)
        with pytest.raises(DialError) as caught:
            await there.dial("alice", ring_time=1.0)
        await phone.until("CALL_CLOSED")
    assert caught.value.code == 408


async def test_keys_and_hold(station, tmp_path):
    bot = Bot()
    there = await station(bot.take)
    async with baresip(tmp_path, tone(60, 1000)) as phone:
        await phone.do("dial", f"sip:bot@{HERE}:{port_of(there)}")
        await phone.until("CALL_ESTABLISHED")
        await bot.hears(0.5)
        line = bot.lines[0]
        # Theirs, as telephone events.
        for key in "5#":
            await phone.do("sndcode", key)
            await asyncio.sleep(0.4)
        await bot.until(lambda: bot.keys == "5#")
        # Ours.
        line.press("19*")
        for code in ("1", "9", "*"):
            await phone.until("CALL_DTMF_START", param=code)
        # They hold us: we wait, and go on.
        await phone.do("hold")
        await bot.until(lambda: line.held)
        assert line.wanted == 0
        await phone.do("resume")
        await bot.until(lambda: not line.held)
        # We hold them.
        assert await line.hold()
        assert line.holding
        before = len(bot.heard)
        await bot.until(lambda: len(bot.heard) > before + 25)
        assert not np.concatenate(bot.heard[-10:]).any()
        assert await line.resume()
        assert not line.holding
        await bot.until(lambda: np.abs(bot.heard[-1]).max() > 4000)
        await phone.do("hangup")
        assert await line.over(10)


def touch_tones(keys: str) -> np.ndarray:
    """Keys as they sound: 100 ms of two tones, 100 ms of silence."""
    low, high = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
    pad = "123A456B789C*0#D"
    parts = [np.zeros(8000, np.int16)]
    for key in keys:
        row, column = divmod(pad.index(key), 4)
        parts += [tone(0.1, low[row]) // 2 + tone(0.1, high[column]) // 2, np.zeros(800, np.int16)]
    return np.concatenate([*parts, np.zeros(40_000, np.int16)])


async def test_keys_that_are_only_heard(station, tmp_path):
    bot = Bot()
    there = await station(bot.take)
    async with baresip(tmp_path, touch_tones(KEYS)) as phone:
        await phone.do("dial", f"sip:bot@{HERE}:{port_of(there)}")
        await bot.until(lambda: bot.keys == KEYS)


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, Outcome.DONE), (404, Outcome.FAILED)], ids=["done", "failed"]
)
async def test_it_is_transferred(station, tmp_path, code, outcome):
    bot, other = Bot(), Bot(700)
    other.reject = code
    there, elsewhere = await station(bot.take), await station(other.take)
    async with baresip(tmp_path, tone(60, 1000)) as phone:
        await phone.do("dial", f"sip:bot@{HERE}:{port_of(there)}")
        await bot.hears(0.3)
        target = f"sip:desk@{HERE}:{port_of(elsewhere)}"
        assert await bot.lines[0].transfer(target, within=30) is outcome
        assert other.lines[0].number == "desk"
        if outcome is Outcome.DONE:
            await other.hears(0.5)


# -- TLS and SRTP


async def test_it_is_called_over_tls_and_srtp(station, tmp_path):
    good, bad = certificate(tmp_path, "good"), certificate(tmp_path, "bad")
    bot = Bot()
    secure = ";answermode=auto;mediaenc=srtp-mand"
    config = f"sip_certificate {good}"
    async with baresip(
        tmp_path, tone(60, 1000), account=secure, config=config, transport="tls"
    ) as phone:
        # baresip binds TLS on the port after its own.
        trunk = {"port": phone.port + 1, "transport": "tls", "srtp": Srtp.REQUIRED}
        exposure = {"listen": ("tls:127.0.0.1:0",), "server_tls": server(good)}
        trusting = ssl.create_default_context(cafile=str(good))
        there = await station(bot.take, exposure={**exposure, "client_tls": trusting}, **trunk)
        line = await there.dial("alice")
        talking = asyncio.create_task(bot.talk(line))
        await bot.hears_tone(1000)
        figures = line.statistics()
        line.hang_up()
        await asyncio.wait_for(talking, 5)
        # Whoever trusts another certificate does not speak with it.
        other = ssl.create_default_context(cafile=str(bad))
        wary = await station(bot.take, exposure={**exposure, "client_tls": other}, **trunk)
        with pytest.raises(DialError) as caught:
            await wary.dial("alice")
    assert figures is not None
    assert figures.srtp is not None
    assert figures.heard.packets.received > 50
    assert caught.value.code == 503
    check(bot, phone)


async def test_it_calls_over_tls_and_srtp(station, tmp_path):
    good = certificate(tmp_path, "good")
    bot = Bot()
    exposure = {"listen": ("tls:127.0.0.1:0",), "server_tls": server(good)}
    there = await station(bot.take, exposure=exposure, srtp=Srtp.REQUIRED)
    config = f"sip_certificate {good}\nsip_cafile {good}"
    async with baresip(
        tmp_path, tone(60, 1000), account=";mediaenc=srtp-mand", config=config, transport="tls"
    ) as phone:
        await phone.do("dial", f"sip:bot@{HERE}:{port_of(there, 'tls')};transport=tls")
        await phone.until("CALL_ESTABLISHED")
        await bot.hears_tone(1000)
        assert bot.lines[0].plan.receive_key is not None
        await phone.do("hangup")
        assert await bot.lines[0].over(10)
    check(bot, phone)
