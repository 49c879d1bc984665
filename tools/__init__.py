"""Turns a Python function into a tool that a model can call."""

from .arguments import BadArguments, parse_arguments
from .result import BadResultError, write_result
from .run import Kind, Outcome, ToolError, run, run_named
from .schema import ContextType, DefinitionError, Schema, read_schema
from .tool import Tool, Toolbox, tool

__all__ = [
    "BadArguments",
    "BadResultError",
    "ContextType",
    "DefinitionError",
    "Kind",
    "Outcome",
    "Schema",
    "Tool",
    "ToolError",
    "Toolbox",
    "parse_arguments",
    "read_schema",
    "run",
    "run_named",
    "tool",
    "write_result",
]
