"""Turns a Python function into a tool that a model can call.

The sources of tools on other servers are in `vivavoce.tools.mcp`, which needs the extra `mcp`.
"""

from .arguments import BadArguments, parse_arguments
from .confirmation import Confirmations
from .execution import Execution, Executions, Interruption, Request
from .outcome import Kind, Outcome, Retry, ToolError
from .progress import Progress, Result
from .result import BadResultError, write_result
from .run import OnProgress, run, run_named
from .schema import ContextType, DefinitionError, Schema, read_schema
from .secret import Secret
from .tool import RunOptions, Tool, ToolOptions, tool
from .toolbox import Toolbox

__all__ = [
    "BadArguments",
    "BadResultError",
    "Confirmations",
    "ContextType",
    "DefinitionError",
    "Execution",
    "Executions",
    "Interruption",
    "Kind",
    "OnProgress",
    "Outcome",
    "Progress",
    "Request",
    "Result",
    "Retry",
    "RunOptions",
    "Schema",
    "Secret",
    "Tool",
    "ToolError",
    "ToolOptions",
    "Toolbox",
    "parse_arguments",
    "read_schema",
    "run",
    "run_named",
    "tool",
    "write_result",
]
