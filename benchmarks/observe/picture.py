"""Draws a dashboard's panels with what Prometheus answered, by the places that Grafana uses."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import async_playwright

COLOURS = (
    "#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0",
    "#508642", "#cca300",
)  # fmt: skip
CELL, ROW = 58, 34
"""Pixels of a column and of a row of Grafana's grid."""
LEGEND = 26
"""Characters of a name in a legend."""


@dataclass
class Line:
    """One series: its name, and its points as (s since 1970, value)."""

    name: str
    points: list[tuple[float, float]] = field(default_factory=list)


def named(legend: str, labels: dict[str, str]) -> str:
    """Return a series' name as Grafana writes it."""
    for label, value in labels.items():
        legend = legend.replace("{{" + label + "}}", value)
    return legend


def amount(value: float, unit: str) -> str:
    """Return a figure with its unit, for people."""
    if unit == "s":
        return f"{value * 1000:.0f} ms" if abs(value) < 1 else f"{value:.2f} s"
    if unit == "percentunit":
        return f"{value:.0%}"
    if unit == "currencyUSD":
        return f"${value:.3f}"
    if unit == "bytes":
        return f"{value / 1e6:.0f} MB"
    suffix = {"cpm": "/min", "reqps": "/s"}.get(unit, "")
    return f"{value:.3g}{suffix}"


def _top(lines: list[Line], panel: dict[str, Any], *, stacked: bool) -> float:
    most = panel["fieldConfig"]["defaults"].get("max")
    if most is not None:
        return float(most)
    if stacked:
        sums: dict[float, float] = {}
        for line in lines:
            for at, value in line.points:
                sums[at] = sums.get(at, 0.0) + value
        highest = max(sums.values(), default=0.0)
    else:
        highest = max((value for line in lines for _, value in line.points), default=0.0)
    if highest <= 0:
        return 1.0
    step = 10 ** math.floor(math.log10(highest))
    return float(math.ceil(highest / step * 2) / 2 * step)


def chart(panel: dict[str, Any], lines: list[Line], since: float, until: float) -> str:
    """Return one panel as HTML."""
    place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
    width, height = place["w"] * CELL - 8, place["h"] * ROW - 8
    style = f"left:{place['x'] * CELL}px;top:{place['y'] * ROW}px;width:{width}px;height:{height}px"
    title = f"<h3>{html.escape(panel['title'])}</h3>"
    if panel["type"] == "stat":
        last = [line.points[-1][1] for line in lines if line.points]
        texts = {
            each: choice["text"]
            for mapping in panel["fieldConfig"]["defaults"]["mappings"]
            for each, choice in mapping["options"].items()
        }
        figure = f"{last[0]:g}" if last else ""
        shown = texts.get(figure, amount(last[0], unit) if last else "no data")
        if "{{" in panel["targets"][0]["legendFormat"] and lines:
            shown = lines[0].name
        return f'<div class="p" style="{style}">{title}<b>{html.escape(shown)}</b></div>'
    custom = panel["fieldConfig"]["defaults"]["custom"]
    stacked = custom["stacking"]["mode"] == "normal"
    top = _top(lines, panel, stacked=stacked)
    left, low, right = 52, height - 62, width - 8
    parts = []
    for number in range(5):
        y = 8 + (low - 8) * number / 4
        value = amount(top * (4 - number) / 4, unit)
        parts.append(f'<path d="M{left} {y:.1f}H{right}" class="g"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    below: dict[float, float] = {}
    legend = []
    for index, line in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        dots, floor = [], []
        for at, value in line.points:
            base = below.get(at, 0.0) if stacked else 0.0
            below[at] = base + value
            x = left + (right - left) * (at - since) / (until - since)
            scale = (low - 8) / top
            dots.append(f"{x:.1f} {low - min(top, base + value) * scale:.1f}")
            floor.append(f"{x:.1f} {low - min(top, base) * scale:.1f}")
        if dots:
            area = "L".join([*dots, *reversed(floor)])
            opacity = custom["fillOpacity"] / 100
            parts.append(f'<path d="M{area}Z" fill="{colour}" fill-opacity="{opacity}"/>')
            parts.append(f'<path d="M{"L".join(dots)}" stroke="{colour}" class="l"/>')
        name = line.name if len(line.name) <= LEGEND else f"{line.name[: LEGEND - 1]}…"
        legend.append(f'<i style="background:{colour}"></i>{html.escape(name)}')
    keys = "".join(f"<span>{each}</span>" for each in legend[:8])
    return (
        f'<div class="p" style="{style}">{title}<svg width="{width}" height="{height - 50}">'
        f'{"".join(parts)}</svg><div class="k">{keys}</div></div>'
    )


def page(board: dict[str, Any], drawn: dict[int, str]) -> str:
    """Return the whole dashboard as HTML."""
    rows = [panel for panel in board["panels"] if panel["type"] == "row"]
    heads = "".join(
        f'<h2 style="top:{row["gridPos"]["y"] * ROW}px">{html.escape(row["title"])}</h2>'
        for row in rows
    )
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    return (
        "<!doctype html><meta charset=utf-8><style>"
        "body{margin:16px;background:#111217;color:#ccccdc;font:12px sans-serif}"
        f"main{{position:relative;width:{24 * CELL}px;height:{bottom * ROW}px}}"
        ".p{position:absolute;background:#181b1f;border:1px solid #2b2f36;border-radius:3px;"
        "box-sizing:border-box;overflow:hidden}"
        "h2{position:absolute;margin:0;font-size:15px;line-height:32px}"
        "h3{margin:6px 8px;font-size:12px;font-weight:600}"
        "b{display:block;text-align:center;font-size:30px;color:#73bf69;font-weight:500;"
        "padding-top:14px}"
        "text{fill:#8e8e99;font-size:10px}.g{stroke:#2b2f36}.l{fill:none;stroke-width:1.5}"
        ".k{padding:0 8px;line-height:14px;font-size:10.5px;height:28px;overflow:hidden}"
        ".k span{margin-right:10px;white-space:nowrap}"
        ".k i{display:inline-block;width:10px;height:3px;margin:0 4px 3px 0}"
        f"</style><main>{heads}{''.join(drawn.values())}</main>"
    )


async def shoot(markup: str, path: Path, chromium: str) -> None:
    """Take a picture of a page with the system's Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            tab = await browser.new_page(viewport={"width": 24 * CELL + 32, "height": 800})
            await tab.set_content(markup)
            await tab.screenshot(path=path, full_page=True)
        finally:
            await browser.close()
    # Few colours: a quarter of the bytes.
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
