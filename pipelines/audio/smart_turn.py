"""smart-turn: has the caller finished, judging by how it sounds?

The model (pipecat's smart-turn v3.2, 8.7 MB, BSD-2) hears the last 8 s of 16 kHz audio as a
log-mel spectrogram and gives the probability that the turn is complete. It hears intonation,
not words; no audio model alone is to be trusted with the decision.

The spectrogram is Whisper's: audio normalised to zero mean and unit variance, a centred
short-time Fourier transform (Hann window of 400, hop 160, edges mirrored), 80 mel bands on
Slaney's scale with equal area, log10, nothing more than 8 below the maximum, then
(x + 4) / 4.

Measured, one thread of a shared EPYC core: 3 ms for the spectrogram of 8 s of sound and
44 ms for the model.
"""

import asyncio
import contextlib
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .convert import Float32, Int16, to_float32
from .weights import SMART_TURN, locate, session

RATE = 16_000
"""The sample rate the model hears (Hz)."""

SPAN = 8 * RATE
"""How many samples the model hears: 8 s. More is cut at its front, less is padded there."""

Indices: TypeAlias = NDArray[np.intp]

NICE = 5
"""By how much the model's thread stands behind the event loop: its answer has some 100 ms to spare
while a reply is being made, and every reply of the process waits for the loop."""

_FFT = 400
_HOP = 160
_MELS = 80
_FRAMES = SPAN // _HOP
_FLOOR = np.float32(1e-10)
_VARIANCE_FLOOR = np.float32(1e-7)


def _hertz(mel: np.ndarray) -> np.ndarray:
    """Slaney's mel scale backwards: linear to 1 kHz (15 mel), then 27 mel per factor 6.4."""
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))


@lru_cache(maxsize=1)
def _tables() -> tuple[Float32, Indices, Float32, Indices]:
    """The Hann window (400,), and the mel bands without their zeros.

    Each band is a triangle over few of the 201 frequencies: these frequencies, band after band,
    what each counts for (a column), and where each band begins.
    """
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_FFT) / _FFT)
    top = 15.0 + 27.0 * np.log(RATE / 2 / 1000.0) / np.log(6.4)
    edges = _hertz(np.linspace(0.0, top, _MELS + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = np.linspace(0.0, RATE / 2, _FFT // 2 + 1)[:, None]
    triangle = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    mel = np.maximum(triangle, 0.0) * (2.0 / (high - low))
    band, frequency = np.nonzero(mel.T)
    weight = mel[frequency, band].astype(np.float32)[:, None]
    return window.astype(np.float32), frequency, weight, np.searchsorted(band, np.arange(_MELS))


def features(audio: Float32) -> Float32:
    """Make the log-mel spectrogram that the model hears.

    Args:
        audio: Mono samples at 16 kHz, float32, shape (n,); the last 8 s count.

    Returns:
        float32, shape (80, 800): mel bands by 10 ms frames.
    """
    window, frequency, weight, begin = _tables()
    heard = audio[-SPAN:]
    pad = SPAN - heard.size
    # Mean and variance are those of all 8 s, the padding included.
    mean = np.float32(heard.sum(dtype=np.float64) / SPAN)
    power = np.float32(np.square(heard, dtype=np.float64).sum() / SPAN)
    scale = np.float32(1.0) / np.sqrt(np.maximum(power - mean * mean, 0) + _VARIANCE_FLOOR)
    signal = np.empty(SPAN + _FFT, np.float32)
    middle = signal[_FFT // 2 : -_FFT // 2]
    middle[:pad] = -mean * scale
    np.multiply(heard - mean, scale, out=middle[pad:])
    signal[: _FFT // 2] = middle[_FFT // 2 : 0 : -1]
    signal[-_FFT // 2 :] = middle[-2 : -_FFT // 2 - 2 : -1]

    frames = np.lib.stride_tricks.sliding_window_view(signal, _FFT)[::_HOP][:_FRAMES]
    # Frames that hold nothing but padding are all alike: one of them is computed for all.
    same = max((pad - _FFT // 2) // _HOP - 1, 0)
    spectrum = np.fft.rfft(frames[same:] * window)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    # No matrix product: for one, OpenBLAS wakes a thread per core, and they spin long after it.
    # That took more CPU than the model.
    bands = np.add.reduceat(power.T[frequency] * weight, begin, axis=0)
    levels = np.log10(np.maximum(bands, _FLOOR))
    np.maximum(levels, levels.max() - np.float32(8.0), out=levels)
    out = np.empty((_MELS, _FRAMES), np.float32)
    out[:, same:] = (levels + np.float32(4.0)) * np.float32(0.25)
    out[:, :same] = out[:, same : same + 1]
    return out


_worker: ThreadPoolExecutor | None = None
_worker_lock = threading.Lock()


def _stand_back() -> None:
    """Have this thread's work wait for other threads', where threads have priorities."""
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            ours = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(ours + NICE, 19))


def _shared_worker() -> ThreadPoolExecutor:
    """The one thread in which all calls of the process ask the model."""
    global _worker  # noqa: PLW0603 - one per process is the point
    with _worker_lock:
        if _worker is None:
            _worker = ThreadPoolExecutor(1, "smart-turn", _stand_back)
        return _worker


class SmartTurn:
    """The end-of-turn model; instances share one session and have no state.

    Any number of calls and threads may use one instance.

    Args:
        model: A smart-turn v3 ONNX file, by default the one that comes with pipecat.

    Raises:
        ModelFileError: The model file is missing or broken.
    """

    def __init__(self, model: Path | None = None) -> None:
        self._session = session(model or locate(SMART_TURN))

    def probability(self, audio: Float32 | Int16) -> float:
        """Ask whether the turn is complete. Blocks for about 50 ms: see `ask`.

        Args:
            audio: The turn so far, mono at 16 kHz, shape (n,): float32 with full scale at
                ±1.0, or int16. A little silence at its end is as it should be.

        Returns:
            Probability from 0.0 (goes on) to 1.0 (complete).

        Raises:
            ValueError: There is no audio, or not in one dimension.
        """
        if audio.ndim != 1 or not audio.size:
            raise ValueError(
                f"smart-turn hears mono audio of at least one sample, not shape {audio.shape}."
            )
        heard = audio[-SPAN:]
        if heard.dtype == np.int16:
            heard = to_float32(heard.view(np.int16))
        inputs = {"input_features": features(heard.astype(np.float32, copy=False))[None]}
        (complete,) = self._session.run(None, inputs)
        return float(complete[0, 0])

    async def ask(self, audio: Float32 | Int16, *, within: float = 1.0) -> float:
        """Ask whether the turn is complete, without holding up the event loop.

        All calls of the process share one worker thread, so questions queue: under overload
        an answer comes late rather than every call's audio.

        Cancellation safe: a question that has not begun is withdrawn; one that has runs to
        its end in the thread and its answer is dropped.

        Args:
            audio: As for `probability`. It is copied, so it may change afterwards.
            within: How long to wait (s).

        Returns:
            Probability from 0.0 (goes on) to 1.0 (complete).

        Raises:
            TimeoutError: No answer in time.
            ValueError: There is no audio, or not in one dimension.
        """
        heard = audio[-SPAN:].copy()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within):
            return await loop.run_in_executor(_shared_worker(), self.probability, heard)
