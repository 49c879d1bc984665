"""The waterfall: where each reply's delay went, one row per reply.

The bars of a row stand in the order in which a turn passes the stages and sum to its total.
Beneath them, hatched, stands what a stage did while an earlier one was still being waited for:
it ends where the stage's own bar begins.
"""

from __future__ import annotations

from collections.abc import Iterator

from vivavoce.agent.ledger import STAGES, Latency, Stage
from vivavoce.agent.transcript import Reply
from vivavoce.web.markup import Html, clock, count, el, join, milliseconds, percent
from vivavoce.web.story import Story

MEANINGS: dict[Stage, str] = {
    "endpointing": "deciding that the caller has finished",
    "transcription": "the final text",
    "thinking": "the model's first words",
    "tools": "running tools",
    "clause": "gathering enough text to speak",
    "speech": "the first audio of it",
    "output": "handing it to the line",
}

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000)
_MOST_TICKS = 6
_WORDS = 48  # characters of a reply in its row's label
_LABELLED = 0.04  # share of the axis from which a bar has room for its figure
_NARROW = 0.09  # and below which it has none on a small screen


def waterfall(story: Story) -> Html | None:
    """Draw the delays of a call; None when no reply has one."""
    rows = [
        (number, entry, entry.latency)
        for number, entry in enumerate(story.entries)
        if isinstance(entry, Reply) and entry.latency is not None
    ]
    if not rows:
        return None
    longest = max(latency.total for _, _, latency in rows) or 1
    used = [
        stage
        for stage in STAGES
        if any(latency.stages[stage] or latency.hidden[stage] for _, _, latency in rows)
    ]
    hidden = any(any(latency.hidden.values()) for _, _, latency in rows)
    return join(
        [
            _legend(used, hidden=hidden),
            el(
                "div",
                _axis(longest),
                el("ol", [_row(*row, longest) for row in rows], cls="rows"),
                cls="chart",
            ),
            _guesses(story),
            _table(rows),
        ]
    )


def strip(latency: Latency) -> Html:
    """Draw one delay as a thin bar of its shares, for the conversation."""
    stops = []
    done = 0
    for stage in STAGES:
        if latency.stages[stage]:
            done += latency.stages[stage]
            # From 0 on: a stop never lies before its predecessor's end, so it begins there.
            stops.append(f"var(--{stage})0 {100 * done / latency.total:.0f}%")
    if not stops:
        return el("i", cls="strip")
    return el("i", cls="strip", style=f"--stops:{','.join(stops)}")


def spoken(latency: Latency) -> str:
    """Say a delay in words: the total, then each stage that took part in it."""
    parts = [
        f"{stage} {milliseconds(latency.stages[stage] / 1000)} ms"
        for stage in STAGES
        if latency.stages[stage]
    ]
    return f"{milliseconds(latency.total_ms)} ms in all: {', '.join(parts) or 'no delay'}"


def spoken_hidden(latency: Latency) -> str:
    """Say in words what was hidden."""
    parts = [
        f"{stage} {milliseconds(latency.hidden[stage] / 1000)} ms"
        for stage in STAGES
        if latency.hidden[stage]
    ]
    return f"Hidden: {', '.join(parts)}"


def shorten(words: str) -> str:
    """Cut a text to what a row's label may show."""
    return words if len(words) <= _WORDS else f"{words[: _WORDS - 1].rstrip()}…"


def hidden_bars(latency: Latency) -> Iterator[tuple[Stage, int, int]]:
    """Place the hidden work of each stage: (stage, start, end) in µs from the total's start.

    A stage's hidden work lay before what was charged of it. Of work in several pieces only the
    sum is known, so it is drawn in one piece, no longer than there was time for.
    """
    before = 0
    for stage in STAGES:
        if worked := latency.hidden[stage]:
            # Work that hid wholly behind a later stage has no bar of its own to stand against.
            end = min(max(before, worked), latency.total)
            yield stage, max(0, end - worked), end
        before += latency.stages[stage]


def _guesses(story: Story) -> Html | None:
    """Say what became of the work that was begun before the turn was known to be over."""
    made = story.speculation.get("guesses", 0)
    if not made:
        return None
    hits = story.speculation.get("hits", 0)
    wasted = story.speculation.get("wasted_tokens", 0)
    lost = (
        f"{count(wasted, 'token was', 'tokens were')} thrown away"
        if wasted
        else "nothing was thrown away"
    )
    text = (
        f"The agent began to answer on {count(made, 'guess', 'guesses')} that the caller had "
        f"finished: {hits:,} held, and {lost}."
    )
    return el("p", text, cls="guesses")


def _legend(used: list[Stage], *, hidden: bool) -> Html:
    items = [
        el("li", el("i", cls=f"swatch {stage}"), stage, el("small", MEANINGS[stage]))
        for stage in used
    ]
    if hidden:
        note = "done while an earlier stage was waited for: added nothing"
        items.append(el("li", el("i", cls="swatch hidden"), "hidden", el("small", note)))
    return el("ul", items, cls="legend")


def _axis(longest: int) -> Html:
    longest_ms = longest / 1000
    step = next((step for step in _STEPS if longest_ms / step <= _MOST_TICKS), longest_ms)
    marks = []
    at = 0
    while at * step <= longest_ms:
        label = f"{at * step:g} ms" if longest_ms < 2000 else f"{at * step / 1000:g} s"
        marks.append(el("span", label, style=f"left:{percent(at * step, longest_ms)}"))
        at += 1
    return el("div", marks, cls="scale", aria_hidden="true")


def _row(number: int, reply: Reply, latency: Latency, longest: int) -> Html:
    bars = []
    for stage in STAGES:
        if not (took := latency.stages[stage]):
            continue
        figure = milliseconds(took / 1000)
        bars.append(
            el(
                "i",
                figure if took / longest >= _LABELLED else None,
                cls=f"{stage} narrow" if _LABELLED <= took / longest < _NARROW else stage,
                style=f"width:{percent(took, longest)}",
            )
        )
    behind = [
        el(
            "i",
            cls=f"{stage} hidden",
            style=f"margin-left:{percent(start, longest)};width:{percent(end - start, longest)}",
        )
        for stage, start, end in hidden_bars(latency)
    ]
    return el(
        "li",
        el(
            "a",
            el("span", clock(reply.started) if reply.started is not None else "–", cls="at"),
            " ",
            el("span", shorten(reply.heard or reply.generated), cls="words", dir="auto"),
            cls="label",
            href=f"#e{number}",
        ),
        el("span", bars, cls="bars", role="img", title=spoken(latency)),
        el("span", behind, cls="behind", title=spoken_hidden(latency)) if behind else None,
        el("span", el("b", milliseconds(latency.total_ms)), " ms", cls="total"),
        id=f"w{number}",
    )


def _table(rows: list[tuple[int, Reply, Latency]]) -> Html:
    head = el(
        "tr",
        el("th", "reply", scope="col"),
        [el("th", stage, scope="col") for stage in STAGES],
        el("th", "total", scope="col"),
    )
    body = []
    for number, reply, latency in rows:
        name = clock(reply.started) if reply.started is not None else "–"
        cells = []
        for stage in STAGES:
            behind = latency.hidden[stage]
            cells.append(
                el(
                    "td",
                    f"{latency.stages[stage] / 1000:,.3f}",
                    el("small", f"+{behind / 1000:,.3f}") if behind else None,
                )
            )
        body.append(
            el(
                "tr",
                el("th", el("a", name, href=f"#e{number}"), scope="row"),
                cells,
                el("td", el("b", f"{latency.total / 1000:,.3f}")),
            )
        )
    return el(
        "details",
        el("summary", "The exact figures"),
        el(
            "div",
            el(
                "table",
                el("caption", "Milliseconds; each row sums to its total. “+”: hidden work."),
                el("thead", head),
                el("tbody", body),
            ),
            cls="scroll",
            tabindex="0",
            role="region",
            aria_label="The exact figures of each reply",
        ),
        cls="figures",
    )
