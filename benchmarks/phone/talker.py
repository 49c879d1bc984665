"""A caller who says clips one after the other, over whatever carries a call. Pure.

Times are seconds since the call's first sample was captured. Block `n` is sent when its last sample
is, at `(n + 1) * 20 ms`; what comes back counts from its arrival (`pipelines/benching/take.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.latency.report import LATE
from benchmarks.latency.wire import BLOCK, RATE
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.benching.callers import CuttingCaller, TurnCaller
from vivavoce.pipelines.benching.clip import Clip, Samples
from vivavoce.pipelines.benching.take import Packet, Take, answer, barge_in

STEP = BLOCK / RATE
"""Seconds of a block."""


class Talker:
    """Says clips; each when the answer to the one before is over.

    Args:
        clips: What is said.
        rate: Sample rate of the blocks (Hz).
        turns: Told the number of each turn before it begins.
        cuts: What cuts into the answer to each clip; none: nobody cuts in.
        seed: Of the room's noise.

    Attributes:
        takes: What was heard, turn by turn.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        rate: int,
        turns: Callable[[int], None],
        cuts: Sequence[Clip] = (),
        seed: int = 0,
    ) -> None:
        self._clips, self._cuts, self._rate, self._turns = clips, cuts, rate, turns
        self._seed = seed
        self._number = -1
        self._began = 0  # the block at which the turn did
        self.callers: list[TurnCaller | CuttingCaller] = []
        self.takes: list[Take] = []
        self.starts: list[float] = []
        self._said: list[Samples] = []

    def block(self, number: int) -> Samples | None:
        """Return the next block (int16); None when all has been said and answered."""
        while True:
            if self.takes:
                at = number - self._began
                samples = self.callers[-1].block(at, self.takes[-1])
                if samples is not None:
                    return self._converted(at, samples)
            if self._number + 1 == len(self._clips):
                return None
            self._next(number)

    def heard(self, at: float, samples: Samples, rate: int) -> None:
        """Take what came from the agent at a moment."""
        if self.takes:
            peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
            self.takes[-1].packets.append(Packet(at - self.starts[-1], len(samples) / rate, peak))

    def was_late(self, seconds: float) -> None:
        """Take it that a block left late."""
        if self.takes:
            self.takes[-1].late = max(self.takes[-1].late, seconds)

    def latencies(self) -> list[float | None]:
        """Return each turn's voice-to-voice time (s); None where there was none to measure.

        Nor is there one where the caller itself was late: that would be the machine's time.
        """
        return [
            answer(take, caller.voiced_end).v2v if take.late <= LATE / 1000 else None
            for take, caller in zip(self.takes, self.callers, strict=True)
            if isinstance(caller, TurnCaller)
        ]

    def reactions(self) -> list[tuple[float, float] | None]:
        """Return when each interruption began and when the last sound of the reply had come (s)."""
        found: list[tuple[float, float] | None] = []
        for start, take, caller in zip(self.starts, self.takes, self.callers, strict=True):
            if not isinstance(caller, CuttingCaller) or caller.cut_at is None:
                found.append(None)
                continue
            cut = barge_in(take, caller.cut_at, caller.cut_end + 1.0)
            found.append(
                None
                if cut.reaction is None
                else (start + caller.cut_at, start + caller.cut_at + cut.reaction)
            )
        return found

    def _next(self, number: int) -> None:
        self._number += 1
        self._turns(self._number)
        clip, seed = self._clips[self._number], self._seed + self._number
        self._began = number
        self.starts.append(number * STEP)
        self.takes.append(Take())
        if self._cuts:
            self.callers.append(CuttingCaller(clip, self._cuts[self._number], 1.0, seed))
        else:
            self.callers.append(TurnCaller(clip, seed))
        self._said = []

    def _converted(self, at: int, samples: Samples) -> Samples:
        """Bring a block to the rate: speech as a whole, so that nothing is moved by it."""
        if self._rate == RATE:
            return samples
        caller = self.callers[-1]
        if isinstance(caller, CuttingCaller):
            return samples[:: RATE // self._rate]
        if not self._said:
            whole = int(caller.voiced_end / STEP) + 12
            blocks = [caller.block(n, Take()) for n in range(whole)]
            joined = np.concatenate([b for b in blocks if b is not None])
            sound = resample(joined, RATE, self._rate)
            size = BLOCK * self._rate // RATE
            self._said = [sound[n : n + size] for n in range(0, len(sound), size)]
        return self._said[at] if at < len(self._said) else samples[:: RATE // self._rate]
