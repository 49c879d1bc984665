"""Tables of what the runs found. Pure but for the printing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from vivavoce.agent.ledger import STAGES, percentile

OURS = "ours"
SHARES = (0.5, 0.9, 0.95)
AGREES = 20.0
"""How far the ledger's total may be from what the caller measures (ms)."""
LATE = 30.0
"""Lateness of the caller itself that makes a turn worthless (ms)."""
RARE = 0.01
"""The largest share of turns with a pause in which a reply may begin before their end."""

Reports = dict[str, dict[str, Any]]


def summarise(report: dict[str, Any]) -> dict[str, Any]:
    """Return an engine's turns in figures: percentiles in ms, counts, requests per turn."""
    turns: list[dict[str, Any]] = report["turns"]
    values = [turn["v2v_ms"] for turn in turns if turn["v2v_ms"] is not None]
    thinking = [turn["requests"].get("chat/completions", 0) for turn in turns]
    return {
        "turns": len(turns),
        **{f"p{share * 100:g}": percentile(values, share) if values else None for share in SHARES},
        "premature": sum(turn["premature"] for turn in turns),
        "lost": sum(turn["lost"] for turn in turns),
        "llm_per_turn": sum(thinking) / len(turns) if turns else None,
        "cpu": report["cpu_of_a_core"],
    }


def stages(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return what each stage of our ledger added: mean, p50 and p90 over the turns (ms).

    Only turns that were answered once and in time count, so that the parts speak of the totals.
    """
    entries = [
        told["latency"]
        for turn in report["turns"]
        if turn["v2v_ms"] is not None
        for told in turn["told"]
        if "latency" in told
    ]
    if not entries:
        return {}
    columns: dict[str, list[float]] = {
        stage: [e["stages_us"][stage] / 1000 for e in entries] for stage in STAGES
    }
    columns["total"] = [entry["total_us"] / 1000 for entry in entries]
    return {
        name: {
            "mean": sum(values) / len(values),
            "p50": percentile(values, 0.5),
            "p90": percentile(values, 0.9),
        }
        for name, values in columns.items()
    }


def disagreement(report: dict[str, Any]) -> list[float]:
    """Return how much longer the caller waited than our ledger says, per turn (ms).

    A caller who was late itself knows no better than the ledger: such turns are left out.
    """
    return [
        turn["v2v_ms"] - told["latency"]["total_us"] / 1000
        for turn in report["turns"]
        if turn["v2v_ms"] is not None and turn["late_ms"] <= LATE
        for told in turn["told"]
        if "latency" in told
    ]


def agreement(report: dict[str, Any]) -> dict[str, Any]:
    """Return how the ledger's totals agree with what the caller measured, in ms, JSON-able.

    The caller's figure spans the capture of its last voiced sample, labelled by energy, and the
    arrival of the first packet with sound: two moments of the recording, of which the ledger
    knows nothing.

    Raises:
        ValueError: If no turn has both.
    """
    off = disagreement(report)
    size = [abs(value) for value in off]
    return {
        "turns": len(off),
        "p50": percentile(off, 0.5),
        "p95": percentile(size, 0.95),
        "max": max(size),
        "goal": AGREES,
        "agrees": max(size) <= AGREES,
    }


def summary(command: str, reports: Reports) -> dict[str, Any]:
    """Return a run's figures by engine, JSON-able; those of `latency` and `pauses` only."""
    if command not in {"latency", "pauses"}:
        return {}
    return {
        name: {
            **summarise(report),
            **({"ledger_off_ms": agreement(report)} if disagreement(report) else {}),
        }
        for name, report in reports.items()
    }


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _ratio(ours: float | None, theirs: float | None) -> str:
    return "–" if not ours or not theirs else f"{ours / theirs:.2f}"


def show_turns(reports: Reports, console: Console, title: str) -> None:
    """Print voice-to-voice latency, and ours over each peer's."""
    figures = {name: summarise(report) for name, report in reports.items()}
    ours = figures.get(OURS, {})
    table = Table(title=title, caption="voice to voice, ms; × is ours over theirs")
    table.add_column("engine")
    heads = ("turns", "p50", "p90", "p95", "× p50", "× p95", "premature", "lost", "LLM/turn", "CPU")
    for head in heads:
        table.add_column(head, justify="right")
    for name, row in figures.items():
        cpu, thinking = row["cpu"], row["llm_per_turn"]
        table.add_row(
            f"[bold]{name}[/]" if name == OURS else name,
            str(row["turns"]),
            *(_ms(row[key]) for key in ("p50", "p90", "p95")),
            *(_ratio(ours.get(key), row[key]) if name != OURS else "" for key in ("p50", "p95")),
            str(row["premature"]),
            str(row["lost"]),
            "–" if thinking is None else f"{thinking:.2f}",
            "–" if cpu is None else f"{cpu:.1%}",
        )
    console.print(table)
    for name, report in reports.items():
        if stages(report):
            show_stages(report, console, name)
    show_gone(reports, console)


def show_pauses(reports: Reports, console: Console, title: str, absent: Sequence[str] = ()) -> None:
    """Print replies that begin before the caller has finished, and what led to ours.

    Args:
        reports: Of the engines that ran.
        console: Where to.
        title: Of the table.
        absent: Engines that did not run.
    """
    lengths = sorted({turn["pause_s"] for report in reports.values() for turn in report["turns"]})
    table = Table(
        title=title,
        caption="premature: a reply began before the caller's last word, in all and by the pause's"
        " length; p50 to p95: ms behind the true end, of the other turns",
    )
    table.add_column("engine")
    for head in ("turns", "calls", "premature", "%", *(f"{each:g} s" for each in lengths)):
        table.add_column(head, justify="right")
    for head in ("lost", "p50", "p90", "p95", "LLM/turn", "CPU/call"):
        table.add_column(head, justify="right")
    for name, report in reports.items():
        row, turns = summarise(report), report["turns"]
        early = [turn for turn in turns if turn["premature"]]
        by_length = [
            f"{sum(t['pause_s'] == each for t in early)}/{sum(t['pause_s'] == each for t in turns)}"
            for each in lengths
        ]
        table.add_row(
            f"[bold]{name}[/]" if name == OURS else name,
            str(row["turns"]),
            str(report["calls"]),
            str(len(early)),
            f"{len(early) / len(turns):.1%}" if turns else "–",
            *by_length,
            str(row["lost"]),
            *(_ms(row[key]) for key in ("p50", "p90", "p95")),
            "–" if row["llm_per_turn"] is None else f"{row['llm_per_turn']:.2f}",
            "–" if row["cpu"] is None else f"{row['cpu']:.1%}",
        )
    console.print(table)
    console.print(
        f"ran: {', '.join(reports)}; did not run: {', '.join(absent) or 'none'}; goal: premature"
        f" at most {RARE:.0%}"
    )
    for name, report in reports.items():
        for turn in report["turns"]:
            if turn["premature"]:
                console.print(early_line(name, turn), highlight=False, markup=False)
    show_gone(reports, console)


def early_line(name: str, turn: dict[str, Any]) -> str:
    """Say which pause a reply began in, on which words, and why the turn was thought over."""
    starts = [at for at in turn["starts_ms"] if at < 0]
    said = [each for each in turn["told"] if "why_ended" in each]
    why = "; then ".join(f"“{each['text']}”, {each['why_ended']}" for each in said)
    begun = f"reply {-starts[0]} ms before the end" if starts else "reply before the end"
    return (
        f"{name}, {turn['clip']}: {turn['pause_s']:g} s behind “{turn['before']}”; {begun}"
        f"{f': {why}' if why else ''}"
    )


def show_stages(report: dict[str, Any], console: Console, name: str = OURS) -> None:
    """Print where an engine's milliseconds go, by its ledger, and whether that is right."""
    found = stages(report)
    if not found:
        return
    table = Table(
        title=f"where the milliseconds of {name} go", caption="by our ledger, ms per answered turn"
    )
    table.add_column("stage")
    for head in ("mean", "p50", "p90"):
        table.add_column(head, justify="right")
    for stage, row in found.items():
        style = "bold" if stage == "total" else ""
        table.add_row(stage, *(_ms(row[key]) for key in ("mean", "p50", "p90")), style=style)
    console.print(table)
    if not disagreement(report):
        return
    off = agreement(report)
    verdict = "agree" if off["agrees"] else "DO NOT AGREE"
    console.print(
        f"ledger and caller {verdict} within {AGREES:g} ms: the caller's clock minus the ledger,"
        f" p50 {off['p50']:+.1f} ms; without sign p95 {off['p95']:.1f} ms, max {off['max']:.1f} ms"
        f" of {off['turns']} turns"
    )


def show_cuts(reports: Reports, console: Console) -> None:
    """Print how fast replies stop."""
    table = Table(
        title="barge-in",
        caption="caller's first voiced sample to the last packet of the reply, ms",
    )
    table.add_column("engine")
    for head in ("cuts", "p50", "p90", "p95", "did not stop", "went on later", "no reply to cut"):
        table.add_column(head, justify="right")
    for name, report in reports.items():
        rows: list[dict[str, Any]] = [row for row in report["turns"] if not row["lost"]]
        values = [row["reaction_ms"] for row in rows if row["reaction_ms"] is not None]
        table.add_row(
            name,
            str(len(rows)),
            *(_ms(percentile(values, share) if values else None) for share in SHARES),
            str(sum(not row["stopped"] for row in rows)),
            str(sum(row["stopped"] and row["went_on"] for row in rows)),
            str(len(report["turns"]) - len(rows)),
        )
    console.print(table)
    show_gone(reports, console)


def show_load(reports: Reports, console: Console) -> None:
    """Print the CPU and memory of one call and of many."""
    table = Table(
        title="load",
        caption="CPU of a core per call; V2V and our event loop's lag (p99, max) in ms",
    )
    table.add_column("engine")
    heads = (
        "calls",
        "CPU/call",
        "memory MB",
        "V2V p50",
        "p95",
        "premature",
        "lost",
        "lag p99",
        "max",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for name, report in reports.items():
        for calls, row in report["calls"].items():
            values = [value for value in row["v2v_ms"] if value is not None]
            table.add_row(
                name,
                calls,
                f"{row['cpu_of_a_core_per_call']:.1%}",
                f"{row['memory_mb']:.0f}",
                *(_ms(percentile(values, share) if values else None) for share in (0.5, 0.95)),
                str(row["premature"]),
                str(row["lost"]),
                *(_ms(row["loop_lag_ms"].get(name)) for name in ("p99", "max")),
            )
    console.print(table)


def show_gone(reports: Reports, console: Console) -> None:
    """Say which engines left a run, and why; and whether the caller was ever late."""
    for report in reports.values():
        if report.get("gone"):
            console.print(f"[red]{report['gone']}[/]")
    late = [turn["late_ms"] for report in reports.values() for turn in report["turns"]]
    if late:
        console.print(f"[dim]the caller's own lateness: {_spread(late)}[/]")
        if worse := sum(value > LATE for value in late):
            console.print(
                f"[yellow]{worse} of {len(late)} turns count although the caller was more than"
                f" {LATE:g} ms late each time they were tried: this machine is too busy[/]"
            )


def _spread(values: Sequence[float]) -> str:
    return (
        f"p50 {percentile(values, 0.5):.1f} ms, p95 {percentile(values, 0.95):.1f} ms,"
        f" max {max(values):.1f} ms"
    )
