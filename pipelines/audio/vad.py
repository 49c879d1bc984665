"""Voice activity detectors: int16 audio in, voice probabilities out.

Two detectors with one face (`Vad`): Silero, a small neural network, is right far more often;
WebRTC's is three times cheaper and takes much noise for voice. `activity.VoiceActivity` makes
starts and stops of either's windows.

Measured, one thread of one shared EPYC core: a window of 32 ms costs Silero 61 µs, or 11 µs where
it holds only background; a window of 20 ms costs WebRTC 10 µs.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from . import silero
from .activity import (
    NoiseFloor,
    VoiceActivity,
    VoiceEvent,
    VoiceSettings,
    VoiceStarted,
    VoiceStopped,
    VoiceWindow,
)
from .convert import SILENCE_DBFS, Float32, Int16, to_float32

__all__ = [
    "SileroVad",
    "Vad",
    "VoiceActivity",
    "VoiceEvent",
    "VoiceSettings",
    "VoiceStarted",
    "VoiceStopped",
    "VoiceWindow",
    "WebRtcVad",
]

_FLOOR_POWER = 10.0 ** (SILENCE_DBFS / 10.0)
_STEP = np.float32(1.0 / 32768.0)


class Vad(Protocol):
    """A voice activity detector for one stream.

    Attributes:
        rate: The sample rate it is fed (Hz).
        window: How many samples it judges at a time.
    """

    @property
    def rate(self) -> int:
        """The sample rate it is fed (Hz)."""

    @property
    def window(self) -> int:
        """How many samples it judges at a time."""

    def feed(self, pcm: Int16) -> Sequence[VoiceWindow]:
        """Take a block of any size and give the windows it completes, often none or one."""

    def reset(self) -> None:
        """Begin a new stream, at sample 0."""


def _levels(audio: Float32, hops: int) -> tuple[float, ...]:
    """RMS levels (dBFS) of a block's equal parts."""
    parts = audio.reshape(hops, -1)
    powers: list[float] = np.vecdot(parts, parts).tolist()
    size = parts.shape[1]
    return tuple(10.0 * math.log10(max(power / size, _FLOOR_POWER)) for power in powers)


def _check(pcm: Int16) -> None:
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise TypeError(
            "A voice detector takes mono audio as a one-dimensional int16 array, "
            f"not {pcm.dtype} {pcm.shape}."
        )


class SileroVad:
    """Silero VAD: windows of 32 ms at 8 or 16 kHz.

    The network's weights are one per process, read on first use (about 30 ms; call `warm()` at
    start-up) and shared by all calls and threads. An instance keeps one stream's state and is
    not thread-safe itself. It runs inline: 60 µs cost less than a hop to a thread, and nothing
    would be gained by judging several calls' windows together.

    The network carries what it heard from window to window, and long stretches without speech
    (music above all) leave it slow to notice the speech that follows. So its memory is cleared
    during clear non-speech, at most every two seconds.

    Args:
        rate: 16000 or 8000 Hz.
        model: A Silero v5 or v6 ONNX file, by default the one that comes with pipecat.
        skip_silence: Do not ask the network about background behind background.

    Raises:
        ValueError: The rate is another one.
        ModelFileError: The model file is missing or broken.
    """

    _HOPS = 4  # of 8 ms
    _QUIET = 0.1  # probability below which a window is clearly not speech
    _QUIET_WINDOWS = 5
    _RESET_EVERY = 63  # windows: 2 s
    _FAINTEST = -62.0  # dBFS below which nothing is a voice
    _ABOVE_FLOOR = 3.0  # dB above the background up to which it is background

    def __init__(
        self, rate: int = 16_000, *, model: Path | None = None, skip_silence: bool = True
    ) -> None:
        if rate not in (8_000, 16_000):
            raise ValueError(
                f"Silero VAD works at 8000 or 16000 Hz, not {rate}: use a Resampler before it."
            )
        self._rate = rate
        self._size = rate * 32 // 1000
        self._skip_silence = skip_silence
        self._network = silero.network(rate, model)
        self.reset()

    @property
    def rate(self) -> int:
        """The sample rate it is fed (Hz)."""
        return self._rate

    @property
    def window(self) -> int:
        """How many samples it judges at a time: 512 at 16 kHz, 256 at 8 kHz."""
        return self._size

    @staticmethod
    def warm() -> None:
        """Load the weights and use them once, so that the first call does not wait for it.

        Raises:
            ModelFileError: The model file is missing or broken.
        """
        vad = SileroVad()
        vad.feed(np.zeros(vad.window, np.int16))

    def reset(self) -> None:
        """Begin a new stream, at sample 0."""
        self._stream = silero.Silero(self._network)
        self._floor = NoiseFloor(self._rate)
        self._fill = 0
        self._start = 0
        self._since_reset = 0
        self._quiet = 0

    def feed(self, pcm: Int16) -> list[VoiceWindow]:
        """Take a block of any size and give the windows it completes.

        Args:
            pcm: Mono samples, int16, shape (n,).

        Returns:
            The windows in order, often none or one.

        Raises:
            TypeError: Not a one-dimensional int16 array.
        """
        _check(pcm)
        windows: list[VoiceWindow] = []
        samples, size = self._stream.samples, self._size
        at = 0
        while at < pcm.size:
            count = min(pcm.size - at, size - self._fill)
            np.multiply(pcm[at : at + count], _STEP, out=samples[self._fill : self._fill + count])
            at += count
            self._fill += count
            if self._fill == size:
                self._fill = 0
                windows.append(self._judge())
        return windows

    def _judge(self) -> VoiceWindow:
        """Judge the full window, but not if it holds only background.

        Half of a call is silence on each side: not to ask then halves what listening costs.
        """
        stream = self._stream
        levels = _levels(stream.samples, self._HOPS)
        self._floor.add(levels, self._size)
        if self._skip_silence and self._silent(max(levels)):
            stream.pass_by()
            probability = 0.0
        else:
            probability = stream.judge()
        window = VoiceWindow(self._start, self._size, probability, levels)
        self._start += self._size
        self._since_reset += 1
        self._quiet = self._quiet + 1 if probability < self._QUIET else 0
        if self._since_reset >= self._RESET_EVERY and self._quiet >= self._QUIET_WINDOWS:
            stream.memory = self._network.rest
            self._since_reset = self._quiet = 0
        return window

    def _silent(self, loudest: float) -> bool:
        """Whether the full window is background after background: no voice can begin in it."""
        return self._quiet >= self._QUIET_WINDOWS and (
            loudest < self._FAINTEST or loudest < self._floor.level + self._ABOVE_FLOOR
        )


class WebRtcVad:
    """WebRTC's voice detector with a level gate: windows of 20 ms, 11 µs each.

    By itself it takes most noise for voice. So a window counts only when its level is `gate`
    above the noise floor, too. That holds for steady noise; against voices in the background
    or music use Silero.

    Args:
        rate: 8000, 16000, 32000 or 48000 Hz.
        mode: How strict it is, from 0 to 3.
        gate: By how much a voice stands out from the noise floor (dB).
        faintest: Level below which nothing is a voice (dBFS).

    Raises:
        ValueError: The rate or the mode is another one.
    """

    _HOPS = 2  # of 10 ms

    def __init__(
        self, rate: int = 16_000, *, mode: int = 2, gate: float = 6.0, faintest: float = -60.0
    ) -> None:
        if rate not in (8_000, 16_000, 32_000, 48_000):
            raise ValueError(
                f"WebRTC VAD works at 8000, 16000, 32000 or 48000 Hz, not {rate}: "
                "use a Resampler before it."
            )
        if mode not in (0, 1, 2, 3):
            raise ValueError(f"WebRTC VAD has the modes 0 to 3, not {mode}.")
        self._rate = rate
        self._mode = mode
        self._gate = gate
        self._faintest = faintest
        self._size = rate // 50
        self.reset()

    @property
    def rate(self) -> int:
        """The sample rate it is fed (Hz)."""
        return self._rate

    @property
    def window(self) -> int:
        """How many samples it judges at a time: 20 ms."""
        return self._size

    def reset(self) -> None:
        """Begin a new stream, at sample 0."""
        import webrtcvad

        self._vad = webrtcvad.Vad(self._mode)
        self._floor = NoiseFloor(self._rate)
        self._rest: Int16 = np.zeros(0, np.int16)
        self._start = 0

    def feed(self, pcm: Int16) -> list[VoiceWindow]:
        """Take a block of any size and give the windows it completes.

        Args:
            pcm: Mono samples, int16, shape (n,).

        Returns:
            The windows in order; their probability is 0.0 or 1.0.

        Raises:
            TypeError: Not a one-dimensional int16 array.
        """
        _check(pcm)
        joined = np.concatenate((self._rest, pcm))
        whole = joined.size - joined.size % self._size
        windows = [self._judge(joined[at : at + self._size]) for at in range(0, whole, self._size)]
        self._rest = joined[whole:]
        return windows

    def _judge(self, pcm: Int16) -> VoiceWindow:
        levels = _levels(to_float32(pcm), self._HOPS)
        self._floor.add(levels, self._size)
        voice = self._vad.is_speech(pcm.tobytes(), self._rate) and max(levels) > max(
            self._floor.level + self._gate, self._faintest
        )
        window = VoiceWindow(self._start, self._size, float(voice), levels)
        self._start += self._size
        return window
