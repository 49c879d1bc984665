"""The roster: a line for each call that goes on."""

from __future__ import annotations

from typing import Any

from vivavoce.agent.transcript import Reply, Utterance
from vivavoce.web.desk import LiveCall
from vivavoce.web.recent import matches

LONGEST = 120
"""Characters of the last words."""


def row(live: LiveCall) -> dict[str, Any]:
    """Return a call's line: who, how, how far, how fast, and what was said last."""
    leg = live.line.leg
    found: dict[str, Any] = {
        "call": live.id,
        "agent": live.agent.name,
        "caller": live.wish.caller or live.wish.address,
        "called": live.wish.called,
        "kind": leg.kind if leg is not None else "",
        "began": live.began.isoformat(timespec="milliseconds"),
        "live": True,
        "phase": "connecting",
        "there": live.line.there,
        "recorded": live.recording is not None,
        "turns": 0,
        "p50": None,
        "p95": None,
        "latest": None,
        "last": "",
        "speaker": "",
    }
    if live.conversation is not None:
        call = live.conversation.call
        found["phase"], found["agent"] = call.phase, call.agent.name
        ledger = call.ledger
        found["turns"] = len(ledger.latencies)
        found |= ledger.percentiles((0.5, 0.95))
        if ledger.latencies:
            found["latest"] = round(ledger.latencies[-1].total_ms, 1)
        for entry in reversed(call.transcript.entries):
            words = _said(entry)
            if words:
                found["speaker"] = entry.kind
                found["last"] = _end(words)
                break
    return found


def concerns(live: LiveCall, text: str) -> bool:
    """Whether a call is one that is searched for: all words begin a word of its own."""
    said = []
    if live.conversation is not None:
        said = [_said(each) for each in live.conversation.call.transcript.entries]
    caller = live.wish.caller or live.wish.address
    return not text or matches(text, [live.agent.name, caller, *said])


def _said(entry: object) -> str:
    match entry:
        case Utterance():
            return entry.text
        case Reply():
            return entry.heard or entry.generated
    return ""


def _end(words: str) -> str:
    """Return the end of what is being said, from the beginning of a word on."""
    if len(words) <= LONGEST:
        return words
    return f"… {words[-LONGEST:].partition(' ')[2] or words[-LONGEST:]}"
