"""Samples of voices: read in any format, and checked before anybody is sent one.

A clone is as good as its sample. What providers refuse (too short, too long), and what they take
and make a poor voice of (clipped, too quiet, mostly silence), is told here, in one line.
"""

from __future__ import annotations

import base64
import functools
import io
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.agent.voices import VoiceSample
from vivavoce.pipelines.audio.convert import rms_dbfs

RATE = 24_000
"""Sample rate of what is sent (Hz): the models' own."""
LENGTHS = (3.0, 25.0)
"""Seconds that a sample may last at Mistral."""
QUIET = -45.0
"""dBFS: speech below it is too quiet to tell a voice by."""
CLIPPED = 0.002
"""Share of samples at full scale beyond which a recording is overdriven."""
VOICED = 2.0
"""Seconds of speech that there must be."""
_FRAME = RATE // 50
_LARGEST = 100 << 20  # bytes of a file that is looked into at all


class SampleError(ValueError):
    """A recording is no sample of a voice; the message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample that has passed.

    Attributes:
        wav: As a mono 16-bit WAV file.
        seconds: How long it is.
        level: Of the speech in it (dBFS); 0 where it was not measured here.
    """

    wav: bytes
    seconds: float
    level: float

    @property
    def base64(self) -> str:
        """The file as text, as requests carry it."""
        return base64.b64encode(self.wav).decode()


def read_sample(path: Path | VoiceSample, lengths: tuple[float, float] = LENGTHS) -> Sample:
    """Read and check a sample. Blocks, for as long as it takes to decode the file.

    Args:
        path: A recording in any format that FFmpeg reads; or one that is in memory, which has
            been checked and is not remembered here.
        lengths: Shortest and longest (s).

    Raises:
        SampleError: If there is none, or it is not fit to be cloned.
    """
    if isinstance(path, VoiceSample):
        wav = path.wav
        if wav is None:
            raise SampleError(f"the sample of {path.speaker} was withdrawn")
        if not lengths[0] <= path.seconds <= lengths[1]:
            raise SampleError(
                f"the sample of {path.speaker} lasts {path.seconds:.1f} s: it must last"
                f" {lengths[0]:g} to {lengths[1]:g} s"
            )
        return Sample(wav, path.seconds, 0.0)
    try:
        stat = path.stat()
    except OSError as error:
        raise SampleError(f"cannot read the sample {path}: {error.strerror}") from None
    if stat.st_size > _LARGEST:
        raise SampleError(f"{path} has {stat.st_size >> 20} MB: a sample is a few seconds")
    return _read(path, stat.st_mtime_ns, lengths)


# What a reply is spoken with is read once, and not with every clause.
@functools.lru_cache(maxsize=8)
def _read(path: Path, _changed: int, lengths: tuple[float, float]) -> Sample:
    samples = _decode(path, lengths[1])
    level = _check(str(path), samples, lengths)
    return Sample(_wav(samples), len(samples) / RATE, level)


def _decode(path: Path, longest: float) -> NDArray[np.int16]:
    import av  # 60 ms

    parts: list[NDArray[np.int16]] = []
    count = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise SampleError(f"{path} has no sound in it")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            for frame in container.decode(container.streams.audio[0]):
                for piece in resampler.resample(frame):
                    parts.append(_samples(piece))
                    count += len(parts[-1])
                if count > (longest + 60) * RATE:  # too long by far: that is all to be known
                    break
            parts += [_samples(piece) for piece in resampler.resample(None)]
    except av.FFmpegError as error:
        raise SampleError(f"{path} is no recording that can be read ({error.strerror})") from None
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def _samples(frame: Any) -> NDArray[np.int16]:
    found: NDArray[np.int16] = frame.to_ndarray().reshape(-1).astype(np.int16)
    return found


def _check(name: str, samples: NDArray[np.int16], lengths: tuple[float, float]) -> float:
    """Check length and level; return the level of the speech (dBFS)."""
    seconds = len(samples) / RATE
    if not lengths[0] <= seconds <= lengths[1]:
        about = f"{seconds:.1f} s" if seconds < lengths[1] + 60 else "minutes"
        raise SampleError(
            f"{name} lasts {about}: a sample of a voice must last {lengths[0]:g} to"
            f" {lengths[1]:g} s"
        )
    frames = samples[: len(samples) - len(samples) % _FRAME].reshape(-1, _FRAME).astype(np.float32)
    power = np.mean(np.square(frames / 32768.0), axis=1)
    loudest = float(np.percentile(power, 95))
    if loudest <= 0 or 10 * np.log10(loudest) < QUIET:
        raise SampleError(
            f"{name} is too quiet ({rms_dbfs(samples):.0f} dBFS): record it nearer to the"
            " microphone"
        )
    voiced = power > loudest / 100  # within 20 dB of the loudest
    if voiced.sum() * _FRAME / RATE < VOICED:
        raise SampleError(
            f"{name} has {voiced.sum() * _FRAME / RATE:.1f} s of speech in it: at least"
            f" {VOICED:g} s are needed"
        )
    over = float(np.mean(np.abs(samples.astype(np.int32)) >= 32_700))
    if over > CLIPPED:
        raise SampleError(
            f"{name} is clipped ({over:.1%} of it at full scale): record it again, less loud"
        )
    return float(10 * np.log10(np.mean(power[voiced])))


def _wav(samples: NDArray[np.int16]) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()
