"""Barge-in: whether what the caller does while the agent speaks takes the floor.

Speech silences the reply at once, which costs nothing: it is held at a sample. Only words that
are no mere "mm-hm" end it. A cough, a noise or a backchannel gives the floor back, and the reply
goes on from the same sample. Pure; times are seconds on the call's clock.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from enum import Enum, auto

from vivavoce.agent.options import Turns

AGAIN = 0.08
"""Seconds after which it is asked again whether the caller speaks over an echo of ours."""

# What a listener says without asking for the floor, in the languages Voxtral speaks.
_BACKCHANNELS = frozenset(
    """
    mm mhm mmhm mm-hm mm-hmm mmm hm hmm uh-huh uhhuh huh aha ah oh uh um yeah yep yup yes ok
    okay right sure i see got it all alright really wow nice great cool oui ouais d'accord hum euh
    bon voilà bien sûr je vois ja genau ach so klar stimmt gut sí si vale claro ya ajá bueno
    sì certo capito va bene già sim tá pois é hoor oké precies juist haan हाँ हां जी अच्छा ठीक
    है نعم أيوه تمام طيب
    """.split()
)
# Not `\w` alone: Hindi's vowel signs are marks, and would end a word.
_WORDS = re.compile(r"[^\W_][^\s.,;:!?…।؟،。！？\"«»()\[\]—–]*")


def is_backchannel(text: str) -> bool:
    """Return whether a listener's words ask for nothing ("mm-hm", "yeah, right", "d'accord")."""
    plain = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    said = [word.rstrip("-'") for word in _WORDS.findall(plain)]
    return 0 < len(said) <= 4 and all(word in _BACKCHANNELS for word in said)


class Action(Enum):
    """What to do with the reply."""

    HOLD = auto()
    """Silence it at this sample, and keep it."""
    RESUME = auto()
    """Go on from the sample where it was held."""
    STOP = auto()
    """It is over."""


class BargeIn:
    """One call's interruptions."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._since: float | None = None
        self._began: float | None = None
        self._held = False
        self._again = self._echo = float("-inf")

    @property
    def held(self) -> bool:
        """Whether a reply is being held."""
        return self._held

    @property
    def began(self) -> float | None:
        """The first voiced sample of the speech that holds or stopped the reply (s)."""
        return self._began

    def speech_started(self, at: float) -> None:
        """The caller has begun to speak; `at` is the first voiced sample's time."""
        self._since = at

    def speech_stopped(self) -> None:
        """The caller has gone silent."""
        self._since = None

    def tick(
        self, now: float, *, busy: bool, echo: Callable[[], bool] | None = None
    ) -> Action | None:
        """Time has passed.

        Args:
            now: The time (s).
            busy: Whether there is a reply that may be cut: spoken, or about to be.
            echo: Tells whether what is heard is the reply itself, coming back; asked only where
                it matters, and again every `AGAIN` seconds while it is.
        """
        if not self._turns.interruptible or self._since is None:
            return None
        if self._held or not busy or now - self._since < self._turns.interrupt_after:
            return None
        if now < self._again:
            return None
        if echo is not None and echo():
            self._again = now + AGAIN
            self._echo = now
            return None
        self._held = True
        # Over an echo the caller began behind the last moment at which it was nothing else.
        self._began = max(self._since, self._echo)
        return Action.HOLD

    def words(self, text: str) -> Action | None:
        """Something was understood of what the caller says.

        Args:
            text: All that was understood since the caller began.
        """
        if self._held and self._meant(text):
            return self._stop()
        return None

    def settled(self, text: str, *, asked: bool) -> Action | None:
        """The caller fell silent, and `text` is for certain all that was said.

        Args:
            text: It; not empty.
            asked: Whether the agent has just asked something: then "yes" is an answer.

        Returns:
            RESUME if the reply goes on at once, since it was a mere "mm-hm"; else None: it is
            the end of the turn that decides.
        """
        if not self._held or asked or not is_backchannel(text):
            return None
        self._held = False
        return Action.RESUME

    def over(self, text: str, *, asked: bool = False) -> Action | None:
        """The caller's turn is over; `text` is all of it, empty when it held no words.

        Args:
            text: It.
            asked: Whether the agent has just asked something: then "yes" is an answer.

        Returns:
            RESUME or STOP when a reply was held, else None.
        """
        if not self._held:
            return None
        if not text.strip() or not (self._meant(text) or asked):
            self._held = False
            return Action.RESUME
        return self._stop()

    def _meant(self, text: str) -> bool:
        """Whether the words take the floor."""
        said = _WORDS.findall(text)
        return len(said) >= self._turns.min_words and not is_backchannel(text)

    def _stop(self) -> Action:
        self._held = False
        return Action.STOP
