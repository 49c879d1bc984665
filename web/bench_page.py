"""The page of a bench: one file with its charts, its figures and how to repeat it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vivavoce.web.bench_capacity import capacity
from vivavoce.web.bench_compared import compared
from vivavoce.web.bench_delays import delays
from vivavoce.web.bench_parts import panel
from vivavoce.web.markup import Html, count, duration, el, join, milliseconds, text, when
from vivavoce.web.standalone import Lead, compose, fragment, resource, unpacked, write_page
from vivavoce.web.story import ReportError

KIND = "vivavoce bench"
_TOLD = (
    (
        "A person’s recorded sentences are spoken to a call server over websockets, in real time. A"
        " delay runs from the caller’s last voiced sample to the arrival of the first packet with"
        " sound; a turn whose caller was itself late is played again."
    ),
    (
        "The server’s process has one core for itself where the machine has two; callers and the"
        " fixed model servers use the others. A packet is late if it comes after a listener with 20"
        " ms in hand has played all before it."
    ),
    (
        "A step went well if less than one packet in a hundred came 20 ms late, 95 of 100 turns"
        " were answered within a tenth more than with one call, and every turn was answered."
    ),
)
_PACKED = re.compile(r'id="record">([A-Za-z0-9+/=]*)</script>')


def write_bench(
    result: Mapping[str, Any], out: Path, changes: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write the page of a run.

    Args:
        result: What was measured, as docs/bench.md has it; what is missing is left out.
        out: The page; its folder exists.
        changes: Against an earlier run, as `vivavoce.pipelines.benching.spread.Change.to_dict`
            gives them; the first entry may name that run (`{"against": …}`).

    Raises:
        ReportError: It cannot be written.
    """
    write_page(page(result, changes), out)


def read_bench(path: Path) -> dict[str, Any]:
    """Read what was measured from a run's JSON, or from its page.

    Raises:
        ReportError: It is neither.
    """
    try:
        content = path.read_text(encoding="utf-8")
        found = _PACKED.search(content)
        result = unpacked(found[1]) if found else json.loads(content)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no JSON and no page of a bench"
        raise ReportError(f"{path} cannot be read: {why}") from error
    if not isinstance(result, dict) or result.get("kind") != KIND:
        raise ReportError(f"{path} is no bench: give the .json or .html that vivavoce bench wrote")
    return result


def page(result: Mapping[str, Any], changes: Sequence[Mapping[str, Any]] = ()) -> str:
    """Make the page of a run; takes what `write_bench` takes."""
    lead = Lead(
        f"Bench on {result.get('machine', {}).get('cpu', 'a machine')}",
        text("How fast, and how many at once"),
        _facts(result),
        _heroes(result),
        target="figures",
    )
    main = fragment(
        "bench_page.html",
        warnings=_warnings(result),
        body=join([compared(changes), delays(result), capacity(result)]),
        how=_how(result),
    )
    return compose(lead, main, style=resource("bench_page.css"), script="", record=result)


def _facts(result: Mapping[str, Any]) -> Html:
    machine = result.get("machine", {})
    items: list[Html | None] = [
        el("li", when(machine["at"], "%H:%M")) if machine.get("at") else None,
        el("li", str(machine.get("cpu", ""))) if machine.get("cpu") else None,
        el("li", count(machine["cores"], "core")) if machine.get("cores") else None,
        el("li", f"Python {machine['python']}") if machine.get("python") else None,
        el("li", "real providers" if result.get("live") else "fixed backends"),
        el("li", duration(result["seconds"])) if result.get("seconds") else None,
        el("li", "stopped before its end", cls="bad") if result.get("interrupted") else None,
    ]
    return el("ul", [each for each in items if each is not None], cls="facts")


def _heroes(result: Mapping[str, Any]) -> Html:
    v2v = result.get("latency", {}).get("v2v", {})
    found = [
        (name, label, milliseconds(v2v[name]), " ms")
        for name, label in (("p50", "half of the turns within"), ("p95", "95 of 100 within"))
        if name in v2v
    ]
    counted = result.get("capacity", {})
    if counted.get("carries"):
        more = "" if counted.get("complete") and not counted.get("callers") else "+"
        found.append(("calls", "calls on one core", f"{counted['carries']}{more}", ""))
    return el(
        "dl",
        [
            el("div", el("dt", label), el("dd", value, el("small", unit) if unit else None))
            for _, label, value, unit in found
        ],
        cls="heroes",
    )


def _warnings(result: Mapping[str, Any]) -> Html:
    told = list(result.get("warnings", []))
    if not told:
        return Html("")
    return panel(
        "warnings", "Before you rely on these figures", el("ul", [el("li", each) for each in told]),
        more="warnings",
    )  # fmt: skip


def _how(result: Mapping[str, Any]) -> Html:
    machine, rest = result.get("machine", {}), result.get("rest", {})
    fixed = (result.get("backends") or {}).get("fixed")
    rows: list[tuple[str, str]] = [
        ("machine", (f"{machine.get('cpu', '')}, {machine.get('cores', '?')} cores,"
                    f" {machine.get('memory_gb') or '?'} GB")),
        ("system", str(machine.get("system", ""))),
        ("versions", ", ".join(f"{k} {v}" for k, v in machine.get("versions", {}).items())),
    ]  # fmt: skip
    if rest:
        lag = rest.get("lag_ms", {})
        rows.append(
            (
                "at rest",
                f"{rest['used']:.0%} of the cores in use, {rest['stolen']:.1%} taken by the host,"
                f" an idle event loop {lag.get('p99', 0)} ms late once in a hundred times and"
                f" {lag.get('max', 0)} ms at most"
                + (f", governor {rest['governor']}" if rest.get("governor") else ""),
            )
        )
    for stage, model in ((result.get("backends") or {}).get("models") or {}).items():
        rows.append((stage, str(model)))
    if fixed:
        words = (
            f"words {fixed['hear_delay_ms']:g} ms behind,"
            f" final text {fixed['hear_final_ms']:g} ms after a flush,"
            f" first token after {fixed['think_first_token_ms']:g} ms,"
            f" then {fixed['think_tokens_per_s']:g} a second,"
            f" first sound after {fixed['speak_first_audio_ms']:g} ms"
        )
        rows.append(("fixed latencies", words))
    if result.get("agent"):
        rows.append(("agent", str(result["agent"])))
    told = list(_TOLD)
    latency = result.get("latency", {})
    if latency.get("again"):
        told.append(f"{count(latency['again'], 'turn was', 'turns were')} played again.")
    command = result.get("command", "vivavoce bench")
    return el(
        "div",
        el("dl", [el("div", el("dt", name), el("dd", value)) for name, value in rows if value]),
        el("ul", [el("li", each) for each in told]),
        el("p", "To repeat it:"),
        el("pre", command, cls="command", tabindex="0"),
        cls="how",
    )
