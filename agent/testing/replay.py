"""Replay: a recorded conversation, played to the agent again, and what came out differently."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, TypeVar

from vivavoce.agent.agent import Agent
from vivavoce.agent.testing.caller import Caller, Turn, heard, simulate
from vivavoce.agent.testing.engine import SimulationError
from vivavoce.agent.testing.steps import Replies
from vivavoce.agent.transcript import Entry, Reply, ToolUse, Utterance

Deps = TypeVar("Deps")


class RecordError(ValueError):
    """A record cannot be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class Use:
    """A tool call: the tool, and its arguments as JSON text with sorted keys."""

    name: str
    arguments: str

    def __str__(self) -> str:
        return f"{self.name}({self.arguments})"


@dataclass(slots=True)
class Recorded:
    """One turn of a record, or of its replay.

    Attributes:
        said: The caller's line.
        heard: What the caller heard of the replies to it, one text each.
        cut: Of the last of these, how many words were heard when the next line cut it; None if
            it was not cut.
        tools: What was called.
        entries: The turn as it stands in a transcript.
    """

    said: str
    heard: list[str] = field(default_factory=list)
    cut: int | None = None
    tools: list[Use] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Compared:
    """One turn in the record and in its replay.

    Attributes:
        number: Of the turn, from 1.
        before: As recorded.
        after: As replayed; None where the call had ended before.
    """

    number: int
    before: Recorded
    after: Recorded | None

    @property
    def same_tools(self) -> bool:
        """Whether the same tools were called with the same arguments, in the same order."""
        return self.after is not None and self.before.tools == self.after.tools

    @property
    def same_words(self) -> bool:
        """Whether the caller heard the same."""
        return self.after is not None and self.before.heard == self.after.heard

    @property
    def likeness(self) -> float:
        """How alike the heard words are (0-1)."""
        if self.after is None:
            return 0.0
        before, after = (" ".join(each.heard).lower().split() for each in (self.before, self.after))
        return SequenceMatcher(None, before, after, autojunk=False).ratio()


@dataclass(frozen=True, slots=True)
class Replay:
    """A record and its replay, turn by turn."""

    turns: tuple[Compared, ...]

    @property
    def same_tools(self) -> bool:
        """Whether every turn called the same tools."""
        return all(turn.same_tools for turn in self.turns)

    def __str__(self) -> str:
        return "\n".join(line for turn in self.turns for line in _lines(turn))


def read_record(source: Path | Mapping[str, Any]) -> list[Recorded]:
    """Read a call's record, as `vivavoce run --transcript` writes it, by turns.

    Args:
        source: Its file, or what it holds.

    Returns:
        The turns, in order. What came before the caller's first line is left out.

    Raises:
        RecordError: If it is no record, or the caller said nothing in it.
    """
    where = str(source) if isinstance(source, Path) else "the record"
    try:
        data = json.loads(source.read_text("utf-8")) if isinstance(source, Path) else source
        entries = data["transcript"]
        turns = _turns(entries)
    except OSError as error:
        raise RecordError(f"{where}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{where}: not a call's record (`vivavoce run --transcript` writes one)"
        ) from error
    if not turns:
        raise RecordError(f"{where}: the caller says nothing in it")
    return turns


async def replay(
    agent: Agent[Deps],
    record: Path | Mapping[str, Any] | Sequence[Recorded],
    *,
    from_turn: int = 1,
    replies: Replies | None = None,
    models: object | None = None,
    deps: Deps | None = None,
) -> Replay:
    """Play the caller's lines of a record to an agent.

    The turns before `from_turn` are taken from the record, both sides. Where the caller cut a
    reply in the record, the next line cuts it behind as many words. The agent's tools really run.

    Args:
        agent: Who is called.
        record: A record's file, what it holds, or its turns.
        from_turn: The first turn that is played (from 1).
        replies: What the agent's model answers, as for `simulate`.
        models: Or an open `Models` whose chat model answers.
        deps: What the tools need.

    Raises:
        RecordError: If there is no such record or turn.
        SimulationError: If the agent does not answer.
    """
    before = read_record(record) if isinstance(record, Path | Mapping) else list(record)
    if not 1 <= from_turn <= len(before):
        raise RecordError(f"there is no turn {from_turn}: the record has {len(before)}")
    history = [entry for turn in before[: from_turn - 1] for entry in turn.entries]
    played = before[from_turn - 1 :]
    async with simulate(
        agent, replies, models=models, deps=deps, history=history, call_id="replay"
    ) as caller:
        cut: int | None = None
        for turn in played:
            if caller.call.ended:
                break
            if cut is None or not await _cut_in(caller, turn.said, cut):
                await caller.says(turn.said)
            cut = turn.cut
        await caller.listens()
        after = [_of_turn(turn) for turn in caller.turns[from_turn - 1 :]]
    return Replay(
        tuple(
            Compared(from_turn + index, turn, after[index] if index < len(after) else None)
            for index, turn in enumerate(played)
        )
    )


async def _cut_in(caller: Caller[Any], text: str, words: int) -> bool:
    """Cut the reply that is being said behind so many words, if it can be."""
    try:
        await caller.interrupts(text, at_word=max(1, words))
    except SimulationError:
        # It is shorter than the one in the record was: there is nothing left to cut.
        return False
    return True


def _turns(entries: Sequence[Mapping[str, Any]]) -> list[Recorded]:
    turns: list[Recorded] = []
    for group, entry in enumerate(entries):
        match entry["kind"]:
            case "caller":
                said = Utterance(str(entry["text"]), entry["started"], entry["ended"])
                turns.append(Recorded(said.text, entries=[said]))
            case "agent" if turns and entry["heard"]:
                reply = Reply(
                    entry["generated"],
                    entry["heard"],
                    entry["started"],
                    entry["ended"],
                    interrupted=bool(entry["interrupted"]),
                    closed=True,
                )
                turns[-1].heard.append(reply.heard)
                turns[-1].cut = len(reply.heard.split()) if reply.interrupted else None
                turns[-1].entries.append(reply)
            case "tool" if turns:
                use = ToolUse(
                    entry["id"],
                    entry["name"],
                    entry["arguments"],
                    # Records do not tell which calls were made at once; one by one is as valid.
                    -1 - group,
                    entry["started"],
                    entry["seconds"],
                    entry["result"],
                    ok=bool(entry["ok"]),
                )
                turns[-1].tools.append(_use(use))
                turns[-1].entries.append(use)
            case _:
                pass
    return turns


def _of_turn(turn: Turn) -> Recorded:
    return Recorded(
        turn.said.text,
        [text for reply in turn.replies if (text := heard(reply))],
        tools=[_use(call.use) for call in turn.tools],
    )


def _use(use: ToolUse) -> Use:
    try:
        arguments = json.dumps(json.loads(use.arguments or "{}"), sort_keys=True)
    except ValueError:
        arguments = use.arguments
    return Use(use.name, arguments)


def _lines(turn: Compared) -> list[str]:
    lines = [f"{turn.number}. caller: {turn.before.said}"]
    after = turn.after
    if after is None:
        return [*lines, "   ! the call had ended"]
    if turn.same_tools:
        lines += [f"   = {use}" for use in turn.before.tools]
    else:
        lines += [f"   - {use}" for use in turn.before.tools]
        lines += [f"   + {use}" for use in after.tools]
    if turn.same_words:
        lines += [f"   = agent: {text}" for text in after.heard]
    else:
        lines += [f"   - agent: {text}" for text in turn.before.heard]
        lines += [f"   + agent: {text}" for text in after.heard]
        lines.append(f"     ({turn.likeness * 100:.0f} % alike)")
    return lines
