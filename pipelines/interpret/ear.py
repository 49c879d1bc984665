"""An ear: one speaker's voice becomes words, once, for all the lanes that translate them."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.segment import Segment
from vivavoce.pipelines.interpret.lane import Lane, Voices
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.stage import Context

RATE = 16_000
"""Sample rate of what it is fed with (Hz)."""


class Ear:
    """Hears one speaker: voice activity, one transcription, the ends of turns.

    Args:
        context: The speaker's call.
        interpreter: How it is to be done.
        models: With what.
        speaker: Whose words they are.
        language: What they speak; "" where it is either of the interpreter's two, told apart by
            each utterance.
        changed: Told of every segment of every lane that is new or has changed.
        voices: Whose voice speaks; the interpreter's if None.

    Attributes:
        lanes: Its lanes, by target language.
    """

    def __init__(
        self,
        context: Context,
        interpreter: Interpreter,
        models: Models,
        *,
        speaker: str,
        language: str,
        changed: Callable[[Segment], None],
        voices: Voices | None = None,
    ) -> None:
        self.speaker, self.language = speaker, language
        self.lanes: dict[str, Lane] = {}
        del context, interpreter, models, changed, voices

    def lane(self, target: str) -> Lane:
        """Return the lane into a language; made when it is first asked for."""
        raise NotImplementedError

    async def drop(self, target: str) -> None:
        """End the lane into a language; idempotent."""
        raise NotImplementedError

    async def open(self) -> None:
        """Begin to transcribe; connects behind the scenes."""
        raise NotImplementedError

    def feed(self, pcm: Samples) -> None:
        """Hear a block (int16 mono, 16 kHz), as it comes; silence too."""
        raise NotImplementedError

    @property
    def speaking(self) -> bool:
        """Whether the speaker's voice is heard just now."""
        raise NotImplementedError

    @property
    def quiet(self) -> bool:
        """Whether no turn is in progress and no words are awaited."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether a model is being waited for, by it or by a lane."""
        raise NotImplementedError

    @property
    def idle(self) -> bool:
        """Whether it is quiet and all lanes are idle."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the transcription and all lanes; idempotent."""
        raise NotImplementedError
