"""A recording as the files that go out: decoded, cut at pauses, each in a temporary file."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import numpy as np

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.cuts import FRAME, Cutter, Piece, Rule
from vivavoce.pipelines.audio.media import RATE, Decoder, Encoder, read, read_blocks

SILENT = 33
"""int16 steps (-60 dBFS): a part that never is louder has no speech in it."""
EDGE = 0.04
"""Of a part's loudest: what is less at its ends is noise (28 dB)."""
SHORTEST = RATE
"""Samples that a file has at least: some servers refuse less."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part; close its file when it is done.

    Attributes:
        number: From 0.
        start: Its first sample in the recording.
        end: Behind its last.
        check: CRC-32 of its samples.
        silent: Whether there is nothing to hear in it.
        sounds: Samples from the first that is loud enough to behind the last, from its start.
        file: FLAC, at least a second long.
    """

    number: int
    start: int
    end: int
    check: int
    silent: bool
    sounds: tuple[int, int]
    file: IO[bytes]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start) / RATE

    def cut(self, start: float, end: float) -> Int16:
        """Return the samples between two times (s) from its beginning. Blocks."""
        return read(self.file, max(round(start * RATE), 0), round(end * RATE))

    def blocks(self) -> Iterator[Int16]:
        """Decode its file again, block by block. Blocks."""
        return read_blocks(self.file)


class Parts:
    """Gives the parts of a recording, one after the other, from a thread of their own.

    Memory is bounded by the rule's window; the disk holds the parts that are not closed.
    """

    def __init__(self, path: Path, rule: Rule) -> None:
        self._decoder = Decoder(path)
        self._rule = rule
        self._stop = threading.Event()
        self._source: Generator[Part] = self._parts()
        self._working: asyncio.Future[Part | None] | None = None

    async def next(self) -> Part | None:
        """Return the next part, None behind the last. After a cancellation only `close` is left.

        Raises:
            vivavoce.pipelines.audio.riff.AudioFileError: If the recording cannot be read.
            OSError: If the disk is full.
        """
        self._working = asyncio.ensure_future(asyncio.to_thread(next, self._source, None))
        return await asyncio.shield(self._working)

    @property
    def damaged(self) -> int:
        """How many packets of the recording could not be decoded, until now."""
        return self._decoder.damaged

    async def close(self) -> None:
        """Stop decoding; idempotent."""
        self._stop.set()
        working, self._working = self._working, None
        if working is not None:
            with contextlib.suppress(Exception):
                part = await working
                if part is not None:
                    part.file.close()
        await asyncio.to_thread(self._source.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _parts(self) -> Generator[Part]:
        cutter = Cutter(self._rule)
        draft: _Draft | None = None
        number = position = 0
        try:
            with contextlib.closing(self._decoder.blocks()) as blocks:
                for pieces in _pieces(cutter, blocks):
                    if self._stop.is_set():
                        return
                    for piece in pieces:
                        draft = draft or _Draft(position)
                        draft.add(piece.samples)
                        position += len(piece.samples)
                        if piece.ends:
                            part, draft = draft.finish(number), None
                            number += 1
                            yield part
        finally:
            if draft is not None:
                draft.drop()


def _pieces(cutter: Cutter, blocks: Iterator[Int16]) -> Iterator[list[Piece]]:
    for block in blocks:
        yield cutter.push(block)
    yield cutter.close()


class _Draft:
    """A part that is being written."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._length = 0
        self._check = 0
        self._peaks: list[int] = []  # of every frame
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="vivavoce-")  # noqa: SIM115
        self._encoder = Encoder(self._file)

    def add(self, samples: Int16) -> None:
        for start in range(0, len(samples), FRAME):
            frame = samples[start : start + FRAME]
            self._peaks.append(max(int(frame.max()), -int(frame.min())))
        self._check = zlib.crc32(samples.tobytes(), self._check)
        self._encoder.write(samples)
        self._length += len(samples)

    def finish(self, number: int) -> Part:
        if self._length < SHORTEST:
            self._encoder.write(np.zeros(SHORTEST - self._length, np.int16))
        self._encoder.close()
        peaks = np.array(self._peaks or [0])
        silent = bool(peaks.max() <= SILENT)
        loud = np.flatnonzero(peaks > max(SILENT, EDGE * peaks.max()))
        sounds = (0, self._length)
        if len(loud):
            sounds = (int(loud[0]) * FRAME, min((int(loud[-1]) + 1) * FRAME, self._length))
        end = self._start + self._length
        return Part(number, self._start, end, self._check, silent, sounds, self._file)

    def drop(self) -> None:
        with contextlib.suppress(Exception):
            self._encoder.close()
        self._file.close()
