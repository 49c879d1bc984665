"""Voicemail or a human: who has answered a call of ours. Pure; told what happens, and when.

People who pick up say a word or two and wait. Machines speak on, say what machines say, and beep.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable

import numpy as np

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.vad import (
    SileroVad,
    Vad,
    VoiceActivity,
    VoiceSettings,
    VoiceStarted,
)

LATEST = 2.6
"""Seconds after the first word by which it is decided."""
GRACE = 0.35
"""Seconds more where whoever answered has said much, and the recogniser nothing yet: it is late,
and words tell better than how long they were."""
WAITING = 0.7
"""Seconds of silence after which whoever has said little waits for us."""
BRIEF = 1.9
"""Seconds of speech up to which it is little."""
SPEECHLESS = 5.0
"""Seconds after which nobody is there, or nobody who says anything."""

_MACHINE = re.compile(
    r"\b(?:"
    # en
    r"leave (?:me |us |your |a )|(?:after|at) the (?:tone|beep)|voice ?mail|mailbox|"
    r"(?:you have|you've) reached|(?:is |are |am |i'm |we're )?(?:not|un) ?available|"
    r"(?:can ?not|can't|unable to) (?:come|take|answer)|get back to you|"
    r"away from (?:my|the) (?:phone|desk)|"
    r"is being recorded|person you (?:are|have)|answering machine|no one is|currently closed|"
    r"our office is|our hours|please record|press (?:one|1)|"
    # fr
    r"laisse[rz]? (?:moi |nous |un |votre )|messagerie|r[ée]pondeur|bip|signal sonore|"
    r"(?:pas|in) ?(?:disponibles?|joignables?)|vous [êe]tes bien (?:sur|chez|au)|"
    # de
    r"nachricht|signalton|anrufbeantworter|nicht (?:erreichbar|zu erreichen)|piepton|"
    # es, pt, it, nl
    r"buz[óo]n|deje (?:un|su)|tono|deixe|caixa postal|sinal|segreteria|lasci(?:ate)? un|"
    r"segnale acustico|spreek .{0,20}\bin|voicemailbox|pieptoon|niet bereikbaar"
    r")",
    re.IGNORECASE,
)
_HUMAN = re.compile(
    r"\b(?:speaking|who(?:'s| is) (?:this|calling|there)|can i help|may i help|what do you want|"
    r"how can (?:i|we)|yes\?|(?:à|a) l'appareil|c'est qui|qui est|je vous [ée]coute|wer ist|"
    r"qui[ée]n (?:es|habla)|chi parla)",
    re.IGNORECASE,
)


class Answerer(enum.Enum):
    """Who has answered."""

    HUMAN = "human"
    MACHINE = "machine"
    NOBODY = "nobody"


class Voicemail:
    """Decides who has answered; the times are seconds on one clock, never going back.

    Args:
        now: When the call was answered.
        detector: Makes the voice detector for a sample rate.

    Attributes:
        verdict: Who it is; None until that is decided. It never changes.
        why: On what ground, for the log.
        beeped: When a machine's beep ended (s): now it listens. None before.
    """

    def __init__(self, now: float, detector: Callable[[int], Vad] = SileroVad) -> None:
        self.verdict: Answerer | None = None
        self.why = ""
        self.beeped: float | None = None
        self._began = now
        self._first: float | None = None  # when they began to speak
        self._since: float | None = None  # when this stretch of speech began
        self._stopped = now
        self._spoken = 0.0
        self._words = False
        self._beep = Beep()
        self._detector = detector
        self._vad: Vad | None = None
        self._activity = VoiceActivity()
        self._rate = 0
        self._fed = 0

    def voice(self, now: float, *, speaking: bool) -> None:
        """Take it that they began, or stopped, to speak."""
        if speaking and self._since is None:
            self._since = now
            self._first = now if self._first is None else self._first
        elif not speaking and self._since is not None:
            self._spoken += now - self._since
            self._since, self._stopped = None, now

    def words(self, text: str, now: float) -> None:
        """Take all that was understood so far."""
        self._words = self._words or bool(text.strip())
        if _MACHINE.search(text):
            self._decide(Answerer.MACHINE, f"it said {text[-60:]!r}")
        elif _HUMAN.search(text):
            self._decide(Answerer.HUMAN, f"they said {text[-60:]!r}")
        self.tick(now)

    def sound(self, pcm: Int16, rate: int, now: float) -> None:
        """Take a block of what is heard (int16): speech, its pauses, and the beep.

        Args:
            pcm: The samples.
            rate: 8000 or 16000 Hz.
            now: When its last sample was heard.
        """
        if self._vad is None or rate != self._rate:
            self._vad, self._rate, self._fed = self._detector(rate), rate, 0
            self._activity = VoiceActivity(rate, VoiceSettings(min_silence=0.2))
        self._fed += len(pcm)
        for window in self._vad.feed(pcm):
            for event in self._activity.feed(window):
                at = now - (self._fed - event.at_sample) / rate
                self.voice(at, speaking=isinstance(event, VoiceStarted))
        if self._beep.feed(pcm, rate):
            self.beeped = now
            self._decide(Answerer.MACHINE, "it beeped")
        self.tick(now)

    def tick(self, now: float) -> Answerer | None:
        """Decide, if it is time to; return the verdict."""
        if self.verdict is not None:
            return self.verdict
        if self._first is None:
            if now - self._began >= SPEECHLESS:
                self._decide(Answerer.NOBODY, "nobody said anything")
            return self.verdict
        spoken = self._spoken + (now - self._since if self._since is not None else 0.0)
        if self._since is None and spoken <= BRIEF and now - self._stopped >= WAITING:
            self._decide(Answerer.HUMAN, f"{spoken:.1f} s of speech, and silence")
        elif now - self._first >= LATEST + (0.0 if self._words or spoken <= BRIEF else GRACE):
            # Who has spoken for most of the time speaks on; who has not, has paused for us.
            machine = spoken > 0.8 * LATEST
            who = Answerer.MACHINE if machine else Answerer.HUMAN
            self._decide(who, f"{spoken:.1f} s of speech in {LATEST:g} s")
        return self.verdict

    def _decide(self, who: Answerer, why: str) -> None:
        if self.verdict is None:
            self.verdict, self.why = who, why


class Beep:
    """Finds a beep: one steady tone of a fifth of a second or more, and then its end."""

    LEAST = 0.18  # s
    WINDOW = 0.040  # s
    LOUD = 300.0  # RMS of int16, about -40 dBFS
    PURE = 0.85  # of the energy in one tone

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.int16)
        self._frequency = 0.0
        self._long = 0.0

    def feed(self, pcm: Int16, rate: int) -> bool:
        """Take a block (int16); return whether a beep has ended in it."""
        size = round(rate * self.WINDOW)
        self._rest = np.concatenate((self._rest, pcm))
        ended = False
        while len(self._rest) >= size:
            window, self._rest = self._rest[:size].astype(np.float64), self._rest[size:]
            ended |= self._take(window, rate)
        return ended

    def _take(self, window: np.ndarray[tuple[int], np.dtype[np.float64]], rate: int) -> bool:
        frequency = 0.0
        if np.sqrt(np.mean(window**2)) >= self.LOUD:
            power = np.abs(np.fft.rfft(window * np.hanning(len(window)))) ** 2
            peak = int(power.argmax())
            # A window's tone fills three bins.
            share = power[max(0, peak - 2) : peak + 3].sum() / power.sum()
            at = peak * rate / len(window)
            if share >= self.PURE and 350 <= at <= 2600:
                frequency = at
        steady = frequency and abs(frequency - self._frequency) <= 1.5 / self.WINDOW
        if steady:
            self._long += self.WINDOW
            return False
        ended = self._long >= self.LEAST
        self._frequency, self._long = frequency, self.WINDOW if frequency else 0.0
        return ended
