"""The picture of a talk: how far its translation is behind, word by word. Plain SVG, by hand."""

from __future__ import annotations

from html import escape
from typing import Any

from benchmarks.latency.picture import STYLE

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 420, 56, 24, 64, 44
"""Pixels: of the picture, and around the plot."""
LOOKS = {
    "simultaneous": ("#e8590c", "simultaneous"),
    "consecutive": ("#1971c2", "consecutive"),
    "pipecat": ("#868e96", "pipecat's example"),
    "pipecat-ideal": ("#ced4da", "at its best"),
}
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120)


def draw(reports: dict[str, dict[str, Any]]) -> str:
    """Return the SVG: the lag of each word (s) where it was said (minutes)."""
    shown = {name: reports[name]["words"] for name in LOOKS if name in reports}
    longest = max(at for words in shown.values() for at, _ in words)
    highest = max(lag for words in shown.values() for _, lag in words)
    step = next((one for one in _STEPS if highest / one <= 8), _STEPS[-1])
    top = step * (int(highest / step) + 1)
    bottom = HEIGHT - BOTTOM

    def x(seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / longest

    def y(lag: float) -> float:
        return bottom - (bottom - TOP) * max(lag, 0.0) / top

    title = "How far the translation is behind each word of a talk (s)"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="13">'
    )
    parts = [
        head,
        STYLE,
        f'<text x="16" y="26" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    parts += [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}"'
        f' y2="{y(tick):.1f}"/><text x="{LEFT - 8}" y="{y(tick) + 4:.1f}"'
        f' text-anchor="end">{tick}</text>'
        for tick in range(0, top + 1, step)
    ]
    parts += [
        f'<text x="{x(60 * minute):.1f}" y="{bottom + 20}" text-anchor="middle">{minute} min</text>'
        for minute in range(int(longest // 60) + 1)
    ]
    at = LEFT
    for name, words in shown.items():
        colour, label = LOOKS[name]
        mean = sum(lag for _, lag in words) / len(words)
        line = " ".join(f"{x(said):.1f},{y(lag):.1f}" for said, lag in words)
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{line}"/>'
            f'<rect x="{at}" y="38" width="12" height="12" fill="{colour}"/>'
            f'<text x="{at + 18}" y="49">{escape(label)}: mean {mean:.1f} s</text>'
        )
        at += 212
    return "\n".join([*parts, "</svg>", ""])
