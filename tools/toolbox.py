"""The tools of one request."""

from collections.abc import Iterable, Iterator
from typing import Any

from .schema import DefinitionError
from .secret import MARK, redact
from .tool import Tool

TOOLS_LIMIT = 128
"""The most tools of one request; Mistral refuses more."""


class Toolbox:
    """An ordered set of tools with unique names.

    Iterating gives the tools in the order they were added; `in` and `[]` take a name.

    Args:
        tools: The first tools.

    Raises:
        DefinitionError: Two have the same name, or there are more than 128.
    """

    def __init__(self, tools: Iterable[Tool[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool[..., Any]] = {}
        for each in tools:
            self.add(each)

    def add(self, added: Tool[..., Any]) -> None:
        """Add a tool at the end.

        Raises:
            DefinitionError: Its name is taken, or the box is full.
        """
        if not isinstance(added, Tool):
            raise DefinitionError(f"{added!r} is no tool: decorate the function with @tool")
        where = f"tool {added.name!r} ({added.schema.where})"
        taken = self._tools.get(added.name)
        if taken is not None:
            raise DefinitionError(
                f"{where}: the name is taken by {taken.schema.where}: give one of them `name=`"
            )
        if len(self._tools) >= TOOLS_LIMIT:
            raise DefinitionError(
                f"{where}: it is one too many, a model takes {TOOLS_LIMIT}: drop some, "
                "or split the work between agents"
            )
        self._tools[added.name] = added

    def get(self, name: str) -> Tool[..., Any] | None:
        """The tool of that name, or None."""
        return self._tools.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tools, in order."""
        return tuple(self._tools)

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The tools as a chat request's `tools`; empty when there are none."""
        return [each.definition for each in self]

    def redact(self, name: str, arguments: str) -> str:
        """The arguments of a call as records and logs may hold them; see `Secret`.

        Args:
            name: The tool's, as the model wrote it.
            arguments: JSON text, as the model wrote it.

        Returns:
            The text itself, unless the tool has secrets. The arguments of a tool that does not
            exist are hidden when any tool has: the model may have meant that one.
        """
        found = self._tools.get(name)
        if found is not None:
            return redact(arguments, found.schema.parameters)
        return MARK if any(each.schema.secrets for each in self) else arguments

    def __getitem__(self, name: str) -> Tool[..., Any]:
        return self._tools[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool[..., Any]]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __repr__(self) -> str:
        return f"Toolbox({', '.join(self._tools)})"
