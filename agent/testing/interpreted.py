"""Interpreted: a simulated session of an interpreter, and what a test can look at."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast

from vivavoce.agent.call import Call
from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.segment import Segment
from vivavoce.agent.testing.caller import RECENT
from vivavoce.agent.testing.draw import draw
from vivavoce.agent.testing.engine import PATIENCE, SimulationError, load_module
from vivavoce.agent.testing.steps import Model, ScriptError, StepLike
from vivavoce.agent.transcript import Failure, Transcript

ENGINE = "vivavoce.pipelines.simulation.interpreted"
"""The module whose `open_engine` makes one."""

Translations = Mapping[str, str] | Callable[[str], StepLike]
"""A dictionary of words and phrases, or a function that translates a piece of text; it may answer
with a step instead (`fail()`, `wait(2) + say("…")`)."""


class Engine(Protocol):
    """Carries one simulated session. Times are seconds since it began."""

    @property
    def call(self) -> Call[Any]:
        """The session's call."""

    @property
    def asked(self) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
        """What the model was sent: (messages, tools) of each request."""

    async def start(self) -> None:
        """Open the line."""

    async def stop(self) -> None:
        """End the session, once everything is spoken."""

    async def speak(self, text: str) -> None:
        """Say a text; return when it is said."""

    async def sound(self, seconds: float) -> None:
        """Make a sound without words; return when it is over."""

    async def settle(self, within: float) -> None:
        """Return when everything that was said is spoken or written."""

    async def passes(self, seconds: float) -> None:
        """Let time pass."""


class Session:
    """A simulated session of one line: one who speaks there, and hears the translation.

    Time is virtual: it passes only while one of the methods is awaited, as far as that takes.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"<Session of {self.call!r}>"

    async def says(self, text: str, *, within: float = PATIENCE) -> None:
        """Say something, and wait until all of it is spoken in the other language.

        Args:
            text: What is said. An ellipsis is a pause in the middle of it.
            within: Longest wait for the translation (s of the session).

        Raises:
            SimulationError: If it takes longer.
        """
        await self._engine.speak(text)
        await self._engine.settle(within)

    async def begins(self, text: str) -> None:
        """Say something; return when it is said, whatever of it is translated by then."""
        await self._engine.speak(text)

    async def listens(self, *, within: float = PATIENCE) -> None:
        """Wait until everything that was said is spoken in the other language."""
        await self._engine.settle(within)

    async def coughs(self, seconds: float = 0.4) -> None:
        """Make a sound without words."""
        await self._engine.sound(seconds)

    async def silent(self, seconds: float) -> None:
        """Say nothing for a while."""
        await self._engine.passes(seconds)

    @property
    def call(self) -> Call[Any]:
        """The session's call."""
        return self._engine.call

    @property
    def transcript(self) -> Transcript:
        """What was said and translated so far."""
        return self.call.transcript

    @property
    def segments(self) -> list[Segment]:
        """The pieces that were translated, in order."""
        return self.transcript.segments

    @property
    def heard(self) -> str:
        """All that was heard of the translation so far, joined with spaces."""
        spoken = [each for each in self.segments if each.spoken_from is not None]
        return " ".join(each.translation for each in spoken)

    @property
    def written(self) -> str:
        """The translation so far, spoken or not."""
        return " ".join(each.translation for each in self.segments if each.translation)

    @property
    def lag(self) -> float:
        """How far behind the speaker the translation was, on average (s); 0 before any."""
        lags = [each.lag for each in self.segments if each.lag is not None]
        return sum(lags) / len(lags) if lags else 0.0

    @property
    def failures(self) -> list[Failure]:
        """What went wrong, in order."""
        return self.transcript.failures

    @property
    def requests(self) -> list[list[dict[str, Any]]]:
        """What the model was sent each time."""
        return [messages for messages, _ in self._engine.asked]

    def draw(self, width: int = 78) -> str:
        """Return the session as a text in two columns."""
        return draw(self.transcript, width=width)


@asynccontextmanager
async def interpret(
    interpreter: Interpreter, translations: Translations, *, call_id: str = "simulated"
) -> AsyncGenerator[Session]:
    """Simulate a session of an interpreter: the real pipeline, scripted models, a virtual clock.

    Args:
        interpreter: It may be the very object that interprets in production.
        translations: What its model answers.
        call_id: Names the call.

    Yields:
        The session; when the block is left, it ends once everything is spoken.

    Raises:
        SimulationError: If it does not go as the test wants it to.
        ScriptError: If `translations` is none.
    """
    engine = cast(
        "Engine",
        load_module(ENGINE).open_engine(interpreter, model_of(translations), call_id=call_id),
    )
    await engine.start()
    session = Session(engine)
    RECENT.append(session)
    try:
        yield session
    finally:
        await engine.stop()


def model_of(translations: Translations) -> Model:
    """Return a scripted model that translates.

    Args:
        translations: A dictionary, or a function of the text.

    Raises:
        ScriptError: If it is neither.
    """
    given: object = translations
    if isinstance(given, Mapping):
        translate: Callable[[str], StepLike] = _Dictionary(given)
    elif callable(given):
        translate = given
    else:
        raise ScriptError(f"translations={given!r}: give a dictionary, or a function of the text")

    def answer(messages: list[dict[str, Any]], _tools: list[dict[str, Any]]) -> StepLike:
        return translate(str(messages[-1]["content"]))

    return answer


class _Dictionary:
    """Puts words and phrases in the place of others, the longest first; others stay."""

    def __init__(self, pairs: Mapping[Any, Any]) -> None:
        for term, meaning in pairs.items():
            if not isinstance(term, str) or not isinstance(meaning, str) or not term.strip():
                raise ScriptError(f"translations: {term!r}: {meaning!r}: give texts")
        self._pairs = {_plain(term): meaning for term, meaning in pairs.items()}
        terms = sorted(map(re.escape, self._pairs), key=len, reverse=True)
        either = "|".join(terms) or r"(?!)"
        self._found = re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        return self._found.sub(lambda match: self._pairs[match[0].lower()], text)


def _plain(term: str) -> str:
    return " ".join(term.split()).strip(".,;:!?").lower()


__all__ = ["Session", "SimulationError", "Translations", "interpret", "model_of"]
