"""The dialogue: what was said, heard and done in a call, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator

from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import (
    CUT_MARK,
    Entry,
    Failure,
    HandOver,
    News,
    Reply,
    ToolUse,
    Utterance,
)
from vivavoce.web.markup import Html, clock, el, join, milliseconds
from vivavoce.web.story import Story
from vivavoce.web.waterfall import strip

_LONGEST = 4000  # characters of a tool's arguments or result that are shown
_LINE = 72  # characters of JSON that stand on one line
_OPEN = 600  # characters of both up to which a tool's card stands open


def dialogue(story: Story, audio: str | None) -> Html:
    """Write the conversation.

    Args:
        story: What happened.
        audio: The recording's URL, to which the times lead; None when it cannot be played.
    """
    if not story.entries:
        return el("p", "Nobody said anything in this call.", cls="nothing")
    lines = [_line(number, entry, audio) for number, entry in enumerate(story.entries)]
    return el("ol", lines, cls="dialogue")


def _line(number: int, entry: Entry, audio: str | None) -> Html:
    match entry:
        case Utterance():
            return _placed(number, "caller", entry.started, entry.ended, _utterance(entry), audio)
        case Reply():
            parts = _reply(number, entry)
            return _placed(number, "agent", entry.started, entry.ended, parts, audio)
        case ToolUse():
            end = entry.started + (entry.seconds or 0.0)
            return _placed(number, "tool", entry.started, end, _tool(entry), audio)
        case HandOver():
            parts = iter([el("p", f"{entry.agent} takes over from {entry.previous}.")])
            return _placed(number, "handoff", entry.at, entry.at, parts, audio)
        case News():
            return _placed(number, "news", entry.at, entry.at, iter([el("p", entry.text)]), audio)
        case Segment():
            parts = _segment(entry)
            return _placed(number, "caller", entry.started, entry.ended, parts, audio)
        case Failure():
            return _placed(number, "failure", entry.at, entry.at, _failure(entry), audio)


def _placed(
    number: int,
    kind: str,
    start: float | None,
    end: float | None,
    parts: Iterator[Html],
    audio: str | None,
) -> Html:
    if start is None:
        when = el("span", "–", cls="at")
    elif audio is None:
        when = el("time", clock(start), cls="at", datetime=f"PT{start:.3f}S")
    else:
        # A media fragment: without any script the link opens the recording at that moment.
        when = el("a", clock(start), cls="at", href=f"{audio}#t={start:.1f}")
    return el(
        "li",
        when,
        el("div", [*parts], cls="body"),
        cls=kind,
        id=f"e{number}",
        data_start=None if start is None else f"{start:.3f}",
        data_end=None if end is None else f"{end:.3f}",
    )


def _utterance(entry: Utterance) -> Iterator[Html]:
    yield el("p", "Caller", cls="who")
    yield el("p", entry.text or "…", cls="text", dir="auto")
    if entry.why_ended:
        yield el("p", "Turn ended · ", entry.why_ended, cls="why")


def _segment(entry: Segment) -> Iterator[Html]:
    lag = f" · {entry.lag:.1f} s behind" if entry.lag is not None else ""
    yield el("p", f"{entry.speaker} · {entry.source} → {entry.target}{lag}", cls="who")
    yield el("p", entry.text, cls="text", dir="auto", lang=entry.source or None)
    if entry.translation:
        yield el("p", entry.translation, cls="text", dir="auto", lang=entry.target or None)
    if entry.why:
        yield el("p", "Not translated: ", entry.why, cls="why")


def _reply(number: int, entry: Reply) -> Iterator[Html]:
    badges = []
    if entry.latency:
        badges.append(
            el(
                "a",
                strip(entry.latency),
                f"{milliseconds(entry.latency.total_ms)} ms",
                cls="delay",
                href=f"#w{number}",
                title="Where this delay went",
            )
        )
    if entry.interrupted:
        reacted = (
            f" · silent after {milliseconds(entry.reaction * 1000)} ms"
            if entry.reaction is not None
            else ""
        )
        badges.append(el("span", f"cut{reacted}", cls="badge cut"))
    elif entry.generated and not entry.heard:
        badges.append(el("span", "never heard", cls="badge cut"))
    yield el("p", "Agent", [join([" ", badge]) for badge in badges], cls="who")
    mark = f" {CUT_MARK}" if entry.interrupted and entry.heard else ""
    unheard = entry.unheard
    yield el(
        "p",
        entry.heard + mark if entry.heard else "" if unheard else "…",
        " " if entry.heard and unheard else None,
        el("del", el("span", "not heard: ", cls="vh"), unheard) if unheard else None,
        cls="text",
        dir="auto",
    )


def _tool(entry: ToolUse) -> Iterator[Html]:
    if entry.seconds is None:
        state, outcome = "was still running", "running"
    elif entry.ok:
        state, outcome = f"{milliseconds(entry.seconds * 1000)} ms", "ok"
    else:
        state, outcome = f"failed after {milliseconds(entry.seconds * 1000)} ms", "bad"
    sections = [
        *_section("Arguments", entry.arguments),
        *_section("Result", entry.result if entry.result is not None else ""),
    ]
    yield el(
        "details",
        el(
            "summary",
            el("code", entry.name or "a tool", cls="name", dir="auto"),
            " ",
            el("span", state, cls=f"badge {outcome}"),
        ),
        el("dl", sections),
        cls="card",
        open=len(entry.arguments) + len(entry.result or "") <= _OPEN,
    )


def _section(title: str, value: str) -> Iterator[Html]:
    shown = pretty(value)
    yield el("dt", title)
    if not shown:
        yield el("dd", "none", cls="why")
        return
    more = len(shown) - _LONGEST
    yield el(
        "dd",
        el("pre", shown[:_LONGEST], dir="auto", tabindex="0", aria_label=title),
        el("p", f"… and {more:,} more characters; the JSON holds them all.", cls="why")
        if more > 0
        else None,
    )


def pretty(value: str) -> str:
    """Write JSON text to be read: on one line when short, indented else; other text as it is."""
    try:
        found = json.loads(value)
        if isinstance(found, str):
            return found
        line = json.dumps(found, ensure_ascii=False)
        return line if len(line) <= _LINE else json.dumps(found, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return value


def _failure(entry: Failure) -> Iterator[Html]:
    # "what happened — what to do" is how the stages word their messages.
    problem, _, remedy = entry.message.partition(" — ")
    yield el(
        "div",
        el("p", f"Problem in {entry.stage}" if entry.stage else "Problem", cls="who"),
        el("p", problem, cls="text", dir="auto"),
        el("p", el("b", "What to do: "), remedy, cls="text", dir="auto") if remedy else None,
        cls="note",
        role="note",
    )
