"""Several people in a session, on virtual time: what each says is known, and what each hears."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pipecat.frames.frames import InputAudioRawFrame

from vivavoce.agent import Interpreter
from vivavoce.pipelines.interpret.programme import BLOCK
from vivavoce.pipelines.interpret.room import Kind, Made, Room
from vivavoce.pipelines.interpret.seating import Hears, Person
from vivavoce.pipelines.local import Passage
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, Thought, Usage
from vivavoce.pipelines.simulation.senses import LevelVad, TrackHearing
from vivavoce.pipelines.simulation.track import RATE, VOICE, Track
from vivavoce.pipelines.simulation.voice import length
from vivavoce.pipelines.simulation.warp import virtual_time
from vivavoce.pipelines.transport import Carried

HERTZ = {"en": 500.0, "fr": 1_000.0, "es": 2_000.0}
"""What translations into a language sound like."""
FIRST = 0.1
"""Seconds until a model answers."""


class Dictionary:
    """Translates word by word: "good day" is "good.fr day.fr". Implements `Thinking`.

    Attributes:
        asked: Requests by (source, target).
    """

    def __init__(self) -> None:
        self.asked: dict[tuple[str, str], int] = {}

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        del tools
        way = re.match(r".* from \w+ \((\w+)\) to \w+ \((\w+)\)", messages[0]["content"])
        assert way is not None
        source, target = way[1], way[2]
        self.asked[source, target] = self.asked.get((source, target), 0) + 1
        await asyncio.sleep(FIRST)
        for word in str(messages[-1]["content"]).split():
            bare = re.sub(r"[^\w']", "", word)
            yield TextDelta(word.replace(bare, f"{bare}_{target}") + " ")
        yield Finished("stop", Usage(10, 5))


class Tones:
    """Speaks each language in a tone of its own. Implements `Speaking`.

    Attributes:
        said: Texts by language.
    """

    rate = 16_000

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = {}

    async def stream(self, text: str, *, voice: Any, language: str) -> AsyncGenerator[Any]:
        del voice
        self.said.setdefault(language, []).append(text)
        await asyncio.sleep(FIRST)
        time = np.arange(round(length(text.replace(f"_{language}", "")) * self.rate)) / self.rate
        yield (np.sin(2 * np.pi * HERTZ[language] * time) * 6_000).astype(np.int16)


@dataclass
class Guest:
    """Somebody in the company: speaks by `track`, and everything heard is in `heard`.

    Implements `Transport`.
    """

    person: Person
    track: Track = field(default_factory=Track)
    made: Made | None = None
    task: asyncio.Task[Any] | None = None
    heard: list[Any] = field(default_factory=list)
    gone: str = ""
    there: bool = True

    def __post_init__(self) -> None:
        self._input, self._output = Passage("in"), Passage("out")

    def input(self) -> Passage:
        return self._input

    def output(self) -> Passage:
        return self._output

    async def carry(self, conversation: Carried) -> str:
        loop = asyncio.get_running_loop()
        at = loop.time()
        while not conversation.over:
            if self.gone:
                return self.gone
            at += BLOCK
            await asyncio.sleep(max(0.0, at - loop.time()))
            if self.person.speaks:
                pcm = self.track.take(round(RATE * BLOCK))
                await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), RATE, 1))
            self.heard.append((await conversation.play(round(conversation.rate * BLOCK))).samples)
        return conversation.over

    async def close(self) -> None:
        pass

    def says(self, text: str) -> None:
        self.track.say(text, self.track.position)

    def tone(self, language: str, since: float = 0.0) -> float:
        """How loud the tone of a language was in what was heard (0 to 1), from a second on."""
        assert self.made is not None
        rate = self.made.rate
        sound = np.concatenate([np.zeros(rate, np.int16), *self.heard])[rate:]
        sound = sound[round(since * rate) :].astype(np.float64)
        if len(sound) < rate:
            return 0.0
        spectrum = np.abs(np.fft.rfft(sound)) ** 2
        hertz = np.fft.rfftfreq(len(sound), 1 / rate)
        near = spectrum[np.abs(hertz - HERTZ[language]) < 25].sum()
        return float(near / max(1.0, spectrum.sum()))

    @property
    def segments(self) -> list[Any]:
        assert self.made is not None
        return self.made.call.transcript.segments


class Company:
    """A room that goes on, and those in it."""

    def __init__(self, room: Room, models: Models, tracks: deque[Track]) -> None:
        self.room, self.models = room, models
        self._tracks = tracks
        self.guests: list[Guest] = []
        self.transcriptions = 0

    def comes(
        self, language: str, name: str = "", *, speaks: bool = True, hears: Hears = "translation"
    ) -> Guest:
        person = self.room.reserve(language=language, name=name, speaks=speaks, hears=hears)
        guest = Guest(person)
        if speaks:
            self._tracks.append(guest.track)
        guest.made = self.room.seat(person, guest, there=lambda: guest.there)
        guest.task = asyncio.create_task(guest.made.run(), name=f"call of {person.name}")
        self.guests.append(guest)
        return guest

    async def leaves(self, guest: Guest) -> None:
        guest.gone = "the caller hung up"
        assert guest.task is not None
        await guest.task

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], Any], within: float = 60.0) -> Any:
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        while not (found := condition()):
            assert loop.time() < end, "it did not come to that"
            await asyncio.sleep(0.05)
        return found


@contextlib.asynccontextmanager
async def company(
    interpreter: Interpreter, *, kind: Kind = "room", **given: Any
) -> AsyncGenerator[Company]:
    """Open a room on virtual time; at its end everybody leaves, and no task may be left."""
    before = asyncio.all_tasks()
    tracks: deque[Track] = deque()
    with virtual_time():
        models = Models(
            hearing=lambda _wishes: TrackHearing(tracks.popleft()),
            thinking=Dictionary(),
            speaking=Tones(),
            names={},
            vad=LevelVad,
        )
        room = Room(interpreter, models, kind=kind, **given)
        running = asyncio.create_task(room.run(), name="room")
        held = Company(room, models, tracks)
        try:
            yield held
        finally:
            await room.hang_up("the test is over")
            await asyncio.wait({running}, timeout=30)
            tasks = {guest.task for guest in held.guests if guest.task is not None}
            if tasks:
                await asyncio.wait(tasks, timeout=30)
        assert running.done()
        for task in (running, *tasks):
            task.result()
        await asyncio.sleep(0.1)
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert left <= {asyncio.current_task()}, left


__all__ = ["VOICE", "Company", "Guest", "company"]
