"""`vivavoce demo`: a synthetic caller talks with the restaurant example, voice to voice."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from vivavoce.agent.settings import Settings
from vivavoce.agent.transcript import Transcript
from vivavoce.cli.load import load_agent
from vivavoce.cli.models import open_models
from vivavoce.cli.run import Ended, carry, summarise, write_record
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.caller import RATE, Line, ScriptedCaller
from vivavoce.pipelines.local import LocalTransport
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError

VOICE = "en_paul_neutral"
"""The caller's; another one than the agent's."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the script; `into` as in `Line`."""

    text: str
    into: float | None = None


SCRIPT = (
    Said("What time do you open this evening?"),
    Said("I would like a table for four."),
    Said("On Friday evening."),
    Said("Please book the table at seven under the name of Peter Miller."),
    Said("Please tell me about your menu."),
    Said("Sorry, is there anything vegetarian?", into=4.2),
    Said("That is all, thank you. Goodbye."),
)
"""A question; a table, without the day, which the agent asks for; a tool call; another one; a
long answer, cut in the middle; a goodbye."""


async def speak(models: Models, text: str) -> NDArray[np.int16]:
    """Return a line as the caller says it (int16, `RATE`).

    Raises:
        ModelError: If the speech server fails.
    """
    async with aclosing(models.speaking.stream(text, voice=VOICE, language="en")) as chunks:
        audio = np.concatenate([np.zeros(0, np.int16), *[chunk async for chunk in chunks]])
    return resample(audio, models.speaking.rate, RATE)


async def hold(settings: Settings, console: Console, out: Path, *, fast: bool = False) -> int:
    """Hold the conversation; leave recording, record and page in `out`, which exists.

    Returns:
        The exit code: 1 if something failed on the way.
    """
    agent = load_agent(str(example()))
    async with open_models(settings) as models:
        console.print(
            f"A caller's voice, an agent's ears: [bold]{agent.name}[/] on"
            f" {settings.source} models. Nothing is scripted but the caller.\n"
        )
        try:
            lines = [Line(await speak(models, said.text), said.into) for said in SCRIPT]
        except ModelError as error:
            console.print(f"[red]{error}[/]")
            return 1
        transport = LocalTransport(ScriptedCaller(lines), out / "call.wav", fast=fast)
        ended = await carry(agent, models, transport, console)
    finish(ended, console, out)
    return 1 if ended.call.transcript.failures or ended.interrupted else 0


def finish(ended: Ended, console: Console, out: Path) -> None:
    """Leave the record and the page, and say where."""
    from vivavoce.web.report import write_report

    summarise(ended, console, None)
    write_record(out / "transcript.json", ended.record)
    write_report(ended.record, out / "call.wav", out / "call.html")
    share = understood(ended.call.transcript)
    console.print(
        f"\n{share:.0%} of the caller's words were understood. Look at"
        f" [bold]{out / 'call.html'}[/], listen to [bold]{out / 'call.wav'}[/]."
    )


def understood(transcript: Transcript) -> float:
    """Return the share of the script's words that stand in the transcript, in order."""
    said = [word for line in SCRIPT for word in _words(line.text)]
    heard = [word for utterance in transcript.caller for word in _words(utterance.text)]
    # Longest common subsequence, a row at a time.
    row = [0] * (len(heard) + 1)
    for word in said:
        before = row[:]
        for at, other in enumerate(heard, 1):
            row[at] = before[at - 1] + 1 if word == other else max(before[at], row[at - 1])
    return row[-1] / len(said)


_NUMBERS = {"8": "eight", "4": "four"}


def _words(text: str) -> list[str]:
    cleaned = "".join(c if c.isalnum() or c in "' " else " " for c in text.lower())
    return [_NUMBERS.get(word, word) for word in cleaned.split()]


def example() -> Path:
    """Return where the restaurant example is: beside the rooms in a checkout, else in ours.

    Raises:
        FileNotFoundError: If it was not installed.
    """
    spec = find_spec("vivavoce.cli")
    assert spec is not None
    assert spec.origin is not None
    here = Path(spec.origin).parent
    for place in (here.parent / "examples", here / "examples"):
        if (place / "restaurant.py").is_file():
            return place / "restaurant.py"
    raise FileNotFoundError("examples/restaurant.py is not installed")
