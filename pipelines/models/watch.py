"""A watch over one transcription connection: is it alive, does it understand, what may be settled.

Servers have been seen to fall silent in the middle of a call, and to write nothing for minutes
while somebody spoke (a rut of blank tokens). Both show only when it is known that there was a
voice. Here loudness tells: a voice stands out from what has been quiet lately. It is no judge of
words; whom it accuses wrongly is asked once more, and then believed for longer and longer.
Pure: no sockets; times in seconds on one monotonic clock.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

RATE = 16_000
STANDS_OUT = 10 ** (10 / 20)
"""How far a voice stands out from the background: 10 dB."""
FAINT = 10 ** (-50 / 20) * 32_768
"""Beneath it nothing is a voice (int16 RMS; -50 dBFS)."""
RISE = 10 ** (2 / 20)
"""How fast the background may grow per second: 2 dB."""
PAUSE = 0.24
"""Silence in which no word is cut (s)."""
SETTLE_AFTER = 20.0
"""Seconds behind the first unsettled voice after which the next pause is a checkpoint."""
SETTLE_LATEST = 45.0
"""Likewise, after which any moment is: before the audio that could be sent again is given up."""
RUT = 8.0
"""Seconds of voice without a word after which the connection is of no use."""
BLANK = 1.5
"""Seconds of voice that cannot have a final text without words."""
LONGEST = 60.0
"""What both grow to, doubled each time that a new connection understood nothing either (s)."""
SILENT = 5.0
"""Seconds of audio without a message, from a server that sends one for every step of audio."""
CATCH_UP = 0.25
"""Seconds that a server may take for a second of audio that came faster than real time."""

Verdict = Literal["rut", "silent"]


class Watch:
    """What was sent over one connection, and what came back; kept over all of them."""

    def __init__(self, *, steady: bool = False, lifetime: float | None = None) -> None:
        """Begin.

        Args:
            steady: Whether the server sends something for every step of audio.
            lifetime: Seconds of audio after which the server must be asked for a final text,
                since it stops by itself some time later; the next pause is the moment.
        """
        self._steady = steady
        self._lifetime = lifetime
        self._floor = 0.0
        self._vain = 1.0
        self.connected(0.0)

    def connected(self, now: float) -> None:
        """Begin anew, on a new connection."""
        self._silence = 0.0
        self._unsettled = 0.0  # audio since the first voice that has no final text
        self._age = 0.0  # audio since the last final text
        self._voice: list[float] = [0.0]  # seconds of voice per final text that is waited for
        self._wordless = 0.0  # seconds of voice since the last word
        self._since = now  # when that began
        self._quiet = 0.0  # audio since the last message
        self._message = now
        self._lead = 0.0
        self._last = now

    def audio(self, pcm: bytes, now: float) -> None:
        """Take what is sent: int16 mono at 16 kHz, about 80 ms."""
        seconds = len(pcm) / (2 * RATE)
        self._lead = max(0.0, self._lead - (now - self._last)) + seconds
        self._last = now
        self._age += seconds
        self._quiet += seconds
        if self._voiced(pcm, seconds):
            self._silence = 0.0
            if not self._wordless:
                self._since = now
            self._wordless += seconds
            self._voice[-1] += seconds
            self._unsettled = self._unsettled or seconds
        else:
            self._silence += seconds
        if self._unsettled:
            self._unsettled += seconds

    def _voiced(self, pcm: bytes, seconds: float) -> bool:
        samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        level = float(np.sqrt(np.dot(samples, samples) / max(1, len(samples))))
        # Silence is the floor at once; a noise that stays becomes it by and by.
        self._floor = min(level, max(self._floor, 1.0) * RISE**seconds)
        return level > max(FAINT, self._floor * STANDS_OUT)

    def asked(self) -> None:
        """A final text was asked for."""
        self._voice.append(0.0)

    def message(self, now: float) -> None:
        """Something came."""
        self._quiet, self._message = 0.0, now

    def words(self) -> None:
        """A word came."""
        self._wordless = 0.0
        self._vain = 1.0

    @property
    def blank(self) -> bool:
        """Whether a final text that comes now cannot be without words."""
        return self._voice[0] >= min(LONGEST, BLANK * self._vain)

    def settled(self) -> None:
        """A final text came and was taken."""
        if len(self._voice) > 1:
            self._voice.pop(0)
        else:
            self._voice[0] = 0.0
        self._unsettled = self._age = 0.0

    def in_vain(self) -> None:
        """A connection is given up because it understood nothing: trust the next one longer."""
        self._vain *= 2

    @property
    def ripe(self) -> bool:
        """Whether this is the moment to ask for the words so far."""
        paused = self._silence >= PAUSE
        if self._unsettled >= (SETTLE_AFTER if paused else SETTLE_LATEST):
            return True
        return self._lifetime is not None and paused and self._age >= self._lifetime

    @property
    def allowance(self) -> float:
        """Seconds more that an answer may take, for audio that came all at once."""
        return CATCH_UP * self._lead

    def verdict(self, now: float) -> Verdict | None:
        """Tell what is wrong with the connection, if anything is."""
        if self._steady:
            late = now - self._message - self.allowance
            if self._quiet >= SILENT and late >= SILENT:
                return "silent"
        patience = min(LONGEST, RUT * self._vain)
        if self._wordless >= patience and now - self._since - self.allowance >= patience:
            return "rut"
        return None
