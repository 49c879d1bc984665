"""The transcript: what was said, what was heard of it, and what was done.

A reply keeps two texts. `generated` is what the model wrote; `heard` is what reached the
caller's ear, to the word. They differ when the caller cut in, and then only `heard` may go on
into the conversation: a caller who interrupted after "Two are" was never told the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from vivavoce.agent.ledger import Latency
from vivavoce.agent.segment import Segment

CUT_MARK = "—"
"""Stands at the end of a reply that the caller cut, in the transcript and for the model."""


@dataclass(slots=True)
class Utterance:
    """What the caller said in one turn.

    Attributes:
        text: The final transcript.
        started: First voiced sample, in seconds since the call began.
        ended: Last voiced sample, likewise.
        why_ended: What decided that the turn was over, and on what grounds.
        told: What the model is told in its place, where a check replaced it.
        served: Who transcribed it; empty where nobody did.
        audio: How it sounded, as a WAV file, while the model hears it (`Agent(hear="llm")`).
        written: Whether `text` is what was said; else it is a note that something was.
    """

    text: str
    started: float
    ended: float
    why_ended: str = ""
    told: str | None = None
    served: str = ""
    audio: bytes | None = field(default=None, repr=False)
    written: bool = True
    kind: Literal["caller"] = "caller"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON; times in seconds since the call began."""
        return {
            "kind": self.kind,
            "text": self.text,
            "started": round(self.started, 3),
            "ended": round(self.ended, 3),
            "why_ended": self.why_ended,
            "served": self.served,
            "written": self.written,
            **({} if self.told is None else {"told": self.told}),
        }


@dataclass(slots=True)
class Reply:
    """What the agent said.

    Attributes:
        generated: What was to be said; grows while the model writes.
        heard: What the caller has heard of it so far; final once `closed`.
        started: First audible sample sent, in seconds since the call began; None while silent.
        ended: Last sample sent, likewise.
        interrupted: The caller cut it.
        closed: Nothing more of it will be played.
        latency: Where the delay before it went; None when it answers no caller turn.
        reaction: Of a reply that was cut: from the caller's first voiced sample to the last
            sample sent (s).
        aside: The framework said it while a tool ran; the model is not told.
        served: Who wrote and who spoke it, by stage ("thinking", "speaking"); the last one, where
            one took over from another.
    """

    generated: str = ""
    heard: str = ""
    started: float | None = None
    ended: float | None = None
    interrupted: bool = False
    closed: bool = False
    latency: Latency | None = None
    reaction: float | None = None
    aside: bool = False
    served: dict[str, str] = field(default_factory=dict)
    kind: Literal["agent"] = "agent"

    @property
    def unheard(self) -> str:
        """The tail that was generated and never played."""
        if self.generated.startswith(self.heard):
            return self.generated[len(self.heard) :].strip()
        return ""

    @property
    def said(self) -> str:
        """What counts as said: all of it while it plays, what was heard once it is over."""
        if not self.closed:
            return self.generated
        return f"{self.heard} {CUT_MARK}" if self.interrupted and self.heard else self.heard

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON; times in seconds since the call began."""
        return {
            "kind": self.kind,
            "generated": self.generated,
            "heard": self.heard,
            "unheard": self.unheard,
            "interrupted": self.interrupted,
            "started": None if self.started is None else round(self.started, 3),
            "ended": None if self.ended is None else round(self.ended, 3),
            "latency": self.latency.to_dict() if self.latency else None,
            "reaction": None if self.reaction is None else round(self.reaction, 4),
            "served": dict(self.served),
            **({"aside": True} if self.aside else {}),
        }


@dataclass(slots=True)
class ToolUse:
    """A tool that the model called.

    Attributes:
        id: Nine alphanumerics, as Mistral's models require.
        name: The tool's name, as the model wrote it.
        arguments: JSON text, as the model wrote it.
        group: Calls of one model answer share a group.
        started: In seconds since the call began.
        seconds: How long it ran; None while it runs.
        result: JSON or plain text for the model; None while it runs.
        ok: It gave a result (not an error, time-out or interruption).
        shown: The arguments as they may stand in records: without secrets. None: as they are.
    """

    id: str
    name: str
    arguments: str
    group: int
    started: float
    seconds: float | None = None
    result: str | None = None
    ok: bool = False
    shown: str | None = None
    kind: Literal["tool"] = "tool"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "arguments": self.arguments if self.shown is None else self.shown,
            "group": self.group,
            "result": self.result,
            "ok": self.ok,
            "started": round(self.started, 3),
            "seconds": None if self.seconds is None else round(self.seconds, 4),
        }


@dataclass(slots=True)
class News:
    """The model was told something that the caller did not say: a tool's late result.

    Attributes:
        text: What it was told.
        at: In seconds since the call began.
    """

    text: str
    at: float
    kind: Literal["news"] = "news"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"kind": self.kind, "text": self.text, "at": round(self.at, 3)}


@dataclass(slots=True)
class HandOver:
    """Another agent took the call over.

    Attributes:
        agent: Its name.
        previous: Whose call it was before.
        keep_history: Whether its model is told what was said before.
        note: What its model is told of the caller's wish.
        at: In seconds since the call began.
    """

    agent: str
    previous: str
    keep_history: bool
    note: str
    at: float
    kind: Literal["handoff"] = "handoff"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "kind": self.kind,
            "agent": self.agent,
            "previous": self.previous,
            "keep_history": self.keep_history,
            "note": self.note,
            "at": round(self.at, 3),
        }


@dataclass(slots=True)
class Failure:
    """Something went wrong, once, and the call coped.

    Attributes:
        stage: Which stage ("hearing", "thinking", "speaking", "tools").
        message: One line for the person who runs the agent: what happened and what to do.
        at: In seconds since the call began.
        error: Which class of failure ("timeout"); "" where nobody told.
    """

    stage: str
    message: str
    at: float
    error: str = ""
    kind: Literal["failure"] = "failure"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "kind": self.kind,
            "stage": self.stage,
            "error": self.error,
            "message": self.message,
            "at": round(self.at, 3),
        }


FRESH = 32
"""Entries at a transcript's end that may still change."""

Entry = Utterance | Reply | ToolUse | News | HandOver | Failure | Segment


@dataclass(slots=True)
class Transcript:
    """What happened in a call, in order."""

    entries: list[Entry] = field(default_factory=list)
    _rows: dict[int, tuple[Entry, dict[str, Any], bool]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        self.entries.append(entry)

    def drop(self, entry: Entry) -> None:
        """Take an entry back (a reply of which nothing was heard); unknown ones are ignored."""
        self.entries = [kept for kept in self.entries if kept is not entry]

    @property
    def caller(self) -> list[Utterance]:
        """What the caller said, in order."""
        return [entry for entry in self.entries if isinstance(entry, Utterance)]

    @property
    def replies(self) -> list[Reply]:
        """What the agent said, in order."""
        return [entry for entry in self.entries if isinstance(entry, Reply)]

    @property
    def tools(self) -> list[ToolUse]:
        """The tools that ran, in order."""
        return [entry for entry in self.entries if isinstance(entry, ToolUse)]

    @property
    def segments(self) -> list[Segment]:
        """What was interpreted, in order."""
        return [entry for entry in self.entries if isinstance(entry, Segment)]

    @property
    def handoffs(self) -> list[HandOver]:
        """Who took the call over, in order."""
        return [entry for entry in self.entries if isinstance(entry, HandOver)]

    @property
    def failures(self) -> list[Failure]:
        """What went wrong, in order."""
        return [entry for entry in self.entries if isinstance(entry, Failure)]

    @property
    def heard(self) -> str:
        """All that the caller heard the agent say, joined with spaces."""
        return " ".join(reply.heard for reply in self.replies if reply.heard)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return it as JSON."""
        return [entry.to_dict() for entry in self.entries]

    def rows(self) -> list[dict[str, Any]]:
        """Return it as JSON, while it grows: what is settled is the same object each time.

        Nobody may change them. What stands among the last `FRESH` entries is made anew.
        """
        known, self._rows = self._rows, {}
        old = len(self.entries) - FRESH
        rows = []
        for index, entry in enumerate(self.entries):
            before = known.get(id(entry))
            if before is not None and before[0] is not entry:
                before = None
            if before is None or not before[2]:
                # One that was made when it was old is the last one.
                row = entry.to_dict()
                if before is not None and before[1] == row:
                    row = before[1]
                before = (entry, row, index < old and not _open(entry))
            self._rows[id(entry)] = before
            rows.append(before[1])
        return rows


def _open(entry: Entry) -> bool:
    """Whether an entry changes, however old it is."""
    match entry:
        case Reply():
            return not entry.closed
        case ToolUse():
            return entry.result is None
        case Segment():
            return not entry.settled
        case _:
            return False
