"""The picture of a soak: memory, calls and the loop's lag over the hours, one above the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vivavoce.web.charts import nice, number

WIDTH, TALL, LEFT, RIGHT = 860.0, 130.0, 64.0, 16.0
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#655e55}.ink{fill:#1d1a16;font-weight:600}"
    ".grid{stroke:#e2ddd4}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}"
)


def draw(result: Mapping[str, Any]) -> str:
    """Return it as an SVG file.

    Raises:
        ValueError: There are too few samples.
    """
    samples = result["samples"]
    if len(samples) < 2:
        raise ValueError("too few samples for a picture")
    rows = (
        ("memory (MB)", "#b5471b", [each["rss_mb"] for each in samples]),
        ("calls", "#2f5bd0", [each["calls"] for each in samples]),
        ("tasks", "#a67fd6", [each["tasks"] for each in samples]),
        ("loop p99 (ms)", "#3a9f9c", [each["lag_ms"].get("p99", 0.0) for each in samples]),
    )
    minutes = samples[-1]["at"] / 60
    end, marks = nice(minutes, 6)
    whole = 40 + TALL * len(rows) + 30
    title = (
        f"{result['calls']} calls in {result['minutes']:g} minutes, {result['callers']} callers:"
        f" {sum(result['faults'].values())} faults of the providers"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {whole:g}" role="img">',
        f"<title>{title}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH:g}" height="{whole:g}" fill="#fff"/>',
        f'<text class="ink" x="{LEFT}" y="22">{title}</text>',
    ]

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at / end

    for place, (name, colour, values) in enumerate(rows):
        base = 40 + TALL * (place + 1) - 16
        top, ticks = nice(max(*values, 1e-9), 3)
        for tick in ticks:
            y = base - (TALL - 40) * tick / top
            parts.append(
                f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{number(tick)}</text>'
            )
        points = " ".join(
            f"{x(each['at'] / 60):.1f},{base - (TALL - 40) * value / top:.1f}"
            for each, value in zip(samples, values, strict=True)
        )
        parts.append(f'<polyline class="line" stroke="{colour}" points="{points}"/>')
        parts.append(f'<text class="ink" x="{LEFT}" y="{base - TALL + 32:.1f}">{name}</text>')
    parts += [
        f'<text x="{x(mark):.1f}" y="{whole - 8:.1f}" text-anchor="middle">{number(mark)}'
        " min</text>"
        for mark in marks
    ]
    return "".join([*parts, "</svg>\n"])
