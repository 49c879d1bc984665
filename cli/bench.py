"""`vivavoce bench`: how fast calls are answered on this machine, and how many it carries."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.prompt import Confirm
from rich.table import Table

from vivavoce.agent.ledger import STAGES
from vivavoce.agent.prices import price_of
from vivavoce.agent.settings import Settings
from vivavoce.agent.usage import Usage
from vivavoce.cli.bench_runs import Bench
from vivavoce.cli.models import endpoints
from vivavoce.pipelines.benching.compared import compare
from vivavoce.pipelines.benching.line import LineError
from vivavoce.pipelines.benching.plan import Plan
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.pipelines.benching.speech import sentences
from vivavoce.pipelines.benching.spread import Change
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.sandbox.launch import SandboxError
from vivavoce.web.bench_page import read_bench, write_bench

TURN = 9.0
"""Seconds of a turn with real providers, about: heard all along."""
PROMPT, WRITTEN, SPOKEN = 90, 35, 120
"""Tokens that a turn adds to what is read, tokens written, characters spoken, about."""
INTERRUPTED = 130
"""The exit code of Ctrl-C."""


class BenchError(RuntimeError):
    """Nothing could be measured; the message says what to do."""


async def bench(
    settings: Settings,
    console: Console,
    plan: Plan,
    *,
    out: Path,
    command: str,
    agent: str = "",
    flags: Mapping[str, Any] | None = None,
    against: Path | None = None,
    as_json: bool = False,
    sure: bool = False,
) -> int:
    """Measure, write the page and its JSON, and print what came out.

    Ctrl-C ends measuring; what was measured until then is written.

    Args:
        settings: Where the models are, for real providers.
        console: Where progress and results are shown.
        plan: How much.
        out: The page; the JSON lies beside it.
        command: What was typed, to be repeated.
        agent: Who answers; "" for the bench's own.
        flags: Of the settings, for the measured process.
        against: An earlier run's page or JSON.
        as_json: Print the JSON instead of tables.
        sure: Do not ask before real providers are paid.

    Returns:
        The exit code.

    Raises:
        BenchError: Nothing could be measured.
        ClipError: There is no speech to measure with.
        ReportError: The earlier run cannot be read, or the page not be written.
    """
    earlier = None if against is None else read_bench(against)
    clips = sentences()
    if plan.live and not _agreed(settings, console, plan, sure=sure):
        return 1
    console.print(
        f"This takes about {_minutes(plan.seconds)}; leave the machine alone meanwhile."
        " Ctrl-C ends it and keeps what is measured.",
        highlight=False,
    )
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=plan.seconds)
        running = Bench(
            plan,
            clips,
            agent=agent,
            flags=dict(flags or {}),
            tell=lambda text: progress.update(bar, description=text),
            done=lambda seconds: progress.advance(bar, seconds),
        )
        problem = await _measured(running)
    result = running.result
    result["command"] = command
    if not result.get("latency"):
        if result.get("interrupted"):
            return INTERRUPTED
        raise BenchError(problem or "nothing was measured")
    if problem:
        result.setdefault("warnings", []).append(f"It ended early: {problem.splitlines()[0]}")
    return finish(result, console, out, earlier=earlier, as_json=as_json)


def finish(
    result: Mapping[str, Any],
    console: Console,
    out: Path,
    *,
    earlier: Mapping[str, Any] | None = None,
    as_json: bool = False,
) -> int:
    """Write the page of a run and its JSON, and print what came out; return the exit code."""
    changes = [] if earlier is None else compare(earlier, result)
    named = str((earlier or {}).get("machine", {}).get("at", "an earlier run"))
    told: list[Mapping[str, Any]] = [{"against": named}] if earlier is not None else []
    write_bench(result, out, [*told, *(each.to_dict() for each in changes)])
    beside = out.with_suffix(".json")
    beside.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        compared = {"changes": [each.to_dict() for each in changes]} if earlier else {}
        print(json.dumps({**result, **compared}, ensure_ascii=False))
    else:
        show(result, console, changes)
        console.print(f"\nLook at [bold]{escape(str(out))}[/]; for a comparison later, keep"
                      f" {escape(str(beside))}.", highlight=False)  # fmt: skip
    return INTERRUPTED if result.get("interrupted") else 0


async def _measured(running: Bench) -> str:
    """Measure until it is done or Ctrl-C; return what went wrong, "" if nothing did."""
    task = asyncio.ensure_future(running.run())
    loop = asyncio.get_running_loop()

    def stop() -> None:
        running.result["interrupted"] = True
        task.cancel()

    with contextlib.suppress(NotImplementedError, RuntimeError):  # not on Windows
        loop.add_signal_handler(signal.SIGINT, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not running.result.get("interrupted"):
            raise
    except (ChildError, SandboxError, LineError, ModelError) as error:
        return str(error)
    except TimeoutError:
        return "a model server did not answer"
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.remove_signal_handler(signal.SIGINT)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    return ""


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def estimate(settings: Settings, plan: Plan) -> float | None:
    """Return about what a run on real providers costs (USD); None where a price is not known."""
    turns = plan.turns + 1
    usage = {
        "hear": Usage(heard=turns * TURN + 15),
        # What is read grows with the conversation; one turn in five is thought twice.
        "think": Usage(
            prompt_tokens=round(1.2 * (turns * 60 + PROMPT * turns * turns / 2)),
            completion_tokens=round(1.2 * turns * WRITTEN),
        ),
        "speak": Usage(characters=round(1.2 * turns * SPOKEN)),
    }
    total = 0.0
    for stage, places in endpoints(settings, "", "").items():
        place = places[0]
        price = price_of(f"{place.model} at {place.url}")
        if price is None:
            return None
        total += price.of(usage[stage])
    return total


def _agreed(settings: Settings, console: Console, plan: Plan, *, sure: bool) -> bool:
    """Say what real providers will cost, and ask."""
    if settings.needs_sandbox:
        raise BenchError(
            "--live measures real providers, and the settings name none: set MISTRAL_API_KEY, or"
            " leave --live out"
        )
    cost = estimate(settings, plan)
    about = "at prices that are not known here" if cost is None else f"about {cost:.3f} USD"
    console.print(
        f"{plan.turns + 1} turns are spoken to the providers of your settings: {about}.",
        highlight=False,
    )
    if sure:
        return True
    if not sys.stdin.isatty():
        raise BenchError("nobody is there to agree to what it costs: add --yes")
    return Confirm.ask("Go on?", console=console, default=False)


def show(result: Mapping[str, Any], console: Console, changes: Sequence[Change] = ()) -> None:
    """Print what came out."""
    for warning in result.get("warnings", []):
        console.print(f"[yellow]![/] {escape(warning)}", highlight=False)
    found = result["latency"]
    v2v = found["v2v"]
    if v2v["n"]:
        table = Table(box=SIMPLE_HEAD, title=f"Voice to voice, {found['turns']} turns (ms)",
                      title_justify="left")  # fmt: skip
        for name in ("", "p50", "p90", "p95", "p99", "longest"):
            table.add_column(name, justify="right" if name else "left")
        for name, one in (("the caller's ear", v2v), ("our own ledger", found["ledger_ms"])):
            if one.get("n"):
                cells = (f"{one[key]:.0f}" for key in ("p50", "p90", "p95", "p99", "max"))
                table.add_row(name, *cells)
        console.print(table)
        stages = found["stages_ms"]
        told = ", ".join(f"{stage} {stages[stage]['mean']:.0f}" for stage in STAGES
                         if stage in stages and stages[stage]["mean"] >= 0.5)  # fmt: skip
        console.print(f"  on average: {told}", highlight=False)
        alone = (result.get("backends") or {}).get("alone_ms") or {}
        if alone:
            medians = {name: sorted(values)[len(values) // 2] for name, values in alone.items()}
            parts = ", ".join(f"{name} {value:.0f}" for name, value in medians.items())
            whole = sum(medians.values())
            console.print(f"  the backends alone: {parts}, together {whole:.0f}", highlight=False)
    counted = result.get("capacity")
    if counted and counted["rows"]:
        table = Table(box=SIMPLE_HEAD, title="Calls at once on one core", title_justify="left")
        for name in ("calls", "CPU", "per call", "memory", "late p99", "p95", ""):
            table.add_column(name, justify="right" if name else "left")
        for row in counted["rows"]:
            table.add_row(
                str(row["calls"]),
                f"{row['cpu']:.0%}",
                f"{row['cpu_per_call']:.1%}",
                f"{row['memory_mb']:.0f} MB",
                f"{row['late_ms'].get('p99', 0):.1f} ms",
                f"{row['v2v_ms'].get('p95', 0):.0f} ms",
                row["why"],
            )
        console.print(table)
        number = counted["carries"]
        carries = f"{number} {'call' if number == 1 else 'calls'} on one core went well"
        why = f"; then {counted['why']}" if counted["why"] else ""
        console.print(f"  [bold]{carries}[/]{escape(why)}", highlight=False)
    for each in changes:
        word = "noise" if each.noise else "better" if each.better else "worse"
        colour = {"noise": "dim", "better": "green", "worse": "red"}[word]
        between = "" if each.low is None else f" ({each.low:+.1f} to {each.high:+.1f})"
        console.print(
            f"  [{colour}]{word:<7}[/]{each.name}: {each.before:g} → {each.after:g} {each.unit}"
            f"{between}",
            highlight=False,
        )
