"""The microphone: a call at this machine's own microphone and speaker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.processors.frame_processor import FrameProcessor

from vivavoce.pipelines.audio.level import levels
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.duplex import Counters, Duplex
from vivavoce.pipelines.echo import RATE, EchoCanceller
from vivavoce.pipelines.local import Passage
from vivavoce.pipelines.recorder import Recorder
from vivavoce.pipelines.transport import Carried

log = logging.getLogger("vivavoce")

Samples = NDArray[np.int16]

BLOCK = 0.02
"""Seconds that are heard and answered at a time."""
LATENCY = 0.04
"""Seconds that the card is asked to buffer each way: sound servers stumble over less."""
CLOSE = 5.0
"""Seconds that a sound card may take to be closed; a card that is gone may take for ever."""
STALL = 5.0
"""Seconds without a sample after which the card counts as gone."""
_SIZE = round(RATE * BLOCK)


class MicrophoneError(RuntimeError):
    """The sound card cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device.

    Attributes:
        index: Its number, by which it can be chosen.
        name: Its name, likewise, or a part of it that no other has.
        inputs: Channels that it records.
        outputs: Channels that it plays.
        rate: The sample rate it prefers (Hz).
        default: "in", "out", "in, out" or "", as the system's default.
    """

    index: int
    name: str
    inputs: int
    outputs: int
    rate: int
    default: str


def portaudio() -> Any:
    """Return the module `sounddevice`, with its library.

    Raises:
        MicrophoneError: If one of them is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MicrophoneError(
            "the microphone needs a package more: pip install 'vivavoce[mic]'"
        ) from error
    except OSError as error:
        # The wheels for macOS and Windows hold the library; Linux brings its own.
        raise MicrophoneError(
            "PortAudio is not installed: apt install libportaudio2 (Debian, Ubuntu), dnf install"
            " portaudio (Fedora), or brew install portaudio (macOS)"
        ) from error
    return sounddevice


def devices() -> list[Device]:
    """Return this machine's sound devices.

    Raises:
        MicrophoneError: If sounddevice or PortAudio is not installed.
    """
    sound = portaudio()
    try:
        found = list(sound.query_devices())
        first_in, first_out = sound.default.device
    except sound.PortAudioError as error:
        raise MicrophoneError(f"PortAudio does not tell its devices: {_first(error)}") from error
    return [
        Device(
            index,
            str(each["name"]),
            int(each["max_input_channels"]),
            int(each["max_output_channels"]),
            round(each["default_samplerate"]),
            ", ".join(
                side for side, default in (("in", first_in), ("out", first_out)) if default == index
            ),
        )
        for index, each in enumerate(found)
    ]


def choose(wanted: str | None, side: str) -> Device:
    """Return the device that is meant.

    Args:
        wanted: Its number, its name or a part of that; None: the system's default.
        side: "in" or "out".

    Raises:
        MicrophoneError: If there is none, or more than one; the message names them.
    """
    what = "microphone" if side == "in" else "speaker"
    found = [each for each in devices() if (each.inputs if side == "in" else each.outputs) > 0]
    if not found:
        raise MicrophoneError(
            f"this machine has no {what}: plug one in, or see `vivavoce talk --devices`"
        )
    if wanted is None:
        default = [each for each in found if side in each.default.split(", ")]
        return (default or found)[0]
    if wanted.isdecimal():
        fitting = [each for each in found if each.index == int(wanted)]
    else:
        fitting = [each for each in found if wanted.lower() == each.name.lower()]
        fitting = fitting or [each for each in found if wanted.lower() in each.name.lower()]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(f"{each.index} ({each.name})" for each in (fitting or found))
    problem = "is more than one device" if fitting else f"is no {what} here"
    raise MicrophoneError(f"{wanted!r} {problem}: choose one of {names}")


class MicrophoneTransport:
    """Carries a call at a sound card. Implements `Transport`.

    The card's clock is the call's: for each block that was captured one is taken from the
    agent's speech, so nothing is sent to the speaker faster than it plays. What the card holds
    counts as heard when it is handed over, some 40 to 100 ms before it is.

    Args:
        microphone: Which device, as `choose` takes it.
        speaker: Likewise.
        echo: Cancel the speaker's echo; not needed with headphones.
        push: Nothing is heard until `open` is called.
        recording: Where the call is recorded, as it was played (stereo: caller left, agent
            right); None: nowhere.

    Attributes:
        level: The microphone's newest level (dBFS).
        listening: Whether what the microphone hears reaches the agent.
        gone: The card went away in the middle of the call.

    Raises:
        MicrophoneError: If a device cannot be used.
        vivavoce.pipelines.echo.EchoMissingError: If the echo canceller is not installed.
    """

    def __init__(
        self,
        *,
        microphone: str | None = None,
        speaker: str | None = None,
        echo: bool = True,
        push: bool = False,
        recording: Path | None = None,
    ) -> None:
        self.microphone = choose(microphone, "in")
        self.speaker = choose(speaker, "out")
        self.level = -90.0
        self.listening = not push
        self.gone = False
        self._canceller = EchoCanceller() if echo else None
        self._recording = recording
        self._recorder: Recorder | None = None
        self._input = Passage("MicrophoneInput")
        self._output = Passage("MicrophoneOutput")
        self._came = asyncio.Event()
        self._stream: Any = None
        self._rate, self._inputs, self._outputs = _format(self.microphone, self.speaker)
        self._duplex = Duplex(self._rate)

    @property
    def counters(self) -> Counters:
        """What went wrong between the card and the call so far."""
        return self._duplex.counters

    @property
    def latency(self) -> tuple[float, float]:
        """What the card adds on the way in and on the way out (s); zero before the call.

        The way out includes what is kept ready for it.
        """
        if self._stream is None:
            return 0.0, 0.0
        into, out = self._stream.latency
        return float(into), float(out) + self._duplex.wanted

    def input(self) -> FrameProcessor:
        """Return the processor that pushes what the microphone hears."""
        return self._input

    def output(self) -> FrameProcessor:
        """Return the processor that takes the agent's audio."""
        return self._output

    async def carry(self, conversation: Carried) -> str:
        """Carry the call until it is over or the card is gone; return why it ended.

        Raises:
            MicrophoneError: If the card cannot be opened.
        """
        if self._recording is not None:
            self._recorder = Recorder(
                self._recording,
                self._rate,
                0.0,
                lambda why: conversation.fail("recording", why),
                required=True,
            )
        near = Resampler(self._rate, RATE, aligned=False)
        far = Resampler(self._rate, RATE, aligned=False)
        out = Resampler(conversation.rate, self._rate, aligned=False)
        heard = np.zeros(0, np.int16)
        played = np.zeros(0, np.int16)
        self._open()
        while not conversation.over:
            pair = await self._next()
            if pair is None:
                return "the sound card is gone"
            heard = np.concatenate([heard, near.feed(pair[0])])
            played = np.concatenate([played, far.feed(pair[1])])
            if self._recorder is not None:
                self._recorder.agent(pair[1])
            while len(heard) >= _SIZE:
                pcm = self._heard(heard[:_SIZE], played[:_SIZE])
                heard, played = heard[_SIZE:], played[_SIZE:]
                if self._recorder is not None:
                    self._recorder.caller(pcm, RATE)
                await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), RATE, 1))
                await self._answer(conversation, out)
        return conversation.over

    async def _answer(self, conversation: Carried, out: Resampler) -> None:
        """Keep as much speech ready as is needed, and no more: one block for each that came."""
        wanted = self._duplex.wanted
        # Once the card had to wait for the loop, what is ready is a block too much.
        while self._duplex.depth < wanted:
            block = await conversation.play(round(conversation.rate * BLOCK))
            self._duplex.put(out.feed(block.samples), sounding=block.speaking)

    def _heard(self, near: Samples, far: Samples) -> Samples:
        """Make of what the microphone heard what the agent hears."""
        self.level = levels(near, _SIZE)[0]
        if self._canceller is not None:
            near = self._canceller.feed(near, far)
        return near if self.listening else np.zeros(len(near), np.int16)

    async def _next(self) -> tuple[Samples, Samples] | None:
        """Wait for what the card brings next; None when it is gone."""
        while (pair := self._duplex.take()) is None:
            self._came.clear()
            try:
                if not self.gone:
                    async with asyncio.timeout(STALL):
                        await self._came.wait()
                        continue
            except TimeoutError:
                self.gone = True
            return None
        return pair

    def _open(self) -> None:
        sound = portaudio()
        loop = asyncio.get_running_loop()
        wake = self._came.set

        def told(callback: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
                loop.call_soon_threadsafe(callback)

        def exchange(captured: Any, out: Any, _frames: int, _time: Any, status: Any) -> None:
            lost = bool(status.input_overflow or status.output_underflow)
            out[:] = self._duplex.exchange(captured[:, 0], glitch=lost)[:, None]
            told(wake)

        def finished() -> None:
            # By itself, not because it was closed.
            self.gone = self._stream is not None
            told(wake)

        try:
            self._stream = sound.Stream(
                samplerate=self._rate,
                device=(self.microphone.index, self.speaker.index),
                channels=(self._inputs, self._outputs),
                dtype="int16",
                latency=LATENCY,
                callback=exchange,
                finished_callback=finished,
            )
            self._stream.start()
        except (sound.PortAudioError, ValueError, OSError) as error:
            raise MicrophoneError(
                f"cannot open {self.microphone.name} and {self.speaker.name} together:"
                f" {_first(error)}; choose others of `vivavoce talk --devices`"
            ) from error

    async def close(self) -> None:
        """Give the card back and finish the recording; idempotent."""
        stream, self._stream = self._stream, None
        if stream is not None:
            # It waits for the card's thread, which must not wait for this loop meanwhile.
            try:
                async with asyncio.timeout(CLOSE):
                    await asyncio.to_thread(stream.close)
            except TimeoutError:
                log.warning("the sound card does not let go of the call; going on without it")
        if self._recorder is not None:
            await self._recorder.finish()


def _format(microphone: Device, speaker: Device) -> tuple[int, int, int]:
    """Return a sample rate that both devices take, and the channels of each.

    Raises:
        MicrophoneError: If there is none.
    """
    sound = portaudio()
    problem = ""
    for rate in dict.fromkeys((48_000, microphone.rate, speaker.rate, 44_100, 16_000)):
        for inputs, outputs in ((1, 1), (1, 2), (2, 2), (2, 1)):
            try:
                sound.check_input_settings(microphone.index, inputs, "int16", None, rate)
                sound.check_output_settings(speaker.index, outputs, "int16", None, rate)
            except (sound.PortAudioError, ValueError) as error:
                problem = _first(error)
                continue
            return rate, inputs, outputs
    raise MicrophoneError(
        f"{microphone.name} and {speaker.name} take no sample rate in common: {problem}; choose"
        " others of `vivavoce talk --devices`"
    )


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
