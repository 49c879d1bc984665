"""`vivavoce phone --campaign`: the people of a list, called."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from vivavoce.agent.settings import Settings
from vivavoce.cli.logbook import Logbook
from vivavoce.cli.models import open_models
from vivavoce.cli.phone import make_phone, on_signals
from vivavoce.cli.phone_setup import PhoneSetup
from vivavoce.phone.campaign import Campaign, Plan, check_policy
from vivavoce.phone.people import read_people
from vivavoce.phone.results import Results, Status
from vivavoce.pipelines.hosting import Host


def results_of(people: Path) -> Path:
    """Return where the results of a list go unless told otherwise: beside it."""
    return people.with_name(f"{people.stem}-results.csv")


async def run_campaign(
    agents: Sequence[Host],
    settings: Settings,
    console: Console,
    setup: PhoneSetup,
    people: Path,
    *,
    results: Path | None = None,
    folder: Path | None = None,
    as_json: bool = False,
) -> int:
    """Call everybody of a list; go on where it was broken off.

    The first Ctrl-C begins no more calls and lets those under way end; the second hangs up.

    Args:
        agents: Who calls: the first one, or the one that `[campaign]` names.
        settings: Where the models are.
        console: Where the progress is shown.
        setup: The telephone.
        people: A CSV with the columns `number`, `name` and any others.
        results: Where it is noted what came of each call; beside the list if None.
        folder: Where recordings and records go; None: nowhere.
        as_json: Print events as JSON, and no progress.

    Returns:
        The exit code: 1 if somebody is still to be called.

    Raises:
        vivavoce.phone.exposure.PhoneError: Something is set up wrongly.
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    check_policy(setup.policy)
    listed, options = read_people(people), setup.campaign
    with Results(results or results_of(people)) as written:
        plan = Plan(listed, written.rows, options.retries, retry_voicemail=options.retry_voicemail)
        records = setup.records.make()
        async with records or nullcontext(), open_models(settings) as models:
            quiet = Console(quiet=True)  # the progress takes the place of each call's lines
            book = Logbook(quiet, models.names, folder, as_json=as_json, records=records)
            phone = make_phone(agents, models, setup, book)
            bar = _bar(console if not as_json else quiet)
            task = bar.add_task("calling", total=len(listed), what="")

            def told(now: Plan) -> None:
                done = len(listed) - now.waiting - now.running
                bar.update(task, completed=done, what=_words(now.tally(), now.running))

            try:
                with bar:
                    async with phone:
                        campaign = Campaign(phone, plan, written, options, told)
                        told(plan)
                        await _until_stopped(campaign, console)
            finally:
                await book.close()
    tally = plan.tally()
    if as_json:
        print(json.dumps({"event": "summary", **{s.value: n for s, n in tally.items()}}))
    else:
        console.print(_summary(tally, len(listed), plan.waiting))
        console.print(f"[dim]{written.path}[/]")
    return 1 if plan.waiting else 0


async def _until_stopped(campaign: Campaign, console: Console) -> None:
    running = asyncio.create_task(campaign.run(), name="campaign")
    pressed = 0

    def stop() -> None:
        nonlocal pressed
        pressed += 1
        if pressed == 1:
            console.print("No more calls are begun; those under way go on. Again to hang up.")
            campaign.stop()
        else:
            running.cancel()

    on_signals(stop)
    await asyncio.wait({running})
    if not running.cancelled():
        running.result()


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[what]}[/]"),
        console=console,
    )


def _words(tally: Counter[Status], running: int) -> str:
    """Return how it stands, in a line."""
    found = [f"{count} {s.value}" for s, count in tally.most_common() if s is not Status.CALLING]
    return ", ".join([f"{running} on the line", *found])


def _summary(tally: Counter[Status], total: int, waiting: int) -> Table:
    table = Table(show_header=False, box=None)
    for status in Status:
        if status is not Status.CALLING and tally[status]:
            table.add_row(status.value, str(tally[status]), f"{tally[status] / total:.0%}")
    if waiting:
        table.add_row("still to be called", str(waiting), f"{waiting / total:.0%}")
    return table
