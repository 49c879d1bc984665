"""The site: where a server listens, and the guard before its connections."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from aiohttp import web

from vivavoce.web.answers import Handler
from vivavoce.web.guard import IDLE, Guard
from vivavoce.web.limits import Limits

STOP = 5.0
"""Seconds in which requests end when the server does."""


class Site:
    """Listens for an application whose middlewares begin with `watch`."""

    def __init__(self) -> None:
        self._guard: Guard | None = None
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Stop the clock that a slow request runs against while it is answered."""
        guard, transport = self._guard, request.transport
        if guard is not None:
            guard.began(transport)
        try:
            return await handler(request)
        finally:
            if guard is not None:
                guard.ended(transport)

    async def open(
        self, app: web.Application, limits: Limits, host: str, port: int, tls: ssl.SSLContext | None
    ) -> None:
        """Listen.

        Args:
            app: What answers.
            limits: How many connections, and how long a request's head may take.
            host: The address.
            port: The port; 0 takes a free one.
            tls: The certificate; None for plain HTTP.

        Raises:
            OSError: The address or port cannot be had; nothing is left open.
        """
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=IDLE, lingering_time=1.0)
        try:
            await runner.setup()
            self._guard = Guard(runner.server, limits)
            self._server = await asyncio.get_running_loop().create_server(
                self._guard, host, port, ssl=tls
            )
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner

    @property
    def port(self) -> int | None:
        """The port it listens on; None while it does not."""
        if self._server is None or not self._server.sockets:
            return None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._guard) if self._guard is not None else 0

    @property
    def refused(self) -> int:
        """How many connections were too many."""
        return self._guard.refused if self._guard is not None else 0

    def shut(self) -> None:
        """Take no more connections; those that there are go on. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def close(self) -> None:
        """Shut it, and end what is asked; idempotent."""
        self.shut()
        runner, self._runner = self._runner, None
        if runner is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP):
                    await runner.cleanup()


def url_of(host: str, port: int, *, tls: bool) -> str:
    """Return where a server is, for its own machine."""
    host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 (compared only)
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
