"""The commands that show how things are: doctor, bench, sandbox, demo."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vivavoce.cli.program import (
    FAILED,
    LOOK,
    ModelsOption,
    app,
    complete_agents,
    read_settings,
)


@app.command(rich_help_panel=LOOK)
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Run the embedded models by themselves: a local server in Mistral's dialect."""
    from vivavoce.cli.sandbox import serve

    read_settings()
    raise typer.Exit(serve(port))


@app.command(rich_help_panel=LOOK)
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    models: ModelsOption = None,
) -> None:
    """Check what is configured, what answers, and what to fix."""
    from vivavoce.cli.doctor import examine

    settings = read_settings(models=models)
    healthy = asyncio.run(examine(settings, Console(), as_json=as_json))
    raise typer.Exit(0 if healthy else 1)


@app.command(rich_help_panel=LOOK)
def demo(
    out: Annotated[Path, typer.Option("--out", help="Where to leave the call.")] = Path("demo"),
    fast: Annotated[
        bool, typer.Option("--fast", help="Do not wait where nothing waits on the clock.")
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Hold a whole spoken conversation with the restaurant example, and leave it to look at."""
    from vivavoce.cli.demo import hold

    settings = read_settings(models=models)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"vivavoce: cannot make {out}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    raise typer.Exit(asyncio.run(hold(settings, Console(), out, fast=fast)))


@app.command(rich_help_panel=LOOK)
def bench(
    agent: Annotated[
        str,
        typer.Argument(
            help="Who answers: file.py, file.py:name or module:name; left out, a plain one.",
            metavar="[AGENT]",
            autocompletion=complete_agents,
        ),
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Three minutes instead of six.")] = False,
    turns: Annotated[
        int | None, typer.Option("--turns", help="Turns of the call whose delays are measured.")
    ] = None,
    calls: Annotated[
        str | None, typer.Option("--calls", help="How many at once, as in 1,5,10,20; 0 for none.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Delays with the providers of your settings: it costs.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before that.")] = False,
    compare: Annotated[
        Path | None, typer.Option("--compare", help="An earlier run: its .json or .html.")
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option("--from", help="Measure nothing: make the page of this run's .json again."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The page; its JSON lies beside it.")] = Path(
        "bench.html"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON instead.")] = False,
    models: ModelsOption = None,
) -> None:
    """Measure how fast calls are answered here, and how many this machine carries."""
    from vivavoce.cli.bench import bench as measure
    from vivavoce.cli.bench import finish
    from vivavoce.pipelines.benching.plan import Plan
    from vivavoce.web.bench_page import read_bench

    console = Console(stderr=as_json)
    if again is not None:
        earlier = None if compare is None else read_bench(compare)
        code = finish(read_bench(again), console, out, earlier=earlier, as_json=as_json)
        raise typer.Exit(code)
    settings = read_settings(models=models)
    plan = Plan.make(quick=quick, turns=turns, calls=calls, live=live)
    if not out.parent.is_dir():
        print(f"vivavoce: there is no folder {out.parent}: make it first", file=sys.stderr)
        raise typer.Exit(FAILED)
    code = asyncio.run(
        measure(
            settings,
            console,
            plan,
            out=out,
            command=shlex.join(["vivavoce", *sys.argv[1:]]),
            agent=agent,
            flags={"models": models} if models else {},
            against=compare,
            as_json=as_json,
            sure=yes,
        )
    )
    raise typer.Exit(code)


@app.command(rich_help_panel=LOOK)
def prices(
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Show what models cost, when that was looked up, and where."""
    import json
    from dataclasses import asdict
    from functools import partial

    from vivavoce.agent.prices import PROVIDERS

    if as_json:
        rows = [
            {"provider": each.name, "model": model, **asdict(price)}
            for each in PROVIDERS
            for model, price in each.models.items()
        ]
        print(json.dumps(rows, default=str))
        return
    show = partial(Console().print, markup=False, highlight=False, soft_wrap=True)
    for provider in PROVIDERS:
        show(f"{provider.name} ({provider.url}), in US dollars", style="bold")
        for model, price in provider.models.items():
            parts = (
                (price.prompt, "/M tokens read"),
                (price.completion, "/M written"),
                (price.minute, "/min heard"),
                (price.characters, "/M characters"),
            )
            what = ", ".join(f"{figure:g}{unit}" for figure, unit in parts if figure)
            show(f"  {model:<40}{what:<36}{price.on}  {price.source}")
