"""The picture of a run: every turn a dot, every engine a row. Plain SVG, made by hand."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from benchmarks.latency.report import OURS, summarise

WIDTH, LEFT, RIGHT, ROW, TOP = 900, 190, 70, 46, 64
"""Pixels: of the picture, beside the plot, of a row, above the rows."""
STYLE = (
    "<style>text{fill:#222}.grid{stroke:#8884}.dot{fill:#888}.us{fill:#e8590c}.line{stroke:#222}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.line{stroke:#ddd}}</style>"
)
LEGEND = "each dot a turn; long bar p50, short bars p90 and p95 (ms)"


def draw(reports: dict[str, dict[str, Any]], title: str) -> str:
    """Return the SVG of a run's turns (ms, linear)."""
    figures = {name: summarise(report) for name, report in reports.items()}
    values = [
        turn["v2v_ms"]
        for report in reports.values()
        for turn in report["turns"]
        if turn["v2v_ms"] is not None
    ]
    step = _step(max(values, default=1000.0))
    top = max(1, math.ceil(max(values, default=1000.0) / step)) * step
    plot = WIDTH - LEFT - RIGHT
    height = TOP + ROW * len(reports) + 44

    def x(ms: float) -> float:
        return LEFT + plot * ms / top

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="13">'
    )
    parts = [
        head,
        STYLE,
        f'<text x="16" y="26" font-size="16" font-weight="600">{escape(title)}</text>',
        f'<text x="16" y="46" opacity=".7">{LEGEND}</text>',
    ]
    bottom = TOP + ROW * len(reports)
    parts += [
        f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{bottom}"/>'
        f'<text x="{x(tick):.1f}" y="{bottom + 20}" text-anchor="middle">{tick}</text>'
        for tick in range(0, top + 1, step)
    ]
    for row, (name, report) in enumerate(reports.items()):
        middle = TOP + ROW * row + ROW / 2
        look = "us" if name == OURS else "dot"
        weight = ' font-weight="600"' if name == OURS else ""
        parts.append(
            f'<text x="{LEFT - 12}" y="{middle + 4}" text-anchor="end"{weight}>'
            f"{escape(name)}</text>"
        )
        for turn in report["turns"]:
            if turn["v2v_ms"] is None:
                continue
            # Spread by the round, so that equal values do not hide one another.
            y = middle + (turn["round"] * 7 % 17 - 8)
            parts.append(
                f'<circle class="{look}" cx="{x(turn["v2v_ms"]):.1f}" cy="{y:.1f}" r="3"'
                f' opacity=".55"><title>{escape(turn["clip"])}: {turn["v2v_ms"]:.0f} ms</title>'
                "</circle>"
            )
        for key, half in (("p50", 17), ("p90", 9), ("p95", 9)):
            if (value := figures[name][key]) is not None:
                parts.append(
                    f'<line class="line" x1="{x(value):.1f}" x2="{x(value):.1f}"'
                    f' y1="{middle - half}" y2="{middle + half}" stroke-width="2"/>'
                )
        if (value := figures[name]["p50"]) is not None:
            parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{middle + 4}">{value:.0f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _step(largest: float) -> int:
    """Return a round distance between ticks that gives at most ten (ms)."""
    for step in (50, 100, 200, 250, 500, 1000, 2000, 5000):
        if largest / step <= 10:
            return step
    return 10_000
