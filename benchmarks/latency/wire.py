"""The pipe protocol between the benchmark and an engine's process.

A message is a kind (one ASCII byte), a call's number (one byte), a length (four bytes, big
endian) and so many bytes. Only the standard library: peers import it in environments of their own.

To the engine: ``A`` 20 ms of the caller's audio (int16, 16 kHz, mono) · ``Q`` end.
From it: ``Y`` ready (JSON: rate, versions) · ``A`` a packet of the agent's audio (int16, mono, at
that rate) · ``T`` what the engine tells of a turn (JSON) · ``X`` it failed (text).

No audio is sent to an engine whose turn it is not, so that it has nothing to do.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
from typing import Any

HEAD = struct.Struct(">cBI")
RATE = 16_000
"""Of the caller's audio (Hz)."""
BLOCK = RATE // 50
"""Samples of a message of it."""

Message = tuple[bytes, int, bytes]


def pack(kind: bytes, call: int, payload: bytes) -> bytes:
    """Return a message as it goes over the pipe."""
    return HEAD.pack(kind, call, len(payload)) + payload


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """Return the next message; None at the end of the pipe. Safe to cancel between messages."""
    try:
        kind, call, length = HEAD.unpack(await reader.readexactly(HEAD.size))
        return kind, call, await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None


class Pipe:
    """The engine's end.

    Standard output becomes the pipe's and nobody else's: what libraries print goes to stderr.
    """

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._reader: asyncio.StreamReader | None = None

    async def open(self) -> None:
        """Begin to read; once, on the loop that will."""
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader()
        reader = self._reader
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def receive(self) -> Message | None:
        """Return the next message; None when the benchmark is gone or wants an end."""
        assert self._reader is not None
        message = await receive(self._reader)
        return None if message is None or message[0] == b"Q" else message

    def send(self, kind: bytes, call: int, payload: bytes) -> None:
        """Write a message. The benchmark reads at once, so this does not block for long."""
        data = memoryview(pack(kind, call, payload))
        while data:
            data = data[os.write(self._out, data) :]

    def tell(self, kind: bytes, call: int, value: dict[str, Any]) -> None:
        """Write a message of JSON."""
        self.send(kind, call, json.dumps(value).encode())
