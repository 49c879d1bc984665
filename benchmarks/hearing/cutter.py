"""A wire that is cut: bytes go through both ways until the moment comes, and then half of one.

What is in flight is cut too, in the middle of a WebSocket frame, as by a router that dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

How = Literal["reset", "close"]
"""RST, which loses what was not read yet; or FIN, without a close frame."""
_PIECE = 65_536


class Cutter:
    """A TCP relay on loopback that breaks connections; an async context manager."""

    def __init__(self, url: str, cuts: Iterable[float], how: How = "reset", seed: int = 0) -> None:
        """Prepare it.

        Args:
            url: Where it leads, an `http` URL.
            cuts: Seconds since the first connection at which what is open then is cut.
            how: In which way.
            seed: Of how much of the last piece gets through.
        """
        parts = urlsplit(url)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._path = parts.path
        self._cuts = sorted(cuts)
        self._how = how
        self._random = random.Random(seed)
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._clock: asyncio.Task[None] | None = None
        self._cutting = asyncio.Event()
        self.connections = 0
        self.done = 0

    @property
    def url(self) -> str:
        """Where clients connect."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{self._path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [*self._open, *([self._clock] if self._clock else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _tick(self) -> None:
        began = asyncio.get_running_loop().time()
        for cut in self._cuts:
            await asyncio.sleep(max(0.0, began + cut - asyncio.get_running_loop().time()))
            self.done += 1
            self._cutting.set()
            self._cutting = asyncio.Event()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._clock is None:
            self._clock = asyncio.create_task(self._tick(), name="cutter")
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer), name="relay")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far = await asyncio.open_connection(*self._to)
        except OSError:
            _end(writer, "reset")
            return
        cutting = asyncio.create_task(self._cutting.wait(), name="cut")
        pipes = {
            asyncio.create_task(self._pipe(reader, far, cutting), name="up"),
            asyncio.create_task(self._pipe(far_reader, writer, cutting), name="down"),
        }
        try:
            await asyncio.wait({cutting, *pipes}, return_when=asyncio.FIRST_COMPLETED)
            if cutting.done():
                await asyncio.wait(pipes, timeout=0.02)
        finally:
            for each in (cutting, *pipes):
                each.cancel()
            await asyncio.gather(cutting, *pipes, return_exceptions=True)
            how: How = self._how if cutting.done() and not cutting.cancelled() else "close"
            for each in (writer, far):
                _end(each, how)

    async def _pipe(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cutting: asyncio.Task[bool],
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_PIECE):
                if cutting.done():
                    writer.write(data[: self._random.randrange(len(data))])
                    return
                writer.write(data)
                await writer.drain()


def _end(writer: asyncio.StreamWriter, how: How) -> None:
    if how == "reset":
        sock = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
