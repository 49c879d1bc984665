"""Demands: what a stretch of speech has to be for a voice to be copied from it.

Pure: figures in, a mark or a refusal in words out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

NARROW = 3_700.0
"""Bandwidth up to which a voice is taken for one over a telephone (Hz)."""

_TELEPHONE = 1.0
_ECHO = 14.0  # dB by which the pauses vary where it is an echo that fills them


@dataclass(frozen=True, slots=True)
class Figures:
    """A stretch, measured.

    Attributes:
        seconds: How long it is, long pauses left out (s).
        speech: Seconds of speech in it.
        level: Of the speech (dBFS).
        noise: Of what is heard in the pauses (dBFS).
        tonal: How much of that is periodic, as music, hum and other voices are: 0 to 1.
        restless: How much it varies (dB), as an echo does.
        between: What is heard between the sounds of the second where it is loudest (dBFS).
        clipped: Share of samples at the recording's own ceiling.
        bandwidth: Up to where there is a voice (Hz).
        fall: How fast the voice falls silent (dB in 80 ms): slowly in a room that echoes.
        steady: Share of the voice whose pitch does not move, as that of an instrument.
        overlap: Share of the speech in which two people seem to speak at once.
        together: The same, of the second and a half in which it is highest.
        apart: Odds that two people take turns in it, as a logarithm: above 0, rather two.
    """

    seconds: float = 0.0
    speech: float = 0.0
    level: float = -100.0
    noise: float = -100.0
    tonal: float = 0.0
    restless: float = 0.0
    between: float = -100.0
    clipped: float = 0.0
    bandwidth: float = 0.0
    fall: float = 0.0
    steady: float = 0.0
    overlap: float = 0.0
    together: float = 0.0
    apart: float = -9.0

    @property
    def snr(self) -> float:
        """How far the voice stands out of what is heard in the pauses (dB)."""
        return self.level - self.noise

    def json(self) -> dict[str, float]:
        """Return it for a record; nothing in it is the voice itself."""
        return {name: round(float(getattr(self, name)), 3) for name in (*self.__slots__, "snr")}


Cause = Literal[
    "short", "noise", "quiet", "clipped", "muffled", "echo", "music", "overlap", "turns"
]
"""What is wrong with a stretch."""


class Refusal(NamedTuple):
    """Why a stretch is not taken.

    Attributes:
        cause: In a word.
        why: In words for who speaks, and what to do.
    """

    cause: Cause
    why: str


@dataclass(frozen=True, slots=True)
class Demands:
    """What a stretch has to be for a voice to be copied from it.

    Attributes:
        shortest: Seconds, at least; what providers take begins at 3 (5 at voxtral.com).
        longest: Seconds, at most.
        best: Seconds between which a sample is as good as its length can make it.
        speech: Share of it that must be speech.
        level: Of the speech, at least (dBFS).
        snr: How far the voice must stand out of what is behind it (dB).
        sinks: How far it must sink between its sounds, again and again (dB).
        clipped: Share of samples at the ceiling, at most.
        bandwidth: Up to where a voice must be heard (Hz). A telephone's 3400 Hz pass, with a
            lower mark; 5000 refuses them.
        fall: How fast it must fall silent (dB in 80 ms).
        steady: Share of the voice whose pitch may stand still.
        overlap: Share of the speech in which two may seem to speak at once.
        together: The same, of any second and a half.
        apart: Odds that two take turns, at most (a logarithm).

    Raises:
        ValueError: If the lengths make no sense.
    """

    shortest: float = 3.2
    longest: float = 14.0
    best: tuple[float, float] = (8.0, 12.0)
    speech: float = 0.5
    level: float = -44.0
    snr: float = 16.0
    sinks: float = 9.0
    clipped: float = 0.0015
    bandwidth: float = 2_100.0
    fall: float = 11.0
    steady: float = 0.6
    overlap: float = 0.04
    together: float = 0.17
    apart: float = -0.3

    def __post_init__(self) -> None:
        if not 3 <= self.shortest <= self.best[0] <= self.best[1] <= self.longest <= 25:
            raise ValueError(
                "Demands: 3 <= shortest <= best[0] <= best[1] <= longest <= 25 s must hold, not"
                f" {self.shortest:g}, {self.best}, {self.longest:g}"
            )

    def refusal(self, of: Figures) -> Refusal | None:
        """Return why a stretch is not fit; None if it is."""
        wanted = max(self.shortest * self.speech, 2.4)
        if of.seconds < self.shortest or of.speech < wanted:
            if of.noise > -42:
                return Refusal(
                    "noise",
                    f"hardly any speech can be told from the noise ({of.noise:.0f} dBFS): go"
                    " where it is quieter",
                )
            return Refusal(
                "short",
                f"only {of.speech:.1f} s of speech so far: {max(wanted, self.shortest):.0f} s are"
                " needed",
            )
        if of.clipped > self.clipped:
            return Refusal(
                "clipped",
                f"the voice is overdriven ({of.clipped:.1%} of it is cut off): speak less loud, or"
                " turn the microphone down",
            )
        if of.level < self.level:
            return Refusal(
                "quiet",
                f"the voice is too quiet ({of.level:.0f} dBFS): come nearer to the microphone",
            )
        # An echo fills the pauses, too; it varies, or sinks more slowly than such a noise lets it.
        echo = of.fall < self.fall and (of.restless >= _ECHO or (of.snr > 10 and of.fall < 7))
        # So does somebody else who speaks at the same time.
        voices = of.snr > 12 and of.overlap > 3 * self.overlap
        if of.snr < self.snr and not echo and not voices:
            what = "music or voices are" if of.tonal > 0.5 else "there is noise"
            return Refusal(
                "noise",
                f"{what} behind the voice ({of.snr:.0f} dB below it, {self.snr:.0f} are needed):"
                " go where it is quieter",
            )
        if of.bandwidth < self.bandwidth:
            return Refusal(
                "muffled",
                f"the voice is muffled (nothing of it above {of.bandwidth / 1000:.1f} kHz): use"
                " another microphone",
            )
        if of.steady > self.steady:
            return Refusal("music", "this sounds like music, not like somebody who speaks")
        if of.fall < self.fall or (of.snr < self.snr and not voices):
            return Refusal(
                "echo", "the room echoes: come nearer to the microphone, or use a headset"
            )
        # The shorter, the less is to be seen of it.
        strict = min(1.0, 0.4 + 0.6 * of.seconds / self.best[0])
        if of.overlap > self.overlap * strict or of.together > self.together * strict:
            return Refusal(
                "overlap", "two people speak at once: let one person speak alone for a while"
            )
        # Over a telephone voices are harder to tell apart, and nobody would ever be one person.
        if of.apart > self.apart + (_TELEPHONE if of.bandwidth < NARROW else 0.0):
            return Refusal(
                "turns", "more than one person speaks: let one person speak alone for a while"
            )
        if of.level - of.between < self.sinks:
            return Refusal("noise", "something else is heard all the time: go where it is quieter")
        return None

    def score(self, of: Figures) -> float:
        """Return a mark for a stretch that is not refused: 0 to 1, the best."""
        short, long = self.best
        if of.seconds < short:
            length = 0.4 + 0.6 * (of.seconds - self.shortest) / max(short - self.shortest, 0.1)
        else:
            length = 1.0 if of.seconds <= long else 0.95
        clean = _within(of.snr, self.snr, 36)
        wide = _within(of.bandwidth, 3_000, 6_500)
        dry = _within(of.fall, self.fall, 22)
        alone = min(
            _within(self.apart - of.apart, 0, 3), _within(self.overlap - of.overlap, 0, 0.05)
        )
        return float(length * (0.4 * clean + 0.2 * wide + 0.1 * dry + 0.3 * alone))


def _within(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
