"""What was measured: kept in `results/capacity.json`, and shown in `docs/capacity.md`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.capacity.climb import doubts
from benchmarks.capacity.cost import FLAT
from vivavoce.pipelines.benching.knee import LATE

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "capacity.json"
PAGE = ROOT / "docs" / "capacity.md"
BEGIN, END = "<!-- figures: python -m benchmarks.capacity --update-docs -->", "<!-- end -->"
LONGEST = 25.0
"""Milliseconds that the loop may stand still."""
TIMES = 2.5
"""How many times what stock pipecat carries in one process."""
GOALS = {"engines": 30, "webrtc": 15}
MEMORY = 5.0
"""Megabytes that an added call may take."""
TITLES = {
    "engines": "Without a network: sound through a pipe",
    "webrtc": "Over WebRTC",
    "websocket": "Over a websocket",
}
DRIFT = 0.05
"""By how much one call may differ before and behind a climb without a word about it."""
STOCK = "pipecat-mistral"
NUMBERS = re.compile(r"\[\s+(?:(?:-?[\d.]+|null)[,\s]+)*(?:-?[\d.]+|null)\s+\]")
"""A list of numbers, which is one line of the results."""


def read() -> dict[str, Any]:
    """Return what was measured before; nothing where nothing was."""
    if not RESULTS.exists():
        return {}
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def keep(found: dict[str, Any], about: dict[str, Any], backends: dict[str, float]) -> None:
    """Enter what was measured; other parts, and other engines of these, stay.

    Args:
        found: What was measured, by part, then by engine or line.
        about: The machine, before and after.
        backends: How fast the model servers were.
    """
    kept = read()
    kept["machine"], kept["backends"] = about, backends
    for part, what in found.items():
        entered = kept.setdefault(part, {})
        for name, one in what.items():
            entered[name] = {**one, "machine": about}
    text = NUMBERS.sub(lambda found: " ".join(found[0].split()), json.dumps(kept, indent=1))
    RESULTS.write_text(text + "\n", encoding="utf-8")


def update() -> None:
    """Fill the page's figures from the results."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures(read())}\n{END}{after}", encoding="utf-8")


def figures(found: dict[str, Any]) -> str:
    """Return the page's figures, Markdown."""
    about = found.get("machine", {})
    parts = [f"{about.get('cpu')}, {about.get('cores')} cores, Python {about.get('python')}."]
    parts += ["\n".join(f"- {text}" for text in verdicts(found))]
    for part, title in TITLES.items():
        if found.get(part):
            parts += [f"### {title}", table(found[part])]
    if found.get("gate"):
        parts += ["### Past the knee", gates(found["gate"])]
    if found.get("stalls"):
        parts += ["### Stalls", stalls(found["stalls"])]
    if unsure := caveats(found):
        parts += ["### What is not sure", "\n".join(f"- {text}" for text in unsure)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(engines: Mapping[str, Any]) -> str:
    """Return what engines carry as a table, and each one's rows."""
    lines = _head(
        "engine", "calls it carries", "one call, p95 before and after", "a call", "the process",
        "memory, added call", "past that", "measured",
    )  # fmt: skip
    for name, one in engines.items():
        cost = one.get("cost") or {}
        memory = one.get("mb_per_added_call")
        lines.append(
            f"| {name} | **{one['carries']}**{_bounds(one)} | {_alone(one)} |"
            f" {_share(cost.get('per_call'))} | {_share(cost.get('fixed'))} |"
            f" {'' if memory is None else f'{memory:.1f} MB'} | {one.get('why', '')} |"
            f" {_when(one)} |"
        )
    lines += [""]
    lines += _head(
        "", "calls", "turns", "CPU of a core", "per call", "off the line", "late p99",
        "20 ms late or later", "answered p50, p95", "p95 against one call's",
    )  # fmt: skip
    for name, one in engines.items():
        off = (one.get("cost") or {}).get("off", {})
        for row in one["rows"]:
            away = off.get(str(row["calls"]))
            verdict = row.get("verdict", {})
            lines.append(
                f"| {name} | {row['calls']} | {row['turns']} | {row['cpu']:.0%} |"
                f" {row['cpu_per_call']:.2%} | {'' if away is None else f'{away:+.0%}'} |"
                f" {_ms(row['late_ms']['p99'])} | {_percents(verdict.get('late'))} |"
                f" {_ms(row['v2v_ms']['p50'])}, {_ms(row['v2v_ms']['p95'])} |"
                f" {'' if row['calls'] == 1 else _times(verdict.get('slower'))} |"
            )
    return "\n".join(lines)


def gates(found: Mapping[str, Any]) -> str:
    """Return how calls fared that were offered to a full server."""
    lines = _head(
        "over", "it carries", "offered", "taken", "refused", "without `Retry-After`",
        "CPU of a core", "late p99", "20 ms late or later", "answered p95",
    )  # fmt: skip
    for wire, one in found.items():
        refused = ", ".join(f"{count} × {code}" for code, count in one["refused"].items())
        row, rude = one["row"], one.get("rude", "")
        lines.append(
            f"| {wire} | {one.get('carries') or ''} | {one['offered']} | {one['taken']} |"
            f" {refused} | {rude} | {row['cpu']:.0%} | {_ms(row['late_ms']['p99'])} |"
            f" {_percents(one.get('late'))} | {_ms(row['v2v_ms']['p95'])} |"
        )
    return "\n".join(lines)


def stalls(found: Mapping[str, Any]) -> str:
    """Return how late the loop was."""
    lines = _head(
        "over", "calls", "minutes", "longest", "of our own", "own over 25 ms", "p99.9",
        "the core was others'", "the host's", "collections: 0, 1, 2",
    )  # fmt: skip
    for wire, one in found.items():
        kinds = one["collections"].values()
        collected = ", ".join(f"{each['count']} (≤ {each['longest_ms']} ms)" for each in kinds)
        seconds = one["minutes"] * 60
        lines.append(
            f"| {wire} | {one['calls']} | {one['minutes']:g} | {one['longest_ms']} ms |"
            f" {one['own_longest_ms']} ms | {one['own_over_25_ms']} | {one['p999_ms']} ms |"
            f" {one['elsewhere_ms'] / seconds / 10:.2f}% | {one['stolen_ms'] / seconds / 10:.2f}% |"
            f" {collected} |"
        )
    return "\n".join(lines)


def verdicts(found: Mapping[str, Any]) -> list[str]:
    """Hold what was measured against what it should be, one line each."""
    told: list[str] = []
    for part, least in GOALS.items():
        engines = found.get(part) or {}
        ours, stock = engines.get("ours"), engines.get(STOCK)
        if ours is None:
            continue
        title = "pipe" if part == "engines" else part
        told.append(_judged(f"{title}: {ours['carries']} calls{_bounds(ours)}",
                            f"at least {least}", met=ours["carries"] >= least))  # fmt: skip
        if stock is not None:
            # In its favour: what it certainly does not carry is not counted.
            most = max(1, stock.get("at_most", stock["carries"]))
            times = ours["carries"] / most
            text = f"{title}: {times:.1f} × stock pipecat's {most}"
            told.append(_judged(text, f"at least {TIMES}", met=times >= TIMES))
        if (memory := ours.get("mb_per_added_call")) is not None:
            text = f"{title}: {memory:.1f} MB for each added call"
            told.append(_judged(text, f"at most {MEMORY:g}", met=memory <= MEMORY))
        if cost := ours.get("cost"):
            most_off = max(abs(off) for off in cost["off"].values())
            text = (
                f"{title}: {cost['fixed']:.1%} of a core and {cost['per_call']:.2%} a call,"
                f" {most_off:.0%} off at most; cost divided by calls is even from"
                f" {cost['flat_from']} calls on"
            )
            told.append(_judged(text, f"within {FLAT:.0%}", met=most_off <= FLAT))
    for wire, one in (found.get("gate") or {}).items():
        text = (
            f"{one['offered']} calls offered over {wire}: {one['taken']} taken, the others refused,"
            f" p99 {one['row']['late_ms']['p99']} ms late"
        )
        met = one["kept"] and one.get("polite", False)
        told.append(_judged(text, f"below {LATE:g} ms, 503 with Retry-After", met=met))
        if (roomy := one.get("roomy")) is not None:
            text = f"of the {one['carries']} calls that it carries over {wire} {one['taken']} taken"
            told.append(_judged(text, "at least nine tenths", met=roomy))
    for wire, one in (found.get("stalls") or {}).items():
        text = (
            f"longest stall of our own in {one['minutes']:g} min of {one['calls']} calls over"
            f" {wire}: {one['own_longest_ms']} ms (whoever made it: {one['longest_ms']} ms)"
        )
        met = one["own_longest_ms"] <= LONGEST
        told.append(_judged(text, f"at most {LONGEST:g} ms", met=met))
    return told


def caveats(found: Mapping[str, Any]) -> list[str]:
    """Return what more turns or a quieter machine could turn, one line each."""
    told: list[str] = []
    for part in TITLES:
        title = "pipe" if part == "engines" else part
        for name, one in (found.get(part) or {}).items():
            told += _drift(f"{title}, {name}", one.get("alone", {}))
            for row in one["rows"]:
                where = f"{title}, {name}, {row['calls']} calls"
                if doubt := row.get("verdict", {}).get("doubt"):
                    told.append(f"{where}: {doubt}")
                told += [f"{where}: {doubt}" for doubt in doubts(row)]
    for part in ("gate", "stalls"):
        for wire, one in (found.get(part) or {}).items():
            told += [f"{part}, {wire}: {doubt}" for doubt in doubts(one["row"])]
    return told


def _drift(where: str, alone: Mapping[str, Any]) -> list[str]:
    halves = [alone.get(name, {}).get("v2v_ms", {}).get("p50") for name in ("before", "after")]
    if None in halves or abs(halves[1] / halves[0] - 1) <= DRIFT:
        return []
    return [f"{where}: one call's p50 was {halves[0]:.0f} ms before and {halves[1]:.0f} ms after"]


def _head(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def _judged(text: str, goal: str, *, met: bool) -> str:
    return f"{text} ({goal}): {'met' if met else 'NOT MET'}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:g} ms"


def _bounds(one: Mapping[str, Any]) -> str:
    low, high = one.get("at_least", one["carries"]), one.get("at_most", one["carries"])
    return "" if low == high else f" ({low} for certain, {high} at most)"


def _alone(one: Mapping[str, Any]) -> str:
    alone = one.get("alone", {})
    found = []
    for name in ("before", "after"):
        each = alone.get(name, {})
        if tail := each.get("v2v_p95"):
            high = "" if tail[2] is None else f" ({tail[0]:.0f}–{tail[2]:.0f})"
            found.append(f"{tail[1]:.0f}{high}")
    return f"{', '.join(found)} ms" if found else ""


def _when(one: Mapping[str, Any]) -> str:
    about = one.get("machine", {})
    if not about:
        return ""
    return f"{about['at'][:10]} {about.get('commit', '')}, load {about['load_average'][0]}"


def _percents(interval: Sequence[float | None] | None) -> str:
    low, value, high = interval or (None, None, None)
    if value is None:
        return ""
    within = "" if low is None or high is None or low == high else f" ({low:.1%}–{high:.1%})"
    return f"{value:.1%}{within}"


def _times(interval: Sequence[float | None] | None) -> str:
    low, value, high = interval or (None, None, None)
    if value is None:
        return ""
    within = "" if low is None or high is None else f" ({low - 1:+.0%} to {high - 1:+.0%})"
    return f"{value - 1:+.0%}{within}"
