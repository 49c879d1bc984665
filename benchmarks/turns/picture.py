"""The picture of endpointing errors: how often against how long. Plain SVG, made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from benchmarks.latency.picture import STYLE
from benchmarks.turns.errors import OURS, Row

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 480, 70, 40, 64, 60
"""Pixels: of the picture, and beside the plot."""
LEGEND = "turns cut off (%) against silence kept waiting (ms): dot p50, bar to p95. Lower left wins"


def draw(rows: Sequence[Row], title: str) -> str:
    """Return the SVG of a run's methods."""
    shown = [(row.name, row.figures()) for row in rows if row.trials]
    most = max((figures["wait_p95_ms"] or 0.0 for _name, figures in shown), default=0.0)
    top_ms = max(500, math.ceil(most / 500) * 500)
    worst = max((figures["cut_share"] * 100 for _name, figures in shown), default=0.0)
    top_share = max(10, math.ceil(worst / 10) * 10)
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(ms: float) -> float:
        return LEFT + wide * ms / top_ms

    def y(share: float) -> float:
        return TOP + high * (1 - share / top_share)

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="13">'
    )
    parts = [
        head,
        STYLE,
        f'<text x="16" y="26" font-size="16" font-weight="600">{escape(title)}</text>',
        f'<text x="16" y="46" opacity=".7">{escape(LEGEND)}</text>',
    ]
    parts += [
        f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{y(0)}"/>'
        f'<text x="{x(tick):.1f}" y="{y(0) + 20}" text-anchor="middle">{tick}</text>'
        for tick in range(0, top_ms + 1, 500)
    ]
    parts += [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}"'
        f' y2="{y(tick):.1f}"/>'
        f'<text x="{LEFT - 10}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick} %</text>'
        for tick in range(0, top_share + 1, 10)
    ]
    for name, figures in shown:
        if figures["wait_p50_ms"] is None:
            continue
        left, right = x(figures["wait_p50_ms"]), x(figures["wait_p95_ms"])
        level = y(figures["cut_share"] * 100)
        look = "us" if name == OURS else "dot"
        weight = ' font-weight="600"' if name == OURS else ""
        parts.append(
            f'<line class="line" x1="{left:.1f}" x2="{right:.1f}" y1="{level:.1f}"'
            f' y2="{level:.1f}" opacity=".5"/>'
            f'<circle class="{look}" cx="{left:.1f}" cy="{level:.1f}" r="6"/>'
            f'<text x="{left + 9:.1f}" y="{level - 7:.1f}"{weight}>{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
