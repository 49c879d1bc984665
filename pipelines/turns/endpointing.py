"""Endpointing: guesses early and decides late when the caller's turn is over.

Three witnesses: the silence, the words and the voice. Silence alone is slow or rude; an
end-of-turn model of the voice alone is wrong about every third pause; the words say whether a
sentence can stand. After a very short silence the transcriber is asked for its final text and
the reply is begun on it, unheard: a guess. The turn is decided meanwhile: soon when voice and
words agree that it is finished, later when they do not, latest when both say that it goes on.
If the caller goes on, the guess is dropped. The time that the reply takes anyway costs nothing,
and is used to ask again. Pure; times are seconds on the call's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vivavoce.agent.options import Turns
from vivavoce.pipelines.turns.words import ENDS, completeness

RESUMED = 0.3
"""Seconds of new speech that end a guess even if no word of it was understood yet."""
ASK_AGAIN = (0.2, 0.4)
"""Silences at which the end-of-turn model is asked once more if it heard no end (s)."""
LEAD = 0.5
"""Seconds before the longest silence ends a turn at which its reply is begun after all."""
TRUSTED = 2
"""Turns without a full stop at their ends after which a transcriber is no more believed to write
them. All of Voxtral's do, so they are believed from the first turn on; where a turn ends without
one for want of words, that is not yet forgotten."""
PATIENT_FOR = 8
"""Turns for which a caller who was cut off is waited for longer."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Ask the transcriber for its final text."""


@dataclass(frozen=True, slots=True)
class AskVoice:
    """Ask the end-of-turn model."""


@dataclass(frozen=True, slots=True)
class Guess:
    """Begin the reply, unheard, as if the turn were over.

    Attributes:
        number: Names the guess.
        text: All that was said in the turn so far.
    """

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Drop:
    """The guess was wrong: the caller goes on."""

    number: int


@dataclass(frozen=True, slots=True)
class Nothing:
    """What sounded like speech held no words: no turn."""


@dataclass(frozen=True, slots=True)
class TurnOver:
    """The caller has finished.

    Attributes:
        text: All that was said in the turn.
        started: First voiced sample (s).
        stopped: Last voiced sample (s).
        flushed: When the last flush was sent (s).
        final: When its text came (s).
        why: "eager_hit" (the transcriber itself said so, and the reply was begun), "semantic"
            (voice and words agree that it is finished), "threshold" (the words do) or "timeout"
            (neither, but it was silent for long).
        voice: The end-of-turn model's highest probability in the last pause; None if it gave
            none.
        words: How complete the words are (0–1).
        silence: How long the caller had been silent (s).
        guess: The guess that came true; None if the reply is yet to be begun.
    """

    text: str
    started: float
    stopped: float
    flushed: float
    final: float
    why: str
    voice: float | None
    words: float
    silence: float
    guess: int | None

    @property
    def reason(self) -> str:
        """The decision and its grounds, in one line."""
        voice = "none" if self.voice is None else f"{self.voice:.2f}"
        guess = ", guessed" if self.guess is not None else ""
        return (
            f"{self.why}: silence {self.silence * 1000:.0f} ms, voice {voice},"
            f" words {self.words:.2f}{guess}"
        )


TurnEvent = Literal["start", "eager_end", "resume", "end"]
"""What a transcriber that follows the caller's turns tells: the turn begins, seems to be over,
goes on after all, is over."""
Decision = Flush | AskVoice | Guess | Drop | Nothing | TurnOver


class Endpointing:
    """One call's turn ends.

    Attributes:
        language: What the caller speaks, as "en" or "fr-CA"; it may change.
    """

    def __init__(self, turns: Turns, language: str = "en") -> None:
        self._turns = turns
        self.language = language
        self._speaking = False
        self._started: float | None = None
        self._resumed = 0.0
        self._stopped = 0.0
        self._flushed: float | None = None
        self._final = 0.0
        self._owed = 0
        self._texts: list[str] = []
        self._voice: float | None = None
        self._asked = 0
        self._guess: Guess | None = None
        self._tries = 0
        self._numbers = 0
        self._decided = float("-inf")
        self._patience = 0
        self._punctuation = 1
        self._told_end = False
        self._told_eager = False
        self._asking = False

    @property
    def open(self) -> bool:
        """Whether a turn is in progress: the caller speaks, or has and may go on."""
        return self._started is not None

    @property
    def speaking(self) -> bool:
        """Whether the caller is speaking now."""
        return self._speaking

    @property
    def started(self) -> float:
        """The first voiced sample's time of the turn in progress (s)."""
        return 0.0 if self._started is None else self._started

    @property
    def stopped(self) -> float:
        """The last voiced sample's time (s); names the present pause."""
        return self._stopped

    @property
    def waiting(self) -> bool:
        """Whether a final text is owed."""
        return self._owed > 0

    def speech_started(self, at: float) -> None:
        """The caller has begun to speak, or goes on."""
        if self._started is None:
            self._started = at
            if at - self._decided < 1.0:
                # This caller was not done: who was cut off once pauses like that again.
                self._patience = PATIENT_FOR
        self._speaking = True
        self._told_end = self._told_eager = False
        self._resumed = at

    def speech_stopped(self, at: float) -> None:
        """The caller has gone silent; `at` is the last voiced sample's time."""
        self._speaking = False
        self._stopped = at
        self._flushed = None
        # A transcriber that follows the turn may know before our own detector is sure.
        self._voice = 1.0 if self._told_eager else None
        self._asked = 0
        self._asking = False

    def judged(self, probability: float, stopped: float) -> None:
        """The end-of-turn model's opinion on the pause that began at `stopped`.

        It was asked several times; that it once heard an end counts, since more silence only
        makes it doubt.
        """
        if not self._speaking and stopped == self._stopped:
            self._asking = False
            self._voice = probability if self._voice is None else max(self._voice, probability)

    def unanswered(self, stopped: float) -> None:
        """The end-of-turn model was too busy to tell about the pause that began at `stopped`."""
        if stopped == self._stopped:
            self._asking = False

    def told(self, kind: TurnEvent, now: float) -> list[Decision]:
        """The transcriber's own view of the turn (Voxtral 3's turn events)."""
        match kind:
            case "end":
                if self._speaking:
                    # In noise our own detector may hear a voice for ever.
                    self.speech_stopped(now)
                self._told_end = True
            case "eager_end":
                self._told_eager = True
                self._voice = 1.0
            case "start" | "resume":
                self._told_end = self._told_eager = False
                self._voice = None
        return self.tick(now)

    def understood(self, text: str, now: float) -> list[Decision]:
        """A flush was answered."""
        self._owed = max(0, self._owed - 1)
        self._final = now
        decisions: list[Decision] = []
        if text.strip():
            self._texts.append(text.strip())
            decisions += self._drop()
        return decisions + self.tick(now)

    def dismiss(self) -> list[Decision]:
        """What was said asks for no answer ("mm-hm"): the turn never was.

        Returns:
            What to do about what was begun on it; nothing while the caller is speaking.
        """
        if self._speaking:
            return []
        decisions = self._drop()
        self._reset()
        return decisions

    def tick(self, now: float) -> list[Decision]:
        """Time has passed."""
        if self._started is None:
            return []
        if self._speaking:
            return self._drop() if now - self._resumed >= RESUMED else []
        silence = now - self._stopped
        if self._flushed is None:
            told = self._told_eager or self._told_end
            if silence < self._turns.flush_after and not told:
                return []
            self._flushed = now
            self._owed += 1
            if told:
                return [Flush()]
            self._asking = True
            return [Flush(), AskVoice()]
        if self._owed:
            return self._ask_again(silence)
        text = " ".join(self._texts)
        if not text:
            # Whatever it was, it is not waited for.
            self._reset()
            return [Nothing()]
        words = completeness(text, self.language, punctuated=self._punctuation > 0)
        # Words that cannot stand decide without the voice.
        decisions = self._ask_again(silence) if words >= 0.5 else []
        hold, why = self._hold(words)
        if silence >= hold:
            return [*decisions, self._end(text, now, why, words)]
        # What is likely to go on is not guessed at before it is late anyway.
        if words >= 0.5 or silence >= self._turns.max_silence - LEAD:
            decisions += self._begin_guess(text)
        return decisions

    def _ask_again(self, silence: float) -> list[Decision]:
        """Ask the end-of-turn model once more if it heard no end, or gave no answer."""
        doubts = self._voice is None or self._voice < self._turns.threshold
        again = self._asked < len(ASK_AGAIN) and silence >= ASK_AGAIN[self._asked]
        if not doubts or not again or self._asking:
            return []
        self._asked += 1
        self._asking = True
        return [AskVoice()]

    def _hold(self, words: float) -> tuple[float, str]:
        """Return how long a silence ends the turn, and on what grounds."""
        turns = self._turns
        extra = turns.patience if self._patience else 0.0
        if words < 0.5:
            # Whoever says that it is over: what cannot stand is waited for.
            return turns.max_silence, "timeout"
        if self._told_end:
            return 0.0, "eager_hit" if self._guess is not None else "semantic"
        if self._voice is not None and self._voice >= turns.threshold:
            return turns.min_silence + extra, "semantic"
        if words >= 0.7:
            return turns.unsure_silence + extra, "threshold"
        return turns.unsure_silence * 1.5 + extra, "threshold"

    def _begin_guess(self, text: str) -> list[Decision]:
        if not self._turns.eager or self._guess is not None or self._tries >= self._turns.guesses:
            return []
        self._tries += 1
        self._numbers += 1
        self._guess = Guess(self._numbers, text)
        return [self._guess]

    def _drop(self) -> list[Decision]:
        guess, self._guess = self._guess, None
        return [] if guess is None else [Drop(guess.number)]

    def _end(self, text: str, now: float, why: str, words: float) -> TurnOver:
        assert self._started is not None
        assert self._flushed is not None
        over = TurnOver(
            text=text,
            started=self._started,
            stopped=self._stopped,
            flushed=self._flushed,
            final=self._final,
            why=why,
            voice=self._voice,
            words=words,
            silence=now - self._stopped,
            guess=None if self._guess is None else self._guess.number,
        )
        self._guess = None
        self._punctuation += 1 if text.endswith(ENDS) else -1
        self._punctuation = min(max(self._punctuation, 0), TRUSTED)
        self._decided = now
        self._patience = max(0, self._patience - 1)
        self._reset()
        return over

    def _reset(self) -> None:
        self._told_end = self._told_eager = False
        self._asking = False
        self._started = None
        self._flushed = None
        self._voice = None
        self._texts = []
        self._tries = 0
