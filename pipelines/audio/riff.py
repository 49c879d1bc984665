"""What a WAV file says about itself: its chunks, its format, where its samples lie.

Parsing only, and forgiving: what real files get wrong (sizes never filled in by a program that
streamed, files cut short, odd chunks without padding) is read as far as it can be, with a
warning. WAVE_FORMAT_EXTENSIBLE, RF64 and BW64 are understood.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

_MAX_CHUNKS = 10_000
_MAX_CHANNELS = 64
_UNKNOWN = 0xFFFFFFFF
_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_LOWEST_RATE, _HIGHEST_RATE = 4_000, 192_000

_CODECS = {
    2: "Microsoft ADPCM",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x40: "G.721 ADPCM",
    0x50: "MPEG",
    0x55: "MP3",
    0x161: "Windows Media Audio",
    0xFF: "AAC",
    0x1610: "AAC",
    0x704F: "Opus",
    0xF1AC: "FLAC",
}

# Read from the beginning of a file: (offset, bytes, what it is).
_MAGIC = (
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg (Opus or Vorbis)"),
    (0, b"ID3", "MP3"),
    (4, b"ftyp", "MP4/M4A"),
    (0, b"\x1a\x45\xdf\xa3", "WebM/Matroska"),
    (0, b"#!AMR", "AMR"),
    (0, b"caff", "Core Audio (CAF)"),
    (0, b".snd", "Sun AU"),
    (0, b"wvpk", "WavPack"),
    (0, b"riff", "Sony Wave64"),
    (0, b"RIFX", "big-endian WAV (RIFX)"),
    (0, b"\x30\x26\xb2\x75", "Windows Media (ASF)"),
)
_OTHER = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"version https://git-lfs", "a Git LFS pointer: run `git lfs pull`"),
)


class AudioFileError(ValueError):
    """An audio file cannot be read or written; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class WavFormat:
    """How a WAV file's samples are stored.

    Attributes:
        codec: "pcm", "float", "mulaw" or "alaw".
        width: Bytes of one sample of one channel.
        channels: How many channels.
        rate: Sample rate (Hz).
        offset: Where the samples begin in the file (bytes).
        frames: How many samples of each channel there are to read.
        warning: What is wrong with the file though it can be read, or "".
    """

    codec: str
    width: int
    channels: int
    rate: int
    offset: int
    frames: int
    warning: str


def read_format(file: BinaryIO, size: int) -> WavFormat:
    """Read a WAV file's header.

    Args:
        file: The file, seekable.
        size: Its length (bytes).

    Returns:
        What there is to read; only samples that are really in the file are counted.

    Raises:
        AudioFileError: It is no WAV file that can be read. The message does not name the file.
        OSError: Reading failed.
    """
    if not size:
        raise AudioFileError("is empty (0 bytes): whatever should have written it did not")
    file.seek(0)
    head = file.read(64)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        raise AudioFileError(_what_else(head))

    fmt = data = None
    real_size = _UNKNOWN  # of the data, from a ds64 chunk
    at = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            break
        name, length = struct.unpack("<4sI", header)
        body = at + 8
        if name == b"fmt " and fmt is None:
            fmt = file.read(min(length, 64))
        elif name == b"ds64":
            sizes = file.read(16)
            if len(sizes) == 16:
                real_size = struct.unpack("<QQ", sizes)[1]
        elif name == b"data" and data is None:
            open_ended = length in (0, _UNKNOWN)
            if length == _UNKNOWN and real_size != _UNKNOWN:
                length, open_ended = real_size, False
            if length == 0 and _is_chunk_end(file, body, size):
                open_ended = False
            data = (body, None if open_ended else length)
            if open_ended:
                break
        if fmt is not None and data is not None:
            break
        at = _next_chunk(file, body + length, length)

    if fmt is None:
        raise AudioFileError("is a WAV file without a format ('fmt ' chunk): it is damaged")
    codec, width, channels, rate = _parse_fmt(fmt)
    if data is None:
        raise AudioFileError("is a WAV file that holds no audio data")
    return _measure(codec, width, channels, rate, data, size)


def _measure(
    codec: str, width: int, channels: int, rate: int, data: tuple[int, int | None], size: int
) -> WavFormat:
    """Find out how many samples are really there. `data`: offset, and length if it is known."""
    offset, length = data
    there = max(size - offset, 0)
    frame = width * channels
    warning = ""
    if length is None:
        if there:
            warning = "its header does not say how long it is: read to the end of the file"
        length = there
    elif length > there:
        seconds = (length - there) / (frame * rate)
        amount = f"{seconds:.1f} s" if seconds < 1e6 else "most"
        warning = f"it is cut short: {amount} of the audio that its header promises is missing"
        length = there
    frames = length // frame
    if not frames:
        raise AudioFileError("is a WAV file that holds no audio data")
    if length % frame and not warning:
        warning = "its last sample is incomplete and was left out"
    return WavFormat(codec, width, channels, rate, offset, frames, warning)


def _parse_fmt(fmt: bytes) -> tuple[str, int, int, int]:
    """Read a format chunk: codec, bytes per sample, channels, rate."""
    if len(fmt) < 16:
        raise AudioFileError("is a WAV file whose format ('fmt ' chunk) is cut short")
    tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", fmt[:16])
    if tag == _EXTENSIBLE:
        if len(fmt) < 40 or fmt[26:40] != _GUID_TAIL:
            raise AudioFileError(f"is a WAV file of an unknown kind; {_convert()}")
        tag = struct.unpack("<H", fmt[24:26])[0]
    codec = {_PCM: "pcm", _FLOAT: "float", _ALAW: "alaw", _MULAW: "mulaw"}.get(tag)
    if codec is None:
        kind = _CODECS.get(tag, f"an unknown codec (0x{tag:04X})")
        raise AudioFileError(f"is a WAV file holding {kind}, which is not read; {_convert()}")
    if not 1 <= channels <= _MAX_CHANNELS:
        raise AudioFileError(
            f"is a WAV file that claims {channels} channels: its header is damaged "
            f"(1 to {_MAX_CHANNELS} are read)"
        )
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise AudioFileError(
            f"is a WAV file that claims a sample rate of {rate} Hz: its header is damaged, or "
            f"it is no audio for listening ({_LOWEST_RATE} to {_HIGHEST_RATE} Hz are read)"
        )
    # The room a sample takes, not its valid bits: 12 or 20 bit samples are stored high up in
    # 16 or 24. Some programs leave the block size 0.
    width = block // channels if block and block % channels == 0 else (bits + 7) // 8
    widths = {"pcm": (1, 2, 3, 4), "float": (4, 8), "alaw": (1,), "mulaw": (1,)}[codec]
    if width not in widths or bits > width * 8:
        raise AudioFileError(
            f"is a WAV file with {bits}-bit {codec} samples in blocks of {block} bytes, which "
            f"is not read; {_convert()}"
        )
    return codec, width, channels, rate


def _plausible(name: bytes) -> bool:
    """Tell whether four bytes look like the name of a chunk."""
    return len(name) == 4 and all(32 <= byte < 127 for byte in name)


def _next_chunk(file: BinaryIO, end: int, length: int) -> int:
    """Find the next chunk: behind a padding byte after an odd one, where it was not left out."""
    if length % 2 == 0:
        return end
    file.seek(end)
    after = file.read(5)
    return end if after[:1] != b"\0" and _plausible(after[:4]) else end + 1


def _is_chunk_end(file: BinaryIO, at: int, size: int) -> bool:
    """Tell whether the rest of the file is nothing but whole chunks (or nothing at all).

    That makes a data size of 0 the truth, rather than a size that was never filled in.
    """
    for _ in range(_MAX_CHUNKS):
        if at >= size:
            return True
        file.seek(at)
        header = file.read(8)
        if len(header) < 8 or not _plausible(header[:4]):
            return False
        at += 8 + int.from_bytes(header[4:], "little")
        if at > size:
            return False
        at += at % 2
    return False


def _what_else(head: bytes) -> str:
    """Say what a file looks like that is no WAV file."""
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return f"is not a WAV file but looks like {name}; {_convert()}"
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return f"is not a WAV file but looks like AIFF; {_convert()}"
    if head[:4] == b"RIFF":
        kind = head[8:12].decode("ascii", "replace").strip()
        if len(head) < 12:
            return "is a WAV file cut short in its header: nothing can be read"
        return f"is not a WAV file but another kind of RIFF ({kind!r}); {_convert()}"
    for magic, name in _OTHER:
        if head.startswith(magic):
            return f"is not a WAV file but looks like {name}"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        kind = "AAC" if head[1] & 0xF6 == 0xF0 else "MP3"
        return f"is not a WAV file but looks like {kind}; {_convert()}"
    if head.isascii() and all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return "is not a WAV file but text"
    return (
        "is not a WAV file, nor any other kind that is recognised; if it is audio without a "
        "header, tell ffmpeg its format: ffmpeg -f s16le -ar 16000 -ac 1 -i INPUT output.wav"
    )


def _convert() -> str:
    return "convert it: ffmpeg -i INPUT -ac 1 -ar 16000 output.wav"
