"""The figures that the sizing stands on: what was measured, what follows, and what is assumed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vivavoce.agent.prices import PROVIDERS

RESULTS = Path(__file__).parents[1] / "results"
ASSUMED = Path(__file__).with_name("assumptions.toml")
Kind = Literal["measured", "derived", "assumed", "given"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, and where it is from.

    Attributes:
        name: What it is called, as on the command line.
        value: Its value.
        unit: Of what.
        kind: Whether it was measured here, follows from such, is assumed, or was given as a flag.
        why: Where it is from.
    """

    name: str
    value: float
    unit: str
    kind: Kind
    why: str


class Figures(Mapping[str, float]):
    """Figures by name."""

    def __init__(self, figures: list[Figure]) -> None:
        self._figures = {figure.name: figure for figure in figures}

    def __getitem__(self, name: str) -> float:
        return self._figures[name].value

    def __iter__(self) -> Any:
        return iter(self._figures)

    def __len__(self) -> int:
        return len(self._figures)

    @property
    def all(self) -> list[Figure]:
        """All of them, those that were measured first."""
        order = ("measured", "derived", "given", "assumed")
        return sorted(self._figures.values(), key=lambda figure: order.index(figure.kind))


def read(given: Mapping[str, float] | None = None, results: Path = RESULTS) -> Figures:
    """Read what was measured and what is assumed.

    Args:
        given: Figures that take their place, by name.
        results: Where what was measured is kept.

    Raises:
        ValueError: There is no such figure, or it is negative.
    """
    found = {figure.name: figure for figure in (*_assumed(), *_measured(results))}
    for name, value in (given or {}).items():
        if name not in found:
            raise ValueError(f"there is no figure {name!r}; known: {', '.join(sorted(found))}")
        if value < 0:
            raise ValueError(f"{name} = {value:g}: it may not be negative")
        old = found[name]
        found[name] = Figure(name, value, old.unit, "given", f"instead of {old.value:g}")
    figures = Figures(list(found.values()))
    if not 0 <= figures["telephone_share"] + figures["webrtc_share"] <= 1:
        raise ValueError("telephone_share and webrtc_share are shares of one whole")
    return figures


def _assumed() -> list[Figure]:
    table = tomllib.loads(ASSUMED.read_text(encoding="utf-8"))
    return [
        Figure(name, float(each["value"]), each["unit"], "assumed", each["why"])
        for name, each in table["figures"].items()
    ]


def _load(results: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((results / name).read_text(encoding="utf-8")))


def _measured(results: Path) -> list[Figure]:
    measured = _load(results, "capacity.json")
    capacity = measured["engines"]
    rows = capacity["ours"]["rows"]
    carried = int(capacity["ours"]["carries"])
    knee = next(row for row in rows if row["calls"] == carried)
    echo = _load(results, "phone.json")["echo"]
    line = echo["cpu_share_of_a_core"] / echo["calls"]
    parts = _load(results, "sizing-parts.json")
    way = _load(results, "cluster-proxies.json")["ways"]["front"]
    phone = carried * knee["cpu_per_call"] / (knee["cpu_per_call"] + line)
    here = "capacity.json"
    found = [
        Figure("socket_per_core", carried, "calls", "measured", f"{here}: p99 lateness < 20 ms"),
        Figure("process_memory", rows[0]["memory_mb"], "MB", "measured", f"{here}: one call"),
        Figure("call_memory", capacity["ours"]["mb_per_added_call"], "MB", "measured", here),
        Figure(
            "telephone_per_core", int(phone), "calls", "derived",
            f"{here}, and a line's {line * 100:.2f}% of a core (phone.json, echo)",
        ),
        Figure(
            "kamailio_ms", parts["kamailio"]["cpu_ms_per_call"], "ms of CPU a call", "measured",
            "sizing-parts.json: deploy/kamailio, INVITE to BYE",
        ),
        Figure(
            "relay_us", parts["coturn"]["cpu_us_per_packet"], "µs of CPU a packet", "measured",
            "sizing-parts.json: coturn, both ways",
        ),
        Figure(
            "write_ms", parts["postgres"]["cpu_ms_per_write"], "ms of CPU a write", "measured",
            "sizing-parts.json: our records, PostgreSQL that waits for its disk",
        ),
        Figure(
            "record_kb", parts["postgres"]["disk_kb_per_call"], "KB a call", "measured",
            f"sizing-parts.json: {parts['postgres']['turns']} turns, indices included",
        ),
        Figure(
            "series", parts["prometheus"]["series_per_process"], "a process", "measured",
            "sizing-parts.json: three kinds of calls, three providers",
        ),
        Figure(
            "front_share", way["cpu_of_50_sockets"] / 50, "of a core a socket",
            "measured", "cluster-proxies.json: audio both ways through the front",
        ),
        Figure(
            "offer_ms", way["offer_cpu_ms"], "ms of CPU a call", "measured",
            "cluster-proxies.json: what begins a browser's call",
        ),
    ]  # fmt: skip
    # Over a network, as soon as that is measured.
    for part, name in (("webrtc", "webrtc_per_core"), ("websocket", "socket_per_core")):
        if carries := measured.get(part, {}).get("ours", {}).get("carries"):
            why = f"{here}: {part}, p99 lateness < 20 ms"
            found.append(Figure(name, int(carries), "calls", "measured", why))
    for provider in PROVIDERS:
        if provider.name != "mistral":
            continue
        for model, attribute, name, unit in (
            ("voxtral-mini-transcribe-realtime-2602", "minute", "hearing_price", "$/min heard"),
            ("voxtral-mini-tts-2603", "characters", "speaking_price", "$/million characters"),
            ("mistral-small-2603", "prompt", "prompt_price", "$/million tokens"),
            ("mistral-small-2603", "completion", "completion_price", "$/million tokens"),
        ):
            price = provider.models[model]
            why = f"agent/prices.toml: {model}, {price.on}"
            found.append(Figure(name, getattr(price, attribute), unit, "assumed", why))
    return found
