"""The test kit: simulated calls, with assertions that show the conversation when they fail."""

from vivavoce.agent.testing.caller import Caller, ToolCall, Turn, simulate
from vivavoce.agent.testing.draw import draw
from vivavoce.agent.testing.engine import SimulationError
from vivavoce.agent.testing.steps import (
    Model,
    Replies,
    ScriptError,
    Step,
    StepLike,
    call_tool,
    fail,
    say,
    wait,
)

__all__ = [
    "Caller",
    "Model",
    "Replies",
    "ScriptError",
    "SimulationError",
    "Step",
    "StepLike",
    "ToolCall",
    "Turn",
    "call_tool",
    "draw",
    "fail",
    "say",
    "simulate",
    "wait",
]
