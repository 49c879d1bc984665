"""Wishes: what a call asks of its transcription, and which model takes which of them.

What no model takes is refused when it is written down; what this model does not take is refused
before a connection is opened, from what the model says of itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vivavoce.agent.agent import Agent
from vivavoce.agent.options import Listening
from vivavoce.pipelines.models.capabilities import Capabilities

MOST_TERMS = 100
"""Terms of `context_bias`, at most."""
DELAYS = ((80, 1200), (2400, 2400))
"""Milliseconds that a target delay may have where a model does not say: ranges, ends included."""
_LANGUAGE = re.compile(r"[a-z]{2}")


class WishError(ValueError):
    """A wish that no model fulfils; the message names the limit."""


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How Voxtral 3 follows the caller's turns; None leaves the server's default.

    Attributes:
        start_threshold: How likely the caller must have the floor for a turn to start
            (0-1; 0.5).
        eager_end_threshold: Below which likelihood the turn seems to be over (0.5).
        end_threshold: Below which it is over (0.33).
        min_silence_ms: Silence that must have passed for that (500).
        end_timeout_ms: Silence after which it is over in any case (3000).
    """

    start_threshold: float | None = None
    eager_end_threshold: float | None = None
    end_threshold: float | None = None
    min_silence_ms: int | None = None
    end_timeout_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse what the server would refuse.

        Raises:
            WishError: With what to change.
        """
        given = self.json()
        for name, value in given.items():
            most = 1 if name.endswith("threshold") else math.inf
            if not 0 <= value <= most:
                raise WishError(f"{name} must be from 0 to {most:g}; got {value!r}")
        full = {**_DEFAULTS, **given}
        start, eager = full["start_threshold"], full["eager_end_threshold"]
        end = full["end_threshold"]
        if not start >= eager > end:
            raise WishError(
                "thresholds must satisfy start_threshold >= eager_end_threshold > end_threshold;"
                f" got {start:g}, {eager:g} and {end:g}"
            )
        if full["end_timeout_ms"] < full["min_silence_ms"]:
            raise WishError(
                f"end_timeout_ms must be at least min_silence_ms; got {full['end_timeout_ms']:g}"
                f" and {full['min_silence_ms']:g}"
            )

    def json(self) -> dict[str, float]:
        """Give what is sent: the fields that were set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


_DEFAULTS: dict[str, float] = {
    "start_threshold": 0.5,
    "eager_end_threshold": 0.5,
    "end_threshold": 0.33,
    "min_silence_ms": 500,
    "end_timeout_ms": 3000,
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a call asks of its transcription, beside the words.

    Attributes:
        turns: Whether the server is to follow the caller's turns; tuned where one is given.
        language: ISO 639-1 code of what is spoken; None leaves it to the model.
        context_bias: Words and phrases to expect; at most 100.
        delay_ms: How far the text may lag behind the audio; None leaves the server's default
            (480).
        diarize: Whether to tell speakers apart.

    Raises:
        WishError: For what no model takes.
    """

    turns: bool | TurnDetection = False
    language: str | None = None
    context_bias: Sequence[str] = field(default=())
    delay_ms: int | None = None
    diarize: bool = False

    def __post_init__(self) -> None:
        terms: object = self.context_bias
        if self.language is not None and not _LANGUAGE.fullmatch(self.language):
            raise WishError(f"language must be a code of two letters such as en; {self.language!r}")
        listed = isinstance(terms, list | tuple)
        if not listed or not all(each and isinstance(each, str) for each in self.context_bias):
            raise WishError("context_bias must be a list of words or phrases")
        if (count := len(self.context_bias)) > MOST_TERMS:
            raise WishError(f"context_bias takes at most {MOST_TERMS} terms; got {count}")
        if self.delay_ms is not None and not _within(self.delay_ms, DELAYS):
            raise WishError(f"delay_ms must be {_ranges(DELAYS)}; got {self.delay_ms}")
        if self.diarize and self.turns:
            raise WishError("diarize is not compatible with turn detection: choose one of them")

    @classmethod
    def of(cls, agent: Agent[Any, Any], usual: Listening | None = None) -> Wishes:
        """Return what an agent asks for.

        Args:
            agent: The agent.
            usual: What is asked for where the agent says nothing.
        """
        own, usual = agent.listening, usual or Listening()
        delay = usual.delay if own.delay is None else own.delay
        return cls(
            turns=agent.turns.detector == "model",
            language=own.language or usual.language,
            context_bias=own.expect or usual.expect,
            delay_ms=None if delay is None else round(1000 * delay),
        )

    @property
    def turn_detection(self) -> TurnDetection | None:
        """How turns are to be followed; None not at all."""
        return TurnDetection() if self.turns is True else self.turns or None

    @property
    def special(self) -> bool:
        """Whether something is asked that not every model takes."""
        return bool(
            self.turns or self.language or self.context_bias or self.delay_ms or self.diarize
        )

    def refusal(self, model: str, able: Capabilities) -> str | None:
        """Say in one line what a model does not take; None if it takes all.

        Args:
            model: Its id.
            able: What it says of itself. What it does not say is left to the server.
        """
        for ask in _REFUSALS:
            if (why := ask(self, able)) is not None:
                return f"{model} {why}"
        return None


def _realtime(_wishes: Wishes, able: Capabilities) -> str | None:
    if able.realtime is False:
        return "does not transcribe live: its card lists no realtime transcription"
    return None


def _turns(wishes: Wishes, able: Capabilities) -> str | None:
    if wishes.turns and able.turn_detection is False:
        return "does not follow turns (turn_detection): Voxtral 3 does"
    return None


def _diarize(wishes: Wishes, able: Capabilities) -> str | None:
    if wishes.diarize and able.diarization is False:
        return "does not tell speakers apart live (diarize): Voxtral 3 does"
    return None


def _bias(wishes: Wishes, able: Capabilities) -> str | None:
    if wishes.context_bias and able.context_bias is False:
        return "takes no words to expect (context_bias) live: Voxtral 3 does"
    return None


def _language(wishes: Wishes, able: Capabilities) -> str | None:
    if wishes.language and able.languages is not None and wishes.language not in able.languages:
        known = ", ".join(able.languages)
        return f"takes {f'only {known}' if known else 'none'} as language; got {wishes.language}"
    return None


def _delay(wishes: Wishes, able: Capabilities) -> str | None:
    delay, ranges = wishes.delay_ms, able.delays_ms
    if delay is not None and ranges is not None and not _within(delay, ranges):
        return f"takes a delay of {_ranges(ranges)}; got {delay}" if ranges else "takes no delay"
    return None


_REFUSALS: tuple[Callable[[Wishes, Capabilities], str | None], ...] = (
    _realtime,
    _turns,
    _diarize,
    _bias,
    _language,
    _delay,
)


def _within(value: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(low <= value <= high for low, high in ranges)


def _ranges(ranges: Sequence[tuple[int, int]]) -> str:
    each = (f"{low}" if low == high else f"{low} to {high}" for low, high in ranges)
    return " or ".join(each) + " ms"
