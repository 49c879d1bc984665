"""The test kit: simulated calls, with assertions that show the conversation when they fail."""

from vivavoce.agent.testing.caller import Caller, ToolCall, Turn, simulate
from vivavoce.agent.testing.draw import draw
from vivavoce.agent.testing.engine import SimulationError
from vivavoce.agent.testing.expect import Expectation, expect
from vivavoce.agent.testing.guard import ModelsBlockedError, allow_models
from vivavoce.agent.testing.interpreted import Session, Translations, interpret
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
    "Expectation",
    "Model",
    "ModelsBlockedError",
    "Replies",
    "ScriptError",
    "Session",
    "SimulationError",
    "Step",
    "StepLike",
    "ToolCall",
    "Translations",
    "Turn",
    "allow_models",
    "call_tool",
    "draw",
    "expect",
    "fail",
    "interpret",
    "say",
    "simulate",
    "wait",
]
