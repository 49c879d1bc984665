"""Recordings of any format that FFmpeg reads, decoded in a stream to 16 kHz mono, and written.

What is held in memory is a block at a time, however long the recording is. The times of what is
decoded are those that a player shows: where a recording begins late or has a hole, there is
silence.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Self

import av
import numpy as np
from av.error import FFmpegError

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.riff import AudioFileError

RATE = 16_000
"""Samples per second of what is decoded (Hz)."""
BLOCK = RATE
"""Samples of a block at most, but for silence in a hole."""
HOLE = RATE // 5
"""Samples: a timestamp that is this much later than it should be is a hole, less is jitter."""
LONGEST_HOLE = RATE * 3600 * 12
"""Samples: a recording that claims a longer one has broken timestamps."""

Format = Literal["flac", "mp3", "wav"]
_CODECS: dict[Format, str] = {"flac": "flac", "mp3": "libmp3lame", "wav": "pcm_s16le"}


@dataclass(frozen=True, slots=True)
class Media:
    """What a recording says about itself.

    Attributes:
        container: Its format ("mp3", "mov,mp4,m4a,…").
        codec: Of its best audio stream ("aac").
        rate: Sample rate (Hz).
        channels: How many.
        seconds: Its length, where it says it; an estimate for some formats.
    """

    container: str
    codec: str
    rate: int
    channels: int
    seconds: float | None


def probe(path: Path) -> Media:
    """Read what a recording says about itself.

    Raises:
        AudioFileError: If it cannot be read, or holds no audio.
    """
    with _opened(path) as (container, stream):
        seconds: float | None = None
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / av.time_base
        context = stream.codec_context
        return Media(
            container.format.name,
            context.codec.canonical_name,
            context.sample_rate,
            context.channels,
            seconds,
        )


class Decoder:
    """Decodes a recording, block by block; use it in one thread.

    Attributes:
        damaged: How many packets could not be decoded and were left out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = 0

    def blocks(self) -> Generator[Int16]:
        """Give the recording as int16 mono blocks at 16 kHz, shape (n,), in order.

        Raises:
            AudioFileError: If it cannot be read, or nothing in it can be decoded.
        """
        position = 0
        with _opened(self._path) as (container, stream):
            converter = _Converter()
            for frame in self._frames(container, stream):
                if frame.pts is not None and frame.time_base is not None:
                    missing = round(float(frame.pts * frame.time_base) * RATE) - position
                    # What the resampler still holds is less than a hole.
                    if HOLE < missing < LONGEST_HOLE:
                        for size in _sizes(missing):
                            position += size
                            yield np.zeros(size, np.int16)
                # Timestamps have done their work; left in, the resampler would fill holes again.
                frame.pts = None
                for block in converter.push(frame):
                    position += len(block)
                    yield block
            for block in converter.close():
                position += len(block)
                yield block
        if not position:
            raise AudioFileError(f"{self._path}: no sound in it could be decoded; is it damaged?")

    def _frames(self, container: Any, stream: Any) -> Iterator[Any]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError:
                # A file that was cut short: what came before is worth having.
                self.damaged += 1
                return
            try:
                yield from packet.decode()
            except FFmpegError:
                self.damaged += 1


class _Converter:
    """Turns frames into int16 mono at 16 kHz; a stream may change its rate and channels."""

    def __init__(self) -> None:
        self._shape: tuple[str, str, int] | None = None
        self._resampler: Any = None

    def push(self, frame: Any) -> Iterator[Int16]:
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._shape:
            yield from self.close()
            self._shape = shape
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for out in self._resampler.resample(frame):
            yield from _split(_mono(out))

    def close(self) -> Iterator[Int16]:
        resampler, self._resampler = self._resampler, None
        if resampler is not None:
            for out in resampler.resample(None):
                yield from _split(_mono(out))


class Encoder:
    """Writes int16 mono samples at 16 kHz to a file in a compressed format.

    FLAC keeps every sample at about half the size; MP3 (64 kbit/s) is for servers that take no
    other.
    """

    def __init__(self, file: IO[bytes], form: Format = "flac") -> None:
        self._container = _container(file, "w", format=form)
        self._stream = self._container.add_stream(_CODECS[form], rate=RATE, layout="mono")
        if form == "mp3":
            self._stream.bit_rate = 64_000
        self._planar = form == "mp3"
        self._closed = False

    def write(self, samples: Int16) -> None:
        """Add samples, shape (n,)."""
        for block in _split(samples):
            sound = np.ascontiguousarray(block).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(sound, "s16p" if self._planar else "s16", "mono")
            frame.sample_rate = RATE
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is left; the file stays open. Idempotent."""
        if not self._closed:
            self._closed = True
            self._container.mux(self._stream.encode(None))
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def encode(samples: Int16, form: Format) -> bytes:
    """Return int16 mono samples at 16 kHz as a file in a format."""
    file = io.BytesIO()
    with Encoder(file, form) as encoder:
        encoder.write(samples)
    return file.getvalue()


def read_blocks(file: IO[bytes]) -> Generator[Int16]:
    """Give what an `Encoder` wrote to a file, as int16 mono blocks at 16 kHz."""
    file.seek(0)
    with _container(file) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            for out in resampler.resample(frame):
                yield _mono(out)


def read(file: Path | IO[bytes], start: int = 0, end: int | None = None) -> Int16:
    """Decode a short recording, or samples `start` to `end` of it, into memory.

    Raises:
        AudioFileError: If it cannot be read.
    """
    blocks = Decoder(file).blocks() if isinstance(file, Path) else read_blocks(file)
    parts: list[Int16] = []
    position = 0
    with contextlib.closing(blocks):
        for block in blocks:
            first, last = max(start - position, 0), len(block)
            if end is not None:
                last = min(last, end - position)
            if first < last:
                parts.append(block[first:last])
            position += len(block)
            if end is not None and position >= end:
                break
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        container = _container(str(path))
    except FileNotFoundError:
        raise AudioFileError(f"{path}: there is no such file") from None
    except (FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioFileError(
            f"{path}: cannot be read as a recording ({reason}); FFmpeg's formats are read:"
            " mp3, m4a, wav, flac, ogg, webm, mp4 and more"
        ) from None
    try:
        stream = container.streams.best("audio")
        if stream is None:
            raise AudioFileError(f"{path}: there is no audio in it")
        stream.thread_type = "AUTO"
        yield container, stream
    finally:
        container.close()


def _container(file: Any, mode: Literal["r", "w"] = "r", **more: Any) -> Any:
    # PyAV's types know neither which stream of many it is nor which way a container goes.
    return av.open(file, mode, **more)


def _mono(frame: Any) -> Int16:
    samples: Int16 = frame.to_ndarray().reshape(-1)
    return samples


def _split(samples: Int16) -> Iterator[Int16]:
    for start in range(0, len(samples), BLOCK):
        yield samples[start : start + BLOCK]


def _sizes(count: int) -> Iterator[int]:
    while count > 0:
        size = min(count, BLOCK * 60)
        yield size
        count -= size
