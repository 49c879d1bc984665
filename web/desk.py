"""The desk: which agents answer, which calls there are, and what is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from vivavoce.agent import Agent
from vivavoce.agent.agent import known
from vivavoce.agent.languages import base
from vivavoce.agent.revival import Past
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.hosting import Host
from vivavoce.pipelines.interpret.rooms import Rooms
from vivavoce.pipelines.load import AGAIN, Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web import revival
from vivavoce.web.cluster.names import mark_id, mark_token
from vivavoce.web.interpreting import Interpreting, encoder, faces
from vivavoce.web.leg import Leg
from vivavoce.web.limits import Admission, Limits
from vivavoce.web.line import WAIT, Line, wall
from vivavoce.web.live import DeskError, LiveCall, PastCall, Wish
from vivavoce.web.narrator import Narrator
from vivavoce.web.revival import Lost
from vivavoce.web.store import Store
from vivavoce.web.store_keeper import Keeper
from vivavoce.web.turn import IceServers
from vivavoce.web.webrtc import Peer

log = logging.getLogger("vivavoce")

REACH = 12.0
"""Seconds in which a client must be reached before its call begins."""
KEPT = 600.0
"""Seconds for which the record of a call that is over can be fetched by who was in it."""
MOST_KEPT = 200
"""Calls that are over and can be fetched."""
ENDING = 10.0
"""Seconds in which the calls end when the server does."""
UNREACHED = "the caller was never reached"
MOVED = "another server is to go on with the call"
TAKEN = "another server has taken the call over"


Hook = Callable[[LiveCall], None]


class Desk:
    """Carries web calls. Close it when the server ends.

    Args:
        agents: Who answers, agents and interpreters; the first one where nobody is asked for by
            name.
        models: What they hear, think and speak with.
        limits: How many calls.
        servers: STUN and TURN servers.
        recordings: A folder where calls are recorded; None: nowhere, or as `records` says.
        records: Where calls are kept; None: nowhere. Opened and closed by who made it.
        choose_voice: Whether a client may choose the agent's voice.
        wait: Seconds that a call waits for a caller who is gone.
        gate: Measures whether one more call fits; None: `limits` alone bounds them.
        observer: Follows the calls, for metrics and traces; opened and closed by who made it.
        version: Ours, for clients.
        began: Told of each call before its first event.
        ended: Told of each call once it is over and `record` is there.
        rooms: The rooms of interpreters, where a telephone leads into them, too; closed with the
            desk. None: of its own.
        name: The worker's, of several processes: whatever a client comes back with bears it
            (`vivavoce.web.cluster.names`). "": there is one process.

    Attributes:
        alone: Whether no other worker is there that calls can be left to when this one ends.

    Raises:
        ValueError: There is no agent, or two have one name.
    """

    def __init__(
        self,
        agents: Sequence[Host],
        models: Models,
        *,
        limits: Limits | None = None,
        servers: IceServers | None = None,
        recordings: Path | None = None,
        records: Store | None = None,
        choose_voice: bool = False,
        wait: float = WAIT,
        gate: Gate | None = None,
        observer: Observer | None = None,
        version: str = "",
        began: Hook | None = None,
        ended: Hook | None = None,
        rooms: Rooms | None = None,
        name: str = "",
    ) -> None:
        if records is not None and recordings is not None:
            raise ValueError("records have a place for recordings: give one of both")
        self.agents = faces(agents)
        self.models = models
        self.limits = limits or Limits()
        if rooms is None:
            rooms = Rooms(models, most=self.limits.calls, encoder=encoder, worker=name)
        self.interpreting = Interpreting(agents, models, most=self.limits.calls, rooms=rooms)
        self.servers = servers or IceServers()
        self.records = records
        # Where a call is recorded is where its recording is kept from.
        self.recordings = records.folder if records is not None else recordings
        self.version, self.name = version, name
        self.calls: dict[str, LiveCall] = {}
        self.past: OrderedDict[str, PastCall] = OrderedDict()
        self.admission = Admission(self.limits)
        self.draining = False
        self.alone = not name
        self._choose_voice = choose_voice
        self._wait = wait
        self.gate, self.observer = gate, observer
        self._began, self._ended = began, ended
        self._keeper = None if records is None else Keeper(records)
        if self._keeper is not None:
            self.interpreting.keep(self._keeper)
        if records is not None:
            records.on_taken.append(self._taken)
        self._tasks = Tasks()
        self._running: set[asyncio.Task[None]] = set()  # calls, to the end of their farewells

    @property
    def busy(self) -> bool:
        """Whether no call can begin."""
        full = self.gate is not None and bool(self.gate.full())
        return self.draining or self.admission.calls >= self.limits.calls or full

    def agent_for(self, wish: Wish) -> Agent[Any]:
        """Return who answers.

        Raises:
            DeskError: There is nobody of that name, or they do not speak that language.
        """
        agent = self.interpreting.face(wish)
        if agent is not None:
            return agent
        agent = self.agents.get(wish.agent) if wish.agent else next(iter(self.agents.values()))
        if agent is None:
            known = ", ".join(self.agents)
            raise DeskError(404, "no_agent", f"there is no agent {wish.agent!r}; known: {known}")
        known = ", ".join(agent.languages)
        if wish.language and base(wish.language) not in {base(each) for each in agent.languages}:
            text = f"{agent.name} does not speak {wish.language!r}; known: {known}"
            raise DeskError(400, "bad_language", text)
        if wish.voice and not self._choose_voice:
            raise DeskError(403, "bad_voice", "this server does not let callers choose the voice")
        return agent

    def begin(
        self,
        leg: Leg,
        wish: Wish,
        *,
        speaks_rtvi: bool = True,
        prepare: Callable[[Agent[Any]], Agent[Any]] | None = None,
        attached: Callable[[LiveCall, Talk], None] | None = None,
    ) -> LiveCall:
        """Begin a call over a connection; it runs by itself from then on.

        Args:
            leg: The connection.
            wish: What is asked for.
            speaks_rtvi: Whether the client is told what happens as docs/web.md says.
            prepare: Makes of the agent the one that answers this call.
            attached: Told of the conversation before its first event.

        Raises:
            DeskError: It may not begin; the leg stays open, and is the caller's to close.
        """
        agent = self.agent_for(wish)
        self.admit(wish)
        try:
            if prepare is not None:
                agent = prepare(agent)
            if wish.voice:
                agent = copy.copy(agent)
                agent.voice = wish.voice
            ident = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
            ident = mark_id(ident, self.name)
            resume = mark_token(secrets.token_urlsafe(24), self.name)
            seat = self.interpreting.reserve(wish, leg.kind) if wish.room else None
            recorded = self.recordings is not None and (seat is None or wish.speaks)
            path = self.recordings / f"{ident}.wav" if self.recordings and recorded else None
            line = Line(leg, version=self.version, recording=path, wait=self._wait)
            live = LiveCall(ident, resume, wish, line, agent, datetime.now(UTC), path)
            if seat is not None:
                live.room, live.person = seat
                line.deaf = not live.person.speaks
        except BaseException:
            self.release(wish)
            raise
        live.resumable = speaks_rtvi and prepare is None
        return self._start(live, speaks_rtvi=speaks_rtvi, attached=attached)

    def _start(
        self,
        live: LiveCall,
        *,
        speaks_rtvi: bool = True,
        attached: Callable[[LiveCall, Talk], None] | None = None,
    ) -> LiveCall:
        self.calls[live.id] = live
        live.task = self._tasks.spawn(
            self._carry(live, speaks_rtvi=speaks_rtvi, attached=attached), f"call {live.id}"
        )
        self._running.add(live.task)
        live.task.add_done_callback(self._running.discard)
        return live

    def admit(self, wish: Wish) -> None:
        """Count a call in.

        Raises:
            DeskError: There are too many, of all or of theirs.
        """
        try:
            self._admit(wish)
        except DeskError as refusal:
            if self.observer is not None:
                self.observer.refused("web", refusal.code)
            raise

    def _admit(self, wish: Wish) -> None:
        if self.draining:
            raise DeskError(503, "closing", "this server is shutting down: call another", 10.0)
        if self.gate is not None and (why := self.gate.full()):
            # Before any of those that run suffers.
            log.warning("a call is refused: %s", why)
            raise DeskError(503, "busy", "this server has no room for a call: try again", AGAIN)
        refusal = self.admission.begin(wish.address, wish.caller, time.monotonic())
        if refusal is not None:
            status, code = (503, "busy") if refusal.busy else (429, "too_many_calls")
            raise DeskError(status, code, refusal.message, refusal.retry)
        if self.gate is not None:
            self.gate.begin()

    def release(self, wish: Wish) -> None:
        """Count a call out that `admit` has let in."""
        self.admission.end(wish.address, wish.caller, time.monotonic())
        if self.gate is not None:
            self.gate.end()

    def by_leg(self, name: str) -> LiveCall:
        """Return the call that has a connection.

        Raises:
            DeskError: There is none.
        """
        for live in self.calls.values():
            leg = live.line.leg
            if leg is not None and leg.name == name:
                return live
        raise DeskError(404, "no_connection", "there is no such connection (pc_id): begin anew")

    def by_token(self, token: str) -> LiveCall:
        """Return the call that its caller comes back to.

        Raises:
            DeskError: There is none, or it is over.
        """
        for live in self.calls.values():
            if live.is_caller(token) and not live.taken:
                return live
        self._forget()
        if any(live.is_caller(token) for live in self.past.values()):
            raise DeskError(410, "over", "the call is over")
        raise DeskError(404, "no_call", "there is no call to come back to: begin another")

    async def come_back(self, token: str) -> LiveCall | Lost:
        """Find the call that its caller comes back to, also one whose server was lost.

        What is found is to be gone on with (`go_on`), or else let go (`let_go`).

        Raises:
            DeskError: There is none, it is over, or it cannot go on here.
        """
        try:
            return self.by_token(token)
        except DeskError as unknown:
            if self.records is None or unknown.status != 404:
                raise
        if self.draining:
            raise DeskError(503, "closing", "this server is shutting down: call another", 2.0)
        return await revival.claim(self.records, token, self._wait)

    def go_on(self, found: LiveCall | Lost, leg: Leg, wish: Wish) -> LiveCall:
        """Go on with a call that was found, over another connection.

        Args:
            found: The call.
            leg: The connection.
            wish: Where the caller is.

        Raises:
            DeskError: There is no room for it, or nobody to go on; it is let go.
        """
        if isinstance(found, LiveCall):
            found.line.attach(leg)
            return found
        try:
            return self._revive(found, leg, wish)
        except BaseException:
            self.let_go(found)
            raise

    def let_go(self, found: LiveCall | Lost) -> None:
        """Leave a call that was found as it was: its caller did not come after all."""
        if isinstance(found, Lost) and self.records is not None:
            self._tasks.spawn(revival.release(self.records, found.id), f"let {found.id} go")

    def _revive(self, lost: Lost, leg: Leg, wish: Wish) -> LiveCall:
        """Carry a call whose server was lost."""
        claimed, name = lost.claimed, str(lost.claimed.record["agent"])
        agent = self.agents.get(name)
        if agent is None:
            raise DeskError(410, "no_agent", f"{name} does not answer here any more: begin another")
        wish = replace(wish, caller=lost.of("caller"), called=lost.of("called"), voice=lost.voice)
        if wish.voice:
            agent = copy.copy(agent)
            agent.voice = wish.voice
        self.admit(wish)
        try:
            path = self.recordings / f"{lost.id}.wav" if self.recordings else None
            line = Line(leg, version=self.version, recording=path, wait=self._wait)
            resume = mark_token(revival.secret(lost.token), self.name)
            live = LiveCall(lost.id, resume, wish, line, agent, lost.began, path)
        except BaseException:
            self.release(wish)
            raise
        live.resumable = True
        live.past = Past(claimed.record, claimed.away, self._agent_named)
        return self._start(live)

    def _agent_named(self, name: str) -> Agent[Any] | None:
        return self.agents.get(name) or known(name)

    def _taken(self, call: str) -> None:
        """Another server has taken a call of ours over: we were thought lost."""
        live = self.calls.get(call)
        if live is not None:
            live.taken = True
            live.line.leave()
            self._tasks.spawn(live.hang_up(TAKEN), f"leave {call}")

    async def _move(self, live: LiveCall) -> None:
        """Leave a call to another worker, which its caller is to come back to."""
        if self._keeper is None or self.records is None or live.conversation is None:
            await live.hang_up("the server is shutting down")
            return
        live.taken = True
        live.line.leave()
        live.conversation.note_heard()
        self._keeper.left(live.conversation.call)
        try:
            await self.records.flush()
            await self.records.release(live.id)
        finally:
            await live.hang_up(MOVED)

    def find(self, ident: str, token: str) -> LiveCall | PastCall:
        """Return a call, live or over, for its caller.

        Raises:
            DeskError: There is none, or the token is not its.
        """
        self._forget()
        live: LiveCall | PastCall | None = self.calls.get(ident) or self.past.get(ident)
        if live is None or not live.is_caller(token):
            raise DeskError(404, "no_call", "there is no such call, or it is not yours")
        return live

    def report(self, live: LiveCall | PastCall) -> dict[str, Any]:
        """Return a call's record, as far as it goes."""
        if isinstance(live, PastCall) or live.record is not None:
            return live.record or {}
        conversation = live.conversation
        if conversation is None:
            return {"call": live.id, "agent": live.agent.name, "phase": "connecting"}
        return {**live.make_record(self.models.names), "phase": conversation.call.phase}

    def use(self, agent: Host, successor: Callable[[Agent[Any]], Agent[Any] | None]) -> None:
        """Let a newer version of the only agent take calls, and go on with those there are.

        Args:
            agent: Who answers from now on; a session that goes on keeps its interpreter.
            successor: Gives the newer version of who speaks in a call, or None.
        """
        self.agents = faces([agent])
        self.interpreting.use([agent])
        for live in self.calls.values():
            if live.conversation is not None:
                newer = successor(live.conversation.agent)
                if newer is not None:
                    live.conversation.use(newer)

    async def close(self, *, wait: float = 0.0) -> None:
        """Take no more calls, wait for those there are, and end what is left; idempotent.

        Where there are other workers with the same records (it is not `alone`), calls are left to
        them, and not ended: their callers are to come back.

        Args:
            wait: Seconds that calls may go on.
        """
        self.draining = True
        if self._running and wait > 0:
            await asyncio.wait(set(self._running), timeout=wait)
        for live in list(self.calls.values()):
            with contextlib.suppress(Exception):
                left = not self.alone and live.resumable
                if left and isinstance(live.conversation, Conversation):
                    await self._move(live)
                else:
                    await live.hang_up("the server is shutting down")
        if self._running:
            await asyncio.wait(set(self._running), timeout=ENDING)
        await self.interpreting.close()
        await self._tasks.close()
        if self.records is not None and self._taken in self.records.on_taken:
            self.records.on_taken.remove(self._taken)
        if self._keeper is not None:
            await self._keeper.close()

    # Inside.

    async def _carry(
        self,
        live: LiveCall,
        *,
        speaks_rtvi: bool,
        attached: Callable[[LiveCall, Talk], None] | None,
    ) -> None:
        try:
            leg = live.line.leg
            # Before anything is done for somebody who only sent a few bytes.
            if isinstance(leg, Peer) and not await leg.ice.stands(REACH):
                log.info("call %s: %s", live.id, UNREACHED)
                return
            if live.past is not None and live.recording is not None:
                live.line.appends = await asyncio.to_thread(revival.go_on_with, live.recording)
                if not live.line.appends:
                    live.recording = live.line.recording = None  # it is where its server was
            conversation = self._converse(live, speaks_rtvi=speaks_rtvi)
            live.conversation = conversation
            if attached is not None:
                attached(live, conversation)
            if self._keeper is not None and live.kept:
                self._keeper.began(
                    conversation.call,
                    partial(live.make_record, self.models.names, growing=True),
                    revive=revival.reviving(live),
                    events=() if live.past is None else live.past.record.get("events", ()),
                )
            if self.observer is not None:
                self.observer.began(
                    conversation,
                    leg.kind if leg is not None else "",
                    figures=live.figures,
                    agent=live.agent.name,
                )
            if self._began is not None:
                self._began(live)
            await conversation.run()
        finally:
            self.calls.pop(live.id, None)
            self.release(live.wish)
            self.interpreting.left(live)
            if live.past is not None and live.conversation is None and self.records is not None:
                await asyncio.shield(revival.release(self.records, live.id))
            self._keep(live)
            if self.observer is not None and live.conversation is not None:
                self.observer.ended(live.conversation)
            try:
                await asyncio.shield(self._tasks.spawn(live.line.finish(), f"end of {live.id}"))
            finally:
                if self._keeper is not None and live.conversation is not None and live.record:
                    self._keeper.ended(live.conversation.call, live.record)
            if self._ended is not None and live.conversation is not None:
                self._ended(live)

    def _converse(self, live: LiveCall, *, speaks_rtvi: bool) -> Talk:
        conversation = self.interpreting.talk(live) or self._answer(live)
        call = conversation.call
        narrator = None
        if speaks_rtvi:
            narrator = Narrator(call, wall, recording=live.recording is not None)
        live.line.follow(conversation, narrator)
        return conversation

    def _answer(self, live: LiveCall) -> Conversation:
        """Have the agent answer."""
        conversation = Conversation(
            live.agent,
            self.models,
            live.line,
            call_id=live.id,
            caller=live.wish.caller or live.wish.address,
            called=live.wish.called,
            past=live.past,
        )
        if live.past is not None:
            return conversation
        for language in live.agent.languages:
            if live.wish.language and base(language) == base(live.wish.language):
                conversation.call.language = language
                break
        return conversation

    def _keep(self, live: LiveCall) -> None:
        conversation = live.conversation
        if conversation is None:
            live.record = {"call": live.id, "agent": live.agent.name, "ended": UNREACHED}
        else:
            live.record = live.make_record(self.models.names)
        if live.taken:
            return  # it is not over
        self.past[live.id] = PastCall.of(live, live.record, time.monotonic())
        self._forget()

    def _forget(self) -> None:
        limit = time.monotonic() - KEPT
        while self.past and (
            len(self.past) > MOST_KEPT or next(iter(self.past.values())).ended_at < limit
        ):
            self.past.popitem(last=False)
