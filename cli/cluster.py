"""`vivavoce cluster`: the workers of a cluster, seen and changed from any of its machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from vivavoce.cli.program import FAILED

# What else is needed is imported where it is used: `vivavoce --help` waits for none of it.

app = typer.Typer(
    no_args_is_help=True,
    help="The workers of a cluster: see them, drain them, have more or fewer of them.",
    rich_markup_mode="markdown",
)

Ray = Annotated[
    str,
    typer.Option(
        "--ray",
        help="The Ray cluster, HOST:PORT; else RAY_ADDRESS, else this machine's.",
        metavar="ADDRESS",
    ),
]
Wait = Annotated[
    float | None, typer.Option("--wait", min=0.0, help="Seconds that its calls may go on.")
]
ANSWER = 30.0
"""Seconds in which the cluster answers what needs no work."""
WORK = 4 * 3_600.0
"""Seconds in which calls have ended and workers begun."""


def _ask(address: str, within: float, question: Callable[[Any], Any]) -> Any:
    """Ask the cluster's keeper; a mistake ends in one line."""
    from vivavoce.cli.ray_link import ClusterError, connect, disconnect, said, there

    try:
        connect(address or "auto", show_logs=False)
        try:
            import ray

            return ray.get(question(there()), timeout=within)
        finally:
            disconnect()
    except ClusterError as error:
        told = str(error)
    except Exception as error:  # noqa: BLE001 (Ray's own kinds)
        told = said(error)
    print(f"vivavoce: {told}", file=sys.stderr)
    raise typer.Exit(FAILED)


@app.command()
def status(
    ray: Ray = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the workers: where they are, what they carry."""
    found = _ask(ray, ANSWER, lambda keeper: keeper.status.remote())
    if as_json:
        print(json.dumps(found))
        return
    console = Console()
    table = Table(box=SIMPLE_HEAD)
    for name in ("worker", "node", "calls", "room", "strain", ""):
        table.add_column(name, justify="right" if name in {"calls", "room", "strain"} else "left")
    for row in found["workers"]:
        figures = [str(row.get("calls", "?")), str(row.get("room", "?"))]
        strain = f"{row['strain']:.0%}" if "strain" in row else "?"
        about = "drains" if row["draining"] else "" if row["answers"] else "does not answer"
        table.add_row(row["name"], row["node"], *figures, strain, about)
    console.print(table)
    console.print(
        f"{len(found['workers'])} workers of {found['wanted']} wanted, {found['cores']} cores,"
        f" {found['fronts']} fronts",
        highlight=False,
    )
    if found["failed"]:
        console.print(f"of late none could be started: {found['failed']}", markup=False)


@app.command()
def drain(
    worker: Annotated[str, typer.Argument(help="Its name, as `status` shows it.")],
    ray: Ray = "",
    wait: Wait = None,
) -> None:
    """Let a worker's calls end, and then the worker; another one takes its place."""
    _ask(ray, WORK, lambda keeper: keeper.drain.remote(worker, wait))


@app.command()
def scale(
    workers: Annotated[str, typer.Argument(help="N, or LEAST-MOST by their use.")],
    ray: Ray = "",
    quiet: Annotated[
        float | None,
        typer.Option("--quiet", min=1.0, help="Seconds of little use until there is one fewer."),
    ] = None,
) -> None:
    """Have another number of workers, until `serve --cluster` is begun anew."""
    from vivavoce.cli.workers import read_workers

    found = read_workers(workers)
    _ask(ray, ANSWER, lambda keeper: keeper.scale.remote(found.least, found.most, quiet))


@app.command()
def renew(ray: Ray = "") -> None:
    """Put a new worker in the place of each, one after the other; old calls go on."""
    _ask(ray, WORK, lambda keeper: keeper.renew.remote())


@app.command()
def stop(ray: Ray = "", wait: Wait = None) -> None:
    """End all workers once their calls are over. Fronts that are there begin them anew."""
    _ask(ray, WORK, lambda keeper: keeper.stop.remote(30.0 if wait is None else wait))
