"""Who has the floor: where the caller's turn begins, seems to be over, goes on, is over.

Voxtral 3's turn events. The model watches one likelihood, that the caller has the floor, and
compares it with three thresholds; here it comes from the voice while there is one, and fades with
the silence behind it: fast behind words that can stand, slowly behind words that cannot. Pure; no
engine. Positions are in samples at 16 kHz since the session's first sample.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from vivavoce.sandbox.pcm import HEARING_RATE
from vivavoce.sandbox.segment import SURE

Kind = Literal["start", "eager_end", "resume", "end"]
Reason = Literal["threshold", "timeout"]

_HYSTERESIS = 0.15  # a voice that has begun may be that much less certain
# Seconds of silence in which the likelihood halves.
_FADES = 0.15  # behind words that can stand
_UNKNOWN = 0.5  # nothing was understood yet
_HOLDS = 6.0  # more must come: only the time-out ends this

# What no English sentence ends with, or hardly any.
_OPEN = frozenset(
    """
    a an the this these my your his her its our their some every each to of for with at from
    into onto about between during without and or but so because if when while where which who
    that although unless whether since than as via per by i i'm i'd i'll i've we we're we'd
    we'll we've they they're you're you'd it's that's there's is are was were be been am have
    has had do does did will would should can could may might must want need like let's
    very too quite really just also um uh er erm hmm well
    """.split()
)
_WORD = re.compile(r"[a-z0-9']+")
# "Yes, it is." ends as it should.
_SHORT = re.compile(
    r"(?:(?:yes|yeah|no|sure|of course) )?(?:i|it|that|this|he|she|we|you|they|there) (?:am|is|are"
    r"|was|were|do|does|did|have|has|had|will|would|can|could|should|might|must)"
)


class TurnsError(ValueError):
    """Settings that make no sense, with what to change."""


@dataclass(frozen=True)
class Settings:
    """A session's ``turn_detection``.

    Attributes:
        start_threshold: The likelihood at which a turn starts (0-1).
        eager_end_threshold: Below it the turn seems to be over.
        end_threshold: Below it the turn is over, once ``min_silence_ms`` have passed.
        min_silence_ms: Silence that an end takes at least.
        end_timeout_ms: Silence that ends a turn in any case; None never.
    """

    start_threshold: float = 0.5
    eager_end_threshold: float = 0.5
    end_threshold: float = 0.33
    min_silence_ms: int = 500
    end_timeout_ms: int | None = 3000

    @classmethod
    def parse(cls, given: Any) -> Settings:
        """Read ``turn_detection``; what is left out takes its default.

        Raises:
            TurnsError: With what to change.
        """
        if not isinstance(given, Mapping):
            raise TurnsError("turn_detection must be an object; {} takes the defaults")
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            raise TurnsError(
                f"turn_detection: unknown {', '.join(unknown)}; known: {', '.join(known)}"
            )
        for name, value in given.items():
            _check(name, value)
        settings = cls(**given)
        if not (settings.start_threshold >= settings.eager_end_threshold > settings.end_threshold):
            raise TurnsError(
                "turn_detection: start_threshold must be at least eager_end_threshold, and that"
                " greater than end_threshold"
            )
        timeout = settings.end_timeout_ms
        if timeout is not None and timeout < settings.min_silence_ms:
            raise TurnsError("turn_detection: end_timeout_ms must be at least min_silence_ms")
        return settings

    def json(self) -> dict[str, Any]:
        """Give it as the session shows it."""
        return asdict(self)

    def patience(self, stands: bool | None) -> tuple[float, float]:
        """Tell how much silence (s) makes a turn seem over, and ends it.

        Args:
            stands: Whether the words so far can stand; None when they are not known.
        """
        half = _UNKNOWN if stands is None else _FADES if stands else _HOLDS
        end = _fallen(self.end_threshold, half)
        return _fallen(self.eager_end_threshold, half), max(self.min_silence_ms / 1000, end)


def _check(name: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name.endswith("threshold"):
        if not number or not 0 <= value <= 1:
            raise TurnsError(f"turn_detection.{name} must be from 0 to 1, not {value!r}")
    elif value is None and name == "end_timeout_ms":
        return
    elif type(value) is not int or value < 0:
        raise TurnsError(
            f"turn_detection.{name} must be a whole number of at least 0, not {value!r}"
        )


def _fallen(threshold: float, half: float) -> float:
    """Tell after how many seconds the likelihood has fallen below ``threshold``."""
    return math.inf if threshold <= 0 else half * math.log2(1 / threshold)


def stands(text: str) -> bool | None:
    """Whether a text can be all that its speaker wanted to say; None for no words."""
    words = _WORD.findall(text.lower().replace("’", "'"))
    if not words:
        return None
    if words[-1] not in _OPEN or _SHORT.fullmatch(" ".join(words)):
        return True
    return text.rstrip().endswith("?")  # "Where are you from?"


@dataclass(frozen=True)
class Event:
    """What became of the turn.

    Attributes:
        kind: What.
        at: Where it was decided (position).
        reason: Of an end: whether the likelihood fell, or it was silent for too long.
    """

    kind: Kind
    at: int
    reason: Reason | None = None

    def json(self) -> dict[str, Any]:
        """Give it as the protocol's message."""
        message: dict[str, Any] = {
            "type": f"turn.{self.kind}",
            "time_s": round(self.at / HEARING_RATE, 6),
        }
        if self.reason is not None:
            message["end_reason"] = self.reason
        return message


class Turns:
    """Follows one session's turns, frame by frame."""

    def __init__(self, settings: Settings, onset: int) -> None:
        """Begin with nobody speaking.

        Args:
            settings: The thresholds.
            onset: Samples of voice in a row that are speech and no click.
        """
        self.settings = settings
        self._onset = onset
        self._open = False
        self._eager = False
        self._run = 0  # samples of voice in a row
        self._peak = 0.0
        self._last = 0  # position behind the last voiced sample

    @property
    def open(self) -> bool:
        """Whether the caller has the floor."""
        return self._open

    @property
    def voiced(self) -> bool:
        """Whether the last frame was voice."""
        return self._run > 0

    def push(
        self,
        begin: int,
        end: int,
        likelihood: float,
        patience: tuple[float, float],
        last: int | None = None,
    ) -> list[Event]:
        """Take one frame.

        Args:
            begin: Position of its first sample.
            end: Position behind its last one.
            likelihood: How likely it is voice (0-1).
            patience: Seconds of silence that make the turn seem over, and that end it.
            last: Position behind its last voiced sample, where known better than ``end``.
        """
        threshold = self.settings.start_threshold - (_HYSTERESIS if self._run else 0)
        if likelihood >= threshold:
            return self._voice(end, end - begin, likelihood, end if last is None else last)
        self._run, self._peak = 0, 0.0
        return self._silence(begin, end, *patience) if self._open else []

    def _voice(self, end: int, length: int, likelihood: float, last: int) -> list[Event]:
        self._run += length
        self._peak = max(self._peak, likelihood)
        speech = self._run >= self._onset and self._peak >= SURE
        # A click in the silence is no reason to wait longer.
        if speech or (self._open and not self._eager):
            self._last = last
        if not speech or (self._open and not self._eager):
            return []
        kind: Kind = "resume" if self._open else "start"
        self._open, self._eager = True, False
        return [Event(kind, end)]

    def _silence(self, begin: int, end: int, eager_s: float, end_s: float) -> list[Event]:
        # Words that became known late may show that the turn was over before: it is now.
        eager = max(begin, self._last + eager_s * HEARING_RATE)
        over = max(begin, self._last + end_s * HEARING_RATE)
        timeout_ms = self.settings.end_timeout_ms
        timeout = math.inf if timeout_ms is None else self._last + timeout_ms * HEARING_RATE / 1000
        events = []
        if eager <= end and not self._eager and eager < min(over, timeout):
            self._eager = True
            events.append(Event("eager_end", round(eager)))
        if min(over, timeout) <= end:
            self._open = self._eager = False
            reason: Reason = "threshold" if over <= timeout else "timeout"
            events.append(Event("end", round(min(over, timeout)), reason))
        return events
