"""Ten thousand turns on a virtual clock: what the endpointing decides is accounted for exactly.

The endpointing is the real one, and so are the spans that the stages make of its decisions; what
the models take is diced. Nothing waits.
"""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.agent import Turns
from vivavoce.agent.ledger import STAGES, Latency, Span, account
from vivavoce.pipelines.ears import _spans
from vivavoce.pipelines.turns.endpointing import (
    AskVoice,
    Drop,
    Endpointing,
    Flush,
    Guess,
    TurnOver,
)

STEP = 0.032
TEXTS = (
    "I would like to",
    "Book a table for four, please.",
    "My number is five five",
    "What time do you open?",
    "And then",
    "Yes.",
    "",
)


@dataclass
class Said:
    """One turn, and what was made of it."""

    over: TurnOver
    decided: float
    spans: tuple[Span, ...]
    audible: float
    guessed: bool
    latency: Latency


@dataclass
class Caller:
    """A caller, a transcriber, two models and their accounts."""

    dice: random.Random
    now: float = 0.0
    machine: Endpointing = field(default_factory=lambda: Endpointing(Turns(), "en"))

    def turn(self) -> Said | None:
        """Say something with a few pauses; return None if it held no words."""
        dice, machine = self.dice, self.machine
        due: list[tuple[float, int, object]] = []
        order = itertools.count()
        guess: tuple[int, float] | None = None
        self.now += dice.uniform(0.1, 3)
        speech = [dice.uniform(0.2, 1.5) for _ in range(dice.randrange(1, 4))]
        pauses = [dice.uniform(0.05, 1.2) for _ in speech[1:]]
        at = self.now
        edges: list[tuple[float, bool]] = []
        for length, pause in itertools.zip_longest(speech, pauses, fillvalue=0.0):
            edges += [(at, True), (at + length, False)]
            at += length + pause
        limit = at + 6
        while self.now < limit:
            self.now += STEP
            while edges and edges[0][0] <= self.now:
                when, begins = edges.pop(0)
                (machine.speech_started if begins else machine.speech_stopped)(when)
            decisions = []
            while due and due[0][0] <= self.now:
                when, _, answer = heapq.heappop(due)
                if isinstance(answer, str):
                    decisions += machine.understood(answer, when)
                else:
                    machine.judged(*answer)
            decisions += machine.tick(self.now)
            for decision in decisions:
                match decision:
                    case Flush():
                        entry = (self.now + dice.uniform(0, 0.4), next(order), dice.choice(TEXTS))
                        heapq.heappush(due, entry)
                    case AskVoice():
                        opinion = (dice.random(), machine.stopped)
                        heapq.heappush(due, (self.now + dice.uniform(0, 0.2), next(order), opinion))
                    case Guess(number=number):
                        guess = (number, self.now)
                    case Drop():
                        guess = None
                    case TurnOver():
                        return self._answered(decision, guess)
            if not edges and not due and not machine.open:
                return None
        raise AssertionError("the turn never ended")

    def _answered(self, over: TurnOver, guess: tuple[int, float] | None) -> Said:
        """Think, run tools, and speak: from the guess on if it came true."""
        dice, decided = self.dice, self.now
        true = guess is not None and over.guess == guess[0]
        at = guess[1] if true and guess is not None else decided
        work = []

        def took(stage: str, least: float, most: float) -> None:
            nonlocal at
            start, at = at, at + dice.uniform(least, most)
            work.append(Span(stage, start, at))  # type: ignore[arg-type]

        took("thinking", 0, 0.8)
        if dice.random() < 0.2:
            at = max(at, decided)  # tools never run on a guess
            took("tools", 0, 2)
            took("thinking", 0, 0.8)
        work.append(Span("clause", at - dice.uniform(0, 0.05), at := at + dice.uniform(0, 0.3)))
        took("speech", 0, 0.3)
        audible = max(at, decided) + dice.uniform(0, 0.04)
        spans = (*_spans(over, decided), *work)
        latency = account(over.stopped, audible, spans)
        self.now = max(self.now, audible)
        return Said(over, decided, spans, audible, true, latency)


def us(seconds: float) -> int:
    return round(seconds * 1_000_000)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_ten_thousand_turns_are_accounted_for_to_the_microsecond(seed):
    caller = Caller(random.Random(seed))
    answered = 0
    while answered < 10:
        said = caller.turn()
        if said is None:
            continue
        answered += 1
        latency, over = said.latency, said.over
        assert latency.total == us(said.audible) - us(over.stopped) > 0
        assert sum(latency.stages.values()) == latency.total
        assert min(latency.stages.values()) >= 0
        assert min(latency.hidden.values()) >= 0
        # Nothing is played before the turn is decided, and the decision is charged in full.
        assert latency.stages["endpointing"] == us(said.decided) - us(over.stopped)
        assert not latency.hidden["endpointing"]
        # Its text was there before, or there would have been no decision.
        assert not latency.stages["transcription"]
        for stage in STAGES[1:-1]:
            worked = sum(us(s.end) - us(s.start) for s in said.spans if s.stage == stage)
            assert latency.stages[stage] + latency.hidden[stage] <= worked
        before = sum(
            max(0, min(us(s.end), us(said.decided)) - max(us(s.start), us(over.stopped)))
            for s in said.spans
            if s.stage == "thinking"
        )
        # What was thought before the decision was hidden by it, and only a guess can do that; a
        # guess may be older than the pause if the caller only made a sound.
        assert said.guessed or not before
        assert latency.hidden["thinking"] == before


def test_turns_of_every_sort_are_among_them():
    reasons: set[str] = set()
    guessed = plain = tools = nothing = 0
    for seed in range(60):
        caller = Caller(random.Random(seed))
        for _ in range(10):
            said = caller.turn()
            if said is None:
                nothing += 1
                continue
            reasons.add(said.over.why)
            guessed += said.guessed
            plain += not said.guessed
            tools += said.latency.stages["tools"] > 0
    assert {"semantic", "threshold", "timeout"} <= reasons
    assert min(guessed, plain, tools, nothing) >= 10
