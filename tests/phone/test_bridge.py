"""Two lines joined: what one says the other hears, at any packet length and rate."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.phone.conftest import Bot
from tests.phone.peers import tone
from vivavoce.phone.bridge import LEAD, MOST, Bridge, Lane


def run(lane: Lane, blocks: int, packet: float, *, source=8000, target=8000, late=()) -> np.ndarray:
    """Feed a tone in blocks of 20 ms, take what each packet lacks, half a block out of phase."""
    sound, out, queued, due = tone(blocks * 0.02, 500, source), [], 0.0, 0.010
    block = source // 50
    for index in range(blocks):
        now = index * 0.02
        if index not in late:
            ready = [index] if index - 1 not in late else [index - 1, index]
            for each in ready:
                lane.feed(sound[each * block : (each + 1) * block], source, target)
        while due <= now + 1e-6:
            out.append((queued >= packet - 1e-9) * 1.0)
            queued = max(0.0, queued - packet)
            due += packet
        given = lane.take(max(packet, 0.02) + 0.002 - queued, packet)
        queued += len(given) / target
    return np.array(out)


@pytest.mark.parametrize("packet", [0.01, 0.02, 0.03, 0.06])
@pytest.mark.parametrize(("source", "target"), [(8000, 8000), (16000, 8000), (8000, 16000)])
def test_every_packet_is_full_once_it_flows(packet, source, target):
    lane = Lane()
    full = run(lane, 200, packet, source=source, target=target)
    begun = int(np.argmax(full))
    assert begun * packet < 0.2
    assert full[begun:].all()
    assert lane.starved == 0
    assert lane.waiting <= packet + 2 * LEAD + 0.01


def test_a_late_block_leaves_one_gap_and_no_delay():
    lane = Lane()
    full = run(lane, 300, 0.02, late=(100,))
    assert (full[20:] == 0).sum() <= 4
    assert lane.waiting <= 0.02 + 3 * LEAD


def test_what_nobody_takes_is_dropped_and_not_heard_later():
    lane = Lane()
    for _ in range(100):
        lane.feed(np.ones(160, np.int16), 8000, 8000)
    assert lane.waiting <= MOST
    assert lane.dropped == pytest.approx(2.0 - MOST)
    assert len(lane.take(1.0, 0.02)) == round(MOST * 8000)


def test_another_codec_in_mid_call():
    lane = Lane()
    lane.feed(np.ones(960, np.int16), 8000, 8000)
    lane.feed(np.ones(1920, np.int16), 16000, 8000)
    assert lane.waiting <= 0.12
    assert len(lane.take(0.02, 0.02)) == 160


@pytest.mark.parametrize("codec", ["PCMU", "G722"])
async def test_two_telephones_speak_with_each_other(station, codec):
    """Both call in; what is pressed on the one is pressed on the other, and so is the hook."""
    alice, bob, lines, both = Bot(500), Bot(900), [], asyncio.Event()
    ended: list[str] = []

    async def join(line):
        await line.answer()
        lines.append(line)
        if len(lines) == 2:
            ended.append(await Bridge(*lines).run(lambda: ""))
            both.set()
        await both.wait()

    here = await station(join, codecs=("G722", "PCMU"))
    port = here.local[0].port
    first = await station(port=port, transport="udp", codecs=(codec,))
    second = await station(port=port, transport="udp", codecs=("PCMU",))
    tasks = []
    for bot, place in ((alice, first), (bob, second)):
        line = await place.dial("1")
        tasks.append(asyncio.create_task(bot.talk(line)))
    await bob.hears_tone(500, 1.0)
    loud = np.concatenate(alice.heard[-50:]).astype(float)
    rate = 16_000 if codec == "G722" else 8_000
    spectrum = np.abs(np.fft.rfft(loud * np.hanning(len(loud))))
    assert abs(spectrum.argmax() * rate / len(loud) - 900) < 5
    for line in (*first.lines, *second.lines):
        line.press("5" if line in first.lines else "7")
    await bob.until(lambda: bob.keys == "5")
    await alice.until(lambda: alice.keys == "7")
    first.lines[0].hang_up()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    await asyncio.wait_for(both.wait(), 10)
    assert ended in (["the caller hung up"], ["the other side hung up"])


async def test_the_application_cuts_them_off(station):
    alice, bob, lines = Bot(500), Bot(900), []
    over = ""
    result: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def join(line):
        await line.answer()
        lines.append(line)
        if len(lines) == 2:
            result.set_result(await Bridge(*lines).run(lambda: over))
        await line.over(30)

    here = await station(join)
    away = await station(port=here.local[0].port, transport="udp")
    talking = [asyncio.create_task(bot.talk(await away.dial("1"))) for bot in (alice, bob)]
    await bob.hears(0.2)
    over = "it is late"
    assert await asyncio.wait_for(result, 10) == "it is late"
    await asyncio.wait_for(asyncio.gather(*talking), 10)
