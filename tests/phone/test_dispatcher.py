"""Two stations behind a Kamailio, with the configuration that the docs give."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.phone.conftest import Bot
from tests.phone.peers import HERE, free_port, needs, running
from tests.phone.test_kamailio import _modules
from vivavoce.phone import DialError

EXAMPLE = Path(__file__).parents[2] / "examples" / "kamailio"


@asynccontextmanager
async def dispatcher(folder: Path, port: int, processes: list[int], carrier: int):
    """Run it with the example's configuration, in which only addresses are changed."""
    program = needs("kamailio")
    listed = folder / "dispatcher.list"
    listed.write_text("".join(f"1 sip:{HERE}:{each} 0 0\n" for each in processes))
    text = (EXAMPLE / "kamailio.cfg").read_text()
    for ours, theirs in (
        ("203.0.113.7:5060", f"{HERE}:{port}"),
        ("198.51.100.0/24", f"{HERE}/32"),
        ("sip:198.51.100.10:5060", f"sip:{HERE}:{carrier}"),
        ("/etc/kamailio/dispatcher.list", str(listed)),
        ("debug=0\nlog_stderror=no\nchildren=4", f'debug=2\nchildren=1\nmpath="{_modules()}/"'),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    config = folder / "kamailio.cfg"
    config.write_text(text)
    command = [program, "-DD", "-E", "-f", config, "-m", "32", "-M", "4", "-Y", folder]
    async with running(*command, "-w", folder, cwd=folder) as it:
        yield it


async def dial(here, within: float = 15.0):
    """Call, again while Kamailio is starting."""
    async with asyncio.timeout(within):
        while True:
            try:
                return await here.dial("100", ring_time=10)
            except DialError as error:
                if error.code not in {408, 503}:
                    raise
                await asyncio.sleep(0.2)


async def test_calls_are_spread_and_whoever_is_full_or_gone_is_passed_over(station, tmp_path):
    bots = [Bot(440), Bot(550)]
    port, carrier = free_port(), Bot(300)
    behind = [
        await station(bot.take, exposure={"max_calls": 2}, host=HERE, port=port) for bot in bots
    ]
    outside = await station(carrier.take, port=port, transport="udp")
    processes = [each.local[0].port for each in behind]
    async with dispatcher(tmp_path, port, processes, outside.local[0].port):
        lines = [await dial(outside)]
        lines += [await outside.dial("100") for _ in range(3)]
        assert [len(bot.lines) for bot in bots] == [2, 2]
        # Both are full: nobody is left.
        with pytest.raises(DialError) as caught:
            await outside.dial("100")
        assert caught.value.code == 503
        # One call of the first station ends: it has room, the other one says 503 and is passed.
        bots[0].lines[0].hang_up()
        async with asyncio.timeout(10):
            while not any(line.ended for line in lines):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        lines.append(await outside.dial("100"))
        assert [len(bot.lines) for bot in bots] == [3, 2]
        for line in lines:
            line.hang_up()
        await bots[0].until(lambda: not behind[0].lines and not behind[1].lines)
        # The second one is gone: its calls go to the first, as soon as that shows.
        await behind[1].close()
        for _ in range(2):
            line = await outside.dial("100", ring_time=20)
            line.hang_up()
            assert await line.over(5)
        assert len(bots[0].lines) == 5


async def test_calls_of_ours_go_to_the_carrier(station, tmp_path):
    port, carrier, ours = free_port(), Bot(700), Bot(440)
    outside = await station(carrier.take)
    behind = await station(ours.take, port=port, transport="udp")
    async with dispatcher(tmp_path, port, [behind.local[0].port], outside.local[0].port):
        async with asyncio.timeout(20):
            while True:
                try:
                    line = await behind.dial("+33123", ring_time=10)
                    break
                except DialError:
                    await asyncio.sleep(0.2)
        talking = asyncio.create_task(ours.talk(line))
        await ours.hears_tone(700, 0.6)
        assert carrier.lines[0].number == "+33123"
        line.hang_up()
        await asyncio.wait_for(talking, 10)
