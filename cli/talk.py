"""`vivavoce talk`: a call at this machine's microphone and speaker."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vivavoce.agent import Agent
from vivavoce.agent.events import CallerPartial, CallerSaid, Event
from vivavoce.agent.settings import Settings
from vivavoce.cli.keys import Keys
from vivavoce.cli.models import open_models
from vivavoce.cli.reload import Reloader
from vivavoce.cli.run import Ended, carry, summarise, write_record
from vivavoce.cli.script import ScriptView
from vivavoce.cli.show import Show
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.microphone import MicrophoneError, MicrophoneTransport, devices

METER = 0.1
"""Seconds between two looks at the level."""
QUIETEST = -60.0
"""Level at the meter's lower end (dBFS)."""
LOUDEST = -3.0
"""Level from which the meter warns (dBFS)."""
CELLS = 12


@dataclass(frozen=True, slots=True)
class Card:
    """How the sound card is used.

    Attributes:
        microphone: Which, by number or name; None: the system's default.
        speaker: Likewise.
        headphones: There is no echo to cancel.
        push: The microphone is closed until the space bar is pressed.
        recording: Where the call is recorded.
        transcript: Where its record is written.
    """

    microphone: str | None = None
    speaker: str | None = None
    headphones: bool = False
    push: bool = False
    recording: Path | None = None
    transcript: Path | None = None


class TalkView(Show):
    """Shows a call as it happens, and the microphone's level beside it."""

    def __init__(self, console: Console, transport: MicrophoneTransport) -> None:
        super().__init__(console)
        self._transport = transport
        self._partial = ""

    def event(self, event: Event) -> None:
        """Show what happened."""
        if isinstance(event, CallerPartial):
            self._partial = event.text
            return
        if isinstance(event, CallerSaid):
            self._partial = ""
        super().event(event)
        self.refresh()

    def refresh(self) -> None:
        """Show the level, and what is being understood."""
        if self._status is not None:
            open_ = self._transport.listening
            text = self._partial[-100:] or ("listening" if open_ else "closed: press space")
            self._status.update(
                f"{meter(self._transport.level, open_=open_)} [dim]{escape(text)}[/]"
            )


def meter(level: float, *, open_: bool = True) -> str:
    """Return a level as a bar, in console markup.

    Args:
        level: The microphone's (dBFS).
        open_: Whether it is heard.
    """
    share = (max(QUIETEST, min(0.0, level)) - QUIETEST) / -QUIETEST
    full = round(share * CELLS)
    colour = "red" if level >= LOUDEST else "green" if open_ else "dim"
    return f"[{colour}]{'█' * full}[/][dim]{'·' * (CELLS - full)}[/]"


def print_devices(console: Console) -> None:
    """Print the sound devices that can be chosen.

    Raises:
        MicrophoneError: If PortAudio is not installed, or there are no devices.
    """
    found = devices()
    if not found:
        raise MicrophoneError("this machine has no sound devices")
    table = Table(box=SIMPLE_HEAD)
    for head in ("number", "name", "microphone", "speaker", "Hz", "default"):
        table.add_column(head, overflow="fold")
    for each in found:
        table.add_row(
            str(each.index),
            escape(each.name),
            "yes" if each.inputs else "",
            "yes" if each.outputs else "",
            str(each.rate),
            each.default,
        )
    console.print(table)


async def talk(
    agent: Agent[Any],
    settings: Settings,
    console: Console,
    *,
    card: Card | None = None,
    reloader: Reloader | None = None,
) -> int:
    """Hold a call at the microphone.

    Args:
        agent: Who answers.
        settings: Where the models are.
        console: Where the call is shown.
        card: How the sound card is used.
        reloader: Watched while the call goes on; its agent takes over at the next reply.

    Returns:
        The exit code: 0; 1 if something failed in the call or the card went away; 130 after
        Ctrl-C.

    Raises:
        MicrophoneError: If the sound card cannot be used.
        vivavoce.pipelines.echo.EchoMissingError: If the echo canceller is not installed.
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    card = card or Card()
    transport = MicrophoneTransport(
        microphone=card.microphone,
        speaker=card.speaker,
        echo=not card.headphones,
        push=card.push,
        recording=card.recording,
    )
    view = TalkView(console, transport)
    held: list[Conversation] = []
    beside: list[asyncio.Task[None]] = []

    def on_key(key: str) -> None:
        if key in {"q", "Q"}:
            beside.append(asyncio.create_task(_hang_up(held[0]), name="hang up"))
        elif key == " ":
            transport.listening = not transport.listening
            if transport.listening and card.push:
                beside.append(asyncio.create_task(held[0].call.interrupt(), name="interrupt"))
            view.refresh()

    _greet(console, transport, agent)
    async with open_models(settings) as models:
        beside.append(asyncio.create_task(_meter(view), name="meter"))
        if reloader is not None:
            watch = _watch(reloader, held, ScriptView(console, echo=False))
            beside.append(asyncio.create_task(watch, name="reload"))
        try:
            with Keys(on_key):
                ended = await carry(agent, models, transport, console, view=view, begun=held.append)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await transport.close()
    return _finish(ended, console, transport, card)


def _greet(console: Console, transport: MicrophoneTransport, agent: Agent[Any]) -> None:
    keys = "space opens and closes the microphone, q hangs up"
    console.print(
        f"[dim]{escape(agent.name)} at {escape(transport.microphone.name)} and"
        f" {escape(transport.speaker.name)}; {keys}[/]",
        highlight=False,
    )


def _finish(ended: Ended, console: Console, transport: MicrophoneTransport, card: Card) -> int:
    summarise(ended, console, card.recording)
    if card.transcript is not None:
        write_record(card.transcript, ended.record)
    counters = transport.counters
    if counters.underruns or counters.overruns or counters.glitches > 1:
        console.print(
            f"[yellow]The machine was busy: speech was cut {counters.underruns} times,"
            f" {counters.overruns} blocks of the microphone's were lost, and the card stumbled"
            f" {counters.glitches} times.[/]"
        )
    if ended.interrupted:
        return 130
    failed = ended.call.transcript.failures or transport.gone
    return 1 if failed else 0


async def _hang_up(conversation: Conversation) -> None:
    await conversation.hang_up("the caller hung up", after_speech=False)


async def _meter(view: TalkView) -> None:
    while True:
        view.refresh()
        await asyncio.sleep(METER)


async def _watch(reloader: Reloader, held: list[Conversation], view: ScriptView) -> None:
    async with aclosing(reloader.changes()) as changes:
        async for change in changes:
            view.reloaded(change)
            if not change.error and held:
                held[0].use(reloader.successor(held[0].agent) or held[0].agent)
