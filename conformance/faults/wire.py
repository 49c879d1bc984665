"""A line between two programs that can be spoiled: TCP as it is, or with TLS in front."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Literal, Self
from urllib.parse import urlsplit

from vivavoce.pipelines.tasks import Tasks

HERE = "127.0.0.1"
State = Literal["up", "down", "refused", "silent"]


class Wire:
    """Carries TCP connections to an address.

    Its states: "up"; "down": nothing passes, nobody is told, new connections are taken and hang
    (a cable that was pulled); "refused": the port is closed and what there was is reset; "silent":
    what is there goes on, new connections hang.

    Args:
        url: Where to; `unix:///path` for a socket on this machine.
        tls: What it presents to its clients; None: plain.
        delay: Seconds that each piece takes each way.

    Attributes:
        state: What becomes of what is sent.
    """

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, delay: float = 0.0) -> None:
        self.aim(url)
        self._tls, self.delay = tls, delay
        self.state: State = "up"
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks = Tasks()
        self.port = 0
        self.carried = 0

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"{'https' if self._tls else 'http'}://{HERE}:{self.port}"

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def aim(self, url: str) -> None:
        """Carry new connections there."""
        parts = urlsplit(url)
        self._path = parts.path if parts.scheme == "unix" else ""
        self._to = (parts.hostname or HERE, parts.port or 80)

    async def turn(self, state: State) -> None:
        """Change what becomes of what is sent."""
        self.state = state
        self._changed.set()
        self._changed = asyncio.Event()
        if state == "refused":
            self.reset()
            if self._server is not None:
                self._server.close()
                self._server = None
        elif self._server is None:
            await self._open()

    def reset(self) -> None:
        """Reset all connections that there are."""
        for writer in list(self._writers):
            writer.transport.abort()

    def present(self, tls: ssl.SSLContext) -> Callable[[], None]:
        """Present another certificate to new connections; the URL's scheme stays."""
        self._tls = tls
        return self.reset

    async def close(self) -> None:
        """End all; idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.state = "up"  # nobody waits any more
        self._changed.set()
        await asyncio.sleep(0)
        self.reset()
        await self._tasks.close()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(
            self._take,
            HERE,
            self.port,
            ssl=self._tls,
            ssl_handshake_timeout=5 if self._tls else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._passing()
            if self._path:
                there, other = await asyncio.open_unix_connection(self._path)
            else:
                there, other = await asyncio.open_connection(*self._to)
        except (OSError, asyncio.CancelledError):
            self._writers.discard(writer)
            writer.transport.abort()
            raise
        self._writers.add(other)
        one = self._tasks.spawn(self._pass(reader, other), "wire up")
        two = self._tasks.spawn(self._pass(there, writer), "wire down")
        try:
            await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({one, two}, timeout=1.0)
        finally:
            for each in (writer, other):
                self._writers.discard(each)
                each.close()
                with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
                    async with asyncio.timeout(1):
                        await each.wait_closed()
            for task in (one, two):
                task.cancel()

    async def _passing(self) -> None:
        while self.state in {"down", "silent"}:
            await self._changed.wait()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := await reader.read(65_536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                while self.state == "down":
                    await self._changed.wait()
                self.carried += len(data)
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
