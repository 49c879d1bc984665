"""A connection to a server of the Model Context Protocol, held by a task of its own."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

try:
    import httpx2
    from mcp import Client, MCPError, types
    from mcp.client import Transport
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.dispatcher import ProgressFnT
except ImportError as error:  # pragma: no cover (the extra is installed where tests run)
    raise ImportError(
        f"tools from MCP servers need the extra `mcp`: pip install 'vivavoce[mcp]' ({error})"
    ) from error

READ_TIMEOUT = 300.0
"""Seconds that an answer by HTTP may pause; a tool's own time-out is what bounds it."""

_log = logging.getLogger("vivavoce.tools")


class Link:
    """One connection, held by a task of its own.

    The client's context has to be left by the task that entered it, and calls come from any.
    """

    def __init__(self, name: str, connect: Callable[[], Transport]) -> None:
        self.name = name
        self._connect = connect
        self._leave = asyncio.Event()
        self._gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._client: asyncio.Future[Client] = loop.create_future()
        self.task = asyncio.create_task(self._hold(), name=f"MCP server {name}")
        self.task.add_done_callback(self._ended)

    @property
    def alive(self) -> bool:
        """Whether calls can be made."""
        return not (self._gone.is_set() or self._leave.is_set() or self.task.done())

    @property
    def client(self) -> Client:
        """The client; only once it is ready."""
        return self._client.result()

    async def ready(self, timeout: float) -> None:  # noqa: ASYNC109 (one of ours)
        """Wait for the handshake.

        Raises:
            ConnectionError: There was none.
            TimeoutError: Not in time.
        """
        done, _ = await asyncio.wait({self._client}, timeout=timeout)
        if not done:
            raise TimeoutError(f"MCP server {self.name} did not answer within {timeout:g} s")
        self._client.result()

    async def call(
        self, name: str, arguments: dict[str, Any], on_progress: ProgressFnT
    ) -> types.CallToolResult:
        """Call a tool.

        Raises:
            ConnectionError: The server is gone, or its answer makes no sense.
            MCPError: It refused.
        """
        try:
            return await self.client.call_tool(name, arguments, progress_callback=on_progress)
        except MCPError as error:
            if not self.alive or error.code == types.CONNECTION_CLOSED:
                raise ConnectionError(short_words(error)) from error
            if error.message in _LOST:
                raise ConnectionError(short_words(error)) from error
            raise
        except Exception as error:
            raise ConnectionError(short_words(error)) from error

    def leave(self) -> None:
        """Begin to close; who waits for the handshake is cancelled."""
        self._leave.set()
        if not self._client.done():
            self.task.cancel()

    async def _hold(self) -> None:
        async with Client(self._connect()) as client:
            self._client.set_result(client)
            await self._leave.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._gone.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.debug("the connection to MCP server %s ended: %s", self.name, type(error).__name__)
        if not self._client.done():
            said = "closed" if error is None else short_words(error)
            self._client.set_exception(
                ConnectionError(f"MCP server {self.name} cannot be reached: {said}")
            )
            self._client.exception()  # retrieved, even if nobody waits any more


# What the transport says when an HTTP server has forgotten the session, as after a restart.
_LOST = frozenset({"Session terminated", "Not Found", "Server returned an error response"})


class HttpTransport:
    """Streamable HTTP with headers of one's own; a `Transport`.

    Args:
        url: Where the server is.
        headers: Sent with each request.
        timeout: Seconds for connecting and sending.
    """

    def __init__(self, url: str, headers: dict[str, str], timeout: float) -> None:
        self._url, self._headers = url, headers
        self._limits = httpx2.Timeout(timeout, read=READ_TIMEOUT)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Any:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                httpx2.AsyncClient(headers=self._headers, timeout=self._limits)
            )
            streams = await stack.enter_async_context(
                streamable_http_client(self._url, http_client=client)
            )
            self._stack = stack.pop_all()
            return streams

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)


def short_words(error: BaseException) -> str:
    """An exception in words, of at most 300 characters; of a group, the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:299] + "…"
