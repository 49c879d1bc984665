"""Patience: what the caller hears when nobody says anything for long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np

from vivavoce.agent.options import Silence
from vivavoce.agent.phrases import GOODBYE, ONE_MOMENT, STILL_THERE, phrase
from vivavoce.agent.reason import NOBODY_THERE
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.mouth import Mouth
from vivavoce.pipelines.turns.silence import Ask, GiveUp, Reassure, Scene, Watch

HangUp = Callable[[str], Awaitable[None]]


class Patience:
    """Speaks into one call's silences."""

    def __init__(
        self,
        silence: Silence,
        mouth: Mouth,
        language: Callable[[], str],
        hang_up: HangUp,
    ) -> None:
        """Prepare it.

        Args:
            silence: What is to be done.
            mouth: Says it.
            language: Gives the language of the call.
            hang_up: Ends the call, for a reason, after what is being said.
        """
        self._silence = silence
        self._mouth = mouth
        self._language = language
        self._hang_up = hang_up
        self._watch = Watch(silence)

    async def tick(self, now: float, scene: Scene) -> None:
        """Time has passed; call it with every block of audio, it costs next to nothing."""
        match self._watch.tick(now, scene):
            case Ask():
                self._mouth.say(self._silence.still_there or self._phrase(STILL_THERE))
            case Reassure():
                if self._silence.working == "tone":
                    self._mouth.tone(tone(self._mouth.rate))
                else:
                    words = self._silence.one_moment or self._phrase(ONE_MOMENT)
                    self._mouth.say(words, aside=True)
            case GiveUp():
                self._mouth.say(self._silence.goodbye or self._phrase(GOODBYE))
                await self._hang_up(NOBODY_THERE)
            case None:
                pass

    def _phrase(self, phrases: dict[str, str]) -> str:
        return phrase(phrases, self._language())


def tone(rate: int) -> Samples:
    """Make the sound of work in progress: two soft notes, 0.5 s (int16 at `rate` Hz)."""
    notes = []
    for hertz in (523.25, 659.25):
        time = np.arange(round(rate * 0.25)) / rate
        envelope = np.minimum(1, time / 0.01) * np.exp(-time / 0.09)
        notes.append(np.sin(2 * np.pi * hertz * time) * envelope * 2_600)
    samples: Samples = np.concatenate(notes).astype(np.int16)
    return samples
