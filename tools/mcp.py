"""Servers of the Model Context Protocol as sources of tools; needs the extra `mcp`."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, TextIO, Unpack
from urllib.parse import urlsplit

# First, because it tells what to install.
from .mcp_link import HttpTransport, Link, short_words  # isort: skip
from mcp import Client, MCPError, StdioServerParameters, stdio_client, types
from mcp.client import Transport
from mcp.shared.dispatcher import ProgressFnT

from .mcp_content import fit_name, read_listed, read_result
from .outcome import ToolError
from .progress import Progress, Result
from .schema import DefinitionError
from .tool import RunOptions, Tool, make_tool
from .toolbox import TOOLS_LIMIT, Toolbox

CONNECT_TIMEOUT = 10.0
"""Seconds in which a server has to start, shake hands and list its tools."""

CLOSE_TIMEOUT = 8.0
"""Seconds for closing: a process that does not end is ended by force within six."""

PAGES_LIMIT = 20
"""The most pages of a server's list of tools."""

_log = logging.getLogger("vivavoce.tools")


class MCPServer:
    """A server whose tools a model can call; an async context manager.

    Within `async with`, `tools` holds what the server offers. The list is asked for once. When
    the server dies, the call that it was at work on fails in words for the model, and the next
    call starts or reaches it anew.

    Make one with `MCPServer.stdio` or `MCPServer.http`. Its calls may run at the same time, and
    from any task of the event loop that opened it. Several may have it open at once, such as the
    lifespans of several calls: the last one closes it.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Transport],
        *,
        allow: Collection[str] | None,
        deny: Collection[str],
        confirm_only: Collection[str],
        connect_timeout: float,
        options: RunOptions,
    ) -> None:
        where = f"MCP server {name}"
        for option, names in (("allow", allow), ("deny", deny), ("confirm_only", confirm_only)):
            if isinstance(names, str):
                raise DefinitionError(f'{where}: {option} is a text: give a list, ["{names}"]')
        if not 0 < connect_timeout < float("inf"):
            raise DefinitionError(f"{where}: connect_timeout is {connect_timeout}: give seconds")
        for option in ("name", "description"):
            if option in options:
                raise DefinitionError(f"{where}: its tools have their own {option}: leave it out")
        if confirm_only and options.get("confirm") is False:
            raise DefinitionError(f"{where}: confirm=False and confirm_only contradict: drop one")
        self.name = name
        self._connect = connect
        self._allow = None if allow is None else frozenset(allow)
        self._deny = frozenset(deny)
        self._confirm_only = frozenset(confirm_only)
        self._timeout = connect_timeout
        self._options = options
        self._tools: tuple[Tool[..., Any], ...] = ()
        self._link: Link | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._users = 0

    @classmethod
    def stdio(
        cls,
        command: str,
        args: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        name: str | None = None,
        allow: Collection[str] | None = None,
        deny: Collection[str] = (),
        confirm_only: Collection[str] = (),
        connect_timeout: float = CONNECT_TIMEOUT,
        **options: Unpack[RunOptions],
    ) -> "MCPServer":
        """A server that is started as a process, and spoken to over its standard streams.

        It is started in a session of its own; what it writes to its standard error goes to
        ours.

        Args:
            command: The program.
            args: Its arguments. Other users of the machine can see them: give secrets in `env`.
            env: Variables beside the few that are always passed on (HOME, PATH and such). Never
                logged.
            cwd: Where it runs.
            name: Names it in logs and before tools whose names clash; by default, the program's.
            allow: The only tools to take; None takes all.
            deny: Tools to leave out.
            confirm_only: The only tools that are confirmed, all others are not.
            connect_timeout: Seconds for starting and listing.
            **options: Options for each of its tools, such as `timeout` and `confirm`.

        Raises:
            DefinitionError: An option cannot be used as it is.
        """
        if not command or isinstance(args, str):
            raise DefinitionError(
                "MCPServer.stdio: give the program, and its arguments as a list, as in "
                'MCPServer.stdio("uvx", ["mcp-server-time"])'
            )
        parameters = StdioServerParameters(
            command=command,
            args=list(args),
            env=None if env is None else dict(env),
            cwd=None if cwd is None else os.fspath(cwd),
        )
        return cls(
            name or os.path.basename(command),  # noqa: PTH119 (it need not be a path)
            lambda: stdio_client(parameters, errlog=_errors()),
            allow=allow,
            deny=deny,
            confirm_only=confirm_only,
            connect_timeout=connect_timeout,
            options=options,
        )

    @classmethod
    def http(
        cls,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        name: str | None = None,
        allow: Collection[str] | None = None,
        deny: Collection[str] = (),
        confirm_only: Collection[str] = (),
        connect_timeout: float = CONNECT_TIMEOUT,
        **options: Unpack[RunOptions],
    ) -> "MCPServer":
        """A server that is reached by HTTP (the protocol's "streamable HTTP").

        Args:
            url: Where it is, as in `https://home.example/mcp`.
            headers: Sent with each request, such as `Authorization`. Never logged.
            name: Names it in logs and before tools whose names clash; by default, its host.
            allow: The only tools to take; None takes all.
            deny: Tools to leave out.
            confirm_only: The only tools that are confirmed, all others are not.
            connect_timeout: Seconds for reaching it and listing.
            **options: Options for each of its tools, such as `timeout` and `confirm`.

        Raises:
            DefinitionError: An option cannot be used as it is.
        """
        try:
            parts = urlsplit(url)
            fits = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            fits = False
        if not fits:
            raise DefinitionError(
                "MCPServer.http: give the server's address, as in https://home.example/mcp"
            )
        if parts.username is not None or parts.password is not None:
            raise DefinitionError(
                "MCPServer.http: the address holds a password, and addresses are logged: give "
                "it in headers={'Authorization': ...}"
            )
        sent = dict(headers or {})
        return cls(
            name or str(parts.hostname),
            lambda: HttpTransport(url, sent, connect_timeout),
            allow=allow,
            deny=deny,
            confirm_only=confirm_only,
            connect_timeout=connect_timeout,
            options=options,
        )

    def __repr__(self) -> str:
        return f"<MCPServer {self.name}>"

    @property
    def tools(self) -> tuple[Tool[..., Any], ...]:
        """What the server offers, in its order; empty before it is open."""
        return self._tools

    def add_to(self, toolbox: Toolbox) -> None:
        """Add the tools to a box; those whose names are taken get the server's name in front.

        Those that are in it already are not added again.

        Raises:
            DefinitionError: The box is full, or both names are taken.
        """
        present = {each.function for each in toolbox}
        for each in self._tools:
            if each.function in present:
                continue
            added = each
            if each.name in toolbox:
                schema = replace(each.schema, name=fit_name(self.name, each.name))
                added = replace(each, schema=schema)
            toolbox.add(added)

    async def __aenter__(self) -> Self:
        """Reach the server and list its tools.

        Raises:
            ConnectionError: It cannot be reached, or does not speak the protocol.
            TimeoutError: It did not answer in time.
            DefinitionError: What it offers cannot be taken as asked.

        Cancellation: nothing is left open.
        """
        if not self._users:
            self._lock = asyncio.Lock()  # of this event loop
        self._users += 1
        try:
            if not self._tools:
                link = await self._linked()
                try:
                    async with asyncio.timeout(self._timeout):
                        listed = await _list(link.client)
                except MCPError as error:
                    raise ConnectionError(
                        f"MCP server {self.name} does not list its tools: {short_words(error)}"
                    ) from error
                self._tools = tuple(self._choose(listed))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it, if nobody else has it open; see `close`."""
        self._users = max(0, self._users - 1)
        if not self._users:
            await self.close()

    async def close(self) -> None:
        """Close the connection, and end the process if it is one; idempotent.

        Whoever has it open, too, is without it: calls that are running fail. It takes at most
        `CLOSE_TIMEOUT` seconds.
        """
        self._users = 0
        self._drop(self._link)
        if self._leaving:
            await asyncio.wait(set(self._leaving), timeout=CLOSE_TIMEOUT)

    def _choose(self, listed: Sequence[types.Tool]) -> list[Tool[..., Any]]:
        """Make tools of those that are wanted."""
        where = f"MCP server {self.name}"
        names = {each.name for each in listed}
        for option, wanted in (
            ("allow", self._allow or frozenset()),
            ("deny", self._deny),
            ("confirm_only", self._confirm_only),
        ):
            unknown = sorted(wanted - names)
            if unknown:
                raise DefinitionError(
                    f"{where}: {option} names {', '.join(unknown[:5])}, which it does not offer: "
                    f"it has {', '.join(sorted(names)[:20]) or 'none'}"
                )
        made: dict[str, Tool[..., Any]] = {}
        for each in listed:
            if each.name in self._deny or not (self._allow is None or each.name in self._allow):
                continue
            try:
                schema = read_listed(each, self.name)
            except ValueError as error:
                _log.warning("%s: %s is left out: %s", where, fit_name(each.name), error)
                continue
            if schema.name in made:
                raise DefinitionError(
                    f"{where}: it has two tools that would be called {schema.name}: deny one"
                )
            options: dict[str, Any] = dict(self._options)
            if self._confirm_only and each.name not in self._confirm_only:
                options["confirm"] = False
            elif self._confirm_only:
                options.setdefault("confirm", True)
            made[schema.name] = make_tool(self._function(each.name), schema, options)
        if len(made) > TOOLS_LIMIT:
            raise DefinitionError(
                f"{where}: it has {len(made)} tools, a model takes {TOOLS_LIMIT}: choose with allow"
            )
        return list(made.values())

    def _function(self, name: str) -> Callable[..., AsyncGenerator[Progress | Result[Any]]]:
        async def call(**arguments: Any) -> AsyncGenerator[Progress | Result[Any]]:
            news: asyncio.Queue[str | None] = asyncio.Queue()

            async def on_progress(
                progress: float,  # noqa: ARG001 (the protocol's names)
                total: float | None,  # noqa: ARG001
                message: str | None,
            ) -> None:
                if message and message.strip():
                    news.put_nowait(message)

            work = asyncio.create_task(self._call(name, arguments, on_progress), name=name)
            work.add_done_callback(lambda _: news.put_nowait(None))
            try:
                while (text := await news.get()) is not None:
                    yield Progress(text)
                yield Result(read_result(name, work.result()))
            finally:
                if not work.done():
                    work.cancel()
                    await asyncio.wait({work}, timeout=CLOSE_TIMEOUT)

        call.__name__ = call.__qualname__ = fit_name(name)
        return call

    async def _call(
        self, name: str, arguments: dict[str, Any], on_progress: ProgressFnT
    ) -> types.CallToolResult:
        try:
            link = await self._linked()
        except (ConnectionError, TimeoutError) as error:
            _log.warning("MCP server %s cannot be reached: %s", self.name, error)
            raise ToolError(
                f"{name} was not run: the server that runs it cannot be reached just now."
            ) from error
        try:
            return await link.call(name, arguments, on_progress)
        except ConnectionError as error:
            _log.warning("MCP server %s is gone: %s", self.name, error)
            self._drop(link)
            raise ToolError(
                f"The server that runs {name} went away meanwhile; it may or may not have taken "
                "effect."
            ) from error
        except MCPError as error:
            # The server answered, with a refusal: in its words, a model can repair the call.
            raise ToolError(f"{name} was refused by its server: {short_words(error)}") from error

    async def _linked(self) -> Link:
        """The connection, made anew if it is gone.

        Raises:
            ConnectionError: It cannot be made, or the server was closed.
            TimeoutError: Not in time.
        """
        async with self._lock:  # bounded by what is done within
            if not self._users:
                raise ConnectionError(f"MCP server {self.name} is closed")
            if self._link is not None and not self._link.alive:
                self._drop(self._link)
            if self._link is None:
                self._link = link = Link(self.name, self._connect)
                try:
                    await link.ready(self._timeout)
                except BaseException:
                    self._drop(link)
                    raise
            return self._link

    def _drop(self, link: Link | None) -> None:
        """Let a connection go; `close` waits for it to be gone."""
        if link is None:
            return
        if self._link is link:
            self._link = None
        link.leave()
        if not link.task.done():
            self._leaving.add(link.task)
            link.task.add_done_callback(self._leaving.discard)


async def _list(client: Client) -> list[types.Tool]:
    listed: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(PAGES_LIMIT):
        page = await client.list_tools(cursor=cursor)
        listed += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return listed


def _errors() -> TextIO:
    """Where a process may write its errors: a real file, which captured streams are not."""
    return sys.__stderr__ or sys.stderr
