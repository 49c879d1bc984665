"""Recordings of any format, decoded in a stream to what the recogniser takes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any

import av
import numpy as np
from av.error import FFmpegError

from vivavoce.sandbox.pcm import HEARING_RATE, AudioError, Samples


def blocks(file: IO[bytes]) -> Iterator[Samples]:
    """Give a recording as float32 mono blocks at 16 kHz, about a second each.

    Raises:
        AudioError: When it cannot be read, or holds no audio.
    """
    file.seek(0)
    try:
        container: Any = av.open(file)
    except (FFmpegError, ValueError, OSError):
        raise AudioError("this is no audio file in a format that FFmpeg reads") from None
    with container:
        if not container.streams.audio:
            raise AudioError("there is no audio in this file")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=HEARING_RATE)
        parts: list[Samples] = []
        size = 0
        for frame in _frames(container, resampler):
            parts.append(frame)
            size += len(frame)
            if size >= HEARING_RATE:
                yield np.concatenate(parts)
                parts, size = [], 0
        if parts:
            yield np.concatenate(parts)


def _frames(container: Any, resampler: Any) -> Iterator[Samples]:
    shape: Any = None
    try:
        for frame in container.decode(audio=0):
            frame.pts = None  # a hole in the timestamps is no silence here
            shape = shape or (frame.format.name, frame.layout.name, frame.sample_rate)
            if shape != (frame.format.name, frame.layout.name, frame.sample_rate):
                continue  # damage: a stream that changes its shape is not heard here
            for out in resampler.resample(frame):
                yield out.to_ndarray().reshape(-1)
        for out in resampler.resample(None):
            yield out.to_ndarray().reshape(-1)
    except FFmpegError:
        return  # cut short: what came before is heard


def read(data: bytes) -> Samples:
    """Decode a short recording into memory: float32 mono at 16 kHz.

    Raises:
        AudioError: When it cannot be read.
    """
    parts = list(blocks(io.BytesIO(data)))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
