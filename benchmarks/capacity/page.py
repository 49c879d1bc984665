"""What was measured: kept in `results/capacity.json`, and shown in `docs/capacity.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.capacity.knee import FLAT, LATE, TIRED

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
STOCK = "pipecat-mistral"


def read() -> dict[str, Any]:
    """Return what was measured before; nothing where nothing was."""
    if not RESULTS.exists():
        return {}
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def keep(found: dict[str, Any], about: dict[str, Any], backends: dict[str, float]) -> None:
    """Enter what was measured; other parts, and other engines of these, stay."""
    kept = read()
    kept["machine"], kept["backends"] = about, backends
    for part, what in found.items():
        kept.setdefault(part, {}).update(what)
        kept.setdefault("measured", {})[part] = about
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def update() -> None:
    """Fill the page's figures from the results."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures(read())}\n{END}{after}", encoding="utf-8")


def figures(found: dict[str, Any]) -> str:
    """Return the page's figures, Markdown."""
    about = found.get("machine", {})
    machine = f"{about.get('cpu')}, {about.get('cores')} cores, Python {about.get('python')}"
    parts = [f"{machine}, {about.get('at', '')[:10]}; load before {about.get('load_average')}."]
    parts += ["\n".join(f"- {text}" for text in verdicts(found))]
    for part, title in TITLES.items():
        if found.get(part):
            parts += [f"### {title}", table(found[part])]
    if found.get("gate"):
        parts += ["### Past the knee", gates(found["gate"])]
    if found.get("stalls"):
        parts += ["### Stalls", stalls(found["stalls"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(engines: dict[str, Any]) -> str:
    """Return what engines carry as a table, and each one's rows."""
    lines = [
        "| engine | calls it carries | a call | the process | memory, added call | past that |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in engines.items():
        cost = one.get("cost") or {}
        memory = one.get("mb_per_added_call")
        lines.append(
            f"| {name} | **{one['carries']}** | {_share(cost.get('per_call'))} |"
            f" {_share(cost.get('fixed'))} | {'' if memory is None else f'{memory:.1f} MB'} |"
            f" {one.get('why', '')} |"
        )
    lines += [
        "",
        "| | calls | CPU of a core | per call | off the line | late p99 | answered p50, p95 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in engines.items():
        off = (one.get("cost") or {}).get("off", {})
        for row in one["rows"]:
            away = off.get(str(row["calls"]))
            lines.append(
                f"| {name} | {row['calls']} | {row['cpu']:.0%} | {row['cpu_per_call']:.2%} |"
                f" {'' if away is None else f'{away:+.0%}'} | {row['late_ms']['p99']} ms |"
                f" {row['v2v_ms']['p50']}, {row['v2v_ms']['p95']} ms |"
            )
    return "\n".join(lines)


def gates(found: dict[str, Any]) -> str:
    """Return how calls fared that were offered to a full server."""
    lines = [
        "| over | offered | taken | refused | CPU of a core | late p99 | answered p95 |",
        "|---|---|---|---|---|---|---|",
    ]
    for wire, one in found.items():
        refused = ", ".join(f"{count} × {code}" for code, count in one["refused"].items())
        row = one["row"]
        lines.append(
            f"| {wire} | {one['offered']} | {one['taken']} | {refused} | {row['cpu']:.0%} |"
            f" {row['late_ms']['p99']} ms | {row['v2v_ms']['p95']} ms |"
        )
    return "\n".join(lines)


def stalls(found: dict[str, Any]) -> str:
    """Return how late the loop was."""
    lines = [
        "| over | calls | minutes | longest | p99.9 | over 10 ms | collections: 0, 1, 2 |",
        "|---|---|---|---|---|---|---|",
    ]
    for wire, one in found.items():
        kinds = one["collections"].values()
        collected = ", ".join(f"{each['count']} (≤ {each['longest_ms']} ms)" for each in kinds)
        lines.append(
            f"| {wire} | {one['calls']} | {one['minutes']:g} | {one['longest_ms']} ms |"
            f" {one['p999_ms']} ms | {one['over_10_ms']} | {collected} |"
        )
    return "\n".join(lines)


def verdicts(found: dict[str, Any]) -> list[str]:
    """Hold what was measured against what it should be, one line each."""
    told: list[str] = []
    for part, least in GOALS.items():
        engines = found.get(part) or {}
        ours, stock = engines.get("ours"), engines.get(STOCK)
        if ours is None:
            continue
        title = "pipe" if part == "engines" else part
        told.append(_judged(f"{title}: {ours['carries']} calls", f"at least {least}",
                            met=ours["carries"] >= least))  # fmt: skip
        if stock is not None:
            times = ours["carries"] / max(1, stock["carries"])
            text = f"{title}: {times:.1f} × stock pipecat's {stock['carries']}"
            told.append(_judged(text, f"at least {TIMES}", met=times >= TIMES))
        if (memory := ours.get("mb_per_added_call")) is not None:
            text = f"{title}: {memory:.1f} MB for each added call"
            told.append(_judged(text, f"at most {MEMORY:g}", met=memory <= MEMORY))
        if cost := ours.get("cost"):
            most = max(abs(off) for off in cost["off"].values())
            text = (
                f"{title}: {cost['fixed']:.1%} of a core and {cost['per_call']:.2%} a call,"
                f" {most:.0%} off at most; cost divided by calls is even from"
                f" {cost['flat_from']} calls on"
            )
            told.append(_judged(text, f"within {FLAT:.0%}", met=most <= FLAT))
    for part in TITLES:
        for name, one in (found.get(part) or {}).items():
            most = max((row["caller_late_ms"] for row in one["rows"]), default=0.0)
            if most > TIRED:
                text = f"{part}, {name}: the callers themselves were up to {most:g} ms late"
                told.append(f"{text}: measure it again on a machine that is quiet")
    for wire, one in (found.get("gate") or {}).items():
        text = (
            f"{one['offered']} calls offered over {wire}: {one['taken']} taken, the others refused,"
            f" p99 {one['row']['late_ms']['p99']} ms late"
        )
        refused = one["taken"] + sum(one["refused"].values()) == one["offered"]
        met = one["kept"] and refused and set(one["refused"]) == {"503"}
        told.append(_judged(text, f"below {LATE:g} ms, refused by 503", met=met))
    for wire, one in (found.get("stalls") or {}).items():
        text = f"longest stall of {one['calls']} calls over {wire} in {one['minutes']:g} min:"
        text += f" {one['longest_ms']} ms"
        told.append(_judged(text, f"at most {LONGEST:g} ms", met=one["longest_ms"] <= LONGEST))
    return told


def _judged(text: str, goal: str, *, met: bool) -> str:
    return f"{text} ({goal}): {'met' if met else 'NOT MET'}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
