"""Charts as inline SVG, for pages that stand on their own. Colours are the style sheet's.

Every chart has a title and a description, and stands beside a table with its figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vivavoce.web.markup import Html, el, join

_STEPS = (1, 2, 2.5, 5, 10)
_LEFT, _RIGHT, _TOP, _LOW = 46.0, 14.0, 26.0, 40.0


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart.

    Attributes:
        name: What it is.
        look: Its class in the style sheet.
        points: (x, y), x ascending.
    """

    name: str
    look: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a bar: what, from where, how long."""

    look: str
    start: float
    length: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of bars, and what stands beside it."""

    name: str
    value: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A chart's size (units of its own; text is 13 of them high)."""

    width: float = 440.0
    height: float = 250.0

    def x(self, share: float) -> float:
        """Return where a share of the x axis is."""
        return _LEFT + (self.width - _LEFT - _RIGHT) * min(max(share, 0.0), 1.0)

    def y(self, share: float) -> float:
        """Return where a share of the y axis is."""
        return self.height - _LOW - (self.height - _TOP - _LOW) * min(max(share, 0.0), 1.0)


def nice(most: float, marks: int = 4) -> tuple[float, list[float]]:
    """Return a round end of an axis from 0, at least `most`, and where its marks are."""
    if not most > 0 or not math.isfinite(most):
        return 1.0, [0.0, 1.0]
    unit = 10.0 ** math.floor(math.log10(most / marks))
    step = next(unit * each for each in _STEPS if unit * each * marks >= most * 0.999)
    count = math.ceil(most / step - 1e-3)
    return step * count, [round(step * n, 10) for n in range(count + 1)]


def number(value: float) -> str:
    """Write a figure: "1,204", "38.2", "0.4"."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 10 else f"{value:.3g}"


def lines(
    ident: str,
    title: str,
    told: str,
    series: Sequence[Series],
    *,
    across: str,
    up: str,
    limit: tuple[float, str] | None = None,
    knee: float | None = None,
    area: bool = False,
) -> Html:
    """Draw lines with a dot for each point.

    Args:
        ident: Unique on the page.
        title: What it shows.
        told: What is to be seen in it, for who does not see it.
        series: The lines.
        across: What the x axis counts.
        up: What the y axis counts.
        limit: A bound (y), and its name.
        knee: An x behind which the ground is another.
        area: Whether the ground below the first line is filled.
    """
    box = Box()
    points = [point for each in series for point in each.points]
    right, x_marks = nice(max((x for x, _ in points), default=1.0), 5)
    highest = max((y for _, y in points), default=1.0)
    if limit is not None and limit[0] <= 2.5 * max(highest, 1e-9):
        highest = max(highest, limit[0] * 1.08)
    top, y_marks = nice(highest)
    parts: list[Html] = []
    if knee is not None and knee < right:
        at = box.x(knee / right)
        parts.append(
            el("rect", cls="beyond", x=_n(at), y=_n(_TOP), width=_n(box.x(1) - at),
               height=_n(box.y(0) - _TOP))
        )  # fmt: skip
    parts += _grid(box, x_marks, right, y_marks, top, across, up)
    if limit is not None and limit[0] <= top:
        at = box.y(limit[0] / top)
        parts.append(el("line", cls="limit", x1=_n(_LEFT), x2=_n(box.x(1)), y1=_n(at), y2=_n(at)))
        parts.append(
            el("text", limit[1], cls="limit", x=_n(box.x(0) + 6), y=_n(at - 5))
        )  # fmt: skip
    for place, one in enumerate(series):
        spots = [(box.x(x / right), box.y(y / top)) for x, y in one.points]
        if not spots:
            continue
        path = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in spots)
        if area and not place:
            down = f"L{_n(spots[-1][0])} {_n(box.y(0))}L{_n(spots[0][0])} {_n(box.y(0))}Z"
            parts.append(el("path", cls=f"area {one.look}", d=path + down))
        parts.append(el("path", cls=f"line {one.look}", d=path))
        parts += [
            el(
                "circle",
                el("title", f"{number(x)} {across}: {one.name} {number(y)}"),
                cls=one.look,
                cx=_n(cx),
                cy=_n(cy),
                r=4,
            )
            for (cx, cy), (x, y) in zip(spots, one.points, strict=True)
        ]
    return _svg(ident, title, told, box, parts)


def shares(ident: str, title: str, told: str, values: Sequence[float], *, unit: str) -> Html:
    """Draw which share of the values is at most how large, with its percentiles."""
    box = Box()
    ordered = sorted(values)
    right, x_marks = nice(ordered[-1] if ordered else 1.0, 5)
    parts = _grid(box, x_marks, right, [0, 25, 50, 75, 100], 100, unit, "%")
    path = f"M{_n(box.x(0))} {_n(box.y(0))}"
    for place, value in enumerate(ordered, 1):
        x = box.x(value / right)
        path += f"H{_n(x)}V{_n(box.y(place / len(ordered)))}"
    path += f"H{_n(box.x(1))}"
    parts.append(el("path", cls="area agent", d=f"{path}V{_n(box.y(0))}Z"))
    parts.append(el("path", cls="line agent", d=path))
    for share in (0.5, 0.95):
        if not ordered:
            break
        value = ordered[max(0, math.ceil(share * len(ordered)) - 1)]
        x, y = box.x(value / right), box.y(share)
        parts.append(el("line", cls="drop", x1=_n(x), x2=_n(x), y1=_n(y), y2=_n(box.y(0))))
        parts.append(el("circle", cls="agent", cx=_n(x), cy=_n(y), r=4))
        end = x > box.width * 0.62
        parts.append(
            el("text", f"p{share * 100:g} {number(value)} ms", cls="strong",
               x=_n(x - 9 if end else x + 9), y=_n(y + 16), text_anchor="end" if end else "start")
        )  # fmt: skip
    return _svg(ident, title, told, box, parts)


def columns(
    ident: str, title: str, told: str, stacks: Sequence[Sequence[Bar]], *, across: str, up: str
) -> Html:
    """Draw a stack of bars for each thing counted."""
    box = Box()
    highest = max((sum(bar.length for bar in stack) for stack in stacks), default=1.0)
    top, y_marks = nice(highest)
    parts = _grid(box, [], 1.0, y_marks, top, across, up)
    wide = (box.x(1) - box.x(0)) / max(1, len(stacks))
    for place, stack in enumerate(stacks):
        x = box.x(0) + place * wide
        bars = []
        for bar in stack:
            low, high = box.y(bar.start / top), box.y((bar.start + bar.length) / top)
            bars.append(
                el("rect", cls=bar.look, x=_n(x + wide * 0.08), y=_n(high),
                   width=_n(max(0.6, wide * 0.84)), height=_n(max(0.0, low - high)))
            )  # fmt: skip
        told_bars = ", ".join(f"{bar.label} {number(bar.length)}" for bar in stack if bar.length)
        parts.append(el("g", el("title", told_bars), bars))
    return _svg(ident, title, told, box, parts)


def cascade(
    ident: str, title: str, told: str, rows: Sequence[Row], *, unit: str, narrow: bool = False
) -> Html:
    """Draw bars one below the other, each from where the one above has ended."""
    width, high, left, right = (440.0, 44.0, 8.0, 8.0) if narrow else (900.0, 36.0, 150.0, 92.0)
    lead = 26.0
    box = Box(width, lead + high * len(rows) + 30)
    most = max((bar.start + bar.length for row in rows for bar in row.bars), default=1.0)
    end, marks = nice(most, 4 if narrow else 8)

    def at(value: float) -> float:
        return left + (width - left - right) * min(1.0, value / end)

    parts: list[Html] = []
    for mark in marks:
        x = at(mark)
        parts.append(
            el("line", cls="grid", x1=_n(x), x2=_n(x), y1=_n(lead - 6), y2=_n(box.height - 24))
        )
        anchor = "start" if mark == 0 else "end" if mark == marks[-1] else "middle"
        label = f"{number(mark)} {unit}" if mark == marks[-1] else number(mark)
        parts.append(el("text", label, x=_n(x), y=_n(box.height - 8), text_anchor=anchor))
    for place, row in enumerate(rows):
        y = lead + place * high
        if narrow:
            parts.append(el("text", row.name, cls="ink", x=_n(left), y=_n(y + 12)))
            parts.append(
                el("text", row.value, cls="strong", x=_n(width - right), y=_n(y + 12),
                   text_anchor="end")
            )  # fmt: skip
        else:
            parts.append(
                el("text", row.name, cls="ink", x=_n(left - 12), y=_n(y + 19), text_anchor="end")
            )
            parts.append(
                el("text", row.value, cls="strong", x=_n(width - right + 12), y=_n(y + 19))
            )
        first, tall = (y + 18, 18.0) if narrow else (y + 4, 22.0)
        parts += [
            el(
                "rect",
                el("title", bar.label) if bar.label else None,
                cls=bar.look,
                x=_n(at(bar.start)),
                y=_n(first),
                height=_n(tall),
                rx=3,
                width=_n(max(1.0, at(bar.start + bar.length) - at(bar.start))),
            )
            for bar in row.bars
        ]
    return _svg(ident, title, told, box, parts)


def whisker(low: float, high: float, value: float, reach: float, look: str) -> Html:
    """Draw an interval and a point on an axis from -reach to reach, with its zero."""
    width, tall = 160.0, 22.0

    def at(one: float) -> float:
        share = one / reach if reach else 0.0
        return width / 2 + (width / 2 - 6) * min(max(share, -1.0), 1.0)

    return el(
        "svg",
        el("line", cls="zero", x1=_n(at(0)), x2=_n(at(0)), y1=1, y2=_n(tall - 1)),
        el("line", cls=f"line {look}", x1=_n(at(low)), x2=_n(at(high)), y1=11, y2=11),
        el("circle", cls=look, cx=_n(at(value)), cy=11, r=5),
        viewBox=f"0 0 {width:g} {tall:g}",
        width=width,
        height=tall,
        cls="whisker",
        aria_hidden="true",
    )


def _grid(
    box: Box,
    x_marks: Sequence[float],
    right: float,
    y_marks: Sequence[float],
    top: float,
    across: str,
    up: str,
) -> list[Html]:
    parts = []
    for mark in y_marks:
        y = box.y(mark / top)
        parts.append(el("line", cls="grid", x1=_n(_LEFT), x2=_n(box.x(1)), y1=_n(y), y2=_n(y)))
        parts.append(el("text", number(mark), x=_n(_LEFT - 7), y=_n(y + 4), text_anchor="end"))
    for mark in x_marks:
        x = box.x(mark / right)
        parts.append(el("text", number(mark), x=_n(x), y=_n(box.y(0) + 17), text_anchor="middle"))
    parts.append(el("text", across, cls="name", x=_n(box.x(1)), y=_n(box.height - 5),
                    text_anchor="end"))  # fmt: skip
    parts.append(el("text", up, cls="name", x=_n(_LEFT - 7), y=11, text_anchor="end"))
    return parts


def _svg(ident: str, title: str, told: str, box: Box, parts: Sequence[Html]) -> Html:
    return el(
        "svg",
        el("title", title, id=f"{ident}-title"),
        el("desc", told, id=f"{ident}-desc"),
        join(parts),
        viewBox=f"0 0 {box.width:g} {box.height:g}",
        role="img",
        aria_labelledby=f"{ident}-title {ident}-desc",
        cls="chart-svg",
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
