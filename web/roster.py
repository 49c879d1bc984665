"""The roster: a line for each call that goes on."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import Reply, Utterance
from vivavoce.web.live import LiveCall
from vivavoce.web.recent import matches, split

LONGEST = 120
"""Characters of the last words."""
GROWING = 8
"""Entries at a transcript's end that may still change."""


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


class Vocabulary:
    """Which words were said in each call that goes on, so that all can be searched each second."""

    def __init__(self) -> None:
        # Of each call: how many entries are in it for good, and their words.
        self._known: WeakKeyDictionary[LiveCall, tuple[int, set[str]]] = WeakKeyDictionary()

    def concerns(self, live: LiveCall, text: str) -> bool:
        """Whether each word of a text begins one that was said, or of the agent or the caller."""
        wanted = split(text)
        if not wanted:
            return True
        caller = live.wish.caller or live.wish.address
        return matches(wanted, {*split(live.agent.name), *split(caller), *self._words(live)})

    def _words(self, live: LiveCall) -> set[str]:
        if live.conversation is None:
            return set()
        entries = live.conversation.call.transcript.entries
        count, words = self._known.get(live, (0, set()))
        settled = max(count, len(entries) - GROWING)
        for entry in entries[count:settled]:
            words.update(split(_said(entry)))
        self._known[live] = settled, words
        return words.union(*(split(_said(entry)) for entry in entries[settled:]))


def _said(entry: object) -> str:
    match entry:
        case Utterance():
            return entry.text
        case Reply():
            return entry.heard or entry.generated
        case Segment():
            return f"{entry.text} {entry.translation}".strip()
    return ""


def _end(words: str) -> str:
    """Return the end of what is being said, from the beginning of a word on."""
    if len(words) <= LONGEST:
        return words
    return f"… {words[-LONGEST:].partition(' ')[2] or words[-LONGEST:]}"
