"""Calls with PJSIP, in and out: what it does that the other telephones do not."""

from __future__ import annotations

import asyncio
import ssl

import numpy as np
import pytest

from tests.phone.certificates import certificate, server
from tests.phone.conftest import Bot, only, port_of, spray
from tests.phone.peers import best, tone
from tests.phone.pjsip import Pjsip, pjsip, uri
from vivavoce.phone import DialError, Srtp


async def check(bot: Bot, phone: Pjsip) -> None:
    """What it recorded is our tone."""
    got, rate = await phone.heard()
    assert best(got, bot.frequency, rate) >= 0.95


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_it_calls(station, tmp_path, transport):
    bot = Bot()
    there = await station(bot.take, exposure={"listen": (f"{transport}:127.0.0.1:0",)})
    async with pjsip(tmp_path, tone(10, 1000), transport=transport) as phone:
        await phone.do("dial", to=uri(port_of(there, transport), transport))
        await phone.until("state", state="confirmed")
        await bot.hears_tone(1000)
        await phone.do("hang up")
        assert await bot.lines[0].over(10)
        await phone.until("state", state="over", code=200)
        await check(bot, phone)


async def test_it_is_called(station, tmp_path):
    bot = Bot()
    async with pjsip(tmp_path, tone(10, 1000)) as phone:
        there = await station(port=phone.port)
        line = await there.dial("alice")
        talking = asyncio.create_task(bot.talk(line))
        await bot.hears_tone(1000)
        line.hang_up()
        await asyncio.wait_for(talking, 5)
        await phone.until("state", state="over")
        await check(bot, phone)


async def test_it_calls_over_tls_and_srtp(station, tmp_path):
    good, bad = certificate(tmp_path, "good"), certificate(tmp_path, "bad")
    bot = Bot()
    exposure = {"listen": ("tls:127.0.0.1:0",), "server_tls": server(good)}
    there = await station(bot.take, exposure=exposure, srtp=Srtp.REQUIRED)
    to = uri(port_of(there, "tls"), "tls")
    secure = {"transport": "tls", "srtp": True, "certificate": good}
    async with pjsip(tmp_path / "right", tone(10, 1000), **secure, authority=good) as phone:
        await phone.do("dial", to=to)
        await phone.until("state", state="confirmed")
        await bot.hears_tone(1000)
        assert bot.lines[0].plan.receive_key is not None
        await phone.do("hang up")
        assert await bot.lines[0].over(10)
        await check(bot, phone)
    # It trusts another certificate than ours: nothing comes of it.
    async with pjsip(tmp_path / "wrong", tone(10, 1000), **secure, authority=bad) as wary:
        await wary.do("dial", to=to)
        await wary.until("state", state="over", code=503)
    assert len(bot.lines) == 1


async def test_it_is_called_over_tls_and_srtp(station, tmp_path):
    good, bad = certificate(tmp_path, "good"), certificate(tmp_path, "bad")
    bot = Bot()
    secure = {"transport": "tls", "srtp": True, "certificate": good, "authority": good}
    async with pjsip(tmp_path, tone(10, 1000), **secure) as phone:
        trunk = {"port": phone.port, "transport": "tls", "srtp": Srtp.REQUIRED}
        exposure = {"listen": ("tls:127.0.0.1:0",), "server_tls": server(good)}
        trusting = ssl.create_default_context(cafile=str(good))
        there = await station(exposure={**exposure, "client_tls": trusting}, **trunk)
        line = await there.dial("alice")
        talking = asyncio.create_task(bot.talk(line))
        await bot.hears_tone(1000)
        figures = line.statistics()
        line.hang_up()
        await asyncio.wait_for(talking, 5)
        other = ssl.create_default_context(cafile=str(bad))
        wary = await station(exposure={**exposure, "client_tls": other}, **trunk)
        with pytest.raises(DialError) as caught:
            await wary.dial("alice")
        await check(bot, phone)
    assert figures is not None
    assert figures.srtp is not None
    assert figures.heard.packets.received > 50
    assert caught.value.code == 503


@pytest.mark.parametrize("we", ["call", "are called"])
async def test_reliable_ringing_and_a_session_timer_that_it_insists_on(station, tmp_path, we):
    bot = Bot()
    given = {"reliable": True, "timer": True, "messages": 1, "answers": 180}
    async with pjsip(tmp_path, tone(10, 1000), **given) as phone:
        if we == "call":
            there = await station(port=phone.port)
            dialling = asyncio.create_task(there.dial("alice"))
            await phone.until("incoming")
            # Our PRACK to its ringing comes before its answer.
            await phone.program.says("Request msg PRACK")
            await phone.do("answer", code=200)
            line = await asyncio.wait_for(dialling, 20)
            talking = asyncio.create_task(bot.talk(line))
        else:
            there = await station(bot.take)
            await phone.do("dial", to=uri(port_of(there)))
            await phone.program.says("Request msg PRACK")
        await phone.until("state", state="confirmed")
        await phone.program.says("Session-Expires: ")
        await bot.hears(0.5)
        await phone.do("hang up")
        await phone.until("state", state="over", code=200)
        if we == "call":
            await asyncio.wait_for(talking, 5)
    assert "RAck: " in phone.program.text


async def test_hold_and_update(station, tmp_path):
    bot = Bot()
    there = await station(bot.take)
    async with pjsip(tmp_path, tone(10, 1000)) as phone:
        await phone.do("dial", to=uri(port_of(there)))
        await bot.hears_tone(1000)
        (line,) = bot.lines
        await phone.do("hold")
        await bot.until(lambda: line.held)
        await phone.do("resume")
        await bot.until(lambda: not line.held)
        assert await line.hold()
        await phone.until("media", status=3)  # PJSUA_CALL_MEDIA_REMOTE_HOLD
        assert await line.resume()
        before = len(phone.events)
        await phone.do("update")
        await phone.until("media", times=sum(e["event"] == "media" for e in phone.events[:before]))
        bot.heard.clear()
        await bot.hears_tone(1000)
        assert not any(e["event"] == "error" for e in phone.events)
        await phone.do("hang up")
        assert await line.over(10)
        await check(bot, phone)


async def test_keys_both_ways(station, tmp_path):
    bot = Bot()
    there = await station(bot.take)
    async with pjsip(tmp_path, tone(10, 1000)) as phone:
        await phone.do("dial", to=uri(port_of(there)))
        await bot.hears(0.5)
        await phone.do("press", keys="12#")
        await bot.until(lambda: bot.keys == "12#")
        await phone.do("info", keys="7")
        await bot.until(lambda: bot.keys == "12#7")
        bot.lines[0].press("90*")
        await phone.until("key", key="9")
        await phone.until("key", key="0")
        await phone.until("key", key="*")
        await phone.do("hang up")
        assert await bot.lines[0].over(10)


async def test_a_late_offer(station, tmp_path):
    bot = Bot()
    there = await station(bot.take)
    async with pjsip(tmp_path, tone(10, 1000)) as phone:
        await phone.do("dial", to=uri(port_of(there)), late=True)
        await phone.until("state", state="confirmed")
        await bot.hears_tone(1000)
        await phone.do("hang up")
        assert await bot.lines[0].over(10)
        await check(bot, phone)


@pytest.mark.parametrize("code", [200, 486], ids=["who answers", "who is busy"])
async def test_we_transfer_it_to_somebody(station, tmp_path, code):
    bot, other = Bot(), Bot(700)
    other.reject = 0 if code == 200 else code
    there, elsewhere = await station(bot.take), await station(other.take)
    async with pjsip(tmp_path, tone(10, 1000)) as phone:
        await phone.do("dial", to=uri(port_of(there)))
        await bot.hears(0.3)
        outcome = await bot.lines[0].transfer(uri(port_of(elsewhere), user="desk"))
        assert outcome.value == ("done" if code == 200 else "failed")
        if code == 200:
            await other.hears_tone(1000)
        bot.lines[0].hang_up()


async def test_a_wrong_address_in_its_sdp_and_a_strangers_audio(station, tmp_path):
    """As behind a NAT; and somebody else sprays packets at our port meanwhile."""
    bot = Bot()
    there = await station(bot.take)
    async with pjsip(tmp_path, tone(10, 1000), shown="127.0.0.77") as phone:
        await phone.do("dial", to=uri(port_of(there)))
        await bot.hears_tone(1000)
        (line,) = bot.lines
        assert line.plan.remote[0] == "127.0.0.77"
        began, before = len(bot.heard), line.statistics().rejected
        await spray(line, 300)
        assert line.statistics().rejected >= before + 300
        assert only(np.concatenate(bot.heard[began:]), 1000, 300)
        await bot.hears_tone(1000)
        await phone.do("hang up")
        assert await line.over(10)
        await check(bot, phone)
