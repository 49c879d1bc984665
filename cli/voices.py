"""`vivavoce voices`: list, show, create, update, delete and hear the voices of a provider."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

# What follows is imported where it is used: `vivavoce --help` waits for none of it.

app = typer.Typer(
    no_args_is_help=True,
    help="The voices that there are, and your own.",
    rich_markup_mode="markdown",
)

Models = Annotated[
    str | None, typer.Option("--models", help="Where the models are: mistral, sandbox or auto.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="A voice's id or slug.", metavar="VOICE")]
Language = Annotated[
    list[str] | None, typer.Option("--language", help="A language that it speaks; may be repeated.")
]
Gender = Annotated[str, typer.Option("--gender", help="female, male or neutral.")]
Description = Annotated[str, typer.Option("--description", help="In words.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A word to find it by.")]


@asynccontextmanager
async def _library(models: str | None) -> AsyncGenerator[tuple[Any, str]]:
    """Give the voices of whoever speaks by the settings, and where that is."""
    from vivavoce.cli.models import endpoints, open_sandbox, timeouts
    from vivavoce.cli.program import read_settings
    from vivavoce.pipelines.models.http import Http
    from vivavoce.pipelines.models.libraries import library

    settings = read_settings(models=models)
    async with open_sandbox(settings, "speak") as (url, key):
        where = endpoints(settings, url, key)["speak"][0]
        http = Http(timeouts(settings))
        try:
            yield library(http, where), where.url
        finally:
            await http.close()


def _run(models: str | None, work: Callable[[Any, str], Awaitable[int]]) -> None:
    """Do something with the voices; a provider's refusal is one line and exit code 1."""
    from vivavoce.pipelines.models.errors import ModelError

    async def carry_out() -> int:
        async with _library(models) as (voices, where):
            return await work(voices, where)

    try:
        code = asyncio.run(carry_out())
    except ModelError as error:
        print(f"vivavoce: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(code)


def table(cards: list[Any]) -> Table:
    """Return voices as a table."""
    made = Table(box=SIMPLE_HEAD, header_style="bold")
    for name in ("voice", "name", "type", "languages", "gender", "about"):
        made.add_column(name, overflow="fold" if name == "voice" else "ellipsis")
    for card in cards:
        about = card.description or ", ".join(map(str, card.more.get("tags") or ()))
        made.add_row(
            card.slug if card.type == "preset" and card.slug else card.id,
            card.name,
            card.type,
            ", ".join(card.languages),
            card.gender,
            about,
        )
    return made


def _details(console: Console, card: Any) -> None:
    made = Table(box=None, show_header=False)
    for name, value in card.json().items():
        if name == "more":
            for each, told in value.items():
                made.add_row(each.replace("_", " "), str(told))
        elif value:
            made.add_row(name, ", ".join(value) if isinstance(value, list) else str(value))
    console.print(made)


@app.command("list")
def list_voices(
    kind: Annotated[str, typer.Option("--type", help="preset or custom.")] = "",
    language: Annotated[str, typer.Option("--language", help="One that they speak.")] = "",
    gender: Gender = "",
    query: Annotated[str, typer.Option("--query", help="Part of a name.")] = "",
    as_json: AsJson = False,
    models: Models = None,
) -> None:
    """List the voices that there are: presets and your own."""
    from vivavoce.pipelines.models.voices import Wanted

    async def work(voices: Any, where: str) -> int:
        console, errors = Console(), Console(stderr=True)
        cards: list[Any] = []
        with errors.status(f"asking {where} ..."):
            async for card in voices.list(Wanted(kind, language, gender, query)):
                cards.append(card)  # noqa: PERF401 - page by page
        if as_json:
            console.print_json(json.dumps([card.json() for card in cards], ensure_ascii=False))
        elif cards:
            console.print(table(cards))
            console.print(f"{len(cards)} voices at {where}", highlight=False)
        else:
            console.print(f"no such voice at {where}", highlight=False)
        return 0

    _run(models, work)


@app.command()
def show(voice: Name, as_json: AsJson = False, models: Models = None) -> None:
    """Show one voice."""

    async def work(voices: Any, _where: str) -> int:
        card = await voices.show(voice)
        if as_json:
            Console().print_json(json.dumps(card.json(), ensure_ascii=False))
        else:
            _details(Console(), card)
        return 0

    _run(models, work)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="How the voice will be called.", metavar="NAME")],
    sample: Annotated[
        Path, typer.Argument(help="A recording of one person, 3 to 25 s.", metavar="SAMPLE")
    ],
    consent: Annotated[
        str,
        typer.Option(
            "--consent",
            help='Who agreed and how: "Marie Dupont, in writing[, 2026-11-20]". Asked for if left'
            " out.",
        ),
    ] = "",
    language: Language = None,
    gender: Gender = "",
    description: Description = "",
    tag: Tags = None,
    as_json: AsJson = False,
    models: Models = None,
) -> None:
    """Clone a voice from a sample. The speaker must have agreed, which is recorded beside it."""
    from vivavoce.pipelines.models.consent import Consent, amend, record
    from vivavoce.pipelines.models.sample import read_sample
    from vivavoce.pipelines.models.voices import NewVoice

    today = datetime.now(UTC).astimezone().date()
    # Nobody is asked for consent to a sample that no provider takes.
    read_sample(sample, (3.0, 30.0))
    given = Consent.parse(consent, today) if consent else _ask_for_consent(today)
    new = NewVoice(
        name,
        sample,
        given,
        tuple(language or ()),
        gender,
        description,
        tuple(tag or ()),
    )

    async def work(voices: Any, where: str) -> int:
        errors = Console(stderr=True)
        path = record(sample, given, {"id": None, "name": name, "provider": where})
        with errors.status(f"sending {sample.name} to {where} ..."):
            card = await voices.create(new)
        amend(path, card.id)
        if as_json:
            Console().print_json(json.dumps(card.json(), ensure_ascii=False))
        else:
            _details(Console(), card)
            Console().print(f"consent: {path}", highlight=False)
        return 0

    _run(models, work)


def _ask_for_consent(today: date) -> Any:
    """Ask on the terminal who agreed, how and when."""
    from vivavoce.pipelines.models.consent import Consent, ConsentError

    if not sys.stdin.isatty():
        raise ConsentError(
            'a clone needs the speaker\'s consent: give --consent "Marie Dupont, in writing"'
        )
    typer.echo("A voice is its speaker's. The clone needs their consent, which is recorded.")
    speaker = typer.prompt("Whose voice is it?")
    how = typer.prompt("How did they agree (in writing, on the recording, it is my own)?")
    when = typer.prompt("When?", default=today.isoformat())
    found = Consent.parse(f"{speaker}, {how}, {when}", today)
    if not typer.confirm(f"{found.text}. Is that so?"):
        raise ConsentError("without consent there is no clone")
    return replace(found, speaker=speaker.strip())


@app.command()
def update(
    voice: Name,
    name: Annotated[str, typer.Option("--name", help="A new name.")] = "",
    language: Language = None,
    gender: Gender = "",
    description: Description = "",
    tag: Tags = None,
    as_json: AsJson = False,
    models: Models = None,
) -> None:
    """Change what is told of a voice of yours."""
    changes = {
        "name": name,
        "languages": list(language or ()),
        "gender": gender,
        "description": description,
        "tags": list(tag or ()),
    }
    given = {key: value for key, value in changes.items() if value}
    if not given:
        raise typer.BadParameter("say what to change: --name, --language, --gender ...")

    async def work(voices: Any, _where: str) -> int:
        card = await voices.update(voice, given)
        if as_json:
            Console().print_json(json.dumps(card.json(), ensure_ascii=False))
        else:
            _details(Console(), card)
        return 0

    _run(models, work)


@app.command()
def delete(
    voice: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    models: Models = None,
) -> None:
    """Delete a voice of yours. The record of consent beside its sample stays."""

    async def work(voices: Any, where: str) -> int:
        card = await voices.show(voice)
        if not yes and not typer.confirm(f"Delete {card.name} ({card.id}) at {where}?"):
            return 1
        await voices.delete(card.id)
        Console().print(f"{card.name} is deleted", highlight=False)
        return 0

    _run(models, work)


@app.command("sample")
def fetch_sample(
    voice: Name,
    out: Annotated[Path, typer.Option("--out", help="A WAV file.")],
    models: Models = None,
) -> None:
    """Fetch a sample of a voice."""
    from vivavoce.pipelines.audio.riff import AudioFileError

    async def work(voices: Any, where: str) -> int:
        with Console(stderr=True).status(f"asking {where} ..."):
            data = await voices.sample(voice)
        try:
            out.write_bytes(data)
        except OSError as error:
            raise AudioFileError(f"cannot write {out}: {error.strerror}") from None
        Console().print(f"{len(data):,} bytes: {out}", highlight=False)
        return 0

    _run(models, work)
