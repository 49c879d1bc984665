"""What the examples' tests share: the examples, as `vivavoce run` would load them."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vivavoce.agent.events import AgentStarted
from vivavoce.agent.testing import Caller
from vivavoce.cli.load import load_host
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.simulation import engine, spoken
from vivavoce.pipelines.simulation.line import SimulatedLine

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> ModuleType:
    load_host(str(EXAMPLES / f"{name}.py"))
    return sys.modules[f"_vivavoce_agent_{name}"]


@pytest.fixture
def example() -> Callable[[str], Any]:
    """Load an example anew: nothing of another test is left in it."""
    return load


@pytest.fixture
def telephone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the simulated line transfer, as telephone lines do; where to is kept."""
    transferred: list[str] = []

    class TelephoneLine(SimulatedLine):
        async def transfer(self, to: str) -> None:
            transferred.append(to)
            self.farewell = f"the caller was transferred to {to}"
            self.wake()

    monkeypatch.setattr(engine, "SimulatedLine", TelephoneLine)
    return transferred


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let the simulated line carry messages, as browsers' lines do; they are kept."""
    sent: list[Any] = []

    class BrowserLine(SimulatedLine):
        async def send(self, message: Any) -> None:
            sent.append(json.loads(json.dumps(message)))

    monkeypatch.setattr(engine, "SimulatedLine", BrowserLine)
    return sent


@pytest.fixture
def voices(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, str]]:
    """Keep which voice was asked for each clause of a call by voice."""
    asked: list[tuple[str | None, str]] = []

    class ListeningTap(spoken.Tap):
        async def stream(self, text: str, *, voice: Any, language: str) -> AsyncGenerator[Samples]:
            asked.append((voice, text))
            async with aclosing(super().stream(text, voice=voice, language=language)) as chunks:
                async for chunk in chunks:
                    yield chunk

    monkeypatch.setattr(spoken, "Tap", ListeningTap)
    return asked


async def talk_over(caller: Caller[Any], said: str, over: str) -> None:
    """Say something, and something else over what a tool says before it answers."""
    started = len(caller.events)
    async with asyncio.TaskGroup() as both:
        both.create_task(caller.says(said))
        async for event in caller.call.events:
            started -= 1
            if started < 0 and isinstance(event, AgentStarted):
                break
        await caller.interrupts(over, after=0.5)


@pytest.fixture(name="talk_over")
def _talk_over() -> Callable[..., Any]:
    return talk_over
