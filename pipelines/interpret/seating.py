"""The seating of a session of several people: who is there, and who needs whose words. Pure.

All times are seconds on the session's clock.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from vivavoce.agent.languages import base
from vivavoce.agent.reason import ALL_LEFT, LONGEST_SESSION, NOBODY_CAME, SPEAKER_LEFT

Hears = Literal["translation", "original", "captions"]

LONGEST_NAME = 40
"""Characters of a participant's name."""
EMPTY = 20.0
"""Seconds that a session waits when everybody has left: as long as a call for its caller."""
UNVISITED = 900.0
"""Seconds that it waits for the first one to come."""
SPEAKERLESS = 300.0
"""Seconds that listeners wait for a speaker who has left."""


class SeatingError(ValueError):
    """Somebody cannot have the seat that they ask for; the message says what to do.

    Attributes:
        code: "full", "taken", "over", "bad_language" or "bad_hears".
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Route(NamedTuple):
    """A way of words: what one person says, in one language."""

    speaker: str
    target: str


@dataclass(slots=True, eq=False)
class Person:
    """A participant.

    Attributes:
        id: Names their seat, never again given to another one.
        name: What others see; no two in a session have the same.
        language: What they speak; of a listener, what they hear.
        speaks: Whether they are listened to.
        hears: The translation, the speaker's own voice, or captions alone.
        joined: When they came (s).
        left: When they left for good (s); None while they have their seat.
        there: Whether they can be reached now.
        kind: How they came: "webrtc", "phone in", ….
    """

    id: str
    name: str
    language: str
    speaks: bool
    hears: Hears
    joined: float
    left: float | None = None
    there: bool = True
    kind: str = ""

    def to_dict(self, *, speaking: bool = False) -> dict[str, Any]:
        """Return it as clients and records have it."""
        return {
            "id": self.id,
            "name": self.name,
            "speaks": self.language if self.speaks else None,
            "hears": self.language,
            "mode": self.hears,
            "speaking": speaking,
            "there": self.there and self.left is None,
            "kind": self.kind,
            "joined": round(self.joined, 3),
            "left": None if self.left is None else round(self.left, 3),
        }


class Seating:
    """Decides who sits where, which lanes there have to be, and when it is over.

    Args:
        languages: What may be spoken and heard.
        people: How many may be there at once.
        speakers: How many of them may speak.
        lecture: One speaks and the others came to listen: without a speaker it ends.
        longest: Seconds that it may last.

    Attributes:
        past: Who was there and has left, in the order of leaving.
        changes: Counts what others are to be told of.
    """

    def __init__(
        self,
        languages: Sequence[str],
        *,
        people: int,
        speakers: int,
        lecture: bool = False,
        longest: float,
    ) -> None:
        self.languages = tuple(languages)
        self.past: list[Person] = []
        self.changes = 0
        self._most, self._most_speakers = people, speakers
        self._lecture, self._longest = lecture, longest
        self._seated: dict[str, Person] = {}
        self._fading: dict[str, Person] = {}
        self._count = 0
        self._emptied: float | None = 0.0
        self._unspoken: float | None = None  # since when nobody speaks who did

    def __len__(self) -> int:
        return len(self._seated)

    def __iter__(self) -> Iterator[Person]:
        return iter(list(self._seated.values()))

    def __getitem__(self, ident: str) -> Person:
        return self._seated[ident]

    def __contains__(self, ident: str) -> bool:
        return ident in self._seated

    @property
    def speakers(self) -> list[Person]:
        """Those who are listened to."""
        return [each for each in self._seated.values() if each.speaks]

    def join(
        self,
        now: float,
        *,
        language: str,
        name: str = "",
        speaks: bool = True,
        hears: Hears = "translation",
    ) -> Person:
        """Give somebody a seat.

        Args:
            now: The time.
            language: What they speak and hear.
            name: What others see; a letter where it is empty.
            speaks: Whether they are listened to.
            hears: What they hear of others.

        Raises:
            SeatingError: There is none for them.
        """
        if why := self.over(now):
            raise SeatingError("over", f"the session is over: {why}")
        if len(self._seated) >= self._most:
            raise SeatingError("full", f"all {self._most} seats are taken: try again later")
        if speaks and len(self.speakers) >= self._most_speakers:
            told = (
                "somebody speaks already"
                if self._most_speakers == 1
                else f"{self._most_speakers} people speak already"
            )
            raise SeatingError("taken", f"{told}: join as a listener")
        language = self.language(language)
        _check(hears)
        self._count += 1
        person = Person(f"p{self._count}", self._name(name), language, speaks, hears, now)
        self._seated[person.id] = person
        self._emptied = None
        if speaks:
            self._unspoken = None
        self.changes += 1
        return person

    def language(self, wanted: str) -> str:
        """Return the session's own form of a language ("en" for "en-GB").

        Raises:
            SeatingError: It is none of the session's.
        """
        for each in self.languages:
            if wanted and base(each) == base(wanted):
                return each
        known = ", ".join(self.languages)
        raise SeatingError("bad_language", f"{wanted!r} is not spoken here; choose of {known}")

    def choose(self, ident: str, *, language: str = "", hears: Hears | None = None) -> None:
        """Have somebody hear something else; who has left changes nothing.

        Args:
            ident: Whose seat.
            language: In which language from now on; "" for no change.
            hears: In which way; None for no change.

        Raises:
            SeatingError: The language is none of the session's, or that of somebody who speaks;
                or there is no such way.
        """
        person = self._seated.get(ident)
        if person is None:
            return
        wanted = self.language(language) if language else person.language
        if hears is not None:
            _check(hears)
        if person.speaks and wanted != person.language:
            text = f"{person.name} speaks {person.language}: leave, and join again with another"
            raise SeatingError("bad_language", text)
        person.hears = person.hears if hears is None else hears
        person.language = wanted
        self.changes += 1

    def reach(self, ident: str, *, there: bool) -> bool:
        """Note whether somebody can be reached now; return whether that is news."""
        person = self._seated.get(ident)
        if person is None or person.there == there:
            return False
        person.there = there
        self.changes += 1
        return True

    def leave(self, ident: str, now: float, *, fading: bool = False) -> Person | None:
        """Take somebody's seat back; None if they have left already.

        Args:
            ident: Whose seat.
            now: The time.
            fading: What they said last is still to be heard by the others, until they are `gone`.
        """
        person = self._seated.pop(ident, None)
        if person is None:
            return None
        if fading and person.speaks:
            self._fading[ident] = person
        person.left, person.there = now, False
        self.past.append(person)
        if not self._seated:
            self._emptied = now
        if person.speaks and not self.speakers:
            self._unspoken = now
        self.changes += 1
        return person

    def gone(self, ident: str) -> None:
        """The last of what somebody said who has left was heard; idempotent."""
        self._fading.pop(ident, None)

    def over(self, now: float) -> str:
        """Return why the session is over; "" while it goes on."""
        if now > self._longest:
            return LONGEST_SESSION
        if self._emptied is not None:
            if self._count == 0:
                return NOBODY_CAME if now - self._emptied > UNVISITED else ""
            return ALL_LEFT if now - self._emptied > EMPTY else ""
        if self._lecture and self._unspoken is not None and now - self._unspoken > SPEAKERLESS:
            return SPEAKER_LEFT
        return ""

    def end(self, now: float) -> list[Person]:
        """Let everybody go; return who was still there."""
        return [person for person in self if self.leave(person.id, now) is not None]

    # Who hears what.

    def routes(self) -> set[Route]:
        """Return the lanes that there have to be: each once, whoever listens to it."""
        return {route for person in self._seated.values() for route in self.heard_by(person.id)}

    def spoken(self, route: Route) -> bool:
        """Whether anybody hears a lane, rather than only reads it."""
        return any(
            person.hears == "translation" and route in self.heard_by(person.id)
            for person in self._seated.values()
        )

    def heard_by(self, ident: str) -> set[Route]:
        """Return the lanes whose translations somebody gets, as sound or captions."""
        listener = self._seated.get(ident)
        if listener is None:
            return set()
        # Who hears the original reads it, too: their own language's captions go with it.
        return {
            Route(speaker.id, listener.language)
            for speaker in (*self._seated.values(), *self._fading.values())
            if speaker.speaks
            and speaker.id != ident
            and base(speaker.language) != base(listener.language)
            and listener.hears != "original"
        }

    def plainly(self, ident: str) -> list[Person]:
        """Return the speakers whom somebody hears as they speak, untranslated and not ducked."""
        listener = self._seated.get(ident)
        if listener is None or listener.hears == "captions":
            return []
        return [
            speaker
            for speaker in self._seated.values()
            if speaker.speaks
            and speaker.id != ident
            and (listener.hears == "original" or base(speaker.language) == base(listener.language))
        ]

    # Inside.

    def _name(self, given: str) -> str:
        shown = "".join(
            " " if each.isspace() else each
            for each in unicodedata.normalize("NFC", given)
            if each.isspace() or unicodedata.category(each)[0] != "C"
        )
        name = " ".join(shown.split())[:LONGEST_NAME].strip() or _letter(self._count)
        taken = {each.name for each in self._seated.values()}  # who comes back keeps theirs
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name} {number}", number + 1
        return unique


def _letter(count: int) -> str:
    """Name somebody who gave no name: A, B, …, Z, A2, …."""
    turn, place = divmod(count - 1, 26)
    return chr(ord("A") + place) + (str(turn + 1) if turn else "")


def _check(hears: object) -> None:
    if hears not in get_args(Hears):
        known = ", ".join(get_args(Hears))
        raise SeatingError("bad_hears", f"{str(hears)[:40]!r} cannot be heard; choose of {known}")
