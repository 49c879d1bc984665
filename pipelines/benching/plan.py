"""The plan of a bench: how much is measured, and how long that takes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

REPLY = (
    "Certainly, I have made a note of that for you and your guests."
    " Is there anything else that you would like me to arrange before this evening?"
)
"""What the fixed chat model answers: 25 words in two sentences."""
FIXED: dict[str, float] = {
    "hear_delay_ms": 240,
    "hear_final_ms": 60,
    "hear_idle_s": 100_000,
    "think_first_token_ms": 200,
    "think_tokens_per_s": 60,
    "speak_first_audio_ms": 90,
}
"""The latencies of the fixed backends, as the sandbox takes them."""
SHORT, LONG = 12.0, 25.0
"""Milliseconds of a character of a reply: short replies where delays are measured, longer ones
where calls are carried, so that many are spoken at once."""
STAGGER = 0.25
"""Seconds between the beginnings of two calls: people do not speak in chorus."""
SPARE = 12
"""Answers of the fixed chat model for each turn: guesses take some, too."""
STEPS = (1, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100)
QUICK = (1, 10, 20, 30, 40, 60)
FEWEST = 12
"""Turns of a step with few calls, unless it is to be quick: three tell nothing of a tail."""
_SAID = 2.4  # s: lead and sentence
_PEACE = 1.4  # s: until the answer begins, and the silence behind it
_START = 4.0  # s: a process with its models


class PlanError(ValueError):
    """There is no such plan; the message says what to give."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        turns: Turns of the call whose delays are measured.
        steps: How many calls are tried at once, one after the other; () for none.
        step_turns: Turns of each of these at least, beside the first, which warms it up.
        live: Whether real providers answer: then no calls are counted, which would cost money
            and measure their servers.
        quick: Less of everything.
    """

    turns: int = 40
    steps: tuple[int, ...] = STEPS
    step_turns: int = 3
    live: bool = False
    quick: bool = False

    @classmethod
    def make(
        cls,
        *,
        quick: bool = False,
        turns: int | None = None,
        calls: str | None = None,
        live: bool = False,
    ) -> Plan:
        """Make one from the command line.

        Args:
            quick: A minute or two instead of five.
            turns: Of the call whose delays are measured.
            calls: "1,5,10": how many are tried; "0" for none.
            live: Real providers answer.

        Raises:
            PlanError: With what to give instead.
        """
        number = (12 if quick or live else 40) if turns is None else turns
        if not 1 <= number <= 1000:
            raise PlanError(f"--turns {number}: give 1 to 1000")
        steps: Sequence[int] = () if live else QUICK if quick else STEPS
        if calls is not None:
            if live and calls != "0":
                raise PlanError("--calls counts calls on fixed models: leave --live or --calls out")
            try:
                steps = sorted({int(each) for each in calls.split(",")} - {0})
            except ValueError:
                text = f"--calls {calls}: give numbers of calls, as in 1,5,10,20"
                raise PlanError(text) from None
            if any(not 1 <= each <= 500 for each in steps):
                raise PlanError(f"--calls {calls}: give 1 to 500 calls")
        # Nothing can be told of a knee without what one call does.
        steps = sorted({1, *steps}) if steps else ()
        return cls(number, tuple(steps), 2 if quick else 3, live, quick)

    @property
    def latency_seconds(self) -> float:
        """About how long the delays take (s)."""
        reply = 6.0 if self.live else len(REPLY) * SHORT / 1000
        return _START + 10.0 + (self.turns + 1) * (_SAID + _PEACE + reply)

    def turns_of(self, calls: int) -> int:
        """Return how many turns each of so many calls has in a step, beside the first."""
        return max(self.step_turns, 0 if self.quick else -(-FEWEST // calls))

    def step_seconds(self, calls: int) -> float:
        """About how long a step takes (s)."""
        turn = _SAID + _PEACE + len(REPLY) * LONG / 1000
        return _START + calls * STAGGER + (self.turns_of(calls) + 1) * turn

    @property
    def seconds(self) -> float:
        """About how long all of it takes (s): with the steps to 40 calls, where most knees are."""
        return self.latency_seconds + sum(self.step_seconds(n) for n in self.steps if n <= 40)
