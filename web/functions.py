"""Functions of a client's: tools that the agent's model calls, and the client runs."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from vivavoce.agent import Agent
from vivavoce.tools import Tool, Toolbox, ToolError
from vivavoce.tools.schema import NAME_PATTERN, Schema

TIMEOUT = 30.0
"""Seconds in which the client must have run one."""
MOST = 32
"""Functions that a client may bring."""
LARGEST = 20_000
"""Characters of one's schema."""

Asked = Callable[[str, str, str], None]
"""Told a function's name, the name of this call of it, and its arguments as JSON."""


class SharedToolbox(Toolbox):
    """An agent's tools, and one call's own beside them.

    Args:
        shared: The agent's. What is added (by MCP servers) is added there.
    """

    def __init__(self, shared: Toolbox) -> None:
        self._shared = shared
        super().__init__()

    def add(self, added: Tool[..., Any]) -> None:
        """Add a tool to the agent's."""
        self._shared.add(added)

    def bring(self, tools: list[Tool[..., Any]]) -> None:
        """Take other tools of this call's own instead of those before.

        Raises:
            ValueError: The agent has one of that name.
        """
        for each in tools:
            if each.name in self._shared:
                raise ValueError(f"the agent has a tool {each.name!r} of its own")
        self._tools = {each.name: each for each in tools}

    def get(self, name: str) -> Tool[..., Any] | None:
        """The tool of that name, or None."""
        return self._tools.get(name) or self._shared.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools, in order."""
        return (*self._shared.names, *self._tools)

    def redact(self, name: str, arguments: str) -> str:
        """The arguments of a call as records and logs may hold them."""
        return arguments if name in self._tools else self._shared.redact(name, arguments)

    def __getitem__(self, name: str) -> Tool[..., Any]:
        return self._tools[name] if name in self._tools else self._shared[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tools or name in self._shared

    def __iter__(self) -> Iterator[Tool[..., Any]]:
        yield from self._shared
        yield from self._tools.values()

    def __len__(self) -> int:
        return len(self._shared) + len(self._tools)


class Functions:
    """A client's functions in one call.

    Args:
        asked: Tells the client to run one.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._box: SharedToolbox | None = None
        self._waiting: dict[str, asyncio.Future[str]] = {}

    def lend(self, agent: Agent[Any]) -> Agent[Any]:
        """Return an agent that can be given functions, and is `agent` else."""
        lent = copy.copy(agent)
        self._box = lent.tools = SharedToolbox(agent.tools)
        return lent

    def declare(self, given: object) -> None:
        """Take what the client declares, instead of what it did before.

        Raises:
            ValueError: One of them cannot be offered to a model.
        """
        if not isinstance(given, list) or len(given) > MOST:
            raise ValueError(f"tools are a list of at most {MOST}")
        if self._box is not None:
            self._box.bring([self._tool(each) for each in given])

    def answer(self, call_id: str, output: str) -> bool:
        """Take what a function gave; return whether anybody waits for it."""
        waiting = self._waiting.get(call_id)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(output)
        return True

    def _tool(self, given: object) -> Tool[..., Any]:
        if not isinstance(given, dict) or given.get("type") != "function":
            raise ValueError("a tool is {'type': 'function', 'name': …, 'parameters': …}")
        name, parameters = given.get("name"), given.get("parameters") or {}
        if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name):
            raise ValueError("a function's name is 1 to 64 letters, digits, _ and -")
        if not isinstance(parameters, dict) or len(json.dumps(parameters)) > LARGEST:
            raise ValueError(
                f"{name}: parameters are a JSON schema of at most {LARGEST} characters"
            )
        schema = Schema(
            name=name,
            description=str(given.get("description") or name)[:1_000],
            parameters={"properties": {}, **parameters, "type": "object"},
            model=None,
            fields={},
            context=None,
            where="the client",
        )

        async def ask(**arguments: Any) -> Any:
            return await self._ask(name, arguments)

        return Tool(function=ask, schema=schema, timeout=TIMEOUT)

    async def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        ident = f"call_{secrets.token_hex(8)}"
        waiting = self._waiting[ident] = asyncio.get_running_loop().create_future()
        try:
            self._asked(name, ident, json.dumps(arguments, ensure_ascii=False))
            output = await waiting
        finally:
            del self._waiting[ident]
        if len(output) > LARGEST:
            raise ToolError(f"{name} gave more than can be said")
        try:
            return json.loads(output)
        except ValueError:
            return output
