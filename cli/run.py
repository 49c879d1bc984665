"""`vivavoce run`: a WAV file calls an agent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from vivavoce.agent import Agent, Call, Interpreter
from vivavoce.agent.record import record
from vivavoce.agent.settings import Settings
from vivavoce.cli.models import open_models
from vivavoce.cli.show import Show, health_line, ledger_table
from vivavoce.pipelines.caller import FileCaller
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.hosting import Host
from vivavoce.pipelines.local import LocalTransport
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.transport import Transport


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that is over, with its record."""

    call: Call[Any]
    record: dict[str, Any]
    interrupted: bool


async def carry(
    agent: Agent[Any],
    models: Models,
    transport: Transport,
    console: Console,
    *,
    as_json: bool = False,
    view: Show | None = None,
    begun: Callable[[Conversation], None] | None = None,
) -> Ended:
    """Carry one call and show it as it happens.

    Ctrl-C ends the call; its recording and transcript stay whole.

    Args:
        agent: Who answers.
        models: With what.
        transport: Over what.
        console: Where it is shown.
        as_json: Show it as JSON, an event a line, with the record last.
        view: How it is shown otherwise; line by line if None.
        begun: Given the conversation before it runs.
    """
    conversation = Conversation(agent, models, transport)
    if begun is not None:
        begun(conversation)
    return await follow(conversation, models, console, as_json=as_json, view=view)


async def follow(
    talk: Talk,
    models: Models,
    console: Console,
    *,
    as_json: bool = False,
    view: Show | None = None,
) -> Ended:
    """Carry a call, of an agent or of an interpreter, and show it as it happens.

    Args:
        talk: The call, which does not run yet.
        models: With what.
        console: Where it is shown.
        as_json: Show it as JSON, an event a line.
        view: How it is shown otherwise; line by line if None.
    """
    began, name = datetime.now(UTC), talk.agent.name
    loop = asyncio.get_running_loop()
    pressed = False

    def on_interrupt() -> None:
        nonlocal pressed
        pressed = True
        loop.create_task(
            talk.hang_up("ended at the keyboard", after_speech=False)
        ).add_done_callback(lambda task: task.exception())

    with contextlib.suppress(NotImplementedError, RuntimeError):
        loop.add_signal_handler(signal.SIGINT, on_interrupt)
        loop.add_signal_handler(signal.SIGTERM, on_interrupt)

    async def show() -> None:
        if as_json:
            async for event in talk.call:
                print(json.dumps(event.to_dict(), ensure_ascii=False), flush=True)
            return
        with view or Show(console) as shown:
            async for event in talk.call:
                shown.event(event)

    showing = asyncio.create_task(show(), name="show")
    try:
        call = await talk.run()
        await showing
    finally:
        showing.cancel()
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.remove_signal_handler(signal.SIGINT)
            loop.remove_signal_handler(signal.SIGTERM)
    entry = record(
        call,
        agent=name,
        began=began,
        seconds=talk.now(),
        models=models.names,
    )
    return Ended(call, entry, pressed)


async def run_file(
    host: Host,
    settings: Settings,
    console: Console,
    *,
    source: Path,
    recording: Path | None,
    transcript: Path | None,
    fast: bool,
    as_json: bool,
) -> Ended:
    """Let a WAV file call an agent, or have an interpreter hear it.

    Raises:
        vivavoce.pipelines.audio.wav.AudioFileError: If a file cannot be read or written.
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    if isinstance(host, Interpreter):
        from vivavoce.cli.interpret import Wanted, interpret

        wanted = Wanted(source, recording, transcript=transcript, fast=fast, as_json=as_json)
        return await interpret(host, settings, console, wanted)
    caller = FileCaller(source)
    transport = LocalTransport(caller, recording, fast=fast)
    try:
        async with open_models(settings) as models:
            ended = await carry(host, models, transport, console, as_json=as_json)
    finally:
        await transport.close()
    if as_json:
        print(json.dumps({"event": "record", **ended.record}, ensure_ascii=False), flush=True)
    else:
        summarise(ended, console, recording)
        if caller.warning:
            console.print(f"[yellow]{caller.warning}[/]")
    if transcript is not None:
        write_record(transcript, ended.record)
    return ended


def summarise(ended: Ended, console: Console, recording: Path | None) -> None:
    """Print the ledger, and what is to be known beside it."""
    table = ledger_table(ended.call, console.width)
    console.print()
    if table is not None:
        console.print(table)
    if health := health_line(ended.call):
        console.print(f"[dim]{health[0].upper()}{health[1:]}.[/]", soft_wrap=True)
    if not ended.call.transcript.caller:
        console.print("[yellow]No words were understood in the recording.[/]")
    where = f"; recorded in {recording}" if recording else ""
    console.print(f"[dim]{ended.call.reason}, after {ended.record['seconds']:.1f} s{where}[/]")


def write_record(path: Path, entry: dict[str, Any]) -> None:
    """Write a call's record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entry, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
