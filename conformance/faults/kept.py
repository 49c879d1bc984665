"""What was kept of a call, and whether anything is lost: every utterance is accounted for."""

from __future__ import annotations

import contextlib
import wave
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.faults.caller import Said
from conformance.frame import words

SHARE = 0.6
"""Share of an utterance's words that must stand in the transcript for it to be there."""
LIKE = 0.6
"""Or else, how alike its letters must be to what stands there: a recogniser of speech that came
through a bad line writes "part" for "park". Other questions of the script are less than 0.3."""
SLACK = 2.0
"""How far the two clocks of a call, its caller's and its own, may be apart (s)."""
LATE = 30.0
"""How late what was said may have come through a line that was held up (s)."""
BEFORE, AFTER = 2.0, 30.0
"""Around an utterance, within which a failure in the record explains that it is not (s)."""


@dataclass(slots=True)
class _Pool:
    """An entry of the caller's, and those of its words that stand for nothing yet."""

    since: float
    until: float
    text: str
    words: list[str]

    def take(self, wanted: Counter[str]) -> None:
        """Take those words out of it that are wanted still."""
        for word in list(self.words):
            if wanted[word] > 0:
                wanted[word] -= 1
                self.words.remove(word)


@dataclass(slots=True)
class Kept:
    """What is left of a call.

    Attributes:
        found: There is a record.
        ended: Why the call ended, as it says.
        live: It says that the call goes on.
        finished: Utterances that the caller finished.
        there: Of these, those in the transcript.
        explained: Of the others, those whose loss the record explains, each with the words.
        lost: Of the others, those that it does not: the caller was not heard and nobody knows.
        turns: Replies with a latency in the ledger.
        exact: Of these, those whose stages sum to the total.
        recorded: Seconds of recording; None where there is none that plays.
        failures: The failures that it names, by stage and class.
        spoken: What the transcript says that the caller said, with when (s).
    """

    found: bool = False
    ended: str = ""
    live: bool = False
    finished: int = 0
    there: int = 0
    explained: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    turns: int = 0
    exact: int = 0
    recorded: float | None = None
    failures: dict[str, int] = field(default_factory=dict)
    spoken: list[tuple[str, float, float]] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.found:
            return "no record"
        parts = [f"{self.there} of {self.finished} utterances in the transcript"]
        if self.explained:
            parts.append(f"{len(self.explained)} accounted for ({self.explained[0]})")
        parts.append(f"ledger {self.exact} of {self.turns} exact")
        playable = "no recording" if self.recorded is None else "recording plays"
        return ", ".join([*parts, playable])


def judge(
    record: dict[str, Any] | None,
    said: Sequence[Said],
    began: float,
    recording: Path | None = None,
    *,
    wordless: bool = False,
    damaged: bool = False,
) -> Kept:
    """Compare what was said with what was kept. Pure, but for the recording.

    Args:
        record: The record; None where there is none.
        said: What the caller said.
        began: When the call began on the caller's clock (s).
        recording: Where its recording should be.
        wordless: That a voice was heard, as the record's events tell, accounts for an utterance:
            of those of which the transcriber says that there was nothing in them.
        damaged: The caller's sound came spoiled: an entry of the very time in which it was said
            accounts for an utterance, whatever was understood.
    """
    finished = [each for each in said if each.ended is not None]
    kept = Kept(finished=len(finished))
    if record is None:
        kept.lost = [each.text for each in finished]
        return kept
    kept.found, kept.ended, kept.live = True, record["ended"], bool(record.get("live"))
    entries = record["transcript"]
    entries = entries.get("entries", []) if isinstance(entries, dict) else entries
    pools = [
        _Pool(e["started"], e["ended"], e["text"], words(e["text"]))
        for e in entries
        if e["kind"] == "caller"
    ]
    kept.spoken = [(p.text, round(p.since, 2), round(p.until, 2)) for p in pools]
    events = record.get("events", [])
    failures = [each for each in events if each["event"] == "failed"]
    for each in failures:
        failure = each["failure"]
        name = f"{failure.get('stage')}/{failure.get('error') or 'other'}"
        kept.failures[name] = kept.failures.get(name, 0) + 1
    # From the last one on: of one thing that was said twice and understood once, it is the last.
    for each in reversed(finished):
        started, ended = each.started - began, (each.ended or 0.0) - began
        if _take(pools, each.text, started, ended):
            kept.there += 1
            continue
        since, until = started - BEFORE, ended + AFTER
        other = [p for p in pools if p.words and _at(p.since, p.until, started, ended)]
        why = [f for f in failures if since <= f["at"] <= until]
        if why:
            failure = why[0]["failure"]
            kept.explained.append(f"{failure['stage']}/{failure.get('error') or 'other'}")
        elif damaged and other:
            other[0].words.clear()
            kept.explained.append(f"understood as “{other[0].text}”")
        elif wordless and _voiced(events, started, ended):
            kept.explained.append("a voice without words")
        elif not kept.live and kept.ended not in {"the caller hung up", ""} and each is said[-1]:
            kept.explained.append(kept.ended)
        else:
            kept.lost.append(each.text)
    for entry in entries:
        if entry["kind"] == "agent" and entry.get("latency"):
            kept.turns += 1
            stages = entry["latency"]["stages_us"]
            kept.exact += sum(stages.values()) == entry["latency"]["total_us"]
    kept.recorded = playable(recording) if recording is not None else None
    return kept


def _voiced(events: Sequence[dict[str, Any]], started: float, ended: float) -> bool:
    stops = [each["at"] for each in events if each["event"] == "caller_stopped"]
    return any(started < at < ended + SLACK for at in stops)


def _at(since: float, until: float, started: float, ended: float) -> bool:
    """Whether an entry is of the time in which something was said, at least half of it."""
    return min(until, ended) - max(since, started) >= (ended - started) / 2


def _take(pools: list[_Pool], text: str, started: float, ended: float) -> bool:
    """Take an utterance's words out of the entries of that time which have enough of them.

    A turn that was ended too soon has its words in two entries or three, which follow one another.
    """
    wanted = words(text)
    for number in (1, 2, 3):
        for at in range(len(pools) - number, -1, -1):
            run = pools[at : at + number]
            then = all(each.since < ended + LATE and each.until > started - SLACK for each in run)
            found = [word for each in run for word in each.words]
            if not then or not found:
                continue
            left = Counter(wanted)
            if (Counter(found) & left).total() >= SHARE * len(wanted):
                for each in run:
                    each.take(left)
                return True
            if likeness("".join(wanted), "".join(found)) >= LIKE:
                for each in run:
                    each.words.clear()
                return True
    return False


def likeness(one: str, other: str) -> float:
    """Return how alike two texts are: 1 less the share of letters that have to be changed."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for place, each in enumerate(other, 1):
            changed = before + (letter != each)
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, changed)
    return 1 - row[-1] / max(1, len(one), len(other))


def playable(path: Path) -> float | None:
    """Return how long a recording plays (s); None where it does not."""
    with contextlib.suppress(OSError, EOFError, wave.Error), wave.open(str(path)) as wav:
        if wav.getnchannels() == 2 and wav.getnframes():
            return wav.getnframes() / wav.getframerate()
    return None
