"""What the parts of a bench's page are made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vivavoce.web.markup import Html, el, join, milliseconds


def panel(ident: str, title: str, *children: Html | None, more: str = "") -> Html:
    """Make a part of the page with a heading; `more` are classes of its own."""
    return el(
        "section",
        el("h2", title, id=f"h-{ident}"),
        join(children),
        cls=f"panel {more}".strip(),
        aria_labelledby=f"h-{ident}",
    )


def figure(title: str, note: str, chart: Html, table: Html | None, *, whole: bool = False) -> Html:
    """Make a chart with its title, a note and its figures; `whole` takes all of the width."""
    return el(
        "figure",
        el("h3", title),
        el("p", note) if note else None,
        chart,
        el("details", el("summary", "The figures"), table, cls="figures") if table else None,
        cls="whole" if whole else None,
    )


def table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 0
) -> Html:
    """Make a table; the last `left` columns are texts."""
    first = len(heads) - left
    body = [
        el("tr", [el("th", row[0], scope="row"),
                  *(el("td", cell, cls="left" if n >= first else None)
                    for n, cell in enumerate(row[1:], 1))])
        for row in rows
    ]  # fmt: skip
    head = [
        el("th", each, scope="col", cls="left" if n >= first else None)
        for n, each in enumerate(heads)
    ]
    return el(
        "div",
        el("table", el("caption", title), el("thead", el("tr", head)), el("tbody", body)),
        cls="scroll",
        tabindex="0",
        role="region",
        aria_label=title,
    )


def ms(value: float | None) -> str:
    """Write a delay; a dash for none."""
    return "–" if value is None else milliseconds(value)
