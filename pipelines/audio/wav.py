"""Reading and writing WAV files, as streams: memory stays bounded however long they are.

`WavReader` takes nearly any WAV file and gives mono blocks at the rate wanted. `WavWriter`
writes 16-bit PCM and keeps the file valid while it grows.
"""

import os
import stat
import struct
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from .convert import Float32, Int16, decode_alaw, decode_mulaw, to_float32, to_int16
from .resample import Resampler
from .riff import AudioFileError, WavFormat, read_format

__all__ = ["AudioFileError", "WavFormat", "WavReader", "WavWriter"]

_READ = 65_536  # bytes read at a time, about


class WavReader:
    """A WAV file as a stream of mono blocks at the rate wanted.

    Reads 8, 16, 24 and 32 bit PCM, 32 and 64 bit float, μ-law and A-law, of 4 to 192 kHz and
    up to 64 channels, which are averaged into one. Float samples that are no numbers become
    silence, what exceeds full scale is clipped. 16-bit mono at the rate wanted comes out
    unchanged, bit by bit.

        with WavReader("question.wav") as wav:
            for block in wav:          # int16, 20 ms each at 16 kHz, the last one shorter
                ...
            if wav.warning: ...

    Each iteration reads the file from its beginning. Reading blocks on the disk, not for long:
    64 KiB at a time.

    Args:
        path: The file. Not a FIFO and not "-": a WAV file is read with seeking.
        rate: The sample rate wanted (Hz), by default 16000; None keeps the file's.
        block: How many samples a block holds, by default 20 ms.

    Raises:
        AudioFileError: The file is missing, or cannot be read as WAV; one line says why.
        ValueError: The rate or the block size is out of range.
    """

    def __init__(
        self, path: str | os.PathLike[str], rate: int | None = 16_000, *, block: int | None = None
    ) -> None:
        if block is not None and block < 1:
            raise ValueError(f"A block holds at least 1 sample, not {block}.")
        self._path = os.fspath(path)
        self._file = _open(self._path)
        try:
            try:
                size = os.fstat(self._file.fileno()).st_size
                self._format = read_format(self._file, size)
            except AudioFileError as error:
                raise AudioFileError(f"{self._path} {error}.") from None
            except OSError as error:
                raise _failure(self._path, "read", error) from error
            self._rate = self._format.rate if rate is None else rate
            Resampler(self._format.rate, self._rate)  # refuses rates that it cannot do
            self._block = self._rate // 50 if block is None else block
        except BaseException:
            self._file.close()
            raise
        self._not_numbers = 0
        self._too_loud = 0
        self._missing = False

    @property
    def format(self) -> WavFormat:
        """How the samples are stored in the file."""
        return self._format

    @property
    def rate(self) -> int:
        """Sample rate of the blocks (Hz)."""
        return self._rate

    @property
    def duration(self) -> float:
        """Length of the audio that the file holds (s)."""
        return self._format.frames / self._format.rate

    @property
    def warning(self) -> str:
        """What is wrong with the file though it can be read, else "".

        What concerns the header is known from the start, what concerns the samples once they
        have been read.
        """
        parts = [self._format.warning]
        if self._missing:
            parts.append("it became shorter while it was read")
        if self._not_numbers:
            parts.append(f"{self._not_numbers} samples that are not numbers were read as silence")
        if self._too_loud:
            parts.append(f"{self._too_loud} samples beyond full scale were clipped")
        text = "; ".join(part for part in parts if part)
        return f"{self._path}: {text}." if text else ""

    def __iter__(self) -> Iterator[Int16]:
        """Give the audio as int16 blocks, shape (block,), the last one shorter.

        Raises:
            AudioFileError: Reading the disk failed, or the reader is closed.
        """
        for block in self.floats():
            yield to_int16(block)

    def floats(self) -> Iterator[Float32]:
        """Give the audio as float32 blocks, full scale ±1.0, else as by iterating.

        Raises:
            AudioFileError: Reading the disk failed, or the reader is closed.
        """
        resampler = Resampler(self._format.rate, self._rate)
        held: Float32 = np.zeros(0, np.float32)
        for mono in self._mono():
            held = np.concatenate((held, resampler.feed_float(mono)))
            whole = held.size - held.size % self._block
            for at in range(0, whole, self._block):
                yield held[at : at + self._block]
            held = held[whole:]
        held = np.concatenate((held, resampler.flush_float()))
        for at in range(0, held.size, self._block):
            yield held[at : at + self._block]

    def read(self) -> Int16:
        """Read the whole file: 2 bytes of memory per sample.

        Returns:
            int16, shape (n,).

        Raises:
            AudioFileError: Reading the disk failed, or the reader is closed.
        """
        return np.concatenate([*self, np.zeros(0, np.int16)])

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _mono(self) -> Iterator[Float32]:
        """Give the file's samples, mixed to mono, at the file's rate, in blocks of any size."""
        found = self._format
        frame = found.width * found.channels
        at, left = found.offset, found.frames
        self._not_numbers = self._too_loud = 0
        while left:
            if self._file.closed:
                raise AudioFileError(f"{self._path} cannot be read: its reader is closed.")
            try:
                self._file.seek(at)  # each time: two iterations may be under way
                data = self._file.read(min(left, max(_READ // frame, 1)) * frame)
            except OSError as error:
                raise _failure(self._path, "read", error) from error
            count = len(data) // frame
            if not count:
                self._missing = True
                return
            at += count * frame
            left -= count
            samples = self._decode(data[: count * frame])
            if found.channels == 1:
                yield samples
            else:
                yield samples.reshape(count, found.channels).mean(axis=1, dtype=np.float32)

    def _decode(self, data: bytes) -> Float32:
        """Turn stored samples into float32, still interleaved."""
        match self._format.codec, self._format.width:
            case "pcm", 1:  # the one width that is unsigned
                return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0
            case "pcm", 2:
                return to_float32(np.frombuffer(data, "<i2").astype(np.int16))
            case "pcm", 3:
                wide = np.zeros((len(data) // 3, 4), np.uint8)
                wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
                return (wide.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
            case "pcm", _:
                return (np.frombuffer(data, "<i4") / 2.0**31).astype(np.float32)
            case "mulaw", _:
                return to_float32(decode_mulaw(data))
            case "alaw", _:
                return to_float32(decode_alaw(data))
            case _:
                stored = "<f4" if self._format.width == 4 else "<f8"
                return self._tame(np.frombuffer(data, stored).astype(np.float64))

    def _tame(self, samples: np.ndarray) -> Float32:
        """Make float samples safe: no NaN, nothing beyond full scale."""
        unset = np.isnan(samples)
        self._not_numbers += int(np.count_nonzero(unset))
        samples[unset] = 0.0
        self._too_loud += int(np.count_nonzero(np.abs(samples) > 1.0))
        return np.clip(samples, -1.0, 1.0).astype(np.float32)


class WavWriter:
    """Writes 16-bit PCM to a WAV file as it comes.

    The file is a valid WAV file at every moment: the samples are written first, and the header
    is brought up to date in one write after each second of audio and on closing. When the
    process is killed, at most the last second is not accounted for in the header. An existing
    file is replaced.

    Writing goes to the page cache, a few microseconds for 20 ms of audio; it does not wait
    for the disk (`close` does, and so may take a while on a slow one).

        with WavWriter("answer.wav", 24_000) as wav:
            wav.write(pcm)

    Args:
        path: The file; its folder exists.
        rate: Sample rate (Hz).
        channels: How many channels.
        append: Go on after what a writer of this kind has written to the file before, also one
            that was killed; samples that its header does not know of are kept.

    Raises:
        AudioFileError: The file cannot be written, or not be gone on with; one line says why.
        ValueError: The rate or the number of channels is out of range.
    """

    _HEADER = 44
    _LARGEST = 0xFFFFFFFF - 64  # bytes of samples that fit in a WAV file's 32-bit sizes

    def __init__(
        self,
        path: str | os.PathLike[str],
        rate: int,
        channels: int = 1,
        *,
        append: bool = False,
    ) -> None:
        if not 1_000 <= rate <= 384_000:
            raise ValueError(f"A WAV file's sample rate is 1000 to 384000 Hz here, not {rate}.")
        if not 1 <= channels <= 64:
            raise ValueError(f"A WAV file has 1 to 64 channels here, not {channels}.")
        self._path = os.fspath(path)
        self._rate = rate
        self._channels = channels
        self._written = 0  # bytes of samples
        self._accounted = 0  # bytes of samples that the header knows of
        _refuse_stream(self._path)
        try:
            self._file = FileIO(self._path, "r+" if append else "w")
            try:
                if append:
                    self._written = self._there()
                self._put(0, self._header())
            except (OSError, AudioFileError):
                self._file.close()
                raise
        except OSError as error:
            raise _failure(self._path, "written", error) from error

    def _there(self) -> int:
        """Return how many bytes of samples stand in the file."""
        size = os.fstat(self._file.fileno()).st_size
        head = self._file.read(self._HEADER)
        if head[8:36] != self._header()[8:36]:
            raise AudioFileError(f"{self._path} cannot be gone on with: it is of another kind.")
        frame = 2 * self._channels
        return (size - self._HEADER) // frame * frame

    @property
    def frames(self) -> int:
        """Samples of each channel written so far."""
        return self._written // (2 * self._channels)

    @property
    def duration(self) -> float:
        """Length of what was written so far (s)."""
        return self.frames / self._rate

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    def write(self, pcm: Int16) -> None:
        """Append samples.

        Args:
            pcm: int16: mono of shape (n,), or of shape (n, channels).

        Raises:
            AudioFileError: The disk is full or failed, 4 GiB are reached, or it is closed.
                What was written before stays readable; close the writer.
            TypeError: Not int16, or not of a shape that fits the channels.
        """
        fits = pcm.ndim == 2 and pcm.shape[1] == self._channels
        if pcm.dtype != np.int16 or not (fits or (pcm.ndim == 1 and self._channels == 1)):
            raise TypeError(
                f"This WAV file takes int16 of shape (n, {self._channels})"
                f"{' or (n,)' if self._channels == 1 else ''}, not {pcm.dtype} {pcm.shape}."
            )
        if self._file.closed:
            raise AudioFileError(f"{self._path} cannot be written: its writer is closed.")
        data = pcm.astype("<i2", copy=False).tobytes()
        if self._written + len(data) > self._LARGEST:
            raise AudioFileError(
                f"{self._path} has reached 4 GiB, the most a WAV file holds: begin another file."
            )
        try:
            self._put(self._HEADER + self._written, data)
            self._written += len(data)
            if self._written - self._accounted >= 2 * self._channels * self._rate:
                self._account()
        except OSError as error:
            raise _failure(self._path, "written", error) from error

    def close(self) -> None:
        """Complete the header, put everything on the disk, close; may be called again.

        Raises:
            AudioFileError: The disk failed. The file is closed all the same.
        """
        if self._file.closed:
            return
        try:
            # A write that failed half-way may have left part of a block behind.
            self._file.truncate(self._HEADER + self._written)
            self._account()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _failure(self._path, "completed", error) from error
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _account(self) -> None:
        self._put(0, self._header())
        self._accounted = self._written

    def _header(self) -> bytes:
        frame = 2 * self._channels
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            self._HEADER - 8 + self._written,
            b"WAVE",
            b"fmt ",
            16,
            1,
            self._channels,
            self._rate,
            self._rate * frame,
            frame,
            16,
            b"data",
            self._written,
        )

    def _put(self, at: int, data: bytes) -> None:
        """Write at a position, all of it."""
        self._file.seek(at)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


def _open(path: str) -> BinaryIO:
    """Open a regular file for reading, or say what else it is."""
    if path == "-":
        raise AudioFileError("A WAV file is read with seeking, not from standard input: save it.")
    try:
        # Looked at before it is opened: opening a FIFO would wait for its writer.
        mode = Path(path).stat().st_mode
        file = Path(path).open("rb") if stat.S_ISREG(mode) else None  # noqa: SIM115 - given on
    except FileNotFoundError:
        raise AudioFileError(f"{path} does not exist.") from None
    except OSError as error:
        raise _failure(path, "read", error) from error
    if file:
        return file
    if stat.S_ISDIR(mode):
        raise AudioFileError(f"{path} is a directory, not a WAV file.")
    raise AudioFileError(
        f"{path} is a pipe or a device; a WAV file is read with seeking: save it first."
    )


def _refuse_stream(path: str) -> None:
    """Refuse what a WAV file cannot be written to: its header is written again and again."""
    try:
        writable = path != "-" and stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return  # not there yet, or opening it will say what is wrong
    if not writable and not Path(path).is_dir():
        raise AudioFileError(
            f"{path} is a pipe or a device; a WAV file is written with seeking: give a file."
        )


def _failure(path: str, what: str, error: OSError) -> AudioFileError:
    return AudioFileError(f"{path} cannot be {what}: {error.strerror or error}.")
