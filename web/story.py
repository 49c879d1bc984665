"""The story of a call: its record, checked and typed.

A record is JSON that may come from a file, so what a page relies on is checked here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from vivavoce.agent.ledger import STAGES, Latency
from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import (
    Entry,
    Failure,
    HandOver,
    News,
    Reply,
    ToolUse,
    Utterance,
)

_LONGEST = 7 * 24 * 3600.0
"""Seconds; a moment beyond a week is no moment of a call but a mistaken unit."""

_LARGEST = 1e15


class ReportError(ValueError):
    """A page cannot be made; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Story:
    """What a record tells.

    Attributes:
        call: The call's id.
        agent: The agent's name.
        began: When it began, ISO 8601; "" when unknown.
        seconds: How long it took (s).
        ended: Why it ended.
        models: Which model served each stage.
        percentiles: Of the replies' delay, by name ("p50"), in ms.
        speculation: What was begun on guesses that the caller had finished: counts by name
            ("guesses", "hits", "wasted_tokens").
        entries: What happened, in order.
        unknown: Kinds of entries that this version does not know, once each.
    """

    call: str
    agent: str
    began: str
    seconds: float
    ended: str
    models: Mapping[str, str]
    percentiles: Mapping[str, float]
    speculation: Mapping[str, int]
    entries: tuple[Entry, ...]
    unknown: tuple[str, ...]

    @property
    def span(self) -> float:
        """From the call's beginning to the last thing known of it (s)."""
        return max([self.seconds, *(_last(entry) for entry in self.entries)])


def read(record: Mapping[str, Any]) -> Story:
    """Check a record and type it.

    Args:
        record: As `vivavoce.agent.record.record` makes it, or the same parsed from JSON.

    Raises:
        ReportError: Something in it is not what a record holds there; the message names it.
    """
    if not isinstance(record, Mapping):
        raise ReportError(f"a call's record is a JSON object, not {_named(record)}")
    top = _Fields(record, "")
    entries: list[Entry] = []
    unknown: dict[str, None] = {}
    for number, found in enumerate(top.items("transcript")):
        if not isinstance(found, Mapping):
            raise _wrong(f"transcript[{number}]", found, "an object")
        fields = _Fields(found, f"transcript[{number}].")
        kind = fields.string("kind")
        make = _KINDS.get(kind)
        if make is None:
            unknown[kind] = None
        else:
            entries.append(make(fields))
    return Story(
        call=top.string("call"),
        agent=top.string("agent"),
        began=top.string("began"),
        seconds=top.seconds("seconds"),
        ended=top.string("ended"),
        models={name: _text(model) for name, model in top.table("models").items()},
        percentiles={
            name: _number(ms, f"latency_ms.{name[:40]}")
            for name, ms in top.table("latency_ms").items()
        },
        speculation={
            name: int(_number(value, f"speculation.{name[:40]}"))
            for name, value in top.table("speculation").items()
        },
        entries=tuple(entries),
        unknown=tuple(unknown),
    )


class _Fields:
    """One JSON object of a record; what is absent or null counts as empty."""

    def __init__(self, found: Mapping[Any, Any], where: str) -> None:
        self._found = found
        self._where = where

    def string(self, key: str) -> str:
        value = self._found.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _wrong(self._where + key, value, "text")
        return value

    def count(self, key: str) -> int:
        return int(_number(self._found.get(key) or 0, self._where + key))

    def flag(self, key: str) -> bool:
        value = self._found.get(key)
        if value is not None and not isinstance(value, bool):
            raise _wrong(self._where + key, value, "true or false")
        return bool(value)

    def maybe(self, key: str) -> float | None:
        """A time or a length of time (s)."""
        value = self._found.get(key)
        if value is None:
            return None
        seconds = _number(value, self._where + key)
        if seconds > _LONGEST:
            raise _wrong(self._where + key, value, "a time in seconds")
        return seconds

    def seconds(self, key: str) -> float:
        return self.maybe(key) or 0.0

    def items(self, key: str) -> list[Any]:
        value = self._found.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise _wrong(self._where + key, value, "a list")
        return value

    def table(self, key: str) -> dict[str, Any]:
        value = self._found.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise _wrong(self._where + key, value, "an object")
        return {str(name): entry for name, entry in value.items()}

    def latency(self, key: str) -> Latency | None:
        if self._found.get(key) is None:
            return None
        fields = _Fields(self.table(key), f"{self._where}{key}.")
        stages = fields.microseconds("stages_us")
        hidden = fields.microseconds("hidden_us")
        total = fields.microsecond("total_us")
        if sum(stages.values()) != total:
            raise ReportError(
                f"{self._where}{key}: the stages sum to {sum(stages.values())} µs and not to the "
                f"total of {total} µs; the record was changed after it was made"
            )
        return Latency(
            total,
            {stage: stages.get(stage, 0) for stage in STAGES},
            {stage: hidden.get(stage, 0) for stage in STAGES},
        )

    def microsecond(self, key: str) -> int:
        value = self._found.get(key)
        if not _is_count(value):
            raise _wrong(self._where + key, value, "a whole number of microseconds")
        return value

    def microseconds(self, key: str) -> dict[str, int]:
        """Microseconds by stage."""
        found = self.table(key)
        for stage, value in found.items():
            where = f"{self._where}{key}.{stage[:40]}"
            if stage not in STAGES:
                raise ReportError(f"{where}: no such stage; there are {', '.join(STAGES)}")
            if not _is_count(value):
                raise _wrong(where, value, "a whole number of microseconds")
        return found


def _utterance(fields: _Fields) -> Utterance:
    started = fields.seconds("started")
    return Utterance(
        text=fields.string("text"),
        started=started,
        ended=max(started, fields.seconds("ended")),
        why_ended=fields.string("why_ended"),
    )


def _reply(fields: _Fields) -> Reply:
    return Reply(
        generated=fields.string("generated"),
        heard=fields.string("heard"),
        started=fields.maybe("started"),
        ended=fields.maybe("ended"),
        interrupted=fields.flag("interrupted"),
        closed=True,
        latency=fields.latency("latency"),
        reaction=fields.maybe("reaction"),
    )


def _tool(fields: _Fields) -> ToolUse:
    return ToolUse(
        id=fields.string("id"),
        name=fields.string("name"),
        arguments=fields.string("arguments"),
        group=0,
        started=fields.seconds("started"),
        seconds=fields.maybe("seconds"),
        result=fields.string("result") or None,
        ok=fields.flag("ok"),
    )


def _failure(fields: _Fields) -> Failure:
    return Failure(fields.string("stage"), fields.string("message"), fields.seconds("at"))


def _handover(fields: _Fields) -> HandOver:
    return HandOver(
        agent=fields.string("agent"),
        previous=fields.string("previous"),
        keep_history=fields.flag("keep_history"),
        note=fields.string("note"),
        at=fields.seconds("at"),
    )


def _news(fields: _Fields) -> News:
    return News(fields.string("text"), fields.seconds("at"))


def _segment(fields: _Fields) -> Segment:
    started = fields.seconds("started")
    return Segment(
        number=fields.count("number"),
        speaker=fields.string("speaker"),
        source=fields.string("source"),
        target=fields.string("target"),
        text=fields.string("text"),
        started=started,
        ended=max(started, fields.seconds("ended")),
        translation=fields.string("translation"),
        spoken_from=fields.maybe("spoken_from"),
        spoken_to=fields.maybe("spoken_to"),
        why=fields.string("why"),
    )


_KINDS: dict[str, Callable[[_Fields], Entry]] = {
    "caller": _utterance,
    "agent": _reply,
    "tool": _tool,
    "failure": _failure,
    "handoff": _handover,
    "news": _news,
    "segment": _segment,
}


def _last(entry: Entry) -> float:
    match entry:
        case Utterance():
            return entry.ended
        case Reply():
            return max(entry.started or 0.0, entry.ended or 0.0)
        case ToolUse():
            return entry.started + (entry.seconds or 0.0)
        case Segment():
            return max(entry.ended, entry.spoken_to or 0.0)
        case Failure() | HandOver() | News():
            return entry.at


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _number(value: object, where: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= _LARGEST  # so no NaN and no infinity either
    ):
        raise _wrong(where, value, "a number, 0 or more")
    return float(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _wrong(where: str, value: object, wanted: str) -> ReportError:
    return ReportError(
        f"the record's {where} is {_named(value)} and not {wanted}; "
        "give the record of a call as Viva Voce wrote it"
    )


def _named(value: object) -> str:
    """Name a JSON value in a message without repeating what a caller said."""
    match value:
        case None:
            return "missing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value!r:.40}" if abs(value) <= _LARGEST else "a number out of all range"
        case str():
            return "text"
        case list():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return f"a Python {type(value).__name__}"
