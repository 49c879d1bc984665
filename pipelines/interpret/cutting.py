"""Cutting: what was understood so far, cut into pieces that can be translated, while it is said.

A transcriber tells all that it has understood again and again, and changes its mind near the end.
A word can be cut off once it has settled: it is final, or it lies farther behind the end than
this transcriber's changes have been seen to reach, or it has stayed for a while. Among settled
words the cut is made at the first good seam (`vivavoce.pipelines.interpret.grammar`); the longer
the first word has waited, the worse a seam will do. What was cut off is never changed. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from vivavoce.agent.interpreter import Policy
from vivavoce.agent.languages import base, check
from vivavoce.pipelines.interpret.aligning import bare, boundary, kept, split
from vivavoce.pipelines.interpret.grammar import closes, finished, leans, seams
from vivavoce.pipelines.interpret.grammar_choice import LATE, NEAR, REST, SOON, best, choose
from vivavoce.pipelines.interpret.grammar_tokens import Seam, token
from vivavoce.pipelines.interpret.grammar_words import VERB_LAST

MOST_WORDS = 24
"""Words of a piece at most, while it is cut as it is said."""
MOST_WORDS_OF_TURN = 120
"""Words of a piece at most, where whole turns are translated."""
PAUSE = 0.5
"""Seconds of silence from which on a speaker pauses: what was said is cut off, however short."""
TURN_PAUSE = 1.2
"""Seconds of silence that end a turn which nobody ended, where whole turns are translated; and
those after which a number is not expected to go on."""
SETTLED = 0.8
"""Seconds after which a word that stayed the same is taken for good."""
STALLED = 1.5
"""Seconds without a new word after which none is expected to complete the last one."""
OVERDUE = 2.0
"""Seconds that a segment's final text is waited for, once the next segment has words."""
MOST_SEGMENTS = 8
"""Segments without a final text that are remembered, lest one comes late."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was cut off.

    Attributes:
        text: As the transcriber wrote it, with its marks.
        at: When it was first told, in this or another form (s).
    """

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece to be translated; it never changes.

    Attributes:
        number: Counts the pieces, from 1.
        text: Its words, with a space between.
        started: When its first word was told (s).
        ended: When its last word was told (s).
        closes: It ends what was said: a sentence, or the turn.
        words: Its words.
    """

    number: int
    text: str
    started: float
    ended: float
    closes: bool
    words: tuple[Word, ...]


@dataclass(slots=True)
class _Pending:
    """A word that was told and not cut off."""

    text: str
    bare: str
    at: float
    since: float  # it has been the same since then
    told: int = 1  # in so many texts


@dataclass(slots=True)
class _Heard:
    """A segment of the transcriber's."""

    number: int
    first: float
    taken: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    base: int = 0
    differs: int = 0
    pending: list[_Pending] = field(default_factory=list)
    # What the last text had and this one, which is only shorter, has not yet.
    missing: list[_Pending] = field(default_factory=list)
    final: bool = False
    last: str = ""  # the word that was cut off last


class Cutter:
    """Cuts one speaker's words for one translation; pure.

    Args:
        source: The code of the language that is spoken.
        target: The code of the language that it is translated into.
        policy: "consecutive" cuts at the ends of turns only; the others while it is said.
        target_lag: How far the translation should be behind (s); what a word waits for a good
            seam follows from it.

    Raises:
        vivavoce.agent.languages.LanguageError: If a language cannot be spoken.
        ValueError: If the target lag is no positive number.
    """

    def __init__(
        self, source: str, target: str, *, policy: Policy = "simultaneous", target_lag: float = 2.0
    ) -> None:
        if not (math.isfinite(target_lag) and target_lag > 0):
            raise ValueError(f"target_lag={target_lag!r}: give seconds, more than 0")
        self._source, self._target = base(check(source)), base(check(target))
        self._whole = policy == "consecutive"
        self._lag = target_lag
        self._terms = LATE if self._source in VERB_LAST else SOON
        self._segments: list[_Heard] = []
        self._dropped = -1
        self._count = 0
        self._closed = True  # the last piece ended what was said
        self._before = 0  # words of forgotten segments that were overruled
        # How many words from the end the transcriber's changes reach, and how often of late it
        # took a mark at the end back.
        self._reach = 2.0
        self._doubt = 0.0
        self._judged: tuple[list[str], list[Seam]] = ([], [])
        self._silent_since: float | None = None
        self._changed = 0.0

    @property
    def overruled(self) -> int:
        """Words that were cut off and that the transcriber has taken back or changed since."""
        return self._before + sum(each.differs for each in self._segments)

    @property
    def waiting(self) -> int:
        """Words that were told and have not been cut off."""
        return sum(len(each.pending) for each in self._segments)

    def letters(self, at: float) -> int:
        """Return how many letters wait of words that were told at a moment and not before."""
        pending = (word for each in self._segments for word in each.pending)
        return sum(len(word.text) + 1 for word in pending if word.at == at)

    def waited(self, now: float) -> float:
        """Return how long the first word that is left has waited (s); 0 if there is none."""
        first = next((each.pending[0] for each in self._segments if each.pending), None)
        return 0.0 if first is None else max(0.0, now - first.at)

    def heard(self, segment: int, text: str, now: float, *, final: bool = False) -> list[Cut]:
        """Take all that is understood of a segment so far, in place of what was told before.

        Args:
            segment: The transcriber's number for it; they come in order.
            text: All its text.
            now: The time (s).
            final: It will not change any more.

        Returns:
            The pieces that can be translated now, in order.
        """
        heard = self._segment(segment, now)
        if heard is None:
            return []
        words = split(text)
        told = [bare(word) for word in words]
        if len(told) < len(heard.taken) and not final:
            # Told anew from its beginning, over a new connection: what follows comes later.
            heard.base = len(told)
        elif (
            final
            or len(heard.told) < len(heard.taken)
            or heard.told[: heard.base] != told[: heard.base]
        ):
            heard.base, heard.differs = boundary(heard.taken, told)
        heard.told = told
        if (
            heard.base
            and closes(heard.last, self._source)
            and told[heard.base - 1] == heard.taken[-1]
        ):
            self._judge(withdrawn=not closes(words[heard.base - 1], self._source))
        self._revise(heard, words[heard.base :], now)
        heard.final = heard.final or final
        self._forget()
        return self._cuts(now)

    def tick(self, now: float, *, speaking: bool) -> list[Cut]:
        """Take note of the time.

        Args:
            now: The time (s).
            speaking: Whether the speaker's voice is heard.

        Returns:
            The pieces that can be translated now, in order.
        """
        if speaking:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now
        return self._cuts(now)

    def close(self, now: float) -> list[Cut]:
        """End the turn: return all that is left, in pieces. More may be heard afterwards."""
        return self._cuts(now, rest=True)

    # What was heard.

    def _segment(self, number: int, now: float) -> _Heard | None:
        for each in self._segments:
            if each.number == number:
                return each
        if number <= self._dropped:
            return None
        made = _Heard(number, now)
        self._segments.append(made)
        self._segments.sort(key=lambda each: each.number)
        return made

    def _forget(self) -> None:
        """Forget segments that are over; the last two may be told once more."""
        while len(self._segments) > 2 and not self._segments[0].pending:
            if not self._segments[0].final and len(self._segments) <= MOST_SEGMENTS:
                return
            gone = self._segments.pop(0)
            self._before += gone.differs
            self._dropped = max(self._dropped, gone.number)

    def _revise(self, heard: _Heard, words: Sequence[str], now: float) -> None:
        """Put words in the place of those that were not cut off."""
        before = heard.pending + heard.missing
        told = [bare(word) for word in words]
        made: list[_Pending] = []
        for text, name, (place, same) in zip(
            words, told, kept([each.bare for each in before], told), strict=True
        ):
            if place is None:
                made.append(_Pending(text, name, now, now))
                continue
            old = before[place]
            if same:
                made.append(_Pending(text, name, old.at, old.since, old.told + 1))
            else:
                made.append(_Pending(text, name, old.at, now))
        # A word that came later in the text cannot have been said earlier.
        for i in range(len(made) - 2, -1, -1):
            made[i].at = min(made[i].at, made[i + 1].at)
        shorter = told == [each.bare for each in before[: len(told)]]
        if not shorter:
            self._learn(heard.pending, made)
        if [each.text for each in heard.pending] != list(words):
            self._changed = now
        heard.missing = before[len(told) :] if shorter else []
        heard.pending = made

    def _learn(self, before: Sequence[_Pending], now: Sequence[_Pending]) -> None:
        """Take note of how far from the end the transcriber changed its mind."""
        same = 0
        for one, other in zip(before, now, strict=False):
            if one.bare != other.bare:
                break
            same += 1
        depth = len(before) - same
        # Changes of what it had told for long are rare, and waiting for them helps nobody.
        self._reach = max(min(depth, 5), 1, self._reach * 0.95)
        if before and closes(before[-1].text, self._source) and len(now) >= len(before):
            self._judge(withdrawn=not closes(now[len(before) - 1].text, self._source))

    def _judge(self, *, withdrawn: bool) -> None:
        """Take note of whether a mark at the end of a text stood in the next one."""
        self._doubt = 1.0 if withdrawn else self._doubt * 0.9

    # Where to cut.

    def _settled(self, now: float) -> int:
        """Return how many of the waiting words, from the first on, will not change."""
        count = 0
        for place, each in enumerate(self._segments):
            if each.final:
                count += len(each.pending)
                continue
            count += self._settled_of(each, now)
            later = next((one for one in self._segments[place + 1 :] if one.pending), None)
            if later is None or now - later.first < OVERDUE:
                break
            count += len(each.pending) - self._settled_of(each, now)
        return count

    def _settled_of(self, heard: _Heard, now: float) -> int:
        words = heard.pending
        behind = math.ceil(self._reach)
        if words and behind <= 2 and self._doubt < 0.3 and finished(words[-1].text, self._source):
            # Who does not write marks on trial has understood the whole sentence.
            return len(words)
        for i, word in enumerate(words):
            last = i == len(words) - 1
            far = len(words) - 1 - i >= behind
            stayed = now - word.since >= SETTLED and (not last or now - self._changed >= SETTLED)
            if not (far or stayed):
                return i
        return len(words)

    def _cuts(self, now: float, *, rest: bool = False) -> list[Cut]:
        cuts: list[Cut] = []
        while True:
            words = [word for each in self._segments for word in each.pending]
            if not words:
                return cuts
            count = len(words) if rest else self._settled(now)
            paused = rest or self._paused(now, all_settled=count == len(words))
            length = self._length(words, count, now, paused=paused, rest=rest)
            if not length:
                return cuts
            over = paused and length == len(words)
            cuts.append(self._take(words[:length], over=over))

    def _paused(self, now: float, *, all_settled: bool) -> bool:
        """Whether what is waiting will not go on for a while."""
        if not all_settled:
            return False
        silent = self._silent(now)
        if self._whole:
            return silent >= TURN_PAUSE
        return silent >= PAUSE or now - self._changed >= max(STALLED, self._lag * 0.75)

    def _silent(self, now: float) -> float:
        """Return for how long the speaker has been silent (s)."""
        return 0.0 if self._silent_since is None else now - self._silent_since

    def _length(
        self, words: Sequence[_Pending], count: int, now: float, *, paused: bool, rest: bool
    ) -> int:
        """Return how many words the next piece has; 0 if it is too early for one."""
        most = MOST_WORDS_OF_TURN if self._whole else MOST_WORDS
        if self._whole and not paused and count <= most:
            return 0
        if self._whole and count <= most:
            return count
        window = words[: most + NEAR]
        found = self._seams_of([each.text for each in window])
        if paused and len(words) <= most:
            hesitates = leans(words[-1].text, self._source)
            if self._silent(now) < TURN_PAUSE:
                # "Two hundred" may go on with "and five euros".
                last = token(words[-1].text, self._source)
                hesitates = hesitates or (last.number and last.mark is None)
            found[-1] = Seam.TIGHT if hesitates and not rest else Seam.SENTENCE
        ready = found[: min(count, most)]
        if 0 < count < len(words) and words[count].told < 2 and ready[-1] < Seam.CLAUSE:
            # What a place is worth shows in the word behind it, which is not sure yet.
            ready = ready[:-1]
        if not self._whole:
            age = (now - words[0].at) / self._lag
            begun = Seam.SENTENCE in ready[REST - 1 : REST] and not self._closed
            if length := REST if begun else choose(ready, found, age, self._terms):
                return length
            overdue = age >= self._terms[Seam.TIGHT][1]
            if paused and count <= most and (overdue or found[-1] is Seam.SENTENCE):
                return count  # too short to be cut, but nothing follows
        if rest or count >= most:
            return best(ready)
        return 0

    def _seams_of(self, texts: list[str]) -> list[Seam]:
        """Return the seams of what waits, which is the same at most ticks."""
        if texts != self._judged[0]:
            self._judged = texts, seams(texts, self._source, self._target)
        return list(self._judged[1])

    def _take(self, words: Sequence[_Pending], *, over: bool) -> Cut:
        left = len(words)
        for each in self._segments:
            mine = each.pending[:left]
            each.pending = each.pending[len(mine) :]
            each.taken += [word.bare for word in mine]
            each.base += len(mine)
            each.last = mine[-1].text if mine else each.last
            left -= len(mine)
            if not left:
                break
        self._count += 1
        last = words[-1]
        self._closed = over or closes(last.text, self._source)
        return Cut(
            number=self._count,
            text=" ".join(word.text for word in words),
            started=words[0].at,
            ended=last.at,
            closes=self._closed,
            words=tuple(Word(word.text, word.at) for word in words),
        )
