"""Sources of tools, such as MCP servers: open while a call needs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from vivavoce.tools import Toolbox


@runtime_checkable
class ToolSource(Protocol):
    """Where tools come from while a call goes on, such as an MCP server.

    It is opened for the first call that needs it, and closed after the last.
    """

    def add_to(self, toolbox: Toolbox) -> None:
        """Add its tools; it is open."""

    async def __aenter__(self) -> object:
        """Open it."""

    async def __aexit__(self, *_: object) -> object:
        """Close it."""


class Sources:
    """The sources of one agent, which its calls share."""

    def __init__(self) -> None:
        self._sources: list[ToolSource] = []
        self._added: set[int] = set()
        self._tried: set[int] = set()
        self._failed: list[Exception] = []
        self._calls = 0
        self._open = contextlib.AsyncExitStack()
        self._lock = asyncio.Lock()

    def add(self, source: ToolSource) -> None:
        """Add a source at the end."""
        self._sources.append(source)

    @contextlib.asynccontextmanager
    async def serving(self, toolbox: Toolbox) -> AsyncIterator[list[Exception]]:
        """Have the sources open, and their tools in a box.

        They are opened for the first call and closed after the last; meanwhile a source that could
        not be opened is not tried again.

        Args:
            toolbox: Gets the tools, once.

        Yields:
            Why some could not be opened.
        """
        self._calls += 1
        if self._calls == 1:
            # A lock belongs to the event loop of the calls, and an agent may outlive that.
            self._lock = asyncio.Lock()
            self._open = contextlib.AsyncExitStack()
            self._tried, self._failed = set(), []
        opened = self._open
        try:
            async with self._lock:
                for source in self._sources:
                    if id(source) not in self._tried:
                        await self._enter(source, toolbox)
                        self._tried.add(id(source))
            yield list(self._failed)
        finally:
            self._calls -= 1
            if self._calls == 0:
                await opened.aclose()

    async def _enter(self, source: ToolSource, toolbox: Toolbox) -> None:
        try:
            await self._open.enter_async_context(source)  # type: ignore[arg-type]
            if id(source) not in self._added:
                source.add_to(toolbox)
                self._added.add(id(source))
        except Exception as error:  # noqa: BLE001 (a server of somebody else's)
            self._failed.append(error)
