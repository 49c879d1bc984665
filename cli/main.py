"""The command line."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

# Help shows the groups of commands in this order.
from vivavoce.cli import writing

# isort: split
from vivavoce.cli import calling

# isort: split
from vivavoce.cli import cluster, looking, records, sounds, voices
from vivavoce.cli.mistakes import is_mistake
from vivavoce.cli.program import CARRY, FAILED, FILES, app

# One thread for linear algebra, set before numpy is loaded: with more of them the end-of-turn
# model's features cost twice the CPU and are no faster.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Their commands are the program's as soon as they are imported.
__all__ = ["app", "calling", "looking", "main", "sounds", "writing"]

app.add_typer(voices.app, name="voices", rich_help_panel=FILES)
app.add_typer(records.app, name="records", rich_help_panel=CARRY)
app.add_typer(cluster.app, name="cluster", rich_help_panel=CARRY)


def main() -> None:
    """Run the command line. A user's mistake ends in one line and exit code 2."""
    # pipecat greets on import and logs everything by default.
    from loguru import logger

    logger.remove()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not is_mistake(error):
            raise
        print(f"vivavoce: {error}", file=sys.stderr)
        sys.exit(FAILED)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(installed("vivavoce"))
        raise typer.Exit


if __name__ == "__main__":
    main()
