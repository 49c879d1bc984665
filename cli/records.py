"""`vivavoce records`: list, show, delete and purge what was kept of calls."""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from vivavoce.web.records import Entry
    from vivavoce.web.store import Store

# What else follows is imported where it is used: `vivavoce --help` waits for none of it.

app = typer.Typer(
    no_args_is_help=True,
    help="What was kept of calls: find it, read it, delete it.",
    rich_markup_mode="markdown",
)

Where = Annotated[
    str, typer.Option("--records", help="A folder, or postgresql://…, as for `serve`.")
]
Setup = Annotated[
    Path | None, typer.Option("--setup", help="The file of `serve` or `phone` with [records].")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

MISSING = 1
"""Exit code when there is no such call."""


def open_store(where: str, setup: Path | None) -> Store:
    """Make the store that a command looks into.

    Raises:
        RecordsError: Nothing says where it is, or something is set wrongly.
    """
    from vivavoce.web.records import RecordsError
    from vivavoce.web.store_settings import StoreSettings

    given: dict[str, Any] = {}
    if setup is not None:
        try:
            given = tomllib.loads(setup.read_text(encoding="utf-8")).get("records", {})
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise RecordsError(f"cannot read {setup}: {error}") from None
    settings = StoreSettings.read({**given, **({"where": where} if where else {})})
    folder = Path(settings.where)
    if settings.where and "://" not in settings.where and not folder.is_dir():
        raise RecordsError(f"there is no folder {folder}: nothing was kept there")
    store = settings.make(upkeep=False)
    if store is None:
        raise RecordsError("say where: --records FOLDER or postgresql://…, or --setup FILE")
    return store


def _run(where: str, setup: Path | None, work: Callable[[Store], Awaitable[int]]) -> None:
    store = open_store(where, setup)

    async def whole() -> int:
        async with store:
            return await work(store)

    raise typer.Exit(asyncio.run(whole()))


@app.command("list")
def list_(
    text: Annotated[str, typer.Argument(help="Words that were said, or a caller.")] = "",
    where: Where = "",
    setup: Setup = None,
    agent: Annotated[str, typer.Option(help="Of this agent.")] = "",
    caller: Annotated[str, typer.Option(help="Of this caller.")] = "",
    since: Annotated[datetime | None, typer.Option(help="Begun then or later (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Begun before (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List calls, the newest first."""
    from vivavoce.web.records import MOST, Query

    async def work(store: Store) -> int:
        query = Query(text, agent, caller, _utc(since), _utc(until))
        entries: list[Entry] = []
        cursor = ""
        while len(entries) < limit:
            count = min(MOST, limit - len(entries))
            found = await store.search(_page(query, count, cursor))
            entries += found.entries
            cursor = found.cursor
            if not cursor:
                break
        if as_json:
            for each in entries:
                print(json.dumps(each.to_dict(), ensure_ascii=False))
        else:
            Console().print(_table(entries))
            if cursor:
                print(f"There are more: --limit {limit * 2}", file=sys.stderr)
        return 0

    _run(where, setup, work)


@app.command()
def show(
    call: Annotated[str, typer.Argument(help="A call's id.")],
    where: Where = "",
    setup: Setup = None,
    recording: Annotated[
        Path | None, typer.Option("--recording", help="Write its recording (WAV) there.")
    ] = None,
) -> None:
    """Print a call's record (JSON); write its recording."""

    async def work(store: Store) -> int:
        found = await store.get(call)
        if found is None:
            return _missing(call)
        print(json.dumps(found, ensure_ascii=False, indent=2))
        if recording is not None:
            if await store.recording(call) is None:
                print(f"vivavoce: call {call} has no recording", file=sys.stderr)
                return MISSING
            await _write(store, call, recording)
        return 0

    _run(where, setup, work)


@app.command()
def delete(
    call: Annotated[str, typer.Argument(help="A call's id.")] = "",
    caller: Annotated[str, typer.Option(help="All calls of this caller instead.")] = "",
    where: Where = "",
    setup: Setup = None,
    yes: Yes = False,
) -> None:
    """Delete a call, or all of one caller: records and recordings."""
    if bool(call) == bool(caller):
        raise typer.BadParameter("give a call's id, or --caller")
    what = f"call {call}" if call else f"all that is kept of {caller}"
    _ask(f"Delete {what}?", yes=yes)

    async def work(store: Store) -> int:
        if call:
            return _count(1) if await store.delete(call) else _missing(call)
        return _count(await store.forget(caller))

    _run(where, setup, work)


@app.command()
def purge(
    days: Annotated[float | None, typer.Option(min=0, help="Older than that.")] = None,
    where: Where = "",
    setup: Setup = None,
    yes: Yes = False,
) -> None:
    """Delete calls that are older than some days, or than the set-up keeps them."""

    async def work(store: Store) -> int:
        from vivavoce.web.records import RecordsError

        most = store.days if days is None else days
        if most is None:
            raise RecordsError("say how old: --days, or days = … in [records]")
        _ask(f"Delete all calls older than {most:g} days?", yes=yes)
        return _count(await store.purge(datetime.now(UTC) - timedelta(days=most)))

    _run(where, setup, work)


def _page(query: Any, limit: int, cursor: str) -> Any:
    from dataclasses import replace

    return replace(query, limit=limit, cursor=cursor)


def _utc(when: datetime | None) -> datetime | None:
    return None if when is None else when.replace(tzinfo=UTC)


def _ask(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True)


def _missing(call: str) -> int:
    print(f"vivavoce: there is no call {call} that is over", file=sys.stderr)
    return MISSING


def _count(number: int) -> int:
    print(f"{number} call{'' if number == 1 else 's'} deleted")
    return 0


async def _write(store: Store, call: str, path: Path) -> None:
    from vivavoce.web.records import RecordsError

    try:
        with path.open("wb") as file:
            async for data in store.stream(call):
                file.write(data)
    except OSError as error:
        raise RecordsError(f"cannot write {path}: {error.strerror}") from None


def _table(entries: list[Entry]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for name in ("call", "began (UTC)", "agent", "caller", "s", "p50 ms", "rec", "last words"):
        table.add_column(name, justify="right" if name in {"s", "p50 ms"} else "left")
    for each in entries:
        table.add_row(
            each.call,
            f"{each.began:%Y-%m-%d %H:%M}",
            escape(each.agent),
            escape(each.caller),
            "live" if each.live else f"{each.seconds:.0f}",
            "" if each.p50 is None else f"{each.p50:.0f}",
            "yes" if each.recorded else "",
            escape(each.last),
        )
    return table
