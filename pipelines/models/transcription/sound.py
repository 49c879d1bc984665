"""Recordings as they go out: files on disk, sent in pieces and never held whole."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import IO, Any

PIECE = 192 * 1024
"""Bytes read at once: a multiple of three, so that base64 can be put together again."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording, or a part of one.

    Attributes:
        file: Its bytes, seekable; None where the server gets it by itself.
        form: The file's format ("flac").
        seconds: How long it is; 0 where that is not known.
        url: Where the server may fetch it.
        id: Its id, where the server has it already.
        name: What to call it, in messages and to the server.
    """

    file: IO[bytes] | None = None
    form: str = "flac"
    seconds: float = 0.0
    url: str | None = None
    id: str | None = None
    name: str = "recording"

    @property
    def size(self) -> int:
        """Bytes of the file; 0 where the server gets it by itself."""
        return 0 if self.file is None else self.file.seek(0, os.SEEK_END)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: how it is told, how long it is (bytes) and its pieces."""

    content_type: str
    length: int
    pieces: AsyncGenerator[bytes]


def multipart(fields: Sequence[tuple[str, str]], sound: Sound) -> Body:
    """Make a form (RFC 7578) of fields, repeated ones in order, and of the file if there is one."""
    boundary = secrets.token_hex(16)
    head = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    )
    tail = f"--{boundary}--\r\n".encode()
    if sound.file is not None:
        head += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file";'
            f' filename="{_plain(sound.name)}.{sound.form}"\r\n'
            f"Content-Type: audio/{sound.form}\r\n\r\n"
        ).encode()
        tail = b"\r\n" + tail
    length = len(head) + sound.size + len(tail)

    async def pieces() -> AsyncGenerator[bytes]:
        yield head
        if sound.file is not None:
            async for piece in _read(sound.file):
                yield piece
        yield tail

    return Body(f"multipart/form-data; boundary={boundary}", length, pieces())


def json_with_audio(body: dict[str, Any], sound: Sound) -> Body:
    """Make a JSON object whose `input_audio` is the file as base64: `{"data", "format"}`.

    Args:
        body: The rest of it.
        sound: With a file.
    """
    assert sound.file is not None
    # The audio is written between two halves of the object, in place of a word that none has.
    mark = secrets.token_hex(16)
    whole = json.dumps({**body, "input_audio": {"data": mark, "format": sound.form}})
    head, _, tail = whole.partition(mark)
    file = sound.file
    length = len(head.encode()) + (sound.size + 2) // 3 * 4 + len(tail.encode())

    async def pieces() -> AsyncGenerator[bytes]:
        yield head.encode()
        async for piece in _read(file):
            yield base64.b64encode(piece)
        yield tail.encode()

    return Body("application/json", length, pieces())


async def _read(file: IO[bytes]) -> AsyncGenerator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    # Files read whole pieces but for the last one.
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece


def _plain(name: str) -> str:
    """Return a name that fits between quotes in a header."""
    kept = "".join(char if char.isalnum() or char in "-_. " else "_" for char in name)
    return kept.encode("ascii", "replace").decode().replace("?", "_")[:64] or "recording"
