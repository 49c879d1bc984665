"""Speech: one reply on its way to the caller, and how much of it was heard.

It knows where in the reply's text each clause stands, and so turns samples that were played into
words that were heard. It decides nothing by itself: the mouth tells it what happens.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from vivavoce.agent.ledger import Span
from vivavoce.agent.transcript import Reply
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.clauses import Clauses
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.speakable import Speakable, speakable
from vivavoce.pipelines.turns import heard
from vivavoce.pipelines.turns.playout import Clause, Samples

BEYOND = 3
"""Words behind a question up to which "yes" still answers it."""
CLOSE = 1.0
"""Seconds before the end of a question from which "yes" answers it: people do not wait for it."""


@dataclass(slots=True, eq=False)
class Speech:
    """A reply on its way to the caller.

    Attributes:
        reply: The reply.
        stopped: The caller's last voiced sample if it answers a turn (s).
        protected: The caller may not cut it.
        turn_spans: What deciding and transcribing the turn took.
        guess: The guess that it is made on; it is not played before that comes true.
        failed: Why it could not be spoken, found out while it was a guess.
        wordless: It is a sound, and enters no transcript.
        voice: Who speaks; stays the same to its end, whoever takes the call over.
        language: What is spoken, likewise.
        ended: All of its text was given.
        clauses: Cuts the text into clauses.
        cursor: How much of the text was cut.
        text_began: When its first text came (s).
        spans: What had to be done before that.
        places: Its clauses and where each stands in `reply.generated`, as (start, end).
        spoken: What is said for each clause.
        causes: What each clause's text and audio needed, in causal order.
        over: Set once it was played or cut.
    """

    reply: Reply
    stopped: float | None = None
    protected: bool = False
    turn_spans: tuple[Span, ...] = ()
    guess: int | None = None
    failed: ModelError | None = None
    wordless: bool = False
    voice: str | Speaker | None = None
    language: str = "en"
    ended: bool = False
    clauses: Clauses = field(default_factory=Clauses)
    cursor: int = 0
    text_began: float = 0.0
    spans: tuple[Span, ...] = ()
    places: dict[Clause, tuple[int, int]] = field(default_factory=dict)
    spoken: dict[Clause, Speakable] = field(default_factory=dict)
    causes: dict[Clause, tuple[Span, ...]] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def played(self) -> bool:
        """Whether it was said to its end: no text is to come, and all that came was played."""
        return self.ended and all(clause.over for clause in self.places)

    def write(self, text: str, spans: tuple[Span, ...], now: float) -> list[str]:
        """Take more of its text and return the clauses that are ready to be spoken.

        Args:
            text: What the model wrote.
            spans: What had to be done before; counts with the first text.
            now: The time (s).
        """
        if not self.text_began:
            self.text_began = now
        self.spans = self.spans or spans
        self.reply.generated += text
        return self.clauses.feed(text)

    def place(self, piece: str, now: float) -> Clause:
        """Make a clause of the next piece of its text, to be synthesised.

        Args:
            piece: What `write` gave, or the rest of it.
            now: The time (s).
        """
        start = self.reply.generated.find(piece, self.cursor)
        start = self.cursor if start < 0 else start
        self.cursor = start + len(piece)
        held = self.guess is not None
        clause = Clause(self.reply, piece, interruptible=not self.protected, held=held)
        self.places[clause] = (start, self.cursor)
        self.spoken[clause] = speakable(piece, self.language)
        self.causes[clause] = (*self.spans, Span("clause", self.text_began, now))
        return clause

    def fill(self, samples: Samples) -> Clause:
        """Make it one ready sound, whose words, if any, are the whole of its text.

        Args:
            samples: int16, at the playout's rate.
        """
        text = self.reply.generated
        clause = Clause(self.reply, text, interruptible=not self.protected)
        clause.add(samples)
        clause.complete = True
        self.places[clause] = (0, len(text))
        self.ended = True
        return clause

    def come_true(self, stopped: float | None, spans: tuple[Span, ...]) -> None:
        """The guess that it was made on is decided: it may be played.

        Args:
            stopped: The caller's last voiced sample (s).
            spans: What deciding and transcribing the turn took.
        """
        self.guess = None
        self.stopped, self.turn_spans = stopped, spans
        for clause in self.places:
            clause.held = False

    def heard(self, rate: int, reached: int | None = None) -> str:
        """Return what was heard of it, as it stands in the reply's text.

        Args:
            rate: Of its samples (Hz).
            reached: Where the playout stood when it handed over the last sample that has reached
                the caller's ear; None counts all that was handed over.
        """
        generated = self.reply.generated
        end = 0
        for clause, (start, stop) in self.places.items():
            silent = clause in self.spoken and not self.spoken[clause].said
            played = clause.played if reached is None else clause.played_by(reached)
            over = clause.complete and played >= clause.received
            if over and (clause.received or silent) and not clause.broken:
                end = stop
                continue
            if played:
                reach = heard.heard(
                    generated[start:stop],
                    clause.audio,
                    rate,
                    played,
                    complete=clause.complete and not clause.broken,
                    spoken=self.spoken.get(clause),
                )
                end = start + reach if reach else end
            break
        return generated[:end].strip()

    def asks(self, said: str, rate: int) -> bool:
        """Whether it has just come to a question, or is about to.

        Args:
            said: What was heard of it.
            rate: Of its samples (Hz).
        """
        if "?" in said and len(said.rpartition("?")[2].split()) <= BEYOND:
            return True
        left = sum(clause.waiting for clause in self.places)
        whole = self.ended and all(clause.complete for clause in self.places)
        ends = self.reply.generated.rstrip().endswith("?")
        return whole and ends and left <= CLOSE * rate
