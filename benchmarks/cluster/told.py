"""What models were told of calls that went on at another worker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vivavoce.sandbox.launch import Sandbox

EVERY = 0.25
"""Seconds between two looks: a sandbox keeps its last 50 requests, which 40 calls make in 1.5 s."""


@dataclass(slots=True)
class Told:
    """Judges by the requests to a chat model whether calls went on with their history. Pure.

    Of each call counts its first new sentence behind the break: its request has to bear whatever
    the caller had said before it, and an answer to each of it.

    Attributes:
        scripts: What each caller says, by its number; no two sentences of all callers are alike.
        after: How many sentences of each had been answered when its worker died.
        missing: Of each call that was looked at, the sentences that its model was not told.
        answers: Of each likewise, how many answers of its own the model was told.
    """

    scripts: Mapping[int, Sequence[str]]
    after: Mapping[int, int]
    missing: dict[int, list[str]] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)

    @property
    def waiting(self) -> set[int]:
        """The callers of whom nothing was seen yet."""
        return set(self.after) - set(self.missing)

    def look(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        """Take requests, oldest first; those that were taken before do no harm."""
        for each in bodies:
            messages = each["body"].get("messages") or []
            said = [str(one.get("content")) for one in messages if one.get("role") == "user"]
            answered = sum(one.get("role") == "assistant" for one in messages)
            for number in self.waiting if said else ():
                script = self.scripts[number]
                # What was said as the worker died may have been asked before and behind it.
                new = script[self.after[number] + 1 :]
                turn = next((turn for turn in new if turn in said[-1]), None)
                if turn is None:
                    continue
                before = script[: script.index(turn)]
                self.missing[number] = [text for text in before if not any(text in s for s in said)]
                self.answers[number] = answered

    def to_dict(self) -> dict[str, Any]:
        """Return what came out, for JSON."""
        return {
            "resumed": len(self.after),
            "looked_at": len(self.missing),
            "with_all_sentences": sum(not each for each in self.missing.values()),
            "fewest_answers": min(self.answers.values(), default=0),
            "fewest_sentences": min(self.after.values(), default=0),
            "missing": {str(number): each for number, each in self.missing.items() if each},
        }


async def watch(told: Told, sandbox: Sandbox, key: str) -> None:
    """Look at a sandbox's requests until each of the calls was seen. Cancel it to end it sooner."""
    while told.waiting:
        report = await asyncio.to_thread(sandbox.report, key)
        told.look(report["bodies"])
        await asyncio.sleep(EVERY)
