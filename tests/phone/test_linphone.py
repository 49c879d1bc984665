"""Calls with linphone, in and out, keys and hold."""

from __future__ import annotations

import asyncio

from tests.phone.conftest import Bot, port_of
from tests.phone.linphone import Linphone, linphone
from tests.phone.peers import HERE, best, tone


async def check(bot: Bot, phone: Linphone) -> None:
    """What it recorded is our tone."""
    got, rate = await phone.heard()
    assert best(got, bot.frequency, rate) >= 0.95


async def test_it_calls_and_holds_and_presses_keys(station, tmp_path):
    bot = Bot()
    there = await station(bot.take)
    async with linphone(tmp_path, tone(10, 1000)) as phone:
        await phone.do(f"call sip:bot@{HERE}:{port_of(there)}")
        await phone.says("Media streams established")
        await bot.hears_tone(1000)
        (line,) = bot.lines
        for key in "5#":
            await phone.do(key)
            await bot.until(lambda key=key: bot.keys.endswith(key))
        line.press("12")
        await phone.says("Receiving tone 1")
        await phone.says("Receiving tone 2")
        await phone.do("pause")
        await bot.until(lambda: line.held)
        await phone.says("is now paused")
        await phone.do("resume")
        await bot.until(lambda: not line.held)
        assert await line.hold()
        assert await line.resume()
        bot.heard.clear()
        await bot.hears_tone(1000, 1.0)
        await phone.do("terminate")
        assert await line.over(10)
        assert bot.keys == "5#"
        assert line.farewell == "the caller hung up"
        await check(bot, phone)


async def test_it_is_called(station, tmp_path):
    bot = Bot()
    async with linphone(tmp_path, tone(10, 1000), answers=True) as phone:
        there = await station(port=phone.port)
        line = await there.dial("linphone")
        talking = asyncio.create_task(bot.talk(line))
        await bot.hears_tone(1000)
        line.hang_up()
        await asyncio.wait_for(talking, 5)
        await phone.says("ended")
        await check(bot, phone)
