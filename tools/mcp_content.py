"""What a server of the Model Context Protocol says, as this framework has it.

Pure: listed tools become schemas, results become values, and everything from the server is taken
for what it is, the words of a stranger.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from mcp import types

from .arguments import SIZE_LIMIT
from .outcome import ToolError
from .schema import Schema, strip_titles

DESCRIPTION_LIMIT = 1_024
"""The most characters of a tool's description that a model is told."""

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")
_NAME_LIMIT = 64


def fit_name(*parts: str) -> str:
    """A name that a model may call, made of parts: a server's names may hold dots or slashes."""
    return _FORBIDDEN.sub("_", "_".join(parts))[:_NAME_LIMIT] or "unnamed"


def read_listed(listed: types.Tool, server: str) -> Schema:
    """The schema of a tool that a server listed.

    Args:
        listed: As the server sent it.
        server: What the server is called.

    Returns:
        The schema; the server's own JSON schema is passed on, but for its titles.

    Raises:
        ValueError: It cannot be offered to a model; the message says why.
    """
    parameters = {"properties": {}, **strip_titles(listed.input_schema), "type": "object"}
    parameters.pop("$schema", None)
    if not isinstance(parameters["properties"], dict):
        # The server's data is wrong, not the type of an argument.
        raise ValueError("the properties of its schema are no object")  # noqa: TRY004
    required = parameters.get("required", [])
    if not (isinstance(required, list) and all(isinstance(name, str) for name in required)):
        raise ValueError("what its schema requires is no list of names")
    try:
        size = len(json.dumps(parameters, allow_nan=False))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its schema is no JSON: {error}") from error
    if size > SIZE_LIMIT:
        raise ValueError(f"its schema has {size} characters: {SIZE_LIMIT} are the most")
    said = " ".join((listed.description or listed.title or listed.name).split())
    if len(said) > DESCRIPTION_LIMIT:
        said = said[: DESCRIPTION_LIMIT - 1] + "…"
    return Schema(
        name=fit_name(listed.name),
        description=said,
        parameters=parameters,
        model=None,
        fields={},
        context=None,
        where=f"MCP server {server}",
    )


def read_result(name: str, result: types.CallToolResult) -> Any:
    """What a tool on a server returned.

    Structured content is preferred: its text is a copy of it. Of pictures, sounds and files the
    model is told that they are there, as it cannot have them.

    Args:
        name: The tool's name.
        result: As the server sent it.

    Raises:
        ToolError: The server says that it failed, in the server's words; or there is nothing
            that a model could be told.
    """
    words = "\n".join(_words(result.content)).strip()
    if result.is_error:
        raise ToolError(words or f"{name} failed, and its server does not say why.")
    structured = result.structured_content
    if structured is not None:
        # The protocol wants an object; servers wrap what is none.
        if isinstance(structured, dict) and structured.keys() == {"result"}:
            return structured["result"]
        return structured
    if result.content and all(isinstance(each, _UNSPEAKABLE) for each in result.content):
        raise ToolError(f"{name} gave nothing that can be read or said: {words}")
    return words or None


_UNSPEAKABLE = (types.ImageContent, types.AudioContent)


def _words(content: Iterable[types.ContentBlock]) -> Iterable[str]:
    for block in content:
        if isinstance(block, types.TextContent):
            yield block.text
        elif isinstance(block, types.ImageContent):
            yield f"(a picture, {block.mime_type}, which cannot be shown here)"
        elif isinstance(block, types.AudioContent):
            yield f"(a sound, {block.mime_type}, which cannot be played here)"
        elif isinstance(block, types.ResourceLink):
            yield f"{block.name}: {block.uri}"
        elif isinstance(block.resource, types.TextResourceContents):
            yield block.resource.text
        else:
            kind = block.resource.mime_type or "of an unknown kind"
            yield f"(a file, {kind}, which cannot be read here)"
