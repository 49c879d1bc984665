"""Packet-loss concealment: what is played where a packet is missing.

In the spirit of ITU-T G.711 Appendix I, for any rate: the last pitch period goes on, joined
without a step; after 10 ms two periods alternate, after 20 ms three, so that it does not buzz;
from 10 ms on it gets 20 % quieter every 10 ms, so that nothing is left at 60 ms. When sound
comes back it is faded in over what would have gone on. Unlike Appendix I nothing is delayed:
where that overlaps the past with the future, here the step at the joint is spread over a
quarter of a period.
"""

from __future__ import annotations

import numpy as np

from vivavoce.pipelines.audio.convert import Float32, Int16

FADE_BEGIN, FADE_END = 0.010, 0.060
"""Where the repetition begins to fade, and where it is silent (s)."""

_SHORTEST, _LONGEST = 0.005, 0.015  # pitch periods that are looked for (s): 200 to 66 Hz
_TEMPLATE = 0.020  # what is compared (s)
_STAGE = 0.010  # how long one, then two periods are repeated (s)
_RETURN = 0.005  # cross-fade back to real sound (s), longer after a long gap


class Concealer:
    """Remembers what was played, and goes on with it when asked to.

    Args:
        rate: Sample rate (Hz).

    Attributes:
        concealed: Samples made up so far.
        gaps: How often it had to begin.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.concealed = 0
        self.gaps = 0
        self._step = max(1, rate // 8_000)  # the search is as fine as 8 kHz allows
        self._keep = round(rate * (3 * _LONGEST + 0.006))
        self._history: Int16 = np.zeros(self._keep, np.int16)
        self._wave: Float32 | None = None  # the next FADE_END seconds as they would go on
        self._at = 0

    @property
    def concealing(self) -> bool:
        """Whether the last samples were made up."""
        return self._wave is not None

    def reset(self) -> None:
        """Forget the past: another stream begins."""
        self._history = np.zeros(self._keep, np.int16)
        self._wave = None

    def good(self, pcm: Int16) -> Int16:
        """Take real samples (int16, shape (n,)) and return what to play.

        It is the same, but faded in from the made-up ones if there were any.
        """
        if not len(pcm):
            return pcm
        wave = self._wave
        if wave is not None:
            self._wave = None
            overlap = min(len(pcm), round(self.rate * min(0.010, _RETURN + 0.4 * self._gone())))
            tail = wave[self._at : self._at + overlap]
            ramp = np.arange(1, overlap + 1, dtype=np.float32) / (overlap + 1)
            mixed = pcm[:overlap] * ramp
            mixed[: len(tail)] += tail * (1 - ramp[: len(tail)])
            pcm = pcm.copy()
            pcm[:overlap] = np.clip(np.rint(mixed), -32768, 32767)
        self._remember(pcm)
        return pcm

    def lost(self, count: int) -> Int16:
        """Make up `count` samples (int16)."""
        if self._wave is None:
            self.gaps += 1
            self._wave = self._extend()
            self._at = 0
        self.concealed += count
        part = self._wave[self._at : self._at + count]
        self._at += count
        out: Int16 = np.zeros(count, np.int16)
        out[: len(part)] = np.clip(np.rint(part), -32768, 32767)
        return out

    def _gone(self) -> float:
        return self._at / self.rate

    def _remember(self, pcm: Int16) -> None:
        if len(pcm) >= self._keep:
            self._history = pcm[-self._keep :].copy()
        else:
            self._history = np.concatenate((self._history[len(pcm) :], pcm))

    def _extend(self) -> Float32:
        """Continue the history for `FADE_END` seconds."""
        past = self._history.astype(np.float32)
        total = round(self.rate * FADE_END)
        if not past[-round(self.rate * _TEMPLATE) :].any():
            return np.zeros(total, np.float32)
        period = self._period(past)
        out = np.empty(total, np.float32)
        quarter = max(1, period // 4)
        at = 0
        for cycles, until in ((1, _STAGE), (2, 2 * _STAGE), (3, FADE_END)):
            end = round(self.rate * until)
            length = cycles * period
            loop = past[-length:].copy()
            # Both joints, from the past to the loop and from its end to its beginning, are the
            # same step: spread it over the first quarter of a period.
            loop[:quarter] += (past[-1] - past[-length - 1]) * np.linspace(
                1, 0, quarter, endpoint=False, dtype=np.float32
            )
            # The phase goes on where the shorter loop stopped: all are whole periods long.
            indices = np.arange(at, end)
            if cycles > 1:
                indices += (cycles - 1) * period - (at // period) * period
            out[at:end] = loop[indices % length]
            at = end
        fade = np.arange(total, dtype=np.float32) / self.rate
        gain = np.clip((FADE_END - fade) / (FADE_END - FADE_BEGIN), 0, 1)
        out *= gain
        return out

    def _period(self, past: Float32) -> int:
        """Find the pitch period (samples) by normalised cross-correlation with the past."""
        coarse = past[len(past) % self._step :]
        if self._step > 1:
            coarse = coarse.reshape(-1, self._step).mean(axis=1)
        rate = self.rate / self._step
        size = round(rate * _TEMPLATE)
        low, high = round(rate * _SHORTEST), round(rate * _LONGEST)
        template = coarse[-size:]
        region = coarse[-size - high : len(coarse) - low]
        match = np.correlate(region, template, "valid")  # lag `high` first, `low` last
        sums = np.concatenate((np.zeros(1), np.cumsum(region.astype(np.float64) ** 2)))
        energy = sums[size:] - sums[:-size]
        score = match / np.sqrt(np.maximum(energy, 1.0))
        # Twice the period correlates as well: the shorter one is taken when nearly as good.
        best = int(np.argmax(score))
        lag = high - best
        for divisor in (2, 3):
            shorter = round(lag / divisor)
            if shorter >= low and score[high - shorter] > 0.9 * score[best] > 0:
                lag = shorter
        return lag * self._step
