"""The sizing as a page: tables in Markdown, and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

PAGE = "sizing.md"
PICTURE = Path("pictures") / "sizing.svg"


def number(value: float) -> str:
    """Write a number as people read it."""
    if value >= 1e7:
        return f"{value / 1e6:,.0f} million"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def share(value: float) -> str:
    """Write a small share."""
    if value == 0:
        return "none"
    return f"{value * 100:.2g}%" if value >= 1e-5 else "< 0.001%"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def tables(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the page's tables by their names."""
    rows, sizes = report["rows"], [str(row["size"]) for row in report["rows"]]
    columns = [number(row["size"]) for row in rows]

    def line(name: str, values: list[str]) -> list[str]:
        return [name, *values]

    day = [
        line("calls in a day", [number(row["calls"]) for row in rows]),
        line("most at a time", [number(row["most"]) for row in rows]),
        line("machines in the busiest hour", [number(row["up_at_the_peak"]) for row in rows]),
        line("machines at most, a deploy among it", [number(row["nodes"]) for row in rows]),
        line("machine hours", [number(row["node_hours"]) for row in rows]),
        line("use of the room over the day", [f"{row['use'] * 100:.0f}%" for row in rows]),
        line("refused", [f"{number(row['refused'])} calls" for row in rows]),
        line("machines that died", [number(row["deaths"]) for row in rows]),
        line("calls that went on elsewhere", [number(row["moved"]) for row in rows]),
        line("calls that were cut", [number(row["cut"]) for row in rows]),
    ]
    room = report["per_node"]
    theory = [
        line("lines for one refusal in 10,000 (Erlang B)",
             [number(row["lines_for_1_in_10000"]) for row in rows]),
        line("room of the machines of the busiest hour, beyond the load",
             [f"{(row['up_at_the_peak'] * room / row['size'] - 1) * 100:.0f}%" for row in rows]),
        line("machines of them that may be lost until it is one in 10,000",
             [number(row["up_at_the_peak"] - math.ceil(row["lines_for_1_in_10000"] / room))
              for row in rows]),
    ]  # fmt: skip
    needs = [
        [part["name"], number(part["full"]), *(number(part["counts"][size]) for size in sizes),
         part["more"]]
        for part in report["parts"]
    ]  # fmt: skip
    names = list(rows[0]["cost"])
    costs = [line(name, [f"{row['cost'][name] * 100:.3f}" for row in rows]) for name in names]
    whole = [sum(row["cost"].values()) for row in rows]
    month = [value * row["minutes"] * 21 for value, row in zip(whole, rows, strict=True)]
    paid = ("hearing", "speaking", "thinking")
    providers = [sum(row["cost"][name] for name in paid) for row in rows]
    costs.append(line("**a call's minute**", [f"**{value * 100:.2f}**" for value in whole]))
    costs.append(
        line("of which providers of models",
             [f"{part / value * 100:.0f}%" for part, value in zip(providers, whole, strict=True)])
    )  # fmt: skip
    costs.append(line("a month of 21 such days", [f"${value:,.0f}" for value in month]))
    figures = [
        [f"`--{name.replace('_', '-')}`", number(each["value"]), each["unit"], each["kind"],
         each["why"]]
        for name, each in report["figures"].items()
    ]  # fmt: skip
    burst = report["burst"]
    hit = [
        ["calls at a time before", number(burst["size"])],
        ["calls come", f"{burst['times']:g} times as many, for {burst['minutes']:g} minutes"],
        ["most at a time", number(burst["most"])],
        ["refused", f"{number(burst['refused'])} calls"],
        ["refused in the worst minute", share(burst["worst_minute"])],
    ]
    return {
        "burst": table(["a burst, in the middle of a deploy", ""], hit),
        "day": table(["calls at a time, busiest hour", *columns], day),
        "theory": table(["", *columns], theory),
        "parts": table(
            ["one …", "is full at", *(f"for {each}" for each in columns), "then"], needs
        ),
        "cost": table(["US cents", *columns], costs),
        "figures": table(["flag", "value", "", "", "from"], figures),
    }


def write(report: Mapping[str, Any], docs: Path) -> None:
    """Put the tables into the page, between their marks, and draw the picture.

    Raises:
        ValueError: The page has lost a mark.
    """
    path = docs / PAGE
    text = path.read_text(encoding="utf-8")
    path.write_text(filled(text, report), encoding="utf-8")
    (docs / PICTURE).write_text(draw(report), encoding="utf-8")


def filled(text: str, report: Mapping[str, Any]) -> str:
    """Return the page with the report's tables.

    Raises:
        ValueError: The page has lost a mark.
    """
    for name, rows in tables(report).items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"docs/{PAGE} has lost its marks <!-- {name} --> … <!-- /{name} -->")
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n{rows}\n{end}{tail}"
    return text


WIDTH, LEFT, RIGHT, ROW, TOP = 880, 220, 40, 24, 70
DAY_TOP, DAY_HIGH = 60, 160
STYLE = (
    "<style>text{fill:#1f2430}.grid{stroke:#8886;stroke-width:1}.dot{fill:#c2410c}"
    ".bar{stroke:#c2410c;stroke-width:6;stroke-linecap:round;opacity:.35}"
    ".calls{fill:#c2410c;opacity:.45}.room{fill:none;stroke:#1d4ed8;stroke-width:2}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e8ee}.room{stroke:#7aa2ff}}</style>"
)


def draw(report: Mapping[str, Any]) -> str:
    """Return the picture: where one of each part is full, and a day's calls and room."""
    parts = report["parts"]
    low, high = 1, 7
    plot = WIDTH - LEFT - RIGHT
    bottom = TOP + ROW * len(parts)
    height = bottom + 40 + DAY_TOP + DAY_HIGH + 40

    def x(calls: float) -> float:
        at = min(max(math.log10(max(calls, 1)), low), high)
        return LEFT + plot * (at - low) / (high - low)

    title = "Calls at a time at which one of each part is full"
    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
            f' aria-label="{title}" font-family="system-ui, sans-serif" font-size="13">'
        ),
        STYLE,
        f'<text x="16" y="26" font-size="16" font-weight="600">{title}</text>',
        (
            '<text x="16" y="46" opacity=".7">one core, machine, address or account; from measured'
            " and assumed figures, a logarithmic scale</text>"
        ),
    ]
    for power in range(low, high + 1):
        at = x(10**power)
        out.append(
            f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}"/>'
            f'<text x="{at:.1f}" y="{bottom + 20}" text-anchor="middle">{10**power:,}</text>'
        )
    for index, part in enumerate(parts):
        y = TOP + ROW * index + ROW / 2
        end = x(part["full"])
        out.append(
            f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(part["name"])}</text>'
            f'<line class="bar" x1="{LEFT}" x2="{end:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="dot" cx="{end:.1f}" cy="{y}" r="5"/>'
        )
    top = bottom + 40 + DAY_TOP
    calls, room = report["day"]["calls"], report["day"]["room"]
    most = max(*calls, *room, 1)
    step = plot / max(1, len(calls) - 1)

    def point(index: int, value: float) -> str:
        return f"{LEFT + index * step:.1f},{top + DAY_HIGH * (1 - value / most):.1f}"

    size = report["burst"]["size"]
    out += [
        (
            f'<text x="16" y="{top - 24}" font-size="16" font-weight="600">A day of {size:,} calls'
            " at a time: the calls, and the room of the machines that are up</text>"
        ),
        f'<polygon class="calls" points="{LEFT},{top + DAY_HIGH} '
        + " ".join(point(index, value) for index, value in enumerate(calls))
        + f' {LEFT + plot},{top + DAY_HIGH}"/>',
        '<polyline class="room" points="'
        + " ".join(point(index, value) for index, value in enumerate(room))
        + '"/>',
    ]
    for hour in range(0, 25, 4):
        at = LEFT + plot * hour / 24
        out.append(
            f'<text x="{at:.1f}" y="{top + DAY_HIGH + 20}" text-anchor="middle">{hour}:00</text>'
        )
    out.append(f'<text x="{LEFT - 12}" y="{top + 6}" text-anchor="end">{most:,}</text></svg>')
    return "\n".join(out) + "\n"
