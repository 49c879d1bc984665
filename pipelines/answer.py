"""The answer to one turn of the caller, while it is being made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from vivavoce.agent.events import Checked
from vivavoce.agent.transcript import Entry, News, Reply, Transcript
from vivavoce.pipelines.clauses import Clauses, ended
from vivavoce.pipelines.frames import CallerTurnFrame
from vivavoce.pipelines.models.errors import ModelError


@dataclass(slots=True, eq=False)
class Answer:
    """The answer to one turn, which may still be a guess.

    Attributes:
        turn: The turn; None where the agent speaks unasked (a tool's late result).
        guess: The guess's number, while it is one.
        committed: Set once the turn is decided: from then on tools may run.
        drafts: Its replies; they stand in the transcript only once it is committed.
        tokens: Pieces of text that the model wrote for it.
        failed: What went wrong while it was a guess.
        checked: What checks did, told once it is committed.
        written: Characters of the reply that is being written.
        cut: A reply came to the bound of `Limits.reply`.
        gate: Cuts that reply into the clauses that checks judge.
    """

    turn: CallerTurnFrame | None
    guess: int | None = None
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    drafts: list[Reply] = field(default_factory=list)
    tokens: int = 0
    failed: ModelError | None = None
    checked: list[Checked] = field(default_factory=list)
    written: int = 0
    cut: bool = False
    gate: Clauses = field(default_factory=Clauses)

    def begin(self, longest: int) -> Reply:
        """Begin another reply of it.

        Args:
            longest: Characters of a clause of it, at most.
        """
        draft = Reply()
        self.drafts.append(draft)
        self.written = 0
        self.gate = Clauses(longest=longest)
        return draft

    def take(self, text: str, bound: int) -> str:
        """Count a piece of the reply that is being written, and return what of it is to be said.

        Args:
            text: The piece.
            bound: Characters of a reply, at which it is `cut` behind the end of a sentence.
        """
        last = ended(text, bound - self.written)
        self.written += len(text)
        if last is None:
            return text
        self.cut = True
        return last

    def told(self, transcript: Transcript, draft: Reply) -> list[Entry]:
        """Return what the model is told for the next reply of it.

        Args:
            transcript: The call's.
            draft: That reply, which may stand in it.
        """
        entries: list[Entry] = [entry for entry in transcript if entry is not draft]
        if self.turn is not None and not self.committed.is_set():
            # Of a guess, nothing is in the transcript yet.
            entries.append(self.turn.utterance)
        return entries

    def place(self, news: News, transcript: Transcript) -> None:
        """Enter news that came meanwhile, before what it answers."""
        last = transcript.entries[-1] if transcript.entries else None
        if self.turn is not None and last is self.turn.utterance:
            transcript.entries.insert(len(transcript.entries) - 1, news)
        else:
            transcript.add(news)
