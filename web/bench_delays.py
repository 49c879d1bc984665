"""How long a caller of a bench waited, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vivavoce.agent.ledger import STAGES
from vivavoce.web import charts
from vivavoce.web.bench_parts import figure, ms, panel, table
from vivavoce.web.charts import Bar, Row
from vivavoce.web.markup import Html, count, el, join, text
from vivavoce.web.waterfall import MEANINGS

_BACKENDS = {
    "hear": "final text",
    "think": "first words",
    "speak": "first sound",
}


def delays(result: Mapping[str, Any]) -> Html | None:
    """Show how long a caller waits, and for what; None where that was not measured."""
    found = result.get("latency")
    if not found or not found.get("v2v_ms"):
        return None
    v2v = found["v2v"]
    told = (
        f"Of {found['turns']} turns, half were answered within {ms(v2v['p50'])} ms and 95 of 100"
        f" within {ms(v2v['p95'])} ms; the slowest took {ms(v2v['max'])} ms."
    )
    spread = figure(
        "From the caller’s last sound to the agent’s first",
        "Which share of the turns (%) was answered within how long, by the caller’s ear.",
        charts.shares("v2v", "Voice to voice", told, found["v2v_ms"], unit="ms"),
        table(
            "Milliseconds, voice to voice",
            ["measured by", "p50", "p90", "p95", "p99", "longest", "mean", "turns"],
            [
                (name, *(ms(one.get(key)) for key in ("p50", "p90", "p95", "p99", "max", "mean")),
                 str(one["n"]))
                for name, one in (("the caller’s ear", v2v), ("our own ledger", found["ledger_ms"]))
                if one.get("n")
            ],
        ),
    )  # fmt: skip
    return panel(
        "delays",
        "How long a caller waits",
        el("p", text(told), cls="said-of"),
        _cascade(result),
        el("div", join([spread, _turns(found)]), cls="pair"),
        _legend(found),
        _guesses(found),
    )


def _cascade(result: Mapping[str, Any]) -> Html | None:
    found = result["latency"]
    stages = {
        stage: each
        for stage in STAGES
        if (each := found["stages_ms"].get(stage)) and (each["mean"] >= 0.05 or each["hidden"] > 0)
    }
    if not stages:
        return None
    rows: list[Row] = []
    at = 0.0
    for stage, each in stages.items():
        bars = []
        if each["hidden"] > 0:
            end = max(at, each["hidden"])
            label = f"{stage}: {ms(each['hidden'])} ms hidden behind an earlier stage"
            bars.append(Bar(f"{stage} behind", end - each["hidden"], each["hidden"], label))
        if each["mean"] > 0:
            bars.append(Bar(stage, at, each["mean"], f"{stage}: {ms(each['mean'])} ms"))
        at += each["mean"]
        rows.append(Row(stage, f"{ms(round(each['mean'], 1))} ms", tuple(bars)))
    rows.append(Row("the ledger’s total", f"{ms(at)} ms", (Bar("total", 0.0, at, "total"),)))
    alone = {
        stage: sorted(values)[len(values) // 2]
        for stage, values in (result.get("backends", {}).get("alone_ms") or {}).items()
        if values
    }
    if alone:
        start, bars = 0.0, []
        for stage, value in alone.items():
            bars.append(
                Bar("backend", start, max(value - 1.5, 0.5), f"{_BACKENDS[stage]}: {value:g} ms")
            )
            start += value
        rows.append(Row("backends alone", f"{ms(start)} ms", tuple(bars)))
    told = "; ".join(f"{row.name} {row.value}" for row in rows)
    chart = join(
        [
            el("div", charts.cascade("stages", "Where the time goes", told, rows, unit="ms"),
               cls="for-wide"),
            el("div", charts.cascade("stages-narrow", "Where the time goes", told, rows, unit="ms",
                                     narrow=True), cls="for-narrow"),
        ]
    )  # fmt: skip
    heads = ["stage", "added", "hidden", "what it is"]
    figures = table(
        "Milliseconds of an average turn, by our own ledger",
        heads,
        [
            *((stage, f"{each['mean']:,.1f}", f"{each['hidden']:,.1f}", MEANINGS[stage])
              for stage, each in stages.items()),
            *((f"{name} alone", f"{value:,.1f}", "", f"the {_BACKENDS[name]}, asked by itself")
              for name, value in alone.items()),
        ],
        left=1,
    )  # fmt: skip
    note = (
        "An average turn. Each stage adds what it could not do while an earlier one was waited"
        " for; the pale bars are what it did meanwhile, which added nothing."
    )
    return figure("Where the time goes", note, chart, figures, whole=True)


def _turns(found: Mapping[str, Any]) -> Html | None:
    ledgers = sorted(found.get("ledgers", []), key=lambda each: int(each["total_us"]))
    if not ledgers:
        return None
    stacks = []
    for each in ledgers:
        at, stack = 0.0, []
        for stage in STAGES:
            took = each["stages_us"][stage] / 1000
            if took:
                stack.append(Bar(stage, at, took, stage))
                at += took
        stacks.append(stack)
    told = f"{len(stacks)} turns, from the quickest to the slowest, each by what it waited for."
    figures = table(
        "Milliseconds of each turn, from the quickest",
        ["turn", *STAGES, "total"],
        [
            (str(n), *(f"{each['stages_us'][stage] / 1000:,.1f}" for stage in STAGES),
             f"{each['total_us'] / 1000:,.1f}")
            for n, each in enumerate(ledgers, 1)
        ],
    )  # fmt: skip
    return figure(
        "Every turn, from the quickest to the slowest",
        "By our own ledger: the parts of each column sum to its delay.",
        charts.columns("turns", "Every turn", told, stacks, across="turns", up="ms"),
        figures,
    )


def _legend(found: Mapping[str, Any]) -> Html:
    used = [
        stage
        for stage in STAGES
        if any(each["stages_us"][stage] for each in found.get("ledgers", []))
    ]
    return el(
        "ul",
        [
            el("li", el("i", cls=f"swatch {stage}"), stage, el("small", MEANINGS[stage]))
            for stage in used
        ],
        cls="legend",
    )


def _guesses(found: Mapping[str, Any]) -> Html | None:
    guessed = found.get("speculation") or {}
    if not guessed.get("guesses"):
        return None
    wasted = guessed.get("wasted_tokens", 0)
    lost = count(wasted, "token was", "tokens were") + " thrown away" if wasted else "nothing lost"
    words = (
        f"Replies were begun on {count(guessed['guesses'], 'guess', 'guesses')} that the caller had"
        f" finished: {guessed['hits']:,} held, {lost}."
    )
    if found["lost"] or found["premature"]:
        words += (
            f" {count(found['lost'], 'turn')} had no answer, and"
            f" {count(found['premature'], 'answer')} came before the caller had finished."
        )
    return el("p", words, cls="guesses")
