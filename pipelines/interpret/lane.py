"""A lane: one speaker's words into one language, spoken in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.segment import Segment
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.interpret.outlet import LIMIT, Outlet
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.stage import Context


class Voices(Protocol):
    """Whose voice speaks for whom."""

    def voice_for(self, speaker: str, language: str) -> str | Speaker | None:
        """Return the voice for what a speaker said; asked before each segment is spoken."""


class Lane:
    """Translates what one speaker says into one language, and speaks it. Implements `Source`.

    Args:
        context: The speaker's call: its clock, its books (usage, ledger, failures).
        interpreter: How it is to be done.
        models: With what.
        source: The language that is spoken.
        target: The language that is heard.
        speaker: Whose words they are.
        changed: Told of every segment that is new or has changed, on the event loop; in order.
        voices: Whose voice speaks; the interpreter's if None.

    Attributes:
        segments: All segments so far, in order.
        outlets: Who listens. Without any, nothing is spoken: segments end as captions.
    """

    def __init__(
        self,
        context: Context,
        interpreter: Interpreter,
        models: Models,
        *,
        source: str,
        target: str,
        speaker: str,
        changed: Callable[[Segment], None],
        voices: Voices | None = None,
    ) -> None:
        self.source, self.target, self.speaker = source, target, speaker
        self.segments: list[Segment] = []
        self.outlets: list[Outlet] = []
        del context, interpreter, models, changed, voices

    @property
    def rate(self) -> int:
        """Sample rate of what outlets give (Hz)."""
        raise NotImplementedError

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting to be cut, translated or spoken."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether a model is being waited for: time must pass as it does."""
        raise NotImplementedError

    @property
    def lag(self) -> float:
        """How far what is said now is behind the speaker (s), as estimated; 0 before any."""
        raise NotImplementedError

    def outlet(self, *, limit: float = LIMIT) -> Outlet:
        """Let somebody listen from now on."""
        raise NotImplementedError

    def leave(self, outlet: Outlet) -> None:
        """Somebody listens no more; idempotent."""
        raise NotImplementedError

    def heard(self, segment: int, text: str, *, final: bool = False) -> None:
        """Take all that is understood of the transcriber's `segment` so far."""
        raise NotImplementedError

    def tick(self, *, speaking: bool) -> None:
        """Time has passed; `speaking` says whether the speaker's voice is heard just now."""
        raise NotImplementedError

    def turn_over(self) -> None:
        """The speaker has finished: what is left is translated."""
        raise NotImplementedError

    def draw(self, count: int) -> None:
        """Put the next `count` samples of speech into every outlet, as far as there is any."""
        raise NotImplementedError

    async def close(self) -> None:
        """End it, and everything that it waits for; idempotent."""
        raise NotImplementedError
