"""The telephone: agents that answer calls, and make them."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from vivavoce.agent import Agent, Call
from vivavoce.agent.events import CallerPartial
from vivavoce.phone.exposure import Exposure, PhoneError
from vivavoce.phone.line import PhoneLine
from vivavoce.phone.policy import Pace, Policy
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.station import HANDLER, DialError, Station
from vivavoce.phone.transport import PhoneTransport
from vivavoce.phone.voicemail import Answerer, Voicemail
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

ANY = "*"
"""The key of a trunk's `numbers` that stands for any other number."""

TICK = 0.05
"""Seconds between two looks at who has answered."""
LOOKS = 400
"""Most looks: 20 s. The detector decides long before, while our clock runs."""

Hook = Callable[[Conversation, PhoneLine], None]

_lines: weakref.WeakKeyDictionary[Call[Any], PhoneLine] = weakref.WeakKeyDictionary()


def line_of(call: Call[Any]) -> PhoneLine:
    """Return the telephone line of a call: what a tool transfers, holds or presses keys with.

    Raises:
        LookupError: It is no telephone call.
    """
    line = _lines.get(call)
    if line is None:
        raise LookupError(f"call {call.id} is no telephone call: it has no line to act on")
    return line


class Phone:
    """Agents on the telephone. Use it as an async context manager.

    Args:
        agents: Who answers. The first one takes every call, unless its trunk's `numbers` name
            another; a number that a trunk's `numbers` do not know is answered 404.
        models: What they hear, think and speak with.
        trunks: Where calls come from and go to; none: this machine alone.
        exposure: How the telephone is reached.
        policy: Whom it may call, when and how often.
        ring_time: Seconds that it rings before it is answered.
        recordings: A folder where calls are recorded, by their id; None: nowhere. Tell callers,
            in the greeting: most laws want it.
        began: Told of each call before its first event.
        ended: Told of each call once it is over.

    Raises:
        PhoneError: The configuration does not hold together, or lets anybody in.
    """

    def __init__(
        self,
        agents: Agent[Any] | Sequence[Agent[Any]],
        models: Models,
        *,
        trunks: Sequence[Trunk] = (),
        exposure: Exposure | None = None,
        policy: Policy | None = None,
        ring_time: float = 0.0,
        recordings: Path | None = None,
        began: Hook | None = None,
        ended: Hook | None = None,
    ) -> None:
        chosen = [agents] if isinstance(agents, Agent) else list(agents)
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
        self._models = models
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._policy = policy or Policy()
        self._pace = Pace(self._policy.per_minute)
        self._ring_time = ring_time
        self._recordings = recordings
        self._began, self._ended = began, ended
        self._tasks = Tasks()
        self._dialled: set[asyncio.Task[None]] = set()
        self._closed = False
        self.station = Station(self._take, trunks=trunks, exposure=exposure)

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
        await self.station.open()

    async def close(self) -> None:
        """Hang up every call and end; idempotent."""
        if not self._closed:
            self._closed = True
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
            deps: What the agent's tools need, instead of what its `deps` makes.

        Raises:
            DialError: Nobody answered, or the policy forbids it; the message says which.
            PhoneError: There is no such agent or trunk.
        """
        chosen = self._agents.get(agent) if agent else next(iter(self._agents.values()))
        if chosen is None:
            raise PhoneError(f"there is no agent {agent!r}; known: {', '.join(self._agents)}")
        why = self._policy.forbids(number, datetime.now(UTC))
        wait = self._pace.wait(time.monotonic())
        if not why and wait:
            why = f"{self._policy.per_minute} calls a minute are made already; in {wait:.0f} s"
        if why:
            raise DialError(0, f"not called: {why}")
        self._pace.made(time.monotonic())
        line = await self.station.dial(
            number, trunk=trunk, caller=caller, display=display, ring_time=ring_time
        )
        conversation = self._conversation(line, chosen, deps)
        task = self._tasks.spawn(self._converse(conversation, line), f"call {line.call_id[:12]}")
        self._dialled.add(task)
        task.add_done_callback(self._dialled.discard)
        return conversation.call

    async def answered_by(self, call: Call[Any]) -> Answerer:
        """Wait until it shows who has answered a call of ours: some three seconds at most.

        Ask it right after `dial`, of an agent without a greeting: who is greeted at once says
        nothing. A machine that beeped listens from then on.

        Raises:
            LookupError: It is no telephone call.
        """
        line, detector = line_of(call), Voicemail(0.0)
        # The time is the sound's own: a moment in which we were too busy to listen is no pause.
        now = 0.0

        def heard(pcm: Int16, rate: int) -> None:
            nonlocal now
            now += len(pcm) / rate
            detector.sound(pcm, rate, now)

        async def follow() -> None:
            async for event in call:
                if isinstance(event, CallerPartial):
                    detector.words(event.text, now)

        following = asyncio.create_task(follow(), name="who has answered")
        try:
            with line.sounds(heard):
                for _ in range(LOOKS):
                    if detector.tick(now) is not None or await line.over(TICK):
                        break
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        log.info("%r: answered by %s: %s", line, detector.verdict, detector.why)
        return detector.verdict or Answerer.NOBODY

    def agent_for(self, line: PhoneLine) -> Agent[Any] | None:
        """Return who answers a call that came in; None: that number is nobody's."""
        trunk = self._trunks.get(line.trunk)
        if trunk is None or not trunk.numbers:
            return next(iter(self._agents.values()))
        name = trunk.numbers.get(line.number) or trunk.numbers.get(ANY)
        return self._agents[name] if name is not None else None

    # -- inside

    async def _take(self, line: PhoneLine) -> None:
        agent = self.agent_for(line)
        if agent is None:
            log.info("%r: %s is nobody's number", line, line.number)
            line.reject(404)
            return
        if self._ring_time and await line.over(self._ring_time):
            return
        await self._converse(self._conversation(line, agent, None), line)

    def _conversation(self, line: PhoneLine, agent: Agent[Any], deps: Any) -> Conversation:
        call_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{id(line) & 0xFFFFFF:06x}"
        recording = self._recordings / f"{call_id}.wav" if self._recordings is not None else None
        conversation = Conversation(
            agent,
            self._models,
            PhoneTransport(line, recording),
            call_id=call_id,
            deps=deps,
            caller=line.caller,
            called=line.number,
        )
        _lines[conversation.call] = line
        if self._began is not None:
            self._began(conversation, line)
        return conversation

    async def _converse(self, conversation: Conversation, line: PhoneLine) -> None:
        call = conversation.call

        def pressed(key: str) -> None:
            if key in "ABCD":  # pipecat's keypad, which tells the others, has no such keys
                call.pressed(key)

        try:
            with line.keys(pressed):
                await conversation.run()
        finally:
            line.hang_up()
            if self._ended is not None:
                self._ended(conversation, line)
