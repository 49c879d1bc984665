"""The commands that show how things are: doctor, sandbox, demo."""

from __future__ import annotations

import asyncio
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
