"""The commands that work with sound: transcribe, ask, say."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vivavoce.cli.program import (
    FILES,
    ModelsOption,
    app,
    read_settings,
)


@app.command(rich_help_panel=FILES)
def transcribe(
    recordings: Annotated[
        list[str],
        typer.Argument(
            help="Files of any format, http URLs, or id: and the id of an uploaded file.",
            metavar="RECORDING...",
        ),
    ],
    form: Annotated[
        list[str] | None,
        typer.Option("--format", help="text, json, srt, vtt or md; more than one if wanted."),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", help="Folder for the transcripts; - prints them.")
    ] = ".",
    language: Annotated[
        str | None, typer.Option("--language", help="Of what is spoken, such as fr.")
    ] = None,
    diarize: Annotated[bool, typer.Option("--diarize", help="Tell speakers apart.")] = False,
    speaker: Annotated[
        list[str] | None,
        typer.Option("--speaker", help="NAME=FILE: a sample of a voice, 3 to 15 s."),
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Times of words.")] = False,
    bias: Annotated[
        list[str] | None, typer.Option("--bias", help="A word to listen for; up to 100.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Another model.")] = None,
    part: Annotated[
        float | None, typer.Option("--part", min=0.25, help="Minutes of one request at most.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=16, help="Requests at once.")] = 2,
    again: Annotated[
        bool, typer.Option("--again", help="Also what there is a transcript of.")
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Write recordings down: text, subtitles, who said what.

    Any format, up to hours. What is interrupted goes on where it stopped: give the same command.
    """
    from vivavoce.cli.recordings import parse_sources
    from vivavoce.cli.transcribe import Order, parse_forms, parse_speakers
    from vivavoce.cli.transcribe import transcribe as carry_out
    from vivavoce.pipelines.models.transcription.options import Options

    settings = read_settings(models=models)
    order = Order(
        tuple(parse_sources(recordings)),
        parse_forms(form or ()),
        None if out == "-" else Path(out),
        Options(
            language=language,
            diarize=diarize,
            bias=tuple(bias or ()),
            speakers=parse_speakers(speaker or ()),
        ),
        words,
        model,
        part,
        jobs,
        again,
    )
    raise typer.Exit(asyncio.run(carry_out(order, settings, Console())))


@app.command(rich_help_panel=FILES)
def ask(
    recording: Annotated[Path, typer.Argument(help="A file of any format.", metavar="RECORDING")],
    questions: Annotated[
        list[str] | None, typer.Argument(help="Asked one after the other.", metavar="[QUESTION]...")
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="What it is about, in short.")] = False,
    model: Annotated[str | None, typer.Option("--model", help="Another model.")] = None,
    part: Annotated[
        float | None,
        typer.Option("--part", min=0.25, max=20, help="Minutes heard at once at most."),
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Ask a recording: Voxtral hears it and answers.

    Without a question a conversation about it begins; questions may also come from a pipe, one a
    line.
    """
    from vivavoce.cli.ask import ask as carry_out
    from vivavoce.pipelines.models.questions import SUMMARY

    settings = read_settings(models=models)
    asked = [*([SUMMARY] if summary else []), *(questions or ())]
    work = carry_out(recording, asked, settings, model=model, part=part)
    raise typer.Exit(asyncio.run(work))


@app.command(rich_help_panel=FILES)
def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads it from a pipe.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="A WAV file; else it is played.")
    ] = None,
    voice: Annotated[
        str | None, typer.Option("--voice", help="A preset's slug or a voice's id.")
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option("--sample", help="Speak like this recording (3 to 25 s); ask its speaker."),
    ] = None,
    language: Annotated[str, typer.Option("--language", help="Of the text.")] = "en",
    speed: Annotated[
        float | None, typer.Option("--speed", help="0.25 to 4, where the model has it.")
    ] = None,
    expressiveness: Annotated[
        float | None, typer.Option("--expressiveness", help="From 1.0 on, likewise.")
    ] = None,
    emotion: Annotated[
        str | None, typer.Option("--emotion", help="Such as happy or calm, likewise.")
    ] = None,
    pace: Annotated[str | None, typer.Option("--pace", help="slow or fast, likewise.")] = None,
    models: ModelsOption = None,
) -> None:
    """Say a text, aloud or into a file."""
    from vivavoce.cli.say import order
    from vivavoce.cli.say import say as carry_out

    settings = read_settings(models=models)
    given = order(
        sys.stdin.read() if text == "-" else text,
        language=language,
        out=out,
        voice=voice,
        sample=sample,
        speed=speed,
        expressiveness=expressiveness,
        emotion=emotion,
        pace=pace,
    )
    raise typer.Exit(asyncio.run(carry_out(given, settings, Console())))
