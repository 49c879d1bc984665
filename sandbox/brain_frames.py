"""Frames: the calls a turn asks for, with the slots that this turn and earlier ones filled."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any

from vivavoce.sandbox.brain_history import BrainCall, Result
from vivavoce.sandbox.brain_numbers import ordinal_at
from vivavoce.sandbox.brain_route import ACT, CONFIRM, Route, route
from vivavoce.sandbox.brain_schema import Param, Tool
from vivavoce.sandbox.brain_slots import Filled, Path, fill, unnest
from vivavoce.sandbox.brain_words import listen

_MEND = re.compile(
    r"^(?:(?:no|nope|sorry|oh|wait|actually|well|um|uh|hmm|and|ok|okay|yes|thanks|"
    r"thank you|but|please|hang on|then)\b[ ,.]*)*"
    r"(?:i meant|i mean|make (?:it|that)|what about|how about|rather|instead|not that|"
    r"i said|change (?:it|that) to|let's say|let's make it|also|for)?\b[ ,.]*",
    re.IGNORECASE,
)
MEND_SIGN = re.compile(
    r"\b(?:no|sorry|i meant|i mean|make (?:it|that)|what about|how about|rather|instead|actually|"
    r"i said|change (?:it|that)|wait)\b|^(?:and|or)\b",
    re.IGNORECASE,
)
"""Words that announce a correction of what was said before."""
_SPLIT = re.compile(
    r"(?:[.;?!]\s+|,?\s+\b(?:and then|and also|and|also|then|plus)\b\s+|,\s+)", re.IGNORECASE
)
QUESTION = re.compile(
    r"^(?:(?:and|so|um|uh|ok|okay|well|please|sorry|hi|hello|excuse me|by the way)\b[ ,]*)*"
    r"(?:what|which|when|where|who|whose|how|why|is|are|do|does|did|can|could|will|would|have|has|"
    r"tell me|describe|explain|any)\b",
    re.IGNORECASE,
)
"""How questions begin."""


@dataclass(slots=True)
class Frame:
    """A tool to call and the slots filled so far."""

    tool: Tool
    values: dict[Path, Any] = field(default_factory=dict)
    parts: dict[Path, date | time] = field(default_factory=dict)

    def missing(self) -> Param | None:
        """The first required parameter without a value."""
        return next((p for p in self.tool.params if p.required and p.path not in self.values), None)


@dataclass(slots=True)
class State:
    """What a reply leaves open.

    Attributes:
        frames: Calls that wait for slots.
        asked: The slot of the first incomplete frame that was asked for.
        doubt: A tool that waits for the caller's yes, with the words that led to it.
        calls: Calls made earlier, newest first.
        fresh: How many of `calls` belong to one of the last turns, and may be corrected.
        results: What the last calls answered.
        answer: What the assistant said last.
    """

    frames: list[Frame] = field(default_factory=list)
    asked: Path | None = None
    doubt: tuple[Tool, str] | None = None
    calls: list[BrainCall] = field(default_factory=list)
    fresh: int = 0
    results: list[Result] = field(default_factory=list)
    answer: str = ""

    def closed(self) -> "State":
        """The same with nothing open."""
        return replace(self, frames=[], asked=None, doubt=None)


@dataclass(frozen=True, slots=True)
class Scene:
    """What stays the same through a request."""

    system: str
    tools: tuple[Tool, ...]
    now: datetime

    def fill(self, tool: Tool, text: str, **options: Any) -> Filled:
        """Fill a tool's slots from words, in this scene."""
        return fill(tool, text, now=self.now, hint=self.system, **options)


def carry(frame: Frame, calls: Sequence[BrainCall]) -> None:
    """Take what an earlier call of another tool already knew by the same name: the day, who."""
    for call in calls[:6]:
        if call.name == frame.tool.name:
            continue
        known = unnest(frame.tool, call.arguments)
        for param in frame.tool.params:
            value = known.get(param.path)
            if (
                not param.required
                or value is None
                or param.path in frame.values
                or param.kind == "text"
            ):
                continue
            if _valid(param, value):
                frame.values[param.path] = value


def _valid(param: Param, value: Any) -> bool:
    if param.many != isinstance(value, list):
        return False
    if param.kind == "enum":
        return value in param.choices
    if param.kind in {"integer", "number"}:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if param.kind == "boolean":
        return isinstance(value, bool)
    return param.many or isinstance(value, str)


def frames_of(scene: Scene, text: str, best: Route) -> list[Frame]:
    """One frame for each thing asked in the sentence; usually one."""
    parts = [p for p in _SPLIT.split(text) if p and p.strip()]
    if len(parts) > 1:
        chunks: list[tuple[Tool, str]] = []
        for part in parts[:12]:
            top = route(part, scene.tools, now=scene.now)[0]
            if top.score >= ACT:
                chunks.append((top.tool, part))
            elif chunks:
                chunks[-1] = (chunks[-1][0], f"{chunks[-1][1]} {part}")
        frames: list[Frame] = []
        for tool, part in chunks:
            got = scene.fill(tool, part)
            twin = next((f for f in reversed(frames) if f.tool == tool), None)
            if twin is not None and _joins(twin, got):
                continue
            if twin is not None:
                got.values = twin.values | got.values
            frames.append(Frame(tool, got.values, got.parts))
        # A self-correction or a list is one request; two tools, or one with other slots, are two.
        if len(frames) > 1 and not MEND_SIGN.search(text):
            return frames
    got = scene.fill(best.tool, text)
    return [Frame(best.tool, got.values, got.parts)]


def _joins(frame: Frame, got: Filled) -> bool:
    """Add to a frame what a later clause says, unless it says something else of the same."""
    lists = {p.path for p in frame.tool.params if p.many}
    for path, value in got.values.items():
        if path not in lists and frame.values.get(path, value) != value:
            return False
    for path, value in got.values.items():
        known = frame.values.get(path)
        if path in lists and isinstance(known, list):
            frame.values[path] = known + [v for v in value if v not in known]
        else:
            frame.values[path] = value
    frame.parts |= got.parts
    return True


def mend(scene: Scene, state: State, text: str, best: Route | None) -> Frame | None:
    """`no, five people`, `what about Friday?`: the last call again with the changed slots."""
    if not state.fresh:
        return None
    sign = bool(MEND_SIGN.search(text))
    if best is not None and best.score >= ACT:
        repeated = best.tool.name in {c.name for c in state.calls[: state.fresh]}
        if not (sign and repeated):
            return None
    elif best is not None and best.score >= CONFIRM and not sign:
        return None
    rest = text[_end(_MEND.match(text)) :].strip(" ,.?!")
    for call in state.calls[: state.fresh]:
        tool = next((t for t in scene.tools if t.name == call.name), None)
        if tool is None:
            continue
        old = unnest(tool, call.arguments)
        filled = scene.fill(tool, text)
        got = filled.values | _halves(old, filled)
        # "Sorry, is there …?" asks something else: its words are nobody's name.
        asks = bool(QUESTION.match(rest))
        if not got and sign and rest and not asks and len(listen(rest).tokens) <= 5:
            for param in tool.params:
                if param.kind in {"place", "person", "string", "code"} and param.path in old:
                    got = scene.fill(tool, rest, asked=param.path).values
                    break
        short = len(listen(text).tokens) <= 6
        news = {p: v for p, v in got.items() if old.get(p) != v}
        if news and (sign or (short and not QUESTION.match(text))):
            return Frame(tool, old | news)
    return None


def _halves(old: dict[Path, Any], filled: Filled) -> dict[Path, Any]:
    """Date-times of which one half is new: "at eleven then" keeps the day."""
    out: dict[Path, Any] = {}
    for path, half in filled.parts.items():
        try:
            before = datetime.fromisoformat(str(old.get(path)))
            if isinstance(half, time):
                made = datetime.combine(before.date(), half, tzinfo=before.tzinfo)
            else:
                made = datetime.combine(half, before.timetz())
        except ValueError:
            continue
        out[path] = made.isoformat()
    return out


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match is not None else 0


def pick(text: str, results: Sequence[Result]) -> str | None:
    """`the second one` with the second item of the last result put beside it."""
    words = listen(text).words
    at: int | None = None
    for i in range(len(words)):
        got = ordinal_at(words, i)
        after = words[got[0]] if got is not None and got[0] < len(words) else ""
        if got is not None and (after in {"one", "option", "please", ""}):
            at = got[1] - 1
        elif words[i] == "last" and words[i + 1 : i + 2] in {("one",), ()}:
            at = -1
    if at is None:
        return None
    for result in reversed(results):
        try:
            items = json.loads(result.content)
        except (ValueError, RecursionError):
            continue
        if (
            isinstance(items, list)
            and items
            and at < len(items)
            and isinstance(items[at], str | int | float)
        ):
            item = str(items[at])
            return (
                f"{text}, at {item}"
                if re.fullmatch(r"[0-9]{2}:[0-9]{2}.*", item)
                else f"{text}, {item}"
            )
    return None


def taker(scene: Scene, state: State, text: str, *, picked: bool) -> Frame | None:
    """The one other tool that takes what is known and what was just said; None if not one.

    With `picked` (an item of the last result was chosen) it may still lack something.
    """
    made = {c.name for c in state.calls[: state.fresh]}
    frames = []
    for tool in scene.tools:
        if tool.name in made:
            continue
        got = scene.fill(tool, text).values
        frame = Frame(tool, dict(got))
        carry(frame, state.calls)
        if got and len(frame.values) > len(got) and (picked or frame.missing() is None):
            frames.append(frame)
    return frames[0] if len(frames) == 1 else None
