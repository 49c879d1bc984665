"""Stations of ours for tests: bots that play a tone, keep what they hear, and tell keys."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest

from tests.phone.agents import key, models  # noqa: F401 - fixtures
from tests.phone.peers import HERE, right, tone
from vivavoce.phone import Exposure, PhoneLine, Station, Trunk
from vivavoce.phone.media.rtp import RtpPacket
from vivavoce.pipelines.audio.convert import encode_mulaw


class Bot:
    """Answers (or makes) calls, plays a tone of its own, and keeps what it hears."""

    def __init__(self, frequency: float = 440.0) -> None:
        self.frequency = frequency
        self.lines: list[PhoneLine] = []
        self.heard: list[np.ndarray] = []
        self.keys = ""
        self.reject = 0
        self.answering = True
        self.rings = 0.0  # s until it answers
        self._changed = asyncio.Event()

    async def take(self, line: PhoneLine) -> None:
        self.lines.append(line)
        self._changed.set()
        if self.reject:
            line.reject(self.reject)
            return
        if not self.answering:
            await line.over(30)
            return
        if self.rings and await line.over(self.rings):
            return
        if await line.answer():
            await self.talk(line)

    async def talk(self, line: PhoneLine) -> None:
        sound, at = tone(1.0, self.frequency, line.rate), 0
        with line.keys(self._pressed):
            while blocks := await line.listen():
                self._changed.set()
                self.heard += [pcm for pcm, _ in blocks]
                count = round(line.wanted * line.rate)
                line.say(np.take(sound, range(at, at + count), mode="wrap"))
                at = (at + count) % len(sound)

    def _pressed(self, pressed: str) -> None:
        self.keys += pressed
        self._changed.set()

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.int16), *self.heard])

    async def until(self, condition: Callable[[], Any], within: float = 20.0) -> None:
        """Wait for something to be so; looked at with each block heard, key and call."""
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                try:
                    async with asyncio.timeout(0.1):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def hears_tone(self, frequency: float, seconds: float = 2.5) -> None:
        """Wait until 95 % of the last seconds' windows were a tone.

        A busy machine may stall both ends for a while, which is not what is tested.
        """
        count = round(seconds / 0.02)

        def good() -> bool:
            if len(self.heard) < count:
                return False
            return right(np.concatenate(self.heard[-count:]), frequency) >= 0.95

        try:
            await self.until(good, 25.0)
        except TimeoutError:
            figures = [line.statistics() for line in self.lines]
            pytest.fail(f"no {frequency:g} Hz in {len(self.heard) * 0.02:.1f} s: {figures}")

    async def hears(self, seconds: float) -> None:
        await self.until(lambda: len(self.heard) * 0.02 >= seconds)


def local_trunk(**given: Any) -> Trunk:
    """A trunk of this machine."""
    options: dict[str, Any] = {"transport": None, "allow": ("127.0.0.0/8",), "codecs": ("PCMU",)}
    return Trunk("lab", **{"host": HERE, **options, **given})


def port_of(station: Station, transport: str = "udp") -> int:
    return next(a.port for a in station.local if a.transport == transport)


def only(sound: np.ndarray, wanted: float, strange: float) -> bool:
    """Whether of two tones just one is in it; what is missing at a busy moment is another matter."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    bins = np.arange(len(spectrum)) * 8000 / len(sound)

    def most(frequency: float) -> float:
        return float(spectrum[abs(bins - frequency) < 20].max())

    return most(strange) < 0.05 * most(wanted)


async def spray(line: PhoneLine, frequency: float = 300.0, count: int = 300) -> None:
    """Send loud RTP from an address that has no business here to a line's port."""
    loud = encode_mulaw(tone(0.02, frequency) * 3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.9", 0))
        for number in range(count):
            packet = RtpPacket(0, number, number * 160, 77, loud)
            stranger.sendto(packet.serialise(), line._endpoint.address)
            if number % 3 == 2:
                await asyncio.sleep(0.01)


@pytest.fixture
async def station():
    """A factory: ``await station(bot.take, trunk options…, exposure={…})``, closed afterwards."""
    async with AsyncExitStack() as stack:

        async def make(
            answer=None, *, exposure=None, trunks=None, gate=None, **given: Any
        ) -> Station:
            options: dict[str, Any] = {"listen": ("udp:127.0.0.1:0",), "rtp": range(40_000, 48_000)}
            return await stack.enter_async_context(
                Station(
                    answer,
                    trunks=[local_trunk(**given)] if trunks is None else trunks,
                    exposure=Exposure(**{**options, **(exposure or {})}),
                    gate=gate,
                )
            )

        yield make
