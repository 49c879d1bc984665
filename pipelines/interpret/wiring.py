"""The wiring of a room: connects everybody with what they are to hear, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from vivavoce.agent.interpreter import Original
from vivavoce.pipelines.interpret.lane import Lane
from vivavoce.pipelines.interpret.listening import Listener
from vivavoce.pipelines.interpret.outlet import Beneath, Outlet
from vivavoce.pipelines.interpret.programme import Encode, Programme
from vivavoce.pipelines.interpret.seat import Seat
from vivavoce.pipelines.interpret.seating import Hears, Person, Route, Seating

Made = Seat | Listener
Key = str | tuple[str, Hears]
"""Who hears: a participant, or all listeners of one language in one way."""


class Wiring:
    """Holds who is connected with what. `arrange` makes it as the seating has it.

    Args:
        rate: Sample rate of what is heard (Hz).
        original: What is heard of the speakers' own voices beneath.
        encoder: Makes an encoder for a rate (Hz), of 20 ms blocks, for listeners who take packets;
            None: they get samples.

    Attributes:
        programmes: What listeners hear, by language and way.
        readers: Who reads each lane.
    """

    def __init__(
        self, rate: int, original: Original, encoder: Callable[[int], Encode] | None
    ) -> None:
        self.programmes: dict[tuple[str, Hears], Programme] = {}
        self.readers: dict[Route, list[str]] = {}
        self._rate, self._original, self._encoder = rate, original, encoder
        self._outlets: dict[tuple[Key, Route], Callable[[], None]] = {}
        self._voices: dict[tuple[Key, str], Callable[[], None]] = {}

    async def arrange(self, seating: Seating, made: Mapping[str, Made]) -> None:
        """Make lanes and connections that are lacking, and end those that nobody needs.

        Args:
            seating: Who is there.
            made: Their seats, as far as they are made; those who have left and are not gone, too.
        """
        speakers = {
            ident: seat
            for ident, seat in made.items()
            if isinstance(seat, Seat) and seat.ear is not None
        }
        routes = {route for route in seating.routes() if route.speaker in speakers}
        hearers = self._hearers(seating, made)
        self._connect_lanes(seating, speakers, hearers)
        self._connect_voices(seating, speakers, hearers)
        for key in [each for each in self.programmes if each not in hearers]:
            del self.programmes[key]
        self._read(seating, routes)
        for route in routes:
            _lane(speakers[route.speaker], route)
        for ident, seat in speakers.items():
            assert seat.ear is not None
            for target in list(seat.ear.lanes):
                if Route(ident, target) not in routes:
                    await seat.ear.drop(target)

    def close(self) -> None:
        """Disconnect everybody; idempotent."""
        for table in (self._outlets, self._voices):
            while table:
                table.popitem()[1]()
        self.programmes.clear()

    # Inside.

    def _hearers(
        self, seating: Seating, made: Mapping[str, Made]
    ) -> dict[Key, tuple[Seat | Programme, Person]]:
        """Return who hears, each with somebody who hears that."""
        found: dict[Key, tuple[Seat | Programme, Person]] = {}
        for person in seating:
            seat = made.get(person.id)
            if isinstance(seat, Seat):
                found[person.id] = seat, person
            elif seat is not None and person.hears == "captions":
                seat.tune(None)
            elif seat is not None:
                key = person.language, person.hears
                if key not in self.programmes:
                    encode = None if self._encoder is None else self._encoder(self._rate)
                    self.programmes[key] = Programme(self._rate, encode)
                seat.tune(self.programmes[key])
                found[key] = self.programmes[key], person
        return found

    def _connect_lanes(
        self,
        seating: Seating,
        speakers: Mapping[str, Seat],
        hearers: Mapping[Key, tuple[Seat | Programme, Person]],
    ) -> None:
        wanted = {
            (key, route)
            for key, (_, person) in hearers.items()
            if person.hears == "translation"
            for route in seating.heard_by(person.id)
            if route.speaker in speakers
        }
        for way in set(self._outlets) - wanted:
            self._outlets.pop(way)()
        for key, route in wanted - set(self._outlets):
            hearer = hearers[key][0]
            lane = _lane(speakers[route.speaker], route)
            outlet = lane.outlet()
            if isinstance(hearer, Seat):
                hearer.listen(outlet)
            else:
                hearer.outlets.append(outlet)
            self._outlets[key, route] = partial(_part, lane.leave, hearer, outlet)

    def _connect_voices(
        self,
        seating: Seating,
        speakers: Mapping[str, Seat],
        hearers: Mapping[Key, tuple[Seat | Programme, Person]],
    ) -> None:
        wanted: dict[tuple[Key, str], Original] = {}
        for key, (_, person) in hearers.items():
            for speaker in seating.plainly(person.id):
                wanted[key, speaker.id] = "full"
            if person.hears == "translation" and self._original != "off":
                for route in seating.heard_by(person.id):
                    wanted[key, route.speaker] = self._original
        wanted = {way: how for way, how in wanted.items() if way[1] in speakers}
        for way in set(self._voices) - set(wanted):
            self._voices.pop(way)()
        for (key, ident), how in wanted.items():
            if (key, ident) not in self._voices:
                self._voices[key, ident] = self._hear(hearers[key][0], speakers[ident], how)

    def _hear(self, hearer: Seat | Programme, speaker: Seat, how: Original) -> Callable[[], None]:
        """Have somebody hear a speaker's own voice; return what ends it."""
        if isinstance(hearer, Seat):
            hearer.beneath(speaker, how)
            return partial(hearer.unhear, speaker)
        voice = Beneath(hearer.rate, how)
        hearer.originals.append(voice)
        speaker.on_voice.append(voice.feed)

        def end() -> None:
            hearer.originals.remove(voice)
            speaker.on_voice.remove(voice.feed)

        return end

    def _read(self, seating: Seating, routes: set[Route]) -> None:
        self.readers = {route: [] for route in routes}
        for person in seating:
            for route in seating.heard_by(person.id) & routes:
                self.readers[route].append(person.id)
            for speaker in seating.plainly(person.id):
                # The captions of their own language come with the first translation of it.
                mine = sorted(route for route in routes if route.speaker == speaker.id)
                if mine:
                    self.readers[mine[0]].append(person.id)


def _lane(speaker: Seat, route: Route) -> Lane:
    assert speaker.ear is not None
    return speaker.ear.lane(route.target)


def _part(leave: Callable[[Outlet], None], hearer: Seat | Programme, outlet: Outlet) -> None:
    if isinstance(hearer, Seat):
        hearer.unlisten(outlet)
    else:
        hearer.outlets.remove(outlet)
    leave(outlet)
