"""The timeline: both sides of a call on one time axis, with what happened marked on it.

Drawn once, as SVG and positioned boxes, so that it stands without any script; positions are
percentages, so that it fits every width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vivavoce.agent.transcript import Failure, Reply, ToolUse, Utterance
from vivavoce.web.markup import Html, clock, count, duration, el, join, milliseconds, percent
from vivavoce.web.peaks import Peaks
from vivavoce.web.story import Story

_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_MOST_TICKS = 9
_HALF = 100  # units of the picture from its middle to full scale
_QUIETEST = 0.05  # the loudest sample of a side that is still drawn as silence would be


def timeline(story: Story, peaks: Peaks | None) -> Html:
    """Draw a call.

    Args:
        story: What happened.
        peaks: The recording's outline, caller first; None draws the spans without it.
    """
    span = max(story.span, peaks.seconds if peaks else 0.0, 0.1)
    sides = _sides(peaks, span)
    caller = [el("i", cls="line"), sides[0], *_utterances(story, span)]
    agent = [el("i", cls="line"), sides[1], *_replies(story, span)]
    events = [*_events(story, span)]
    lanes = [
        el("div", el("b", "Caller"), caller, cls="lane caller"),
        el("div", el("b", "Agent"), agent, cls="lane agent"),
        el("div", el("b", "Tools"), events, cls="lane events") if events else None,
    ]
    picture = el(
        "div",
        el(
            "div",
            [lane for lane in lanes if lane is not None],
            cls="lanes",
            role="img",
            aria_label=_described(story, span),
        ),
        [*_cuts(story, span)],
        el("i", cls="playhead", hidden=True),
        cls="tracks",
        id="tracks",
        data_span=f"{span:.3f}",
    )
    return join([picture, el("div", [*_ticks(span)], cls="axis", aria_hidden="true")])


def outline(side: NDArray[np.float32]) -> str:
    """Write one side as the path of its outline, in a picture of (columns, 200) units.

    Args:
        side: float32 of shape (columns, 2), lowest and highest, full scale ±1.0. The picture is
            scaled to the side's own loudest sample: it shows when somebody spoke, and a quiet
            line would be flat otherwise.
    """
    if not len(side):
        return ""
    loudest = max(float(np.abs(side).max()), _QUIETEST)
    scaled = np.rint(side * (_HALF / loudest)).astype(int)
    top = _HALF - scaled[:, 1]
    bottom = _HALF - scaled[:, 0]
    edge = _steps(top.tolist(), 1)
    back = _steps(bottom[::-1].tolist(), -1)
    return f"M0 {top[0]}{edge}V{bottom[-1]}{back}Z"


def _steps(heights: Sequence[int], direction: int) -> str:
    """Write a line through heights one column apart, shortly: runs of silence are one command."""
    parts: list[str] = []
    run = 0
    for before, after in pairwise(heights):
        if after == before:
            run += direction
            continue
        if run:
            parts.append(f"h{run}")
            run = 0
        rise = after - before
        parts.append(f"l{direction}{'' if rise < 0 else ' '}{rise}")
    if run:
        parts.append(f"h{run}")
    return "".join(parts)


def _sides(peaks: Peaks | None, span: float) -> tuple[Html | None, Html | None]:
    if peaks is None or not peaks.sides or not len(peaks.sides[0]):
        return None, None
    drawn = [
        el(
            "svg",
            el("path", d=outline(side), vector_effect="non-scaling-stroke"),
            cls="wave",
            viewBox=f"0 0 {max(len(side) - 1, 1)} {2 * _HALF}",
            preserveAspectRatio="none",
            aria_hidden="true",
            style=f"width:{percent(peaks.seconds, span)}",
        )
        for side in peaks.sides
    ]
    return drawn[0], drawn[1] if len(drawn) > 1 else None


def _box(cls: str, start: float, end: float, span: float, title: str) -> Html:
    style = f"left:{percent(start, span)};width:{percent(max(0.0, end - start), span)}"
    return el("i", cls=cls, style=style, title=title)


def _utterances(story: Story, span: float) -> Iterator[Html]:
    for entry in story.entries:
        if isinstance(entry, Utterance):
            title = f"{clock(entry.started)} caller, {duration(entry.ended - entry.started)}"
            yield _box("said", entry.started, entry.ended, span, title)


def _replies(story: Story, span: float) -> Iterator[Html]:
    for entry in story.entries:
        if not isinstance(entry, Reply) or entry.started is None:
            continue
        if entry.latency:
            wait = entry.latency.total / 1e6
            title = f"The caller waited {milliseconds(wait * 1000)} ms"
            yield _box("wait", max(0.0, entry.started - wait), entry.started, span, title)
        ended = entry.started if entry.ended is None else entry.ended
        title = f"{clock(entry.started)} agent, {duration(ended - entry.started)}"
        yield _box("said", entry.started, ended, span, title)


def _cuts(story: Story, span: float) -> Iterator[Html]:
    """Mark where the caller cut in: from their first voiced sample to the agent's silence."""
    for entry in story.entries:
        if isinstance(entry, Reply) and entry.interrupted and entry.ended is not None:
            began = max(0.0, entry.ended - (entry.reaction or 0.0))
            reacted = (
                f"; the agent was silent after {milliseconds(entry.reaction * 1000)} ms"
                if entry.reaction is not None
                else ""
            )
            title = f"{clock(began)} the caller cut in{reacted}"
            yield _box("cut", began, entry.ended, span, title)


def _events(story: Story, span: float) -> Iterator[Html]:
    for entry in story.entries:
        match entry:
            case ToolUse():
                took = f", {duration(entry.seconds)}" if entry.seconds is not None else ""
                title = f"{clock(entry.started)} {entry.name}{took}"
                end = entry.started + (entry.seconds or 0.0)
                cls = "use" if entry.ok else "use bad"
                yield _box(cls, entry.started, end, span, title)
            case Failure():
                title = f"{clock(entry.at)} {entry.stage}: {entry.message}"
                yield _box("fault", entry.at, entry.at, span, title)
            case _:
                pass


def _ticks(span: float) -> Iterator[Html]:
    step = next((step for step in _STEPS if span / step <= _MOST_TICKS), span / _MOST_TICKS)
    at = 0
    while at * step <= span:
        moment = at * step
        label = clock(moment, 1 if step < 1 else 0)
        near = moment > 0.96 * span  # centred there, the label would be cut off
        yield el("span", label, cls="end" if near else None, style=f"left:{percent(moment, span)}")
        at += 1


def _described(story: Story, span: float) -> str:
    kinds = [entry.kind for entry in story.entries]
    cuts = sum(isinstance(entry, Reply) and entry.interrupted for entry in story.entries)
    return (
        f"Waveforms of {duration(span)}: the caller above with "
        f"{count(kinds.count('caller'), 'utterance')}, the agent below with "
        f"{count(kinds.count('agent'), 'reply', 'replies')}, {cuts} of them cut by the caller; "
        f"{count(kinds.count('tool'), 'tool call')}. The conversation below tells the same."
    )
