"""A session that is played: what an interpreter would tell, in its order and in good time.

What the page has to show does not hang on what a recogniser understands: the pieces come from a
list, over the real server and a real connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from vivavoce.agent.events import CallerPartial, SegmentChanged
from vivavoce.agent.segment import Segment

FRENCH = [
    ("Bonjour à tous et bienvenue,", "Good morning everyone and welcome,"),
    ("au nom de toute l'équipe du musée.", "on behalf of the museum's whole team."),
    ("La visite dure une heure et demie.", "The tour takes an hour and a half."),
    ("Nous commençons par les téléphones,", "We begin with the telephones,"),
    ("puis nous descendrons au jardin,", "then we will go down to the garden,"),
    ("qui reste ouvert jusqu'à vingt heures.", "which stays open until eight in the evening."),
    ("Le pain au levain est offert à la sortie.", "Sourdough bread is offered at the exit."),
]
GUESS = "Good morning to everybody"
"""What stands there for a moment in place of the first translation."""
WRONG = "the translator answered nothing within 8 s — look at the server's log"


class Player:
    """Plays pieces into a call, one after the other.

    Args:
        live: The call.
        speaker: Whose words they are.
        source: What is spoken.
        target: What is heard.
    """

    def __init__(
        self, live: Any, speaker: str = "A", source: str = "fr", target: str = "en"
    ) -> None:
        self.live, self.speaker, self.source, self.target = live, speaker, source, target
        self.numbers = 0

    @property
    def call(self) -> Any:
        return self.live.conversation.call

    def partial(self, text: str) -> None:
        """Tell what is understood and not cut off yet."""
        self.call.emit(CallerPartial(self.call.now, text))

    def add(self, text: str, translation: str = "", *, started: float | None = None) -> Segment:
        """Cut a piece off."""
        self.numbers += 1
        now = self.call.now
        began = max(0.0, now - 0.4 - len(text) / 15) if started is None else started
        segment = Segment(
            self.numbers, self.speaker, self.source, self.target, text, began, now - 0.3,
            closes=text.endswith("."), translation=translation, cut=now,
        )  # fmt: skip
        self.call.transcript.add(segment)
        self.tell(segment)
        return segment

    def tell(self, segment: Segment) -> None:
        """Tell how far it is."""
        self.call.emit(SegmentChanged(self.call.now, segment))

    def caption(self, segment: Segment, text: str) -> None:
        """Show more of a translation, or another one."""
        segment.state = "translating"
        segment.caption(text)
        self.tell(segment)

    def speak(self, segment: Segment, translation: str, *, lag: float = 0.0) -> None:
        """The translation begins to sound."""
        segment.caption(translation)
        segment.translated = self.call.now
        segment.spoken_from, segment.state = segment.ended + (lag or 1.6), "speaking"
        segment.served = {"thinking": "a list", "speaking": "a list"}
        self.tell(segment)

    def spoken(self, segment: Segment, seconds: float = 1.2) -> None:
        """It has sounded."""
        assert segment.spoken_from is not None
        segment.spoken_to, segment.state = segment.spoken_from + seconds, "spoken"
        self.tell(segment)

    def fail(self, segment: Segment, error: str = "") -> None:
        """It could not be translated; without a class of failure only the server's words say why."""
        segment.state, segment.why, segment.error = "failed", WRONG, error
        self.tell(segment)

    def past(self, pieces: list[tuple[str, str]], *, lags: list[float]) -> None:
        """Play pieces that are over, two seconds each."""
        for number, (text, translation) in enumerate(pieces):
            segment = self.add(text, started=0.4 + 2.0 * number)
            segment.ended = segment.started + 1.6
            segment.cut = segment.ended + 0.4
            self.speak(segment, translation, lag=lags[number % len(lags)])
            self.spoken(segment)


async def carried(server: Any, within: float = 30.0, others: tuple[str, ...] = ()) -> Any:
    """Wait for a call whose client has been told of it; return it."""
    async with asyncio.timeout(within):
        while True:
            for live in server.desk.calls.values():
                if live.id not in others and live.conversation is not None and live.line._ready:
                    return live
            await asyncio.sleep(0.05)


async def until(condition: Callable[[], Any], within: float = 30.0) -> Any:
    """Wait until something is true; return it."""
    end = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    return found
