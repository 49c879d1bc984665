"""The speaker's sample: the stretch of somebody's speech from which their voice can be copied.

Pure: sound and the voice detector's view of it in, a verdict out. Long pauses are left out, the
rest is kept for half a minute; whenever a pause or a lull ends a stretch, those that end there are
measured, one with each block that is fed, and the best of all so far is remembered.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.interpret import quality, who
from vivavoce.pipelines.interpret.demands import NARROW, Cause, Demands, Figures, Refusal
from vivavoce.pipelines.interpret.quality import HOP, Analyser, Float32, Int16

BLOCK = 8_000
"""Samples that are analysed at once: half a second, 1 ms of computing."""
KEPT = 24.0
"""Seconds of speech that are remembered, pauses left out."""
PAUSE = 0.4
"""Seconds of a pause that are kept: the rest says nothing of a voice."""
LULL = 1.6
"""Seconds after which a stretch may end without a pause, at its quietest moment."""
STRETCHES = 6
"""Stretches that are measured when one ends, at most: each costs a millisecond."""
UNIT = 1_600
"""Samples fed for which one stretch is measured: the work is spread, none of it takes long."""
BETTER = 0.06
"""By how much the mark of another stretch must be better, to be taken instead."""
TOGETHER = 2.0
"""Odds from which two people are taken to speak at once in a frame (a logarithm)."""
FEW = 1.4
"""Seconds at either end of a stretch, apart from the rest, of which nothing can be told."""
SILENCE = 3
"""Frames of silence that set them apart: 60 ms and more, longer than a consonant's."""
FEW_AFTER_REST = 3.0
"""The same, behind a pause."""
REST = 10
"""Frames of silence that are a pause: 200 ms."""
SPELL = 75
"""Loud frames in which two may be found to speak at once: a second and a half."""


@dataclass(frozen=True, slots=True)
class Picked:
    """A stretch that is good enough.

    Attributes:
        pieces: Its beginnings and ends (s since the first sample that was fed): long pauses
            between them are left out.
        score: Its mark: 0 to 1.
        report: What was measured.
        pcm: The sound: int16, mono, 16 kHz, as loud as it came. Never shown.
        person: What its speaker sounds like (`who.prints` on average).
    """

    pieces: tuple[tuple[float, float], ...]
    score: float
    report: Figures
    pcm: Int16
    person: Float32

    def __repr__(self) -> str:
        return f"<Picked {self.start:.2f}-{self.end:.2f} s score={self.score:.2f}>"

    @property
    def start(self) -> float:
        """Where it begins (s)."""
        return self.pieces[0][0]

    @property
    def end(self) -> float:
        """Where it ends (s)."""
        return self.pieces[-1][1]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / quality.RATE

    @property
    def narrow(self) -> bool:
        """Whether it came over a telephone."""
        return self.report.bandwidth < NARROW


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing is good enough so far.

    Attributes:
        refusal: Why, in a word and in words.
        report: What was measured of the longest stretch.
    """

    refusal: Refusal
    report: Figures

    @property
    def cause(self) -> Cause:
        """What is wrong, in a word."""
        return self.refusal.cause

    @property
    def reason(self) -> str:
        """What is wrong, in words for who speaks."""
        return self.refusal.why


NOTHING = Refused(Refusal("short", "nothing was heard so far"), Figures())


class _Round:
    """The stretches that end at one moment, with what they have in common.

    Args:
        table: Frames, of the longest of them.
        first: Number of the first, of those that were kept.
    """

    def __init__(self, table: Float32, first: int) -> None:
        self.table, self.first = table, first
        self.end = first + len(table)
        power = table[:, quality.POWER]
        loudest = np.percentile(power, 95)
        self._loud = power > loudest - 22
        self._silent = power < loudest - 28
        self._both = (table[:, quality.BOTH] > TOGETHER) & (table[:, quality.VOICING] > 0.3)
        self._voiced = np.flatnonzero(who.voiced(table, speech=0.35))
        self._points: dict[bool, Float32] = {}

    def overlap(self, at: int) -> tuple[float, float]:
        """Return the share of the speech from a frame on in which two speak: of all, at most."""
        both = np.cumsum(self._both[at:][self._loud[at:]])
        if len(both) <= SPELL:
            return 0.0, 0.0
        return float(both[-1] / len(both)), float((both[SPELL:] - both[:-SPELL]).max() / SPELL)

    def points(self, at: int, *, narrow: bool) -> Float32:
        """Return the prints of the pieces from a frame on."""
        if narrow not in self._points:
            told = who.features(self.table[self._voiced], narrow=narrow)
            self._points[narrow] = who.prints(who.pieces(told), narrow=narrow)
        before = int(np.searchsorted(self._voiced, at))
        return self._points[narrow][-(-before // who.STEP) :]

    def whole(self, at: int, shortest: int) -> tuple[int, int]:
        """Return where to begin and end from a frame on: what cannot be judged is left out.

        The words before the first silence and behind the last one may be somebody else's, or said
        before a noise ended, when they are so few that nothing can be told of them. Behind a pause
        more is left out, where enough remains.
        """
        silent = np.flatnonzero(self._silent[at:])
        runs = np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)
        size = len(self.table) - at
        found = 0, size
        for least, seconds in ((SILENCE, FEW), (REST, FEW_AFTER_REST)):
            pauses = [(int(run[0]), int(run[-1])) for run in runs if len(run) >= least]
            few = int(seconds * quality.PER_SECOND)
            begin = max((last for _, last in pauses if last < few), default=0)
            end = min((first for first, _ in pauses if first > size - few), default=size - 1) + 1
            begin, end = max(begin, found[0]), min(end, found[1])
            if least == SILENCE or end - begin >= shortest:
                found = begin, end
        return at + found[0], at + found[1]


class SampleFinder:
    """Finds the best stretch of one microphone's speech.

    Costs 5 ms for a second of sound, 2 ms at once (docs/interpret.md).

    Args:
        demands: What it has to be.
        like: What the speaker is known to sound like: a stretch of somebody else is refused.

    Attributes:
        verdict: What is known by now: the best stretch so far, or why there is none.
        heard: Seconds of speech that were fed.
    """

    def __init__(self, demands: Demands | None = None, like: Float32 | None = None) -> None:
        self.demands = demands or Demands()
        self.like = like
        self.verdict: Picked | Refused = NOTHING
        self.heard = 0.0
        self._analyser = Analyser()
        self._waiting: list[Int16] = []
        self._count = 0
        size = int((KEPT + 1) * quality.PER_SECOND)
        self._table = np.zeros((size, quality.COLUMNS), np.float32)
        self._pcm = np.zeros((size, HOP), np.int16)
        self._at = np.zeros(size, np.int64)
        self._size = 0
        self._dropped = 0  # frames that were kept before those
        self._fed = 0  # frames
        self._silence = 0  # frames since the last speech
        self._speech: deque[tuple[float, int]] = deque()  # probability, samples
        self._hush = np.zeros((0, quality.COLUMNS), np.float32)
        self._bounds: list[int] = []  # of frames that were kept
        self._judged = -1
        self._round: _Round | None = None
        self._due: deque[int] = deque()  # where stretches begin that are to be measured
        self._refused: Refused | None = None

    def feed(self, pcm: Int16, speech: float) -> Picked | Refused:
        """Hear a block.

        Args:
            pcm: int16 mono at 16 kHz, of any length; 20 to 500 ms are usual.
            speech: Probability that somebody speaks in it; a bool will do.

        Returns:
            What is known by now: the best stretch so far, or why there is none.

        Raises:
            TypeError: If it is no one-dimensional int16 array.
        """
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise TypeError(
                f"a sample finder takes mono int16 samples, not {pcm.dtype} {pcm.shape}"
            )
        units = 1 + len(pcm) // UNIT
        for start in range(0, len(pcm), BLOCK):
            block = pcm[start : start + BLOCK]
            self._waiting.append(block)
            self._speech.append((float(speech), len(block)))
            self._count += len(block)
            if self._count >= BLOCK:
                self._analyse()
                units -= 1
        for _ in range(units):
            self._measure()
        return self.verdict

    def finish(self) -> Picked | Refused:
        """Judge what has not been judged yet. May take some 10 ms; feeding may go on."""
        self._analyse()
        if not self._fed:
            return self.verdict
        while self._due:
            self._measure()
        self._bound(self._dropped + self._size)
        self._begin()
        while self._due:
            self._measure()
        return self.verdict

    def _analyse(self) -> None:
        if not self._waiting:
            return
        whole = np.concatenate(self._waiting)
        self._waiting, self._count = [], 0
        table, pcm = self._analyser.feed(whole)
        if not len(table):
            return
        table[:, quality.SPEECH] = speech = self._probabilities(len(table))
        table[:, quality.BOTH] = who.overlap(table)
        keep, ends = self._keep(speech)
        left = table[~keep & quality.hushed(speech)]
        self._hush = np.concatenate([self._hush, left])[-2 * quality.PER_SECOND :]
        numbers = self._fed + np.arange(len(table))
        self._fed += len(table)
        self.heard += float((speech >= 0.5).sum()) / quality.PER_SECOND
        first = self._dropped + self._size
        self._store(table[keep], pcm[keep], numbers[keep])
        positions = first + np.cumsum(keep)
        for end in ends:
            self._bound(int(positions[end]))
        self._bound_at_lull()
        if not self._due:
            self._begin()

    def _probabilities(self, count: int) -> Float32:
        """Return the probability of speech in the next frames: that of the block each lies in."""
        ends = np.cumsum([length for _, length in self._speech])
        middles = np.arange(count) * HOP + quality.BEFORE + HOP // 2
        at = np.minimum(np.searchsorted(ends, middles, side="right"), len(ends) - 1)
        found: Float32 = np.array([speech for speech, _ in self._speech], np.float32)[at]
        # What the next frames need is kept: their windows begin so much later.
        past = count * HOP
        while past and self._speech:
            speech, length = self._speech.popleft()
            if length > past:
                self._speech.appendleft((speech, length - past))
            past -= min(past, length)
        return found

    def _keep(self, speech: Float32) -> tuple[NDArray[np.bool_], list[int]]:
        """Return which frames are kept, and in which of them a pause has become one."""
        keep = np.zeros(len(speech), bool)
        ends = []
        pause = int(PAUSE * quality.PER_SECOND)
        for number, probability in enumerate(speech.tolist()):
            if probability >= 0.35:
                self._silence = 0
            else:
                self._silence += 1
                if self._silence == pause // 2:
                    ends.append(number)
            keep[number] = self._silence <= pause
        if not self._size and not self._dropped and (speech >= 0.35).any():
            # The silence ahead of the first word is no pause.
            keep[: max(int(np.argmax(speech >= 0.35)) - 5, 0)] = False
        return keep, ends

    def _store(self, table: Float32, pcm: Int16, numbers: NDArray[np.int64]) -> None:
        room = len(self._table) - self._size
        if len(table) > room:
            drop = max(len(table) - room, quality.PER_SECOND)
            for kept in (self._table, self._pcm, self._at):
                kept[: self._size - drop] = kept[drop : self._size]
            self._size -= drop
            self._dropped += drop
            self._bounds = [each for each in self._bounds if each >= self._dropped]
        end = self._size + len(table)
        self._table[self._size : end] = table
        self._pcm[self._size : end] = pcm
        self._at[self._size : end] = numbers
        self._size = end

    def _bound(self, position: int) -> None:
        """A stretch may begin and end here."""
        if not self._bounds or position - self._bounds[-1] >= quality.PER_SECOND // 4:
            self._bounds.append(position)

    def _bound_at_lull(self) -> None:
        """Without a pause for long, a stretch may end at the quietest moment."""
        if not self._bounds:
            self._bounds.append(self._dropped)
        last = self._bounds[-1] - self._dropped
        lull = int(LULL * quality.PER_SECOND)
        if self._size - last >= lull:
            from_ = last + lull // 2
            power = self._table[from_ : self._size, quality.POWER]
            self._bound(self._dropped + from_ + int(power.argmin()))

    def _begin(self) -> None:
        """Find the stretches that end at the newest bound, to be measured one by one."""
        if not self._bounds or self._bounds[-1] == self._judged:
            return
        self._judged = end = self._bounds[-1]
        longest = int(self.demands.longest * quality.PER_SECOND)
        shortest = int(self.demands.shortest * quality.PER_SECOND)
        starts = [
            each
            for each in self._bounds[:-1]
            if each >= self._dropped and shortest <= end - each <= longest
        ]
        if len(starts) > STRETCHES:
            at = np.linspace(0, len(starts) - 1, STRETCHES).astype(int)
            starts = [starts[each] for each in at]
        first = starts[0] if starts else max(end - longest, self._dropped)
        table = self._table[first - self._dropped : end - self._dropped]
        if not starts:
            if isinstance(self.verdict, Refused):
                figures = quality.measure(table, self._hush)
                refusal = self.demands.refusal(figures)
                if refusal is not None and (
                    self.verdict is NOTHING or self.verdict.cause in {"short", "noise"}
                ):
                    self.verdict = Refused(refusal, figures)
            return
        self._round, self._refused = _Round(table.copy(), first), None
        self._due.extend(starts)

    def _measure(self) -> None:
        """Measure one stretch."""
        if not self._due:
            return
        start = self._due.popleft()
        around = self._round
        assert around is not None
        if start < self._dropped:
            return
        table = around.table[start - around.first :]
        pcm = self._pcm[start - self._dropped : around.end - self._dropped]
        at = start - around.first
        figures = quality.measure(table, self._hush)
        narrow = figures.bandwidth < NARROW
        points = around.points(at, narrow=narrow)
        overlap, together = around.overlap(at)
        figures = replace(
            figures,
            clipped=quality.clipped(table, pcm),
            overlap=overlap,
            together=together,
            apart=who.apart(points, narrow=narrow),
        )
        refusal = self.demands.refusal(figures)
        if refusal is None and self._stranger(points, narrow=narrow):
            refusal = Refusal("turns", "somebody else speaks than before")
        if refusal is not None:
            # The longest tells most of what is wrong.
            self._refused = self._refused or Refused(refusal, figures)
            if not self._due and isinstance(self.verdict, Refused):
                self.verdict = self._refused
            return
        begin, close = around.whole(at, int(self.demands.shortest * quality.PER_SECOND))
        start, end = around.first + begin, around.first + close
        seconds = (end - start) / quality.PER_SECOND
        if seconds < self.demands.shortest or start < self._dropped:
            return
        score = self.demands.score(replace(figures, seconds=seconds))
        if isinstance(self.verdict, Refused) or score >= self.verdict.score + BETTER:
            pcm = self._pcm[start - self._dropped : end - self._dropped]
            self.verdict = Picked(
                self._pieces(start - self._dropped, end - self._dropped),
                score,
                figures,
                pcm.reshape(-1).copy(),
                points.mean(axis=0) if len(points) else np.zeros(0, np.float32),
            )

    def _stranger(self, points: Float32, *, narrow: bool) -> bool:
        like = self.like
        if like is None or narrow or not len(points):
            return False
        return who.distance(points, like) >= who.STRANGER

    def _pieces(self, start: int, end: int) -> tuple[tuple[float, float], ...]:
        numbers = self._at[start:end]
        cuts = np.flatnonzero(np.diff(numbers) > 1) + 1
        return tuple(
            (
                float(part[0] * HOP + quality.BEFORE) / quality.RATE,
                float((part[-1] + 1) * HOP + quality.BEFORE) / quality.RATE,
            )
            for part in np.split(numbers, cuts)
        )
