"""The narrator: tells a client what happens in its call. Pure.

One for each call, however many connections the call has one after the other: it gives replies and
utterances names that stay the same when a page comes back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vivavoce.agent.call import Call
from vivavoce.agent.events import (
    AgentSaid,
    AgentStarted,
    CallEnded,
    CallerPartial,
    CallerSaid,
    CallerStarted,
    CallerStopped,
    Event,
    Failed,
    SegmentChanged,
    ToolEnded,
    ToolStarted,
)
from vivavoce.agent.reason import code_of
from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import Entry, Reply, ToolUse, Utterance
from vivavoce.web import rtvi

RECENT = 8
"""Entries at the transcript's end among which replies that still change are looked for."""
LARGEST = 60_000
"""Bytes of a message; a snapshot leaves its oldest entries out, and a tool's text is cut."""
LONGEST = 8_000
"""Characters of a tool's arguments or result that are told."""


class Narrator:
    """Turns a call's events into messages.

    Args:
        call: The call.
        wall: Gives the time as text, for RTVI's time stamps.
        recording: Whether the call is recorded.
    """

    def __init__(self, call: Call[Any], wall: Callable[[], str], *, recording: bool) -> None:
        self._call = call
        self._wall = wall
        self._recording = recording
        self._names: dict[int, tuple[Entry, str]] = {}
        self._counts = {"caller": 0, "agent": 0}
        self._told: dict[str, tuple[str, str, bool]] = {}  # replies as they were last told
        self._phase = ""
        self._why = ""
        self._guesses = self._hits = 0
        self._writing = ""  # the reply that the model writes, as RTVI's clients were told
        self._segments: dict[tuple[str, int, str], str] = {}  # how far each was when it was told
        self._growing: dict[tuple[str, int, str], Segment] = {}  # whose captions wait to be told
        for entry in call.transcript:  # of a call that goes on after its server was lost
            if isinstance(entry, Utterance | Reply):
                name = self.name(entry)
                if isinstance(entry, Reply):
                    self._told[name] = (entry.generated, entry.heard, entry.closed)

    def name(self, entry: Utterance | Reply) -> str:
        """Return the name of an utterance or a reply, as "r3"."""
        known = self._names.get(id(entry))
        if known is None or known[0] is not entry:
            self._counts[entry.kind] += 1
            prefix = "u" if entry.kind == "caller" else "r"
            known = (entry, f"{prefix}{self._counts[entry.kind]}")
            self._names[id(entry)] = known
        return known[1]

    def entry(self, entry: Entry) -> dict[str, Any]:
        """Return an entry of the transcript as clients have it."""
        row = entry.to_dict()
        if isinstance(entry, Utterance | Reply):
            row = {"id": self.name(entry), **row}
        if isinstance(entry, Reply):
            row["closed"] = entry.closed
        if isinstance(entry, ToolUse):
            for key in ("arguments", "result"):
                if isinstance(row[key], str) and len(row[key]) > LONGEST:
                    row[key] = row[key][:LONGEST] + " …"
        return row

    def snapshot(self, *, muted: bool) -> str:
        """Tell what there is so far, as far as it goes into one message."""
        call = self._call
        data: dict[str, Any] = {
            "event": "snapshot",
            "at": round(call.now, 3),
            "call": call.id,
            "agent": call.agent.name,
            "language": call.language,
            "languages": list(call.agent.languages),
            "phase": call.phase,
            "muted": muted,
            "recording": self._recording,
            "now": self._wall(),
            "transcript": [],
        }
        size, kept = 1_000, []
        for entry in reversed(call.transcript.entries):
            row = self.entry(entry)
            size += len(json.dumps(row, ensure_ascii=False, default=str).encode())
            if size > LARGEST:
                data["shortened"] = True
                break
            kept.append(row)
        data["transcript"] = kept[::-1]
        return rtvi.event(data)

    def event(self, event: Event) -> list[str]:
        """Tell of an event."""
        at = round(event.at, 3)
        row = event.to_dict()
        out: list[str] = []
        match event:
            case CallerStarted():
                out.append(rtvi.write("user-started-speaking"))
            case CallerStopped():
                out.append(rtvi.write("user-stopped-speaking"))
            case CallerPartial(text=text):
                out.append(self._heard(text, final=False))
            case CallerSaid(utterance=utterance):
                self._why = utterance.why_ended
                row["utterance"] = self.entry(utterance)
                out.append(self._heard(utterance.text, final=True))
            case AgentStarted(reply=reply):
                row["reply"] = self.entry(reply)
                out += [rtvi.write("bot-tts-started"), rtvi.write("bot-started-speaking")]
                out += self._turn(reply, at)
            case AgentSaid(reply=reply):
                out += self._said(reply, at)
                row["reply"] = self.entry(reply)
            case ToolStarted(use=use) | ToolEnded(use=use):
                row["use"] = self.entry(use)
                out += _tool(use, over=isinstance(event, ToolEnded))
            case SegmentChanged(segment=segment):
                return self._changed(segment, at)
            case Failed(failure=failure):
                data = {"error": f"{failure.stage}: {failure.message}", "fatal": False}
                out.append(rtvi.write("error", data))
            case CallEnded(reason=reason):
                row["code"] = code_of(reason)
                out += self.watch()
                out.append(_ours("phase", at, phase="ended"))
                self._phase = "ended"
        return [*out, rtvi.event(row)]

    def watch(self) -> list[str]:
        """Tell what has changed without an event: the phase, and replies that grow or are heard.

        Call it ten times a second.
        """
        out = []
        call = self._call
        at = round(call.now, 3)
        if call.phase != self._phase and not call.ended:
            self._phase = call.phase
            out.append(_ours("phase", at, phase=self._phase))
        for entry in call.transcript.entries[-RECENT:]:
            if isinstance(entry, Reply):
                out += self._grown(entry, at)
        for segment in self._growing.values():
            out.append(_ours("segment", at, segment=segment.to_dict()))
        self._growing.clear()
        return out

    def _changed(self, segment: Segment, at: float) -> list[str]:
        """Tell of a segment: at once where it goes on, ten times a second where it only grows."""
        name = (segment.speaker, segment.number, segment.target)
        before = self._segments.get(name)
        self._segments[name] = segment.state
        if before == segment.state and not segment.settled:
            self._growing[name] = segment
            return []
        self._growing.pop(name, None)
        out = []
        if before is None:
            out.append(self._heard(segment.text, final=True, who=segment.speaker))
        if segment.settled and segment.translation and before != segment.state:
            out.append(rtvi.write("bot-transcription", {"text": segment.translation}))
        return [*out, _ours("segment", at, segment=segment.to_dict())]

    def _heard(self, text: str, *, final: bool, who: str = "caller") -> str:
        data = {"text": text, "final": final, "timestamp": self._wall(), "user_id": who}
        return rtvi.write("user-transcription", data)

    def _grown(self, reply: Reply, at: float) -> list[str]:
        name = self.name(reply)
        now = (reply.generated, reply.heard, reply.closed)
        before = self._told.get(name, ("", "", False))
        if now == before:
            return []
        self._told[name] = now
        out = []
        if reply.generated != before[0] and not reply.closed:
            if self._writing != name:
                self._writing = name
                out.append(rtvi.write("bot-llm-started"))
            if reply.generated.startswith(before[0]):
                piece = reply.generated[len(before[0]) :]
                out.append(rtvi.write("bot-llm-text", {"text": piece}))
        if reply.heard != before[1] and reply.heard.startswith(before[1]):
            out.append(rtvi.write("bot-tts-text", {"text": reply.heard[len(before[1]) :]}))
        out.append(_ours("reply", at, reply=self.entry(reply)))
        return out

    def _turn(self, reply: Reply, at: float) -> list[str]:
        if reply.latency is None:
            return []
        speculation = self._call.ledger.speculation
        guessed, hit = speculation.guesses > self._guesses, speculation.hits > self._hits
        self._guesses, self._hits = speculation.guesses, speculation.hits
        return [
            _ours(
                "turn",
                at,
                reply=self.name(reply),
                latency=reply.latency.to_dict(),
                why_ended=self._why,
                speculation="hit" if hit else "miss" if guessed else "none",
            )
        ]

    def _said(self, reply: Reply, at: float) -> list[str]:
        out = self._grown(reply, at)
        if self._writing == self.name(reply):
            self._writing = ""
            out.append(rtvi.write("bot-llm-stopped"))
        if reply.heard:
            spoken = {"text": reply.heard, "spoken": True, "will_be_spoken": True}
            spoken |= {"aggregated_by": "sentence", "output_type": "sentence"}
            out.append(rtvi.write("bot-transcription", {"text": reply.heard}))
            out.append(rtvi.write("bot-output", spoken))
        if reply.started is not None:
            out += [rtvi.write("bot-tts-stopped"), rtvi.write("bot-stopped-speaking")]
        if reply.latency is not None:
            usd = self._call.cost()
            usage = self._call.usage.to_dict()
            out.append(_ours("cost", at, usd=None if usd is None else round(usd, 6), usage=usage))
        return out


def _ours(name: str, at: float, **data: Any) -> str:
    return rtvi.event({"event": name, "at": at, **data})


def _tool(use: ToolUse, *, over: bool) -> list[str]:
    name = {"function_name": use.name, "tool_call_id": use.id}
    if over:
        data = {**name, "cancelled": not use.ok, "result": use.result}
        return [rtvi.write("llm-function-call-stopped", data)]
    text = use.arguments if use.shown is None else use.shown
    try:
        arguments = json.loads(text)
    except ValueError:
        arguments = {"": text}
    return [
        rtvi.write("llm-function-call-started", {"function_name": use.name}),
        rtvi.write("llm-function-call-in-progress", {**name, "arguments": arguments}),
    ]
