"""Playout: the agent's speech on its way to the caller, and what has really left.

Speech arrives in clauses, each in chunks as it is synthesised, and leaves in small blocks at the
transport's pace. What was handed over is counted to the sample: it is the only ground on which
anything may be called heard. Pure; the time comes from outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.audio import chunks

Samples = NDArray[np.int16]

AUDIBLE = 96
"""Amplitude (of 32767) from which a sample counts as sound: about -50 dBFS."""

RESERVE = 0.25
"""Seconds of speech that must be there before it goes on where the synthesiser fell behind: one
pause is easier to follow than a stutter.
"""

DUCKED = 0.3
"""Gain of a ducked voice: about -10 dB."""


@dataclass(slots=True, eq=False)
class Clause:
    """One piece of speech.

    Attributes:
        owner: What it is a piece of; any object, compared by identity. It must not hold the clause,
            whose audio would wait for the garbage collector.
        text: What is spoken.
        interruptible: Whether the caller may cut it.
        held: It may not be played yet.
        played: Samples handed to the transport.
        received: Samples synthesised so far.
        complete: All of it was synthesised, or nothing more will come.
        broken: The synthesiser failed in the middle of it.
        until: Where the playout stands behind the last sample of it that was handed over.
    """

    owner: object
    text: str
    interruptible: bool = True
    held: bool = False
    played: int = 0
    received: int = 0
    complete: bool = False
    broken: bool = False
    until: int = 0
    _chunks: deque[Samples] = field(default_factory=deque)
    _audio: list[Samples] = field(default_factory=list)

    @property
    def audio(self) -> Samples:
        """All samples received so far, played or not (int16)."""
        if len(self._audio) > 1:
            self._audio = [np.concatenate(self._audio)]
        return self._audio[0] if self._audio else np.zeros(0, np.int16)

    @property
    def over(self) -> bool:
        """Whether it was played to its end."""
        return self.complete and self.played >= self.received

    @property
    def waiting(self) -> int:
        """Samples that could be played now."""
        return self.received - self.played

    def played_by(self, position: int) -> int:
        """Return how many of its samples had been handed over at a position of the playout.

        What is handed over last lies together; only gaps of a late synthesiser are not seen.
        """
        return max(0, self.played - max(0, self.until - position))

    def add(self, samples: Samples) -> None:
        """Take synthesised samples (int16)."""
        if len(samples):
            self._chunks.append(samples)
            self._audio.append(samples)
            self.received += len(samples)

    def peek(self, count: int) -> Samples:
        """Return up to `count` samples that `take` is going to hand over."""
        found: list[Samples] = []
        for chunk in self._chunks:
            if count <= 0:
                break
            found.append(chunk[:count])
            count -= len(found[-1])
        return np.concatenate(found) if found else np.zeros(0, np.int16)

    def take(self, count: int) -> Samples:
        """Hand over up to `count` samples."""
        taken = chunks.take(self._chunks, count)
        self.played += len(taken)
        return taken


@dataclass(frozen=True, slots=True)
class Block:
    """What one pull gave.

    Attributes:
        samples: int16, always as many as were asked for.
        audible: Offset of the first audible sample, and whose clause it is; None in silence.
        finished: Clauses that were played to their end within this block, in order.
        speaking: Whether any of it is speech.
    """

    samples: Samples
    audible: tuple[int, Clause] | None
    finished: tuple[Clause, ...]
    speaking: bool


class Playout:
    """The queue between the synthesiser and the transport.

    Args:
        rate: Sample rate (Hz).
        fade: Length of the fade when speech is cut, falls behind or goes on (s): long enough not
            to click, short enough to be gone at once.

    Attributes:
        rate: Sample rate (Hz).
        position: Samples handed over, silence included.
        underruns: How often speech paused because the synthesiser was late.
        changes: How often what was to be played next became something else.
    """

    def __init__(self, rate: int, *, fade: float = 0.01) -> None:
        self.rate = rate
        self.position = 0
        self.underruns = 0
        self._fade = max(1, round(rate * fade))
        self._clauses: deque[Clause] = deque()
        self._tail = np.zeros(0, np.int16)
        self._starved: Clause | None = None
        self._rising = False
        self._held = False
        self._gain = self._wanted = 1.0
        self.changes = 0

    @property
    def held(self) -> bool:
        """Whether playing is held."""
        return self._held

    def duck(self, *, on: bool) -> None:
        """Lower the voice, or raise it again, over the next block."""
        self._wanted = DUCKED if on else 1.0
        self.changes += 1

    @property
    def tail_if_cut(self) -> float:
        """How long sound goes on if it is cut or held now (s): the fade."""
        current = self.current
        fading = current is not None and self._sounds(current) and not self._held
        return (self._fade if fading else len(self._tail)) / self.rate

    @property
    def empty(self) -> bool:
        """Whether nothing is being played, and nothing waits that may be."""
        return not len(self._tail) and all(clause.held for clause in self._clauses)

    @property
    def current(self) -> Clause | None:
        """The clause being played, or the next one."""
        return self._clauses[0] if self._clauses else None

    @property
    def speaking(self) -> bool:
        """Whether speech is under way: something was played and there is more to come."""
        return any(clause.played for clause in self._clauses)

    @property
    def waiting(self) -> int:
        """Samples that could be played now."""
        return sum(clause.waiting for clause in self._clauses)

    def append(self, clause: Clause) -> None:
        """Queue a clause; its samples may come later."""
        self._clauses.append(clause)

    def pull(self, count: int) -> Block:
        """Hand over the next `count` samples; silence where there are none.

        A clause is played from its first sample on as it arrives; the next one never starts
        before it is complete, so nothing is ever reordered. Where the synthesiser falls behind,
        speech fades out, and in again once there is some in reserve.
        """
        out = np.zeros(count, np.int16)
        at = min(count, len(self._tail))
        out[:at] = self._tail[:at]
        self._tail = self._tail[at:]
        speaking = at > 0
        audible: tuple[int, Clause] | None = None
        finished: list[Clause] = []
        while at < count and self._clauses:
            clause = self._clauses[0]
            if clause.held or (self._held and clause.interruptible):
                break
            room = count - at
            dry = not clause.complete and clause.waiting < room + self._fade
            if dry and (not clause.played or self._starved is clause):
                # Not begun, or gone on with, before it can go on for a while.
                break
            behind = self._starved is clause and not clause.complete
            if behind and clause.waiting < self.rate * RESERVE:
                break
            taken = clause.take(room + self._fade if dry else room)
            clause.until = self.position + at + len(taken)
            if len(taken):
                speaking = True
                # It is a gap only if the clause goes on behind it: the synthesiser may tell that
                # it was over a little after its last sample.
                self.underruns += self._starved is clause
                taken = self._shape(taken, rise=self._rising or self._starved is clause, fall=dry)
                self._rising = False
                self._starved = None
                taken, self._tail = taken[:room], taken[room:]
                if audible is None:
                    loud = np.flatnonzero(np.abs(taken.astype(np.int32)) >= AUDIBLE)
                    if len(loud):
                        audible = (at + int(loud[0]), clause)
                out[at : at + len(taken)] = taken
                at += len(taken)
            if dry:
                self._starved = clause
                break
            if not clause.over:
                if at < count:
                    break
                continue
            finished.append(clause)
            self._clauses.popleft()
        self.position += count
        if self._gain != 1.0 or self._wanted != 1.0:
            ramp = np.linspace(self._gain, self._wanted, count, dtype=np.float32)
            out = (out * ramp).astype(np.int16)
            self._gain = self._wanted
        return Block(out, audible, tuple(finished), speaking)

    def peek(self, count: int) -> Samples:
        """Return up to `count` samples that `pull` is going to hand over, as far as is known."""
        if self._rising or self._starved is not None:
            return np.zeros(0, np.int16)
        found, left = [self._tail[:count]], count - len(self._tail)
        for clause in self._clauses:
            if left <= 0 or clause.held or (self._held and clause.interruptible):
                break
            dry = not clause.complete and clause.waiting < left + self._fade
            if dry and not clause.played:
                break  # it may not be begun in time
            # The end of what is not complete is faded out where nothing follows in time.
            known = clause.waiting if clause.complete else clause.waiting - self._fade
            found.append(clause.peek(min(left, max(0, known))))
            left -= len(found[-1])
            if not clause.complete:
                break
        samples = np.concatenate(found)
        return samples if self._wanted == 1.0 else (samples * self._wanted).astype(np.int16)

    def hold(self) -> None:
        """Fall silent with a short fade and keep everything; what is protected plays on.

        The faded samples count as played: `resume` goes on behind them, so that no sample is
        lost or played twice.
        """
        if not self._held and self._clauses and self._clauses[0].interruptible:
            self._fade_out(self._clauses[0])
        self._held = True
        self.changes += 1

    def resume(self) -> None:
        """Go on, with a short fade, from the sample where `hold` stopped."""
        current = self.current
        if self._held and current is not None and current.interruptible and current.played:
            self._rising = True
        self._held = False
        self.changes += 1

    def remove(self, clauses: Collection[Clause]) -> None:
        """Take clauses back of which nothing was played."""
        self._clauses = deque(clause for clause in self._clauses if clause not in clauses)

    def cut(self, *, force: bool = False) -> list[Clause]:
        """Stop: drop what is interruptible, with a short fade, and return it in order.

        Speech that may not be cut, and all before it, stays; `force` drops that too.
        """
        keep = 0
        if not force:
            for index, clause in enumerate(self._clauses):
                if not clause.interruptible:
                    keep = index + 1
        dropped = list(self._clauses)[keep:]
        if dropped and keep == 0 and not self._held:
            self._fade_out(dropped[0])
        for _ in dropped:
            self._clauses.pop()
        if self._starved in dropped:
            self._starved = None
        if keep == 0:
            self._rising = False
        self._held = False
        self.changes += 1
        return dropped

    def _shape(self, samples: Samples, *, rise: bool, fall: bool) -> Samples:
        """Fade the beginning of some samples in, the end of them out, or both."""
        if not rise and not fall:
            return samples
        shaped = samples.astype(np.float32)
        size = min(self._fade, len(shaped))
        ramp = np.linspace(0, 1, size + 1, dtype=np.float32)[1:]
        if rise:
            shaped[:size] *= ramp
        if fall:
            shaped[len(shaped) - size :] *= ramp[::-1]
        return shaped.astype(np.int16)

    def _sounds(self, clause: Clause) -> bool:
        """Whether a clause was being heard in the last block, and not already fading out."""
        silent = self._rising or self._starved is clause or len(self._tail) > 0
        return clause.played > 0 and not silent

    def _fade_out(self, clause: Clause) -> None:
        # What fades already is not taken for another one: it would be lost.
        if self._sounds(clause):
            tail = clause.take(self._fade)
            clause.until = self.position + len(tail)
            ramp = np.linspace(1, 0, len(tail), endpoint=False, dtype=np.float32)
            self._tail = (tail * ramp).astype(np.int16)
