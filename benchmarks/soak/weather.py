"""The weather: what goes wrong at the providers, and when. Pure and seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vivavoce.pipelines.benching.plan import FIXED

FAULTS: dict[str, tuple[dict[str, Any], ...]] = {
    "hear": (
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 429, "retry_after": 1},
        {"kind": "reset"},
        {"kind": "close", "code": 1011},
        {"kind": "error", "code": 3804, "at": "audio", "after": 4},
        {"kind": "stall", "at": "audio", "after": 3},
        {"kind": "lost_done"},
        {"kind": "slow", "at": "done", "ms": 1500},
        {"kind": "empty"},
    ),
    "think": (
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 429, "retry_after": 1},
        {"kind": "reset"},
        {"kind": "stall", "after": 3},
        {"kind": "close", "after": 4},
        {"kind": "slow", "ms": 1500},
        {"kind": "empty"},
        {"kind": "no_done"},
        {"kind": "error", "after": 2},
    ),
    "speak": (
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 429, "retry_after": 1},
        {"kind": "reset"},
        {"kind": "stall", "after": 2},
        {"kind": "close", "after": 3},
        {"kind": "slow", "ms": 1200},
        {"kind": "empty"},
        {"kind": "odd_chunks"},
        {"kind": "error", "after": 2},
    ),
}
"""Named faults of the sandbox, by stage."""
FAIR = (12.0, 40.0)
"""Seconds between two faults."""
FOUL = (3.0, 12.0)
"""Seconds that one lasts."""
BOTH = 0.25
"""Share of the faults that strike the second provider, too, so that nobody takes over."""
SAYINGS = (
    "What are your opening hours?",
    "When do you open tomorrow?",
    "Please book a table for four people.",
    "Please book a table for eight people.",
    "Thank you, that is all.",
    "It was the age of wisdom.",
    "I would like to know more about your menu.",
    "Where is the railway station?",
)
"""What the sandbox hears, one after the other, whoever speaks: two of them lead to a tool, one to
a tool that takes too long."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of bad weather.

    Attributes:
        after: Seconds of fair weather before it.
        lasts: How long it is (s).
        stage: Whose fault.
        fault: As the sandbox takes it.
        both: Whether the second provider has it, too.
    """

    after: float
    lasts: float
    stage: str
    fault: dict[str, Any]
    both: bool

    @property
    def name(self) -> str:
        """What it is called in the results."""
        more = self.fault.get("status") or self.fault.get("code") or ""
        return f"{self.stage} {self.fault['kind']}{f' {more}' if more else ''}"


def spells(seed: int) -> Iterator[Spell]:
    """Give spell after spell, for ever: every fault once before any comes again."""
    dice = random.Random(seed)
    every = [(stage, fault) for stage, faults in FAULTS.items() for fault in faults]
    while True:
        dice.shuffle(every)
        for stage, fault in every:
            yield Spell(
                dice.uniform(*FAIR), dice.uniform(*FOUL), stage, fault, dice.random() < BOTH
            )


def profile(seed: int, spell: Spell | None = None) -> dict[str, Any]:
    """Return what a provider does: its latencies, what it hears, and its fault if it has one."""
    dice = random.Random(seed)
    return {
        "latency": {**FIXED, "hear_idle_s": 30, "speak_char_ms": 25, "jitter_ms": 15},
        "script": {"hear": [dice.choice(SAYINGS) for _ in range(4000)], "speak": "tone"},
        "faults": {} if spell is None else {spell.stage: [spell.fault]},
    }
