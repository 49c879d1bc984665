"""How many calls of a bench went well at once, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vivavoce.web import charts
from vivavoce.web.bench_parts import figure, ms, panel, table
from vivavoce.web.charts import Series
from vivavoce.web.markup import Html, count, el, join


def capacity(result: Mapping[str, Any]) -> Html | None:
    """Show how many calls fit and what they cost; None where that was not measured."""
    found = result.get("capacity")
    if not found or not found.get("rows"):
        return None
    rows = found["rows"]
    parts: list[Html | None] = [el("p", _verdict(found), cls="said-of")]
    knee = found["carries"] if found.get("why") else None
    parts.append(el("div", join(_curves(rows, knee)), cls="pair"))
    key = [
        el("li", el("i", cls="agent"), "95 or 99 of 100"),
        el("li", el("i", cls="caller"), "half"),
    ]
    if knee is not None:
        key.append(el("li", el("i", cls="beyond-key"), "too many"))
    parts.append(el("ul", key, cls="key", aria_hidden="true"))
    parts.append(
        el(
            "details",
            el("summary", "All figures of all steps"),
            table(
                "Calls at once, what they cost and what they heard",
                [
                    "calls",
                    "turns",
                    "CPU",
                    "per call",
                    "memory",
                    "late p50",
                    "late p99",
                    "p50",
                    "p95",
                    "loop p99",
                    "no answer",
                    "how it went",
                ],
                [
                    (
                        str(row["calls"]),
                        str(row["turns"]),
                        f"{row['cpu']:.1%}",
                        f"{row['cpu_per_call']:.2%}",
                        f"{row['memory_mb']:,.0f} MB",
                        ms(row["late_ms"].get("p50")),
                        ms(row["late_ms"].get("p99")),
                        ms(row["v2v_ms"].get("p50")),
                        ms(row["v2v_ms"].get("p95")),
                        ms(row["lag_ms"].get("p99")),
                        str(row["lost"]),
                        row["why"] or "well",
                    )
                    for row in rows
                ],
                left=1,
            ),
            cls="figures",
        )
    )
    return panel("capacity", "How many calls one core carries", *parts)


def _verdict(found: Mapping[str, Any]) -> Html:
    said: list[str | Html] = []
    if found["carries"]:
        said += [el("b", count(found["carries"], "call")), " at once went well. "]
    if found.get("why"):
        said += [f"More stopped it: {found['why']}. "]
    elif not found.get("complete"):
        said += ["No limit was found as far as it was tried. "]
    if cpu := found.get("cpu"):
        said.append(
            f"The process itself takes {max(0.0, cpu['alone']):.1%} of the core and each call"
            f" {cpu['each']:.2%}; no step is farther than {cpu['worst']:.1%} from that. "
        )
    if memory := found.get("memory"):
        said.append(f"Each call takes {memory['each']:.1f} MB of memory.")
    return join(said)


def _curves(rows: Sequence[Mapping[str, Any]], knee: int | None) -> list[Html]:
    calls = [row["calls"] for row in rows]
    alone = rows[0]["v2v_ms"].get("p95") if rows[0]["calls"] == 1 else None

    def series(name: str, look: str, values: Sequence[float | None]) -> Series:
        return Series(
            name,
            look,
            tuple((n, v) for n, v in zip(calls, values, strict=True) if v is not None),
        )

    def rows_of(head: str, *columns: tuple[str, Sequence[Any]]) -> Html:
        return table(
            head,
            ["calls", *(name for name, _ in columns)],
            [
                (
                    str(n),
                    *("–" if (v := values[i]) is None else f"{v:,.1f}" for _, values in columns),
                )
                for i, n in enumerate(calls)
            ],
        )

    cpu = [round(100 * row["cpu"], 2) for row in rows]
    each = [round(100 * row["cpu_per_call"], 2) for row in rows]
    late = [row["late_ms"].get("p99") for row in rows]
    half = [row["v2v_ms"].get("p50") for row in rows]
    most = [row["v2v_ms"].get("p95") for row in rows]
    memory = [row["memory_mb"] for row in rows]
    last = f"with {calls[-1]} calls"
    return [
        figure(
            "CPU of the core",
            "",
            charts.lines("cpu", "CPU by calls",
                         f"{cpu[0]} % with {calls[0]} call, {cpu[-1]} % {last}.",
                         [series("CPU", "agent", cpu)], across="calls", up="%", knee=knee,
                         area=True),
            rows_of("Per cent of the core", ("CPU", cpu), ("per call", each)),
        ),
        figure(
            "How late one packet in a hundred came",
            "",
            charts.lines("late", "Lateness by calls",
                         f"{ms(late[0])} ms with {calls[0]} call, {ms(late[-1])} ms {last}.",
                         [series("99 of 100", "agent", late)], across="calls", up="ms", knee=knee,
                         limit=(20.0, "20 ms: a listener’s buffer"), area=True),
            rows_of("Milliseconds that one packet in a hundred came late", ("late p99", late)),
        ),
        figure(
            "How long callers wait",
            "",
            charts.lines("waits", "Voice to voice by calls",
                         f"95 of 100 turns within {ms(most[0])} ms with {calls[0]} call,"
                         f" {ms(most[-1])} ms {last}.",
                         [series("95 of 100", "agent", most), series("half", "caller", half)],
                         across="calls", up="ms", knee=knee,
                         limit=None if alone is None else (alone * 1.1, "a tenth more than alone")),
            rows_of("Milliseconds, voice to voice, by calls", ("p50", half), ("p95", most)),
        ),
        figure(
            "Memory of the process",
            "",
            charts.lines("memory", "Memory by calls",
                         f"{memory[0]:.0f} MB with {calls[0]} call, {memory[-1]:.0f} MB {last}.",
                         [series("memory", "caller", memory)], across="calls", up="MB", knee=knee,
                         area=True),
            rows_of("Megabytes of the process", ("memory", memory)),
        ),
    ]  # fmt: skip
