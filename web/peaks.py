"""A recording's outline: for each column of a picture, how far each side swings.

The file is streamed, a few columns at a time; an hour of audio takes no more memory than a
minute of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.audio.riff import AudioFileError, read_format
from vivavoce.web.markup import count

COLUMNS = 1600
"""Of a picture at most; about what a wide screen shows."""

_BLOCK = 65_536  # samples of each channel that are read at a time, about


@dataclass(frozen=True, slots=True)
class Peaks:
    """The outline of a recording.

    Attributes:
        seconds: How long the recording is (s).
        sides: One array for each channel: float32 of shape (columns, 2), the lowest and the
            highest sample within each column, full scale ±1.0.
    """

    seconds: float
    sides: tuple[NDArray[np.float32], ...]


def read_peaks(path: Path, columns: int = COLUMNS) -> Peaks:
    """Measure a recording.

    Args:
        path: A WAV file of 16-bit PCM with one or two channels.
        columns: How many columns at most; a shorter recording has one for each sample.

    Raises:
        AudioFileError: It cannot be read so. The message does not name the file.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise AudioFileError("is not a file")
        with path.open("rb") as file:
            form = read_format(file, size)
            if form.codec != "pcm" or form.width != 2 or form.channels > 2:
                raise AudioFileError(
                    f"holds {8 * form.width}-bit {form.codec} in "
                    f"{count(form.channels, 'channel')}; "
                    "a call's recording is 16-bit PCM, the caller left and the agent right"
                )
            columns = min(columns, form.frames)
            edges = [form.frames * column // max(columns, 1) for column in range(columns + 1)]
            found = np.zeros((form.channels, columns, 2), np.float32)
            file.seek(form.offset)
            first = 0
            while first < columns:
                last = first + 1
                while last < columns and edges[last + 1] - edges[first] <= _BLOCK:
                    last += 1
                _measure(file.read, found, edges, first, last)
                first = last
    except FileNotFoundError:
        raise AudioFileError("does not exist") from None
    except OSError as error:
        raise AudioFileError(f"cannot be read: {error.strerror or error}") from error
    return Peaks(form.frames / form.rate, tuple(found))


def _measure(
    read: Callable[[int], bytes],
    found: NDArray[np.float32],
    edges: list[int],
    first: int,
    last: int,
) -> None:
    """Fill the columns from `first` to before `last` with what comes next in the file."""
    channels = len(found)
    start = edges[first]
    data = read((edges[last] - start) * channels * 2)
    frames = len(data) // (2 * channels)
    samples = np.frombuffer(data[: frames * 2 * channels], "<i2").reshape(frames, channels)
    # A file that lost its end since its header was read has fewer; the rest stays silent.
    starts = [edge - start for edge in edges[first:last] if edge - start < frames]
    if not starts:
        return
    there = slice(first, first + len(starts))
    found[:, there, 0] = np.minimum.reduceat(samples, starts, axis=0).T / 32768
    found[:, there, 1] = np.maximum.reduceat(samples, starts, axis=0).T / 32768
