"""The engine: what carries a simulated call, as its caller sees it.

The pipeline stands in a room that this one may not know, so that agents stay free of it; it is
looked up by name when a simulation begins.
"""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType
from typing import Any, Protocol, cast

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.testing.steps import Replies

ENGINE = "vivavoce.pipelines.simulation.engine"
"""The module whose `open_engine` makes one."""

PATIENCE = 60.0
"""Seconds of the call that an answer may take before the test is told that there is none."""


class SimulationError(AssertionError):
    """The call cannot go on as the test wants it to; the message says why."""


class Engine(Protocol):
    """Carries one simulated call. Times are seconds since the call began."""

    @property
    def call(self) -> Call[Any]:
        """The call."""

    @property
    def asked(self) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
        """What the scripted model was sent: (messages, tools) of each request."""

    async def start(self) -> None:
        """Open the line; return when the greeting has begun, if there is one."""

    async def stop(self) -> None:
        """End the call: what is being said is heard out, then the caller hangs up."""

    async def listen(self, within: float = PATIENCE) -> None:
        """Return when the agent has finished.

        Raises:
            SimulationError: If it does not within so many seconds, or its script is over.
        """

    async def speak(self, text: str) -> None:
        """Say a text now; return when it is said."""

    async def sound(self, seconds: float) -> None:
        """Make a sound without words now; return when it is over."""

    async def answer(self, within: float = PATIENCE) -> None:
        """Return when the agent's answer has begun and is written; see `listen` for errors."""

    async def cut_in(
        self, text: str | None, *, after: float | None, at_word: int | None, sound: float = 0.0
    ) -> None:
        """Say a text, or make a sound, while the agent speaks.

        Returns when it is said, and the agent has fallen silent or goes on.
        """

    async def decided(self) -> None:
        """Return when the caller's turn, if there was one, is decided."""

    async def passes(self, seconds: float) -> None:
        """Let time pass."""

    async def press(self, keys: str) -> None:
        """Press keys of a telephone, one after the other."""

    def noise(self, level: float, seconds: float) -> None:
        """Have noise in the background (dBFS) from now on."""

    async def hang_up(self, reason: str) -> None:
        """The caller hangs up, now; return when the call is over."""


def open_engine(
    agent: Agent[Any],
    replies: Replies | None,
    *,
    deps: Any,
    audio: bool,
    models: object | None,
    call_id: str,
) -> Engine:
    """Make the engine of one simulated call; call it on the event loop that will run it."""
    made = load_module(ENGINE).open_engine(
        agent, replies, deps=deps, audio=audio, models=models, call_id=call_id
    )
    return cast("Engine", made)


async def ask_model(models: object, messages: list[dict[str, Any]]) -> str:
    """Return a real chat model's answer to some messages, without tools.

    Args:
        models: An open `vivavoce.pipelines.models.connect.Models`.
        messages: In the chat format.

    Raises:
        SimulationError: If `models` is none, or its server fails.
    """
    return cast("str", await load_module(ENGINE).ask_model(models, messages))


def load_module(name: str) -> ModuleType:
    """Import a module of the room that this one may not know."""
    with warnings.catch_warnings():
        # Pipecat warns of itself when it is imported, which would fail a test that takes
        # warnings for errors.
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(name)
