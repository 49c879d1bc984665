"""Voice activity detectors: int16 audio in, voice probabilities out.

Two detectors with one face (`Vad`): Silero, a small neural network, is right far more often;
WebRTC's is twenty times cheaper and takes much noise for voice. `activity.VoiceActivity`
makes starts and stops of either's windows.

Measured, one thread of one shared EPYC core, CPU per second of audio: Silero 4.7 ms (150 µs per
32 ms window), in batches of ten 2.4 ms; WebRTC 0.6 ms.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

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
from .weights import SILERO, locate, session

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
    power = np.einsum("ij,ij->i", parts, parts) * np.float32(1.0 / parts.shape[1])
    return tuple((10.0 * np.log10(np.maximum(power, _FLOOR_POWER))).tolist())


def _check(pcm: Int16) -> None:
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise TypeError(
            "A voice detector takes mono audio as a one-dimensional int16 array, "
            f"not {pcm.dtype} {pcm.shape}."
        )


class _SileroStream:
    """One stream's window in the making, and what the model remembers of it."""

    _HOPS = 4  # of 8 ms
    _QUIET = 0.1  # probability below which a window is clearly not speech
    _QUIET_WINDOWS = 5
    _RESET_EVERY = 63  # windows: 2 s
    _FAINTEST = -62.0  # dBFS below which nothing is a voice
    _ABOVE_FLOOR = 3.0  # dB above the background up to which it is background

    def __init__(self, size: int, fresh: Float32) -> None:
        self._size = size
        self._fresh = fresh
        # The model wants the last 4 ms of the window before in front of each window.
        self._context = size // 8
        self.frame: Float32 = np.zeros((1, self._context + size), np.float32)
        self.state: Float32 = fresh
        self._fill = 0
        self._start = 0
        self._since_reset = 0
        self._quiet = 0
        self._floor = NoiseFloor(size * 1000 // 32)
        self._levels: tuple[float, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether the full window is background after background: no voice can begin in it."""
        self._levels = _levels(self.frame[0, self._context :], self._HOPS)
        self._floor.add(self._levels, self._size)
        loudest = max(self._levels)
        return self._quiet >= self._QUIET_WINDOWS and (
            loudest < self._FAINTEST or loudest < self._floor.level + self._ABOVE_FLOOR
        )

    def take(self, pcm: Int16, at: int) -> int:
        """Fill the window from position `at` of a block.

        Returns:
            The position after what was taken, or -1 when the block ended before the window
            was full.
        """
        count = min(pcm.size - at, self._size - self._fill)
        begin = self._context + self._fill
        self.frame[0, begin : begin + count] = to_float32(pcm[at : at + count])
        self._fill += count
        return at + count if self._fill == self._size else -1

    def finish(self, probability: float, state: Float32) -> VoiceWindow:
        """Turn the full window into a result and make room for the next."""
        frame = self.frame
        window = VoiceWindow(self._start, self._size, probability, self._levels)
        frame[0, : self._context] = frame[0, self._size :]
        self._start += self._size
        self._fill = 0
        self._since_reset += 1
        self._quiet = self._quiet + 1 if probability < self._QUIET else 0
        if self._since_reset >= self._RESET_EVERY and self._quiet >= self._QUIET_WINDOWS:
            state = self._fresh
            self._since_reset = self._quiet = 0
        self.state = state
        return window


_fresh: dict[tuple[int, int], Float32] = {}


def _after_silence(model: Any, rate: int) -> Float32:
    """Return what the model remembers after half a second of silence.

    It is what every stream begins with, and what a cleared memory becomes: after it a voice is
    noticed up to 20 ms sooner than from a memory of nothing. Not at 8 kHz: there the model takes
    faint noise behind pure silence for a voice.
    """
    key = (id(model), rate)
    if key not in _fresh:
        size = rate * 32 // 1000
        state: Float32 = np.zeros((2, 1, 128), np.float32)
        quiet: Float32 = np.zeros((1, size + size // 8), np.float32)
        for _ in range(16 if rate == 16_000 else 0):
            inputs = {"input": quiet, "state": state, "sr": np.array(rate, np.int64)}
            _, state = model.run(None, inputs)
        _fresh[key] = state
    return _fresh[key]


class SileroVad:
    """Silero VAD: windows of 32 ms at 8 or 16 kHz.

    The model's session is one per process, loaded on first use (about 30 ms; call `warm()` at
    start-up) and shared by all calls and threads. An instance keeps one stream's state and is
    not thread-safe itself. It runs inline: 150 µs cost less than a hop to a thread.

    The model carries what it heard from window to window, and long stretches without speech
    (music above all) leave it slow to notice the speech that follows. So its memory is cleared
    during clear non-speech, at most every two seconds.

    Args:
        rate: 16000 or 8000 Hz.
        model: A Silero v5 or v6 ONNX file, by default the one that comes with pipecat.
        skip_silence: Do not ask the model about background behind background.

    Raises:
        ValueError: The rate is another one.
        ModelFileError: The model file is missing or broken.
    """

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
        self._sr = np.array(rate, np.int64)
        self._session = session(model or locate(SILERO))
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
        """Load the model and run it once, so that the first call does not wait for it.

        Raises:
            ModelFileError: The model file is missing or broken.
        """
        vad = SileroVad()
        vad.feed(np.zeros(vad.window, np.int16))

    def reset(self) -> None:
        """Begin a new stream, at sample 0."""
        self._stream = _SileroStream(self._size, _after_silence(self._session, self._rate))

    def feed(self, pcm: Int16) -> list[VoiceWindow]:
        """Take a block of any size and give the windows it completes.

        Args:
            pcm: Mono samples, int16, shape (n,).

        Returns:
            The windows in order, often none or one.

        Raises:
            TypeError: Not a one-dimensional int16 array.
        """
        return self.batch([(self, pcm)])[0]

    @staticmethod
    def batch(items: Sequence[tuple["SileroVad", Int16]]) -> list[list[VoiceWindow]]:
        """Feed many streams at once, in one run of the model per round of windows.

        With ten streams this takes half the time of ten `feed` calls. The probabilities are
        the same to about 1e-6.

        Args:
            items: Detectors, each at most once, with a block for each.

        Returns:
            For each item what its `feed` would have returned.

        Raises:
            TypeError: A block is not a one-dimensional int16 array.
            ValueError: A detector is there twice, or their rates or models differ.
        """
        streams = [vad._stream for vad, _ in items]  # noqa: SLF001 - of this same class
        kinds = {(vad._rate, id(vad._session)) for vad, _ in items}  # noqa: SLF001
        if len(set(map(id, streams))) != len(streams):
            raise ValueError("A detector is in the batch twice: join its blocks first.")
        if len(kinds) > 1:
            raise ValueError("All detectors of a batch must have the same rate and model.")
        for _, pcm in items:
            _check(pcm)
        results: list[list[VoiceWindow]] = [[] for _ in items]
        left = [(index, 0) for index in range(len(items))]
        while True:
            taken = [(index, streams[index].take(items[index][1], at)) for index, at in left]
            left = [(index, at) for index, at in taken if at >= 0]
            if not left:
                return results
            full = [streams[index] for index, _ in left]
            for row, result in enumerate(items[0][0]._judge(full)):  # noqa: SLF001
                results[left[row][0]].append(result)

    def _judge(self, full: list[_SileroStream]) -> list[VoiceWindow]:
        """Run the model on full windows, but for those that hold only background.

        Half of a call is silence on each side: not to ask then halves what listening costs.
        """
        silent = [stream.silent for stream in full]
        if self._skip_silence and any(silent):
            asked = iter(
                self._judge_all([s for s, quiet in zip(full, silent, strict=True) if not quiet])
            )
            return [
                stream.finish(0.0, stream.state) if quiet else next(asked)
                for stream, quiet in zip(full, silent, strict=True)
            ]
        return self._judge_all(full)

    def _judge_all(self, full: list[_SileroStream]) -> list[VoiceWindow]:
        if not full:
            return []
        if len(full) == 1:  # the usual case spares two copies
            frames, state = full[0].frame, full[0].state
        else:
            frames = np.concatenate([stream.frame for stream in full])
            state = np.concatenate([stream.state for stream in full], axis=1)
        inputs = {"input": frames, "state": state, "sr": self._sr}
        probabilities, states = self._session.run(None, inputs)
        return [
            stream.finish(float(probabilities[row, 0]), states[:, row : row + 1])
            for row, stream in enumerate(full)
        ]


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
