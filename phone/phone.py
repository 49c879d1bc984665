"""The telephone: agents that answer calls, and make them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from vivavoce.agent import Agent, Call, Interpreter
from vivavoce.agent.events import CallStarted
from vivavoce.phone.entrance import Entrance
from vivavoce.phone.exposure import Exposure, PhoneError
from vivavoce.phone.lines import TelephoneLine
from vivavoce.phone.opening import Manners, Opening, Screen, Sentence
from vivavoce.phone.operator import Operator
from vivavoce.phone.policy import Policy, Retries
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.station import HANDLER, Station
from vivavoce.phone.transport import PhoneTransport
from vivavoce.phone.voicemail import Answerer
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.hosting import Host, hold
from vivavoce.pipelines.interpret.room import Room
from vivavoce.pipelines.interpret.rooms import Open, Rooms
from vivavoce.pipelines.interpret.seating import Person, SeatingError
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

OPENED = 60.0
"""Seconds that a line may take to open, and a disclosure to be heard."""
ANY = "*"
"""The key of a trunk's `numbers` that stands for any other number."""

Hook = Callable[[Talk, TelephoneLine], None]


@dataclass(frozen=True, slots=True)
class _Connection:
    """What carries a call."""

    transport: PhoneTransport
    opening: Opening


_connections: weakref.WeakKeyDictionary[Call[Any], _Connection] = weakref.WeakKeyDictionary()


def _connection(call: Call[Any]) -> _Connection:
    found = _connections.get(call)
    if found is None:
        raise LookupError(f"call {call.id} is no telephone call: it has no line to act on")
    return found


def line_of(call: Call[Any]) -> TelephoneLine:
    """Return the telephone line of a call: what a tool transfers, holds or presses keys with.

    Raises:
        LookupError: It is no telephone call.
    """
    return _connection(call).transport.line


class Phone:
    """Agents and interpreters on the telephone. Use it as an async context manager.

    Args:
        agents: Who answers. The first one takes every call, unless its trunk's `numbers` name
            another; a number that a trunk's `numbers` do not know is answered 404.
        models: What they hear, think and speak with.
        trunks: Where calls come from and go to; none: this machine alone.
        exposure: How the telephone is reached.
        policy: Whom it may call, when and how often.
        ring_time: Seconds that it rings before it is answered.
        recordings: A folder where calls are recorded, by their id; None: nowhere.
        disclosure: Said before anything else, and not to be cut: that a machine speaks. True is
            a sentence in the call's language; or give your own, or one for each language.
        consent: Asked before a call is recorded; it is recorded only after a yes, by voice or
            key. Likewise a sentence; False records unasked, which most laws forbid.
        record_joined: Whether a recording goes on when its caller is joined with somebody (`bridge`
            and `warm`): True without asking them, False never. None: where `consent` is asked and
            they, too, say yes to it when they are briefed (`warm`).
        gate: Measures whether one more call fits; None: `exposure.max_calls` alone bounds them.
        entrances: Other ways in, such as `AudioSocket` and `ChanWebSocket`.
        observer: Follows the calls, for metrics and traces; opened and closed by who made it.
        began: Told of each call before its first event.
        ended: Told of each call once it is over.
        rooms: Rooms into which numbers lead, and from which people are called.

    Raises:
        PhoneError: The configuration does not hold together, or lets anybody in.
    """

    def __init__(
        self,
        agents: Host | Sequence[Host],
        models: Models,
        *,
        trunks: Sequence[Trunk] = (),
        exposure: Exposure | None = None,
        policy: Policy | None = None,
        ring_time: float = 0.0,
        recordings: Path | None = None,
        disclosure: Sentence = False,
        consent: Sentence = False,
        record_joined: bool | None = None,
        gate: Gate | None = None,
        entrances: Sequence[Entrance] = (),
        observer: Observer | None = None,
        began: Hook | None = None,
        ended: Hook | None = None,
        rooms: Rooms | None = None,
    ) -> None:
        chosen = [agents] if isinstance(agents, Agent | Interpreter) else list(agents)
        self._agents = {agent.name: agent for agent in chosen}
        if not chosen or len(self._agents) != len(chosen):
            raise PhoneError("give at least one agent, and each another name: Agent(name=...)")
        for trunk in trunks:
            for number, name in trunk.numbers.items():
                if name not in self._agents:
                    raise PhoneError(
                        f"trunk {trunk.name!r}: {number} is to be answered by {name!r}, which is"
                        f" none of the agents: {', '.join(self._agents)}"
                    )
        if not 0 <= ring_time <= 120:
            raise PhoneError(f"ring_time={ring_time}: 0 to 120 s; callers give up")
        self._entrances = {entrance.name: entrance for entrance in entrances}
        for entrance in entrances:
            if entrance.agent and entrance.agent not in self._agents:
                raise PhoneError(f"{entrance.name}: there is no agent {entrance.agent!r}")
        if len(self._entrances) != len(entrances):
            raise PhoneError("two ways in have one name")
        self._models, self._rooms, self._gate = models, rooms, gate
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._ring_time = ring_time
        self._recordings = recordings
        try:
            self._manners = Manners(disclosure, consent, record_joined)
        except ValueError as error:
            raise PhoneError(str(error)) from None
        self._began, self._ended, self._observer = began, ended, observer
        self._tasks = Tasks()
        self._dialled: set[asyncio.Task[None]] = set()
        self._closed = self._draining = False
        self._taken = 0  # calls that came in, by whichever way, and are not over
        # Who came by another way, and has no trunk, needs no SIP port: a PBX may be there.
        self._by_sip = bool(trunks) or exposure is not None or not entrances
        self.station = Station(self._take, trunks=trunks, exposure=exposure, gate=gate)
        self._operator = Operator(self.station, models, self._trunks, policy or Policy())

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen, and register where a trunk wants it.

        Raises:
            PhoneError: An address cannot be bound, or a trunk needs another listener.
        """
        if self._by_sip:
            await self.station.open()
        try:
            for entrance in self._entrances.values():
                await entrance.open(self._take, self._gate)
        except BaseException:
            await self.close()
            raise

    async def drain(self, wait: float) -> None:
        """Take no new calls, by any way in, and wait for those there are to end.

        Their records are written as they end. Cancelling it stops the wait.

        Args:
            wait: Seconds that calls may go on.
        """
        self._draining = True
        deadline = time.monotonic() + wait
        await self.station.drain(wait)
        while (self._taken or self._dialled) and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody is in a hurry
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Hang up every call and end; idempotent."""
        if not self._closed:
            self._closed = True
            for entrance in self._entrances.values():
                await entrance.close()
            await self.station.close()
            # Their lines are dead: they settle what was said, and finish their recordings.
            if self._dialled:
                await asyncio.wait(self._dialled, timeout=HANDLER)
            await self._tasks.close()

    async def dial(
        self,
        number: str,
        *,
        agent: str = "",
        trunk: str = "",
        caller: str = "",
        display: str = "",
        ring_time: float = 45.0,
        retries: Retries | None = None,
        screen: Screen | None = None,
        memory: Mapping[str, object] | None = None,
        deps: Any = None,
    ) -> Call[Any]:
        """Call somebody, and have an agent speak with them once they answer.

        Cancelling the wait hangs up. The call then goes on by itself: follow it by
        `async for event in call`.

        Args:
            number: A number or user, or a whole SIP URI.
            agent: The agent's name; the first one if "".
            trunk: The trunk's name; the first one if "".
            caller: The number shown.
            display: The name shown.
            ring_time: Seconds until it is given up.
            retries: When it is tried again; None: never.
            screen: Find out who has answered before anything is said: a person is greeted, a
                machine is left a message or hung up on. None: whoever answers is greeted.
            memory: What the agent knows from the start (`call.memory`).
            deps: What the agent's tools need, instead of what its `deps` makes.

        Raises:
            DialError: Nobody answered, or the policy forbids it; the message says which.
            PhoneError: There is no such agent or trunk.
        """
        chosen = self._agents.get(agent) if agent else next(iter(self._agents.values()))
        if chosen is None:
            raise PhoneError(f"there is no agent {agent!r}; known: {', '.join(self._agents)}")
        line = await self._operator.call(
            number,
            trunk=trunk,
            caller=caller,
            display=display,
            ring_time=ring_time,
            retries=retries,
        )
        conversation = self._conversation(line, chosen, deps, screen, memory)
        task = self._tasks.spawn(self._converse(conversation, line), f"call {line.call_id[:12]}")
        self._dialled.add(task)
        task.add_done_callback(self._dialled.discard)
        return conversation.call

    async def invite(
        self,
        room: Room,
        number: str,
        *,
        language: str,
        name: str = "",
        trunk: str = "",
        ring_time: float = 45.0,
    ) -> Person:
        """Call somebody into a room, where they speak and hear their own language.

        Cancelling the wait hangs up.

        Args:
            room: The room.
            number: A number or user, or a whole SIP URI.
            language: What they speak.
            name: What others see; a letter if "".
            trunk: The trunk's name; the first one if "".
            ring_time: Seconds until it is given up.

        Raises:
            DialError: Nobody answered, or the policy forbids it.
            SeatingError: There is no seat for them.
            PhoneError: There is no such trunk.
        """
        person = room.reserve(language=language, name=name, kind="phone out")
        try:
            line = await self._operator.call(number, trunk=trunk, ring_time=ring_time)
        except BaseException:
            room.leave(person.id)
            raise
        conversation = self._seat(line, room, person)
        task = self._tasks.spawn(self._converse(conversation, line), f"call {line.call_id[:12]}")
        self._dialled.add(task)
        task.add_done_callback(self._dialled.discard)
        return person

    @property
    def policy(self) -> Policy:
        """Whom it may call, when and how often."""
        return self._operator.policy

    def wait(self, number: str) -> float | None:
        """Return in how many seconds the policy lets a number be called; None: never."""
        return self._operator.wait(number)

    async def answered_by(self, call: Call[Any]) -> Answerer:
        """Wait until it shows who has answered a call of ours: some three seconds at most.

        Ask it right after `dial`, of an agent without a greeting: who is greeted at once says
        nothing. With `screen` it is found out anyway, and this tells what.

        Raises:
            LookupError: It is no telephone call.
        """
        return await _connection(call).opening.answered_by(call)

    def agent_for(self, line: TelephoneLine) -> Host | None:
        """Return who answers a call that came in; None: that number is nobody's."""
        entrance = self._entrances.get(line.trunk)
        if entrance is not None and entrance.agent:
            return self._agents[entrance.agent]
        trunk = self._trunks.get(line.trunk)
        if trunk is None or not trunk.numbers:
            return next(iter(self._agents.values()))
        name = trunk.numbers.get(line.number) or trunk.numbers.get(ANY)
        return self._agents[name] if name is not None else None

    # -- inside

    async def _take(self, line: TelephoneLine) -> None:
        if self._draining:
            line.reject(503)
            return
        self._taken += 1
        try:
            await self._answer(line)
        finally:
            self._taken -= 1

    async def _answer(self, line: TelephoneLine) -> None:
        opened = self._rooms.by_number(line.number) if self._rooms is not None else None
        if opened is not None:
            await self._join(line, opened)
            return
        agent = self.agent_for(line)
        if agent is None:
            log.info("%r: %s is nobody's number", line, line.number)
            if self._observer is not None:
                self._observer.refused(f"phone {line.direction.value}", "no_agent")
            line.reject(404)
            return
        if self._ring_time and await line.over(self._ring_time):
            return
        await self._converse(self._conversation(line, agent, None), line)

    def _conversation(
        self,
        line: TelephoneLine,
        agent: Host,
        deps: Any,
        screen: Screen | None = None,
        memory: Mapping[str, object] | None = None,
    ) -> Talk:
        call_id, recording = self._new_call()
        transport = PhoneTransport(line, self._operator)
        opening = self._opening(transport, recording, screen, asks=isinstance(agent, Agent))
        conversation = hold(
            agent,
            self._models,
            transport,
            call_id=call_id,
            deps=deps,
            caller=line.caller,
            called=line.number,
            opening=opening.run if opening.needed else None,
        )
        for key, value in (memory or {}).items():
            conversation.call.remember(key, value)
        self._connect(conversation, line, _Connection(transport, opening))
        return conversation

    async def _join(self, line: TelephoneLine, opened: Open) -> None:
        """Let somebody who has called a room's number into the room."""
        try:
            person = opened.room.reserve(
                language=opened.language, name=line.display, kind="phone in"
            )
        except SeatingError as error:
            log.info("%r: %s", line, error)
            line.reject(486)
            return
        try:
            if self._ring_time and await line.over(self._ring_time):
                return
            await self._converse(self._seat(line, opened.room, person), line)
        finally:
            opened.room.leave(person.id)

    def _seat(self, line: TelephoneLine, room: Room, person: Person) -> Talk:
        """Seat somebody who telephones in a room."""
        call_id, recording = self._new_call()
        transport = PhoneTransport(line, self._operator)
        opening = self._opening(transport, recording, None, asks=False)
        talk = room.seat(
            person,
            transport,
            call_id=call_id,
            caller=line.caller,
            called=line.number,
            there=lambda: line.answered and not line.ended,
        )
        self._connect(talk, line, _Connection(transport, opening))
        return talk

    def _new_call(self) -> tuple[str, Path | None]:
        """Return a call's id, and where it is recorded."""
        call_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        return call_id, self._recordings / f"{call_id}.wav" if self._recordings else None

    def _opening(
        self,
        transport: PhoneTransport,
        recording: Path | None,
        screen: Screen | None,
        *,
        asks: bool,
    ) -> Opening:
        """Return what comes before a call.

        An interpreter asks nobody anything: where consent is to be asked, its calls are not
        recorded.
        """
        manners = self._manners
        if not asks:
            recording = None if manners.consent else recording
            manners, screen = replace(manners, consent=False), None
        return Opening(transport, manners, recording, screen)

    def _connect(self, conversation: Talk, line: TelephoneLine, connection: _Connection) -> None:
        """Tell whoever follows calls of one that begins."""
        call, agent = conversation.call, conversation.agent
        connection.transport.told = call.pressed
        _connections[call] = connection
        if self._observer is not None:
            kind = f"phone {line.direction.value}"
            self._observer.began(
                conversation, kind, figures=lambda: (line, _figures(line)), agent=agent.name
            )
        if self._began is not None:
            self._began(conversation, line)

    async def _converse(self, conversation: Talk, line: TelephoneLine) -> None:
        connection = _connections[conversation.call]
        telling: asyncio.Task[None] | None = None
        if not isinstance(conversation, Conversation) and connection.opening.needed:
            telling = self._tasks.spawn(_disclose(connection.opening, conversation), "disclosure")
        try:
            await conversation.run()
        finally:
            if telling is not None:
                telling.cancel()
            if self._observer is not None:
                self._observer.ended(conversation)
            line.hang_up()
            await connection.opening.close()
            if self._ended is not None:
                self._ended(conversation, line)


async def _disclose(opening: Opening, talk: Talk) -> None:
    """Tell somebody whose words are interpreted that a machine speaks, once the line is open."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(OPENED), aclosing(aiter(talk.call)) as events:
            async for event in events:
                if isinstance(event, CallStarted):
                    await opening.run(talk.call)
                    return


def _figures(line: TelephoneLine) -> dict[str, float | None]:
    """Return how good a line is, as the legs of web calls tell it."""
    now = line.statistics()
    if now is None:
        return {}
    return {
        "jitter_ms": now.jitter * 1000,
        "lost": now.lost,
        "received": now.heard.packets.received,
        "concealed_ms": now.heard.concealed * 1000,
        "repaired_ms": now.heard.repaired * 1000,
        "round_trip_ms": None if now.round_trip is None else now.round_trip * 1000,
    }
