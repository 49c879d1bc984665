"""chan_websocket, spoken by a client that is written from the driver's document."""

from __future__ import annotations

import asyncio
import contextlib
import json

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.phone.conftest import Bot
from tests.phone.peers import HERE, right, tone
from vivavoce.agent import Agent
from vivavoce.phone import ChanWebSocket, Phone
from vivavoce.phone.chan_websocket import read_event

START = {
    "event": "MEDIA_START",
    "connection_id": "e226e283-c90a-4ea9-9e37-389000b9ef47",
    "channel": "WebSocket/vivavoce/0x5140001a0040",
    "channel_id": "pbx1-1761245643.1",
    "format": "slin16",
    "optimal_frame_size": 640,
    "ptime": 20,
    "channel_variables": {"DIALEDPEERNUMBER": "vivavoce/c(slin16)"},
}
QUERY = "?caller=%2B33123&name=Ann&number=100"


class Client:
    """An Asterisk: it streams a sound, and keeps what it is sent."""

    def __init__(self, socket, sound: np.ndarray, rate: int = 16_000) -> None:
        self.socket, self.sound, self.size = socket, sound, rate // 50
        self.heard: list[np.ndarray] = []
        self.commands: list[str] = []
        self.ended = asyncio.Event()
        self.changed = asyncio.Event()
        self.tasks = [asyncio.create_task(self.stream()), asyncio.create_task(self.read())]

    async def stream(self) -> None:
        loop, at = asyncio.get_running_loop(), 0
        due = loop.time()
        with contextlib.suppress(ConnectionClosed):
            while True:
                block = np.take(self.sound, range(at, at + self.size), mode="wrap")
                await self.socket.send(block.astype("<i2").tobytes())
                at = (at + self.size) % len(self.sound)
                due += 0.02
                await asyncio.sleep(max(0, due - loop.time()))

    async def read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                if isinstance(message, str):
                    self.commands.append(json.loads(message)["command"])
                else:
                    self.heard.append(np.frombuffer(message, "<i2"))
                self.changed.set()
        self.ended.set()
        self.changed.set()

    async def tell(self, event: str, **more) -> None:
        await self.socket.send(json.dumps({"event": event, "channel_id": "x", **more}))

    async def until(self, condition, within: float = 20.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def calling(port: int, sound: np.ndarray, *, start=START, query: str = QUERY):
    """Call as an Asterisk does."""
    url = f"ws://{HERE}:{port}/media{query}"
    async with connect(url, subprotocols=["media"], compression=None) as socket:
        assert socket.subprotocol == "media"
        await socket.send(json.dumps(start, indent=2))
        client = Client(socket, sound, 16_000 if start["format"] == "slin16" else 8_000)
        try:
            yield client
        finally:
            await client.close()


@pytest.fixture
async def way():
    """A factory of open ways in."""
    made: list[ChanWebSocket] = []

    async def make(answer, **options) -> ChanWebSocket:
        made.append(ChanWebSocket("127.0.0.1:0", **options))
        await made[-1].open(answer)
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.mark.parametrize(("format_", "rate"), [("slin16", 16_000), ("slin", 8_000)])
async def test_a_tone_both_ways_keys_and_the_end(way, format_, rate):
    bot = Bot(500)
    there = await way(bot.take)
    start = {**START, "format": format_}
    async with calling(there.port, tone(1.0, 1000, rate), start=start) as client:
        await bot.until(lambda: len(bot.heard) > 80)
        await client.until(lambda: len(client.heard) > 80)
        assert client.commands == ["ANSWER"]
        assert {len(pcm) for pcm in client.heard} == {rate // 50}
        assert right(np.concatenate(bot.heard[-40:]), 1000, rate) >= 0.9
        assert right(np.concatenate(client.heard[-40:]), 500, rate) >= 0.9
        (line,) = bot.lines
        assert (line.caller, line.display, line.number) == ("+33123", "Ann", "100")
        assert (line.call_id, line.rate) == ("pbx1-1761245643.1", rate)
        await client.tell("DTMF_END", digit="7")
        await client.tell("DTMF_END", digit="#")
        await bot.until(lambda: bot.keys == "7#")
    assert await line.over(10)
    assert line.farewell == "the caller hung up"


async def test_we_hang_up(way):
    bot = Bot(500)
    there = await way(bot.take)
    async with calling(there.port, tone(1.0, 500, 16_000)) as client:
        await bot.until(lambda: bot.heard)
        bot.lines[0].hang_up("enough")
        await asyncio.wait_for(client.ended.wait(), 10)
        assert client.commands == ["ANSWER", "HANGUP"]


async def test_a_call_that_is_refused_is_never_answered(way):
    bot = Bot()
    bot.reject = 404
    there = await way(bot.take)
    async with calling(there.port, tone(1.0, 500, 16_000)) as client:
        await asyncio.wait_for(client.ended.wait(), 10)
        assert client.commands == ["HANGUP"]
        assert not client.heard


async def test_nothing_is_sent_while_asterisks_queue_is_full(way):
    bot = Bot(500)
    there = await way(bot.take)
    async with calling(there.port, tone(1.0, 500, 16_000)) as client:
        await client.until(lambda: client.heard)
        await client.tell("MEDIA_XOFF")
        await client.tell("DTMF_END", digit="1")
        await bot.until(lambda: bot.keys == "1")
        await asyncio.sleep(0.1)
        count = len(client.heard)
        await bot.hears(len(bot.heard) * 0.02 + 0.3)
        assert len(client.heard) <= count + 1
        await client.tell("MEDIA_XON")
        await client.until(lambda: len(client.heard) > count + 10)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("MEDIA_START connection_id:x channel:y format:slin16", r"f\(json\)"),
        (json.dumps({**START, "format": "opus"}), "slin16"),
        (json.dumps({"event": "STATUS"}), "before MEDIA_START"),
        ("{}", "no event"),
        (b"\x00\x00", "audio came before"),
    ],
)
async def test_what_is_no_call_is_closed(way, said, why, caplog):
    bot = Bot()
    there = await way(bot.take)
    async with connect(f"ws://{HERE}:{there.port}/media") as socket:
        await socket.send(said)
        with pytest.raises(ConnectionClosed, match=why):
            await asyncio.wait_for(socket.recv(), 10)
    assert not bot.lines
    assert "no call began" in caplog.text


async def test_strangers_browsers_and_one_call_too_many_are_not_let_in(way):
    bot = Bot()
    closed = await way(bot.take, allow=("192.0.2.1",))
    with pytest.raises(InvalidStatus, match="403"):
        await connect(f"ws://{HERE}:{closed.port}/media")
    small = await way(bot.take, max_calls=1)
    with pytest.raises(InvalidStatus, match="403"):
        await connect(f"ws://{HERE}:{small.port}/media", origin="https://evil.test")
    async with calling(small.port, tone(1.0, 500, 16_000)):
        await bot.until(lambda: bot.lines)
        with pytest.raises(InvalidStatus, match="503"):
            await connect(f"ws://{HERE}:{small.port}/media")


async def test_events_that_are_none():
    assert read_event('{"event": "STATUS"}') == {"event": "STATUS"}
    for text in ("[]", '{"event": 1}', "x"):
        with pytest.raises(ValueError, match="no event"):
            read_event(text)


async def test_an_agent_answers(models):
    way, calls = ChanWebSocket("127.0.0.1:0"), []
    agent = Agent(greeting="Hello.")
    async with (
        Phone(
            agent, models, entrances=[way], began=lambda conversation, _: calls.append(conversation)
        ),
        calling(way.port, np.zeros(16_000, np.int16)) as client,
    ):
        await client.until(lambda: any(abs(pcm.astype(int)).max() > 2000 for pcm in client.heard))
        call = calls[0].call
        assert (call.caller, call.called) == ("+33123", "100")
        await call.hang_up("done")
        await asyncio.wait_for(client.ended.wait(), 10)
    assert call.reason == "done"
    assert call.transcript.replies[0].heard == "Hello."
