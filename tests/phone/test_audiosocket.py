"""AudioSocket, spoken by a client that is written from the protocol's document."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import uuid

import numpy as np
import pytest

from tests.phone.conftest import Bot, local_trunk
from tests.phone.peers import HERE, right, tone
from tests.phone.test_entrance import full_gate
from tests.speech import speak
from vivavoce.agent import Agent
from vivavoce.agent.events import KeyPressed
from vivavoce.phone import AudioSocket, Exposure, Phone, PhoneError, line_of
from vivavoce.phone.audiosocket import Framer, message
from vivavoce.phone.media.inband import ToneDetector
from vivavoce.phone.pbx import CALM, Arrival

ID = uuid.UUID("6d1c0c5e-7f3b-4a53-8f0e-1b0f4e2a9c11")


def test_messages_are_cut_from_a_stream_however_it_comes():
    sent = [(0x01, ID.bytes), (0x10, bytes(range(200))), (0x03, b"5"), (0x00, b"")]
    stream = b"".join(message(*each) for each in sent)
    assert stream.startswith(b"\x01\x00\x10" + ID.bytes)
    for seed in range(20):
        chance, framer, got, rest = random.Random(seed), Framer(), [], stream
        while rest:
            size = chance.randint(1, 90)
            got += framer.feed(rest[:size])
            rest = rest[size:]
        assert got == sent


def test_bursts_come_out_evenly_and_nothing_is_lost():
    arrival = Arrival(8000)
    sound = tone(2.0, 500)
    out = []
    for index in range(100):
        if index % 3 == 0:  # three blocks at once
            arrival.push(sound[index * 160 : (index + 3) * 160])
        out.append(arrival.pull())
    assert arrival.gaps == 0
    assert right(np.concatenate(out), 500) > 0.95
    assert arrival.excess() == []
    arrival.push(np.ones(8000, np.int16))
    late = arrival.excess()
    assert sum(map(len, late)) == pytest.approx(8000 * (1.0 - CALM), abs=400)
    assert {len(pcm) for pcm in late} == {160}
    silent = Arrival(16000)
    assert not silent.pull().any()
    assert len(silent.pull()) == 320


class Client:
    """An Asterisk: it streams a sound, and keeps what it is sent."""

    def __init__(self, sound: np.ndarray, kind: int = 0x10) -> None:
        self.sound, self.kind = sound, kind
        self.heard: list[np.ndarray] = []
        self.ended = asyncio.Event()
        self.changed = asyncio.Event()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def call(self, port: int) -> None:
        self.reader, self.writer = await asyncio.open_connection(HERE, port)
        self.writer.write(b"\x01\x00\x10" + ID.bytes)
        self.tasks = [asyncio.create_task(self.stream()), asyncio.create_task(self.read())]

    async def stream(self) -> None:
        size = 160 if self.kind == 0x10 else 320
        loop, at = asyncio.get_running_loop(), 0
        due = loop.time()
        while not self.ended.is_set():
            block = np.take(self.sound, range(at, at + size), mode="wrap").tobytes()
            self.writer.write(struct.pack("!BH", self.kind, len(block)) + block)
            at = (at + size) % len(self.sound)
            due += 0.02
            await asyncio.sleep(max(0, due - loop.time()))

    async def read(self) -> None:
        try:
            while True:
                kind, length = struct.unpack("!BH", await self.reader.readexactly(3))
                payload = await self.reader.readexactly(length)
                if kind == 0x00:
                    break
                assert kind == self.kind
                self.heard.append(np.frombuffer(payload, "<i2"))
                self.changed.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.ended.set()
        self.changed.set()

    def press(self, key: str) -> None:
        self.writer.write(b"\x03\x00\x01" + key.encode())

    def hang_up(self) -> None:
        self.writer.write(b"\x00\x00\x00")

    async def until(self, condition, within: float = 20.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def socket():
    """A factory of open AudioSockets."""
    made: list[AudioSocket] = []

    async def make(answer, **options) -> AudioSocket:
        made.append(AudioSocket("127.0.0.1:0", **options))
        await made[-1].open(answer)
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.mark.parametrize(("kind", "rate"), [(0x10, 8000), (0x12, 16000)])
async def test_a_tone_both_ways_keys_and_the_end(socket, kind, rate):
    bot = Bot(500)
    there = await socket(bot.take)
    async with Client(tone(1.0, 1000, rate), kind) as client:
        await client.call(there.port)
        await bot.until(lambda: len(bot.heard) > 80)
        await client.until(lambda: len(client.heard) > 80)
        assert right(np.concatenate(bot.heard[-40:]), 1000, rate) >= 0.9
        assert right(np.concatenate(client.heard[-40:]), 500, rate) >= 0.9
        (line,) = bot.lines
        assert (line.number, line.trunk, line.rate) == (str(ID), "audiosocket", rate)
        client.press("7")
        client.press("#")
        await bot.until(lambda: bot.keys == "7#")
        client.hang_up()
        assert await line.over(10)
        assert line.farewell == "the caller hung up"


async def test_we_hang_up_and_press_keys_as_tones(socket):
    bot = Bot(0)
    there = await socket(bot.take)
    detector, keys = ToneDetector(8000), []
    async with Client(np.zeros(8000, np.int16)) as client:
        await client.call(there.port)
        await bot.until(lambda: bot.heard)
        bot.lines[0].press("1D")
        with pytest.raises(ValueError, match="keys are"):
            bot.lines[0].press("x")
        await client.until(lambda: len(client.heard) > 60)
        for pcm in client.heard:
            keys += [digit.key for digit in detector.feed(pcm)]
        assert keys == ["1", "D"]
        bot.lines[0].hang_up("enough")
        await asyncio.wait_for(client.ended.wait(), 10)
    assert bot.lines[0].farewell == "enough"


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\x00\x02\x00\x00",
        b"\x01\x00\x10" + ID.bytes + b"\x18\x00\x02xx",
    ],
)
async def test_what_is_no_audiosocket_is_closed(socket, said, caplog):
    bot = Bot()
    there = await socket(bot.take)
    reader, writer = await asyncio.open_connection(HERE, there.port)
    writer.write(said)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await writer.wait_closed()
    assert "no call began" in caplog.text
    assert not bot.lines


async def test_strangers_and_one_call_too_many_are_not_let_in(socket):
    bot = Bot()
    closed = await socket(bot.take, allow=("192.0.2.1",))
    reader, writer = await asyncio.open_connection(HERE, closed.port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    await writer.wait_closed()
    small = await socket(bot.take, max_calls=1)
    async with Client(tone(1.0, 500)) as first:
        await first.call(small.port)
        await bot.until(lambda: bot.lines)
        async with Client(tone(1.0, 500)) as second:
            await second.call(small.port)
            await asyncio.wait_for(second.ended.wait(), 10)
        assert not first.ended.is_set()
    assert len(bot.lines) == 1


async def test_a_port_that_is_taken(socket):
    there = await socket(Bot().take)
    other = AudioSocket(f"127.0.0.1:{there.port}")
    with pytest.raises(PhoneError, match="cannot listen on"):
        await other.open(Bot().take)
    await other.close()


@pytest.mark.needs_flite
async def test_an_agent_answers_and_joins_them_with_a_sip_phone(models, station):
    """The same surface as a SIP call: speech, keys, a transfer over a trunk."""
    human = Bot(500)
    there = await station(human.take)
    trunk = local_trunk(port=there.local[0].port, transport=None)
    way = AudioSocket("127.0.0.1:0", agent="desk")
    agents = [Agent(name="other"), Agent(name="desk", greeting="Hello.")]
    calls = []
    exposure = Exposure(listen=("udp:127.0.0.1:0",), rtp=range(40_000, 48_000))
    said = np.concatenate(
        [
            np.zeros(24_000, np.int16),
            speak("What time do you open this evening?", 8000),
            np.zeros(80_000, np.int16),
        ]
    )
    async with (
        Phone(
            agents,
            models,
            trunks=[trunk],
            exposure=exposure,
            entrances=[way],
            began=lambda conversation, _: calls.append(conversation.call),
        ),
        Client(said) as client,
    ):
        await client.call(way.port)
        await client.until(lambda: calls and calls[0].transcript.caller, 30)
        (call,) = calls
        assert "what time do you open" in call.transcript.caller[0].text.lower()
        assert call.agent.name == "desk"
        assert call.called == str(ID)
        client.press("5")
        async with asyncio.timeout(10):
            async for event in call:
                if isinstance(event, KeyPressed):
                    assert event.key == "5"
                    break
        assert line_of(call).trunk == "audiosocket"
        await call.transfer("100", mode="bridge", announcement="")
        await human.hears(0.4)
        heard = len(client.heard)
        await client.until(lambda: len(client.heard) > heard + 60)
        assert right(np.concatenate(client.heard[-20:]), 500) >= 0.8
        human.lines[0].hang_up()
        await asyncio.wait_for(client.ended.wait(), 10)
    assert call.reason == "transferred to 100; the other side hung up"


async def test_no_sip_port_is_taken_where_none_is_needed(models):
    way = AudioSocket("127.0.0.1:0")
    async with Phone(Agent(), models, entrances=[way]) as phone:
        assert phone.station.local == []
    with pytest.raises(PhoneError, match="no agent 'x'"):
        Phone(Agent(), models, entrances=[AudioSocket(agent="x")])


async def test_no_call_comes_in_where_what_is_measured_leaves_no_room(models):
    way = AudioSocket("127.0.0.1:0")
    async with (
        Phone(Agent(), models, entrances=[way], gate=full_gate()),
        Client(tone(0.2, 500)) as client,
    ):
        await client.call(way.port)
        await asyncio.wait_for(client.ended.wait(), 10)
