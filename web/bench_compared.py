"""A bench beside an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vivavoce.web import charts
from vivavoce.web.bench_parts import panel
from vivavoce.web.markup import Html, el


def compared(changes: Sequence[Mapping[str, Any]]) -> Html | None:
    """Show what has changed, and what of it may be chance; None where nothing is compared."""
    rows = [each for each in changes if "name" in each]
    against = next((str(each["against"]) for each in changes if "against" in each), "")
    if not rows:
        return None
    body = []
    for each in rows:
        look = "same" if each["noise"] else "good" if each["better"] else "bad"
        known = each["low"] is not None
        share = each["after"] / each["before"] - 1 if each["before"] else 0.0
        word = "noise" if each["noise"] else "better" if each["better"] else "worse"
        drawn = None
        if known:
            reach = max(abs(each["low"]), abs(each["high"]), 1e-9)
            drawn = charts.whisker(
                each["low"], each["high"], each["after"] - each["before"], reach, look
            )
        between = f"{each['low']:+,.1f} to {each['high']:+,.1f}" if known else "too few to say"
        body.append(
            el(
                "tr",
                el("th", each["name"], scope="row"),
                el("td", word, cls=look),
                el("td", f"{charts.number(each['before'])} {each['unit']}"),
                el("td", f"{charts.number(each['after'])} {each['unit']}"),
                el("td", f"{share:+.1%}"),
                el("td", between),
                el("td", drawn),
            )
        )
    heads = ("figure", "verdict", "before", "after", "change", "with 95 % certainty", "drawn")
    figures = el(
        "div",
        el(
            "table",
            el("caption", "What chance alone may have done is called noise."),
            el("thead", el("tr", [el("th", each, scope="col") for each in heads])),
            el("tbody", body),
        ),
        cls="scroll",
        tabindex="0",
        role="region",
        aria_label="Changes against an earlier run",
    )
    note = el("p", f"Earlier: {against}.", cls="intro") if against else None
    return panel("compare", "Against an earlier run", note, figures, more="compare")
