"""The commands by which an agent is written: new, chat, talk, dev, replay."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vivavoce.cli.program import (
    WRITE,
    AgentArgument,
    HeadphonesOption,
    MicrophoneOption,
    ModelsOption,
    RecordingOption,
    SpeakerOption,
    TranscriptOption,
    app,
    read_settings,
)


@app.command(rich_help_panel=WRITE)
def new(
    name: Annotated[str, typer.Argument(help="Of the project and its folder.", metavar="NAME")],
) -> None:
    """Begin a project: an agent, its tests, and all that surrounds them.

    `vivavoce new x && cd x && make test` passes, without a key.
    """
    from vivavoce.cli.new import create

    folder = create(name, Path.cwd())
    print(f"{name} is made. Go on with:\n\n    cd {folder.name}\n    make test\n    make chat")


@app.command(rich_help_panel=WRITE)
def chat(
    agent: AgentArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an event a line, and each record, as JSON.")
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Talk with an agent in text: the same pipeline, without audio.

    Lines may come from a pipe: one line is one turn. /help shows the commands.
    """
    from vivavoce.cli.chat import chat as hold
    from vivavoce.cli.load import load_agent

    settings = read_settings(models=models)
    raise typer.Exit(asyncio.run(hold(load_agent(agent), settings, Console(), as_json=as_json)))


def _print_devices(value: bool) -> None:
    if value:
        from vivavoce.cli.talk import print_devices

        print_devices(Console())
        raise typer.Exit


@app.command(rich_help_panel=WRITE)
def talk(
    agent: AgentArgument,
    push: Annotated[
        bool, typer.Option("--push", help="Keep the microphone closed until space is pressed.")
    ] = False,
    headphones: HeadphonesOption = False,
    microphone: MicrophoneOption = None,
    speaker: SpeakerOption = None,
    devices: Annotated[
        bool,
        typer.Option(
            "--devices",
            help="List microphones and speakers, and leave.",
            callback=_print_devices,
            is_eager=True,
        ),
    ] = False,
    out: RecordingOption = None,
    transcript: TranscriptOption = None,
    models: ModelsOption = None,
) -> None:
    """Talk with an agent at this machine's microphone and speaker.

    The speaker's echo is cancelled, so no headphones are needed. Cut in whenever you like.
    """
    from vivavoce.agent import Interpreter
    from vivavoce.cli.interpret import Wanted, interpret
    from vivavoce.cli.load import load_host
    from vivavoce.cli.talk import Card
    from vivavoce.cli.talk import talk as hold

    del devices  # its callback has printed them
    settings = read_settings(models=models)
    host = load_host(agent)
    if isinstance(host, Interpreter):
        if push:
            raise typer.BadParameter("an interpreter listens all the time", param_hint="--push")
        wanted = Wanted(
            out=out,
            transcript=transcript,
            microphone=microphone,
            speaker=speaker,
            headphones=headphones,
        )
        ended = asyncio.run(interpret(host, settings, Console(), wanted))
        raise typer.Exit(130 if ended.interrupted else bool(ended.call.transcript.failures))
    card = Card(microphone, speaker, headphones, push, out, transcript)
    raise typer.Exit(asyncio.run(hold(host, settings, Console(), card=card)))


@app.command(rich_help_panel=WRITE)
def dev(
    agent: AgentArgument,
    talk: Annotated[bool, typer.Option("--talk", help="At this machine's microphone.")] = False,
    chat: Annotated[bool, typer.Option("--chat", help="In text.")] = False,
    port: Annotated[int | None, typer.Option(help="Of the page; 0 takes a free one.")] = None,
    browse: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
    models: ModelsOption = None,
) -> None:
    """Write an agent while you talk with it: a saved file counts from the next reply on.

    You talk in a browser, at a page that is served on this machine alone.

    The call goes on with its history. A file that is broken shows its error, and the agent that
    worked stays.
    """
    from vivavoce.cli.dev import By, develop

    settings = read_settings(models=models)
    by: By = "talk" if talk else "chat" if chat else "browser"
    raise typer.Exit(develop(agent, settings, Console(), by=by, port=port, browse=browse))


@app.command(rich_help_panel=WRITE)
def replay(
    record: Annotated[Path, typer.Argument(help="A call's record (`run --transcript`).")],
    agent: AgentArgument = "agent.py",
    from_turn: Annotated[
        int, typer.Option("--from-turn", min=1, help="Take the turns before this from the record.")
    ] = 1,
    models: ModelsOption = None,
) -> None:
    """Play the caller's lines of a recorded call to an agent; exit code 1 if other tools run."""
    from vivavoce.agent.testing import SimulationError
    from vivavoce.cli.load import load_agent
    from vivavoce.cli.replay import replay_file

    settings = read_settings(models=models)
    try:
        done = asyncio.run(
            replay_file(load_agent(agent), settings, Console(), record=record, from_turn=from_turn)
        )
    except SimulationError as error:
        print(f"vivavoce: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if done.same_tools else 1)
