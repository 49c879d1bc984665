"""Calls at a sound card: PortAudio and PulseAudio as they are, only the hardware is missing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.soundcard import NEEDS, SoundCard, missing, soundcard
from tests.speech import speak
from vivavoce.pipelines import microphone
from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.microphone import (
    Device,
    MicrophoneError,
    MicrophoneTransport,
    choose,
    devices,
)
from vivavoce.pipelines.turns.playout import Block

RATE = 24_000

needs_card = pytest.mark.skipif(missing(), reason=NEEDS)


@pytest.fixture
def card(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[SoundCard]:
    """A sound card for this process: PortAudio looks for devices anew."""
    folder = tmp_path_factory.mktemp("card")
    sound = microphone.portaudio()
    with soundcard(folder, echo=getattr(request, "param", False)) as running:
        before = {name: os.environ.get(name) for name in running.environment}
        os.environ.update(running.environment)
        sound._terminate()
        sound._initialize()
        try:
            yield running
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            sound._terminate()
            sound._initialize()


class Talker:
    """The other end of a transport: plays a sound, keeps what is heard. Implements `Carried`."""

    rate = RATE
    busy = False
    settled = False

    def __init__(self, transport: MicrophoneTransport, sound: np.ndarray, seconds: float) -> None:
        self.clock = Clock()
        self.heard: list[np.ndarray] = []
        self.over = ""
        self._sound = sound
        self._seconds = seconds
        self._began = asyncio.Event()
        self.levels: list[float] = []
        self.played = 0
        entry = transport.input()

        async def keep(frame: Any, _direction: Any = None) -> None:
            self.heard.append(np.frombuffer(frame.audio, np.int16))
            self.levels.append(transport.level)
            if sum(map(len, self.heard)) >= microphone.RATE / 2:
                self._began.set()
            if sum(map(len, self.heard)) >= self._seconds * microphone.RATE:
                self.over = "enough was heard"

        entry.push_frame = keep  # type: ignore[method-assign]

    async def begins(self) -> None:
        """Wait until half a second was heard: a sound server takes its time at first."""
        async with asyncio.timeout(20):
            await self._began.wait()

    def fail(self, stage: str, message: str) -> None:
        raise AssertionError(f"{stage}: {message}")

    async def play(self, count: int) -> Block:
        samples = np.zeros(count, np.int16)
        part = self._sound[self.played : self.played + count]
        samples[: len(part)] = part
        self.played += count
        return Block(samples, None, (), bool(len(part)))

    def level(self, start: float, end: float) -> float:
        """How loud what was heard is, between two moments (dBFS)."""
        rate = microphone.RATE
        pcm = np.concatenate(self.heard)[round(start * rate) : round(end * rate)].astype(float)
        return float(10 * np.log10(np.mean((pcm / 32_768) ** 2) + 1e-12))


def noise(seconds: float, rate: int, seed: int = 5) -> np.ndarray:
    """Something like speech: noise in syllables."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    envelope = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1)
    return (rng.normal(0, 4_000, len(time)) * envelope).clip(-32_768, 32_767).astype(np.int16)


async def carry(transport: MicrophoneTransport, talker: Talker) -> str:
    try:
        async with asyncio.timeout(60):
            return await transport.carry(talker)
    finally:
        await transport.close()


@needs_card
async def test_what_is_spoken_into_the_microphone_is_heard(card: SoundCard) -> None:
    transport = MicrophoneTransport(echo=False)
    talker = Talker(transport, np.zeros(0, np.int16), 4.0)
    speaking = card.say(np.concatenate([np.zeros(8_000, np.int16), noise(2, 16_000)]), 16_000)
    try:
        assert await carry(transport, talker) == "enough was heard"
    finally:
        speaking.terminate()
        speaking.wait(10)
    assert max(talker.level(at, at + 0.5) for at in np.arange(0, 3.5, 0.25)) > -35
    assert not transport.gone
    # The card's clock is the call's: as much was played as was captured, but for what is ready.
    assert talker.played / RATE == pytest.approx(4.0, abs=0.6)


@needs_card
@pytest.mark.parametrize("card", [True], indirect=True)
async def test_the_speakers_echo_does_not_come_back(card: SoundCard) -> None:
    levels = []
    speech = speak("We are open every evening from six to eleven, except on Mondays.", RATE)
    for echo in (False, True):
        for _ in range(3):
            transport = MicrophoneTransport(echo=echo)
            talker = Talker(transport, np.concatenate([speech, speech]), 5.0)
            await carry(transport, talker)
            # What a card loses, no canceller can know.
            if not transport.gone and transport.counters.glitches <= 1:
                break
        else:
            pytest.skip("this machine is too busy for its sound server")
        levels.append(talker.level(2.5, 4.5))
    loud, left = levels
    assert loud > -50, "the card has no echo to cancel"
    assert loud - left >= 20


@needs_card
async def test_nothing_is_heard_while_the_microphone_is_closed(card: SoundCard) -> None:
    transport = MicrophoneTransport(echo=False, push=True)
    talker = Talker(transport, np.zeros(0, np.int16), 2.0)
    speaking = card.say(noise(4, 16_000), 16_000)
    try:
        await carry(transport, talker)
    finally:
        speaking.terminate()
        speaking.wait(10)
    assert not np.concatenate(talker.heard).any()
    assert max(talker.levels) > -60, "the level shows all the same that the microphone works"


@needs_card
async def test_the_call_is_recorded_as_it_was_played(card: SoundCard, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    transport = MicrophoneTransport(echo=False, recording=path)
    sound = noise(1, RATE)
    await carry(transport, Talker(transport, sound, 2.0))
    with WavReader(path, None) as reader:
        assert not reader.warning
        assert 2.0 <= reader.duration < 4.0
    both = np.frombuffer(path.read_bytes()[44:], "<i2").reshape(-1, 2).astype(float)
    assert np.abs(both[:, 1]).max() > 3_000
    assert np.abs(both[:, 0]).max() < 300


@needs_card
async def test_a_loop_that_stops_for_a_while_goes_on(card: SoundCard) -> None:
    import time

    transport = MicrophoneTransport(echo=False)
    talker = Talker(transport, noise(10, RATE), 3.0)

    async def busy() -> None:
        await talker.begins()
        time.sleep(0.4)  # noqa: ASYNC251 (this is what it is about)

    being_busy = asyncio.create_task(busy())
    assert await carry(transport, talker) == "enough was heard"
    await being_busy
    assert transport.counters.late >= 1
    assert transport.counters.underruns >= 1
    assert transport.counters.overruns == 0


@needs_card
async def test_a_card_that_goes_away_ends_the_call(card: SoundCard) -> None:
    transport = MicrophoneTransport(echo=False)
    talker = Talker(transport, np.zeros(0, np.int16), 60.0)
    carrying = asyncio.create_task(carry(transport, talker))
    beginning = asyncio.create_task(talker.begins())
    # A busy machine may lose the card before.
    await asyncio.wait({beginning, carrying}, return_when=asyncio.FIRST_COMPLETED)
    beginning.cancel()
    if (stream := transport._stream) is not None:
        # On this thread: the transport closes the stream as soon as it hears of its end, and
        # PortAudio waits for ever when a stream is closed while it is still being aborted.
        stream.abort()
    assert await carrying == "the sound card is gone"
    assert transport.gone
    await transport.close()


@needs_card
async def test_devices_are_found_by_number_name_and_a_part_of_it(card: SoundCard) -> None:
    found = devices()
    assert {"pulse", "default"} <= {each.name for each in found}
    first = next(each for each in found if each.name == "pulse")
    assert choose(str(first.index), "in") == choose("pulse", "in") == choose("PUL", "out") == first
    assert choose(None, "in").default


DEVICES = [
    Device(0, "USB Mic", 1, 0, 48_000, "in"),
    Device(1, "USB Speaker", 0, 2, 48_000, "out"),
    Device(2, "USB Mic Two", 1, 0, 16_000, ""),
]


@pytest.mark.parametrize(
    ("wanted", "side", "index"),
    [(None, "in", 0), (None, "out", 1), ("2", "in", 2), ("usb mic", "in", 0), ("two", "in", 2)],
)
def test_the_device_that_is_meant(
    monkeypatch: Any, wanted: str | None, side: str, index: int
) -> None:
    monkeypatch.setattr(microphone, "devices", lambda: DEVICES)
    assert choose(wanted, side).index == index


@pytest.mark.parametrize(
    ("wanted", "side", "said"),
    [
        ("1", "in", "is no microphone here: choose one of 0 (USB Mic), 2 (USB Mic Two)"),
        ("7", "out", "is no speaker here: choose one of 1 (USB Speaker)"),
        ("usb m", "in", "is more than one device: choose one of 0 (USB Mic), 2 (USB Mic Two)"),
    ],
)
def test_a_device_that_is_not_there(monkeypatch: Any, wanted: str, side: str, said: str) -> None:
    monkeypatch.setattr(microphone, "devices", lambda: DEVICES)
    with pytest.raises(MicrophoneError) as caught:
        choose(wanted, side)
    assert said in str(caught.value)


def test_no_devices_at_all(monkeypatch: Any) -> None:
    monkeypatch.setattr(microphone, "devices", list)
    with pytest.raises(MicrophoneError, match="has no speaker: plug one in"):
        choose(None, "out")


@pytest.mark.parametrize(
    ("trouble", "said"),
    [(ImportError("no"), r"vivavoce\[mic\]"), (OSError("PortAudio library not found"), "apt")],
)
def test_a_package_or_library_that_is_missing(
    monkeypatch: Any, trouble: Exception, said: str
) -> None:
    class Finder:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "sounddevice":
                raise trouble

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with pytest.raises(MicrophoneError, match=said):
        microphone.portaudio()
