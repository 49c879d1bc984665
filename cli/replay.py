"""`vivavoce replay`: a recorded conversation is played to the agent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from vivavoce.agent import Agent
from vivavoce.agent.settings import Settings
from vivavoce.agent.testing.replay import Replay, read_record, replay
from vivavoce.cli.models import open_models

_COLOURS = {"-": "red", "+": "green", "!": "yellow"}


async def replay_file(
    agent: Agent[Any], settings: Settings, console: Console, *, record: Path, from_turn: int
) -> Replay:
    """Play the caller's lines of a record to an agent, and show what came out differently.

    Only the chat model is real: the call itself is simulated, without audio.

    Args:
        agent: Who is called.
        settings: Where its model is.
        console: Where the differences are shown.
        record: The record's file.
        from_turn: The first turn that is played (from 1).

    Raises:
        vivavoce.agent.testing.replay.RecordError: If there is no such record or turn.
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    turns = read_record(record)
    async with open_models(settings) as models:
        done = await replay(agent, turns, from_turn=from_turn, models=models)
    for line in str(done).splitlines():
        console.print(Text(line, style=_COLOURS.get(line[3:4], "")))
    changed = sum(not turn.same_tools for turn in done.turns)
    console.print(
        f"[red]{changed} of {len(done.turns)} turns called other tools[/]"
        if changed
        else f"[green]{len(done.turns)} turns, the same tools[/]"
    )
    return done
