"""The desk: which agents answer, which calls there are, and what is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vivavoce.agent import Agent
from vivavoce.agent.languages import base
from vivavoce.agent.revival import Past
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.hosting import Host
from vivavoce.pipelines.interpret.rooms import Rooms
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.pipelines.talk import Talk
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web import revival
from vivavoce.web.cluster.names import mark_id, mark_token
from vivavoce.web.followers import Followers, Hook
from vivavoce.web.interpreting import Interpreting, encoder
from vivavoce.web.leg import Leg
from vivavoce.web.limits import Limits
from vivavoce.web.line import WAIT, Line, wall
from vivavoce.web.live import DeskError, LiveCall, PastCall, Wish
from vivavoce.web.migration import Migration
from vivavoce.web.narrator import Narrator
from vivavoce.web.revival import Lost
from vivavoce.web.shelf import Shelf
from vivavoce.web.staff import Staff, in_voice
from vivavoce.web.store import Store
from vivavoce.web.store_keeper import Keeper
from vivavoce.web.turn import IceServers
from vivavoce.web.turnstile import Turnstile
from vivavoce.web.webrtc import Peer

log = logging.getLogger("vivavoce")

REACH = 12.0
"""Seconds in which a client must be reached before its call begins."""
ENDING = 10.0
"""Seconds in which the calls end when the server does."""
UNREACHED = "the caller was never reached"


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
        self.agents = Staff(agents, choose_voice=choose_voice)
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
        self.past = Shelf()
        self.turnstile = Turnstile(self.limits, gate, observer)
        self.alone = not name
        self._wait, self.observer = wait, observer
        self._keeper = None if records is None else Keeper(records)
        if self._keeper is not None:
            self.interpreting.keep(self._keeper)
        self._followers = Followers(models, self._keeper, observer, began, ended)
        self._tasks = Tasks()
        self._migration: Migration | None = None
        if records is not None and self._keeper is not None:
            self._migration = Migration(records, self._keeper, self.calls, wait, self._tasks)
        self._running: set[asyncio.Task[None]] = set()  # calls, to the end of their farewells

    def agent_for(self, wish: Wish) -> Agent[Any]:
        """Return who answers.

        Raises:
            DeskError: There is nobody of that name, or they do not speak that language.
        """
        return self.interpreting.face(wish) or self.agents.pick(wish)

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
        self.turnstile.admit(wish)
        try:
            if prepare is not None:
                agent = prepare(agent)
            ident = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
            ident = mark_id(ident, self.name)
            resume = mark_token(secrets.token_urlsafe(24), self.name)
            seat = self.interpreting.reserve(wish, leg.kind) if wish.room else None
            recorded = self.recordings is not None and (seat is None or wish.speaks)
            path = self.recordings / f"{ident}.wav" if self.recordings and recorded else None
            live = self._make(ident, resume, leg, wish, agent, datetime.now(UTC), path)
            if seat is not None:
                live.room, live.person = seat
                live.line.deaf = not live.person.speaks
        except BaseException:
            self.turnstile.release(wish)
            raise
        live.resumable = speaks_rtvi and prepare is None
        return self._start(live, speaks_rtvi=speaks_rtvi, attached=attached)

    def _make(
        self,
        ident: str,
        resume: str,
        leg: Leg,
        wish: Wish,
        agent: Agent[Any],
        began: datetime,
        recording: Path | None,
    ) -> LiveCall:
        """Make a call that was let in, in the voice that was asked for."""
        agent = in_voice(agent, wish.voice)
        line = Line(leg, version=self.version, recording=recording, wait=self._wait)
        return LiveCall(ident, resume, wish, line, agent, began, recording)

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
        self.past.forget(time.monotonic())
        if any(live.is_caller(token) for live in self.past):
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
            if self._migration is None or unknown.status != 404:
                raise
        if self.turnstile.draining:
            raise DeskError(503, "closing", "this server is shutting down: call another", 2.0)
        return await self._migration.take(token)

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
        if isinstance(found, Lost) and self._migration is not None:
            self._migration.let_go(found)

    def _revive(self, lost: Lost, leg: Leg, wish: Wish) -> LiveCall:
        """Carry a call whose server was lost."""
        claimed, name = lost.claimed, str(lost.claimed.record["agent"])
        agent = self.agents.get(name)
        if agent is None:
            raise DeskError(410, "no_agent", f"{name} does not answer here any more: begin another")
        wish = replace(wish, caller=lost.of("caller"), called=lost.of("called"), voice=lost.voice)
        self.turnstile.admit(wish)
        try:
            path = self.recordings / f"{lost.id}.wav" if self.recordings else None
            resume = mark_token(revival.secret(lost.token), self.name)
            live = self._make(lost.id, resume, leg, wish, agent, lost.began, path)
        except BaseException:
            self.turnstile.release(wish)
            raise
        live.resumable = True
        live.past = Past(claimed.record, claimed.away, self.agents.find)
        return self._start(live)

    def find(self, ident: str, token: str) -> LiveCall | PastCall:
        """Return a call, live or over, for its caller.

        Raises:
            DeskError: There is none, or the token is not its.
        """
        self.past.forget(time.monotonic())
        live: LiveCall | PastCall | None = self.calls.get(ident) or self.past.get(ident)
        if live is None or not live.is_caller(token):
            raise DeskError(404, "no_call", "there is no such call, or it is not yours")
        return live

    def report(self, live: LiveCall | PastCall) -> dict[str, Any]:
        """Return a call's record, as far as it goes."""
        return live.record if isinstance(live, PastCall) else live.report(self.models.names)

    def use(self, agent: Host, successor: Callable[[Agent[Any]], Agent[Any] | None]) -> None:
        """Let a newer version of the only agent take calls, and go on with those there are.

        Args:
            agent: Who answers from now on; a session that goes on keeps its interpreter.
            successor: Gives the newer version of who speaks in a call, or None.
        """
        self.agents.use([agent])
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
        self.turnstile.draining = True
        if self._running and wait > 0:
            await asyncio.wait(set(self._running), timeout=wait)
        for live in list(self.calls.values()):
            with contextlib.suppress(Exception):
                left = not self.alone and live.resumable
                left = left and isinstance(live.conversation, Conversation)
                if left and self._migration is not None:
                    await self._migration.leave(live)
                else:
                    await live.hang_up("the server is shutting down")
        if self._running:
            await asyncio.wait(set(self._running), timeout=ENDING)
        await self.interpreting.close()
        await self._tasks.close()
        if self._migration is not None:
            self._migration.close()
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
            live.conversation = conversation = self._converse(live, speaks_rtvi=speaks_rtvi)
            if attached is not None:
                attached(live, conversation)
            self._followers.began(live)
            await conversation.run()
        finally:
            self.calls.pop(live.id, None)
            self.turnstile.release(live.wish)
            self.interpreting.left(live)
            if live.past is not None and live.conversation is None and self._migration is not None:
                await asyncio.shield(self._migration.give_up(live))
            self._keep(live)
            self._followers.over(live)
            try:
                await asyncio.shield(self._tasks.spawn(live.line.finish(), f"end of {live.id}"))
            finally:
                self._followers.finished(live)
            self._followers.gone(live)

    def _converse(self, live: LiveCall, *, speaks_rtvi: bool) -> Talk:
        conversation = self.interpreting.talk(live) or self._answer(live)
        recorded = live.recording is not None
        narrator = Narrator(conversation.call, wall, recording=recorded) if speaks_rtvi else None
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
        if live.conversation is None:
            live.record = {"call": live.id, "agent": live.agent.name, "ended": UNREACHED}
        else:
            live.record = live.make_record(self.models.names)
        if not live.taken:  # then it is not over
            now = time.monotonic()
            self.past.put(PastCall.of(live, live.record, now), now)
