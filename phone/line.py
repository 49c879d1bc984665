"""A line: one telephone call with its media, from the first ring to the last packet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial

from vivavoce.phone.board import Board, Direction
from vivavoce.phone.lines import TelephoneLine
from vivavoce.phone.media.dtmf import KEYS, Digit
from vivavoce.phone.media.endpoint import MediaEndpoint
from vivavoce.phone.media.receiver import BLOCK
from vivavoce.phone.media.session import Event, MediaSession, Statistics
from vivavoce.phone.plan import differs, media_of
from vivavoce.phone.sip import decisions as sip
from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import Decision, Outcome
from vivavoce.phone.sip.inbound import Inbound, called
from vivavoce.phone.sip.leg import CallError, CallState
from vivavoce.phone.sip.sdp import MediaPlan
from vivavoce.phone.sip.session import LocalMedia
from vivavoce.phone.sip.uri import Uri
from vivavoce.pipelines.audio.convert import Int16

log = logging.getLogger("vivavoce")

ANSWER = 40.0
"""Seconds that answering may take: the signalling gives up by itself before."""
CHANGE = 40.0
"""Seconds that a hold or its end may take."""
MARGIN = 0.002
"""Seconds of speech more than a packet that wait to be sent, so that none goes out half full."""


class PhoneLine(TelephoneLine):
    """One telephone call by SIP. A station makes it.

    Attributes:
        end: How it ended; None while it goes on.
        plan: The media agreed on; None before that.
    """

    def __init__(self, board: Board, *, direction: Direction, trunk: str) -> None:
        super().__init__(direction=direction, trunk=trunk)
        self._board = board
        self.end: sip.Ended | None = None
        self.plan: MediaPlan | None = None
        self._call: Call | None = None
        self._endpoint: MediaEndpoint | None = None
        self._session: MediaSession | None = None  # of the endpoint, which runs elsewhere
        self._given = 0  # samples that were said, of this session's
        self._outcome: tuple[Outcome, int] | None = None
        self._refused: tuple[int, str] | None = None
        self._holding = False
        self._since = 0.0  # when there was last a reason to expect packets
        self._why = ""

    def attach(self, call: Call) -> None:
        """Give the line its call."""
        self._call = call
        self.call_id = call.call_id
        self.user = call.user
        if isinstance(call, Inbound):
            self.number = called(call.invite)
            remote = call.invite.from_
            self.caller, self.display = remote.uri.user or "", remote.display

    # -- how it stands

    @property
    def answered(self) -> bool:
        """Whether both sides may speak, or could until it ended."""
        return self.plan is not None

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.end is not None

    @property
    def held(self) -> bool:
        """Whether the far end has put us on hold: what is said is to wait."""
        return self.plan is not None and not self.plan.sends

    @property
    def holding(self) -> bool:
        """Whether we have put the far end on hold: it hears us, and is not heard."""
        return self._holding

    @property
    def farewell(self) -> str:
        """Why it ended, for people; empty while it goes on."""
        end = self.end
        if end is None:
            return ""
        if self._why:
            return self._why
        if end.remote and end.code == 200:
            return "the caller hung up" if self.direction is Direction.IN else "they hung up"
        return end.reason

    @property
    def rate(self) -> int:
        """Sample rate of what is heard and said now (Hz); 8000 before it is agreed."""
        return self._session.rate if self._session is not None else 8_000

    @property
    def wanted(self) -> float:
        """Seconds of speech that are to be said now, lest the next packet be silence.

        Never more than a packet and a hair: what waits cannot be taken back.
        """
        session = self._session
        if session is None or self.held or self.ended or session.dialling:
            return 0.0
        wanted = max(session.config.ptime, BLOCK) + MARGIN - self._queued
        return wanted if wanted > MARGIN else 0.0

    @property
    def _queued(self) -> float:
        """Seconds of speech that wait to be sent: counted here, for the sender is elsewhere."""
        session = self._session
        return max(0, self._given - session.left) / session.rate if session is not None else 0.0

    @property
    def behind(self) -> float:
        """Seconds of its reserve that were sent, because nobody said anything in time."""
        session = self._session
        return max(0, session.left - self._given) / session.rate if session is not None else 0.0

    @property
    def packet(self) -> float:
        """Seconds of audio in each packet that is sent."""
        return self._session.config.ptime if self._session is not None else BLOCK

    def statistics(self) -> Statistics | None:
        """Return the figures of its media; None before it is answered."""
        return self._endpoint.statistics() if self._endpoint is not None else None

    # -- its course

    async def open(self) -> LocalMedia:
        """Take RTP ports; return what to offer on them.

        Raises:
            OSError: No port is free.
        """
        if self._endpoint is None:
            self._endpoint = await self._board.media.open(
                host=self._board.media_host,
                ports=self._board.ports,
                heard=self._heard,
                happened=self._happened,
            )
        return self._board.media_for(self, self._endpoint.address[1])

    def ring(self) -> None:
        """Tell the caller that it rings; nothing once it is answered."""
        call = self._call
        if call is not None and call.state is CallState.SETUP:
            self._do(lambda now: self._board.signalling.ring(call, now))

    async def answer(self) -> bool:
        """Take the call; return whether it stands.

        False when the caller gave up, or nothing that is offered can be spoken (488).

        Raises:
            OSError: No RTP port is free.

        Cancellation-safe: the call is hung up by whoever owns the line.
        """
        call = self._call
        if call is None or self.ended or call.state is not CallState.SETUP:
            return self.answered and not self.ended
        media = await self.open()
        if not self.ended:
            with contextlib.suppress(CallError):  # the caller was faster: the end tells
                self._do(lambda now: self._board.signalling.answer(call, media, now))
        return await self.stands()

    async def stands(self) -> bool:
        """Wait until it is answered, or over; return whether it stands."""
        await self._until(lambda: self.answered or self.ended, ANSWER)
        return self.answered and not self.ended

    def reject(self, code: int = 603) -> None:
        """Refuse a call that came in: 404 nobody there, 480 not now, 486 busy, 603 no."""
        call = self._call
        if call is not None and call.state is CallState.SETUP:
            with contextlib.suppress(CallError):
                self._do(lambda now: self._board.signalling.reject(call, now, code))

    def hang_up(self, why: str = "") -> None:
        """End it, whatever its state; idempotent.

        Args:
            why: For the record.
        """
        call = self._call
        if call is not None and not self.ended:
            self._why = self._why or why
            self._do(lambda now: self._board.signalling.hang_up(call, now))

    async def hold(self) -> bool:
        """Put the far end on hold; return whether it took that."""
        return await self._change(on=True)

    async def resume(self) -> bool:
        """Take the far end back from hold; return whether it took that."""
        return await self._change(on=False)

    async def transfer(self, target: str, *, within: float = 180.0) -> Outcome:
        """Ask the far end to call somebody else instead (REFER), and wait for how it went.

        The call goes on meanwhile, and afterwards unless the far end ends it: hang up when it
        is done.

        Args:
            target: A number or user on the same trunk, or a SIP or tel URI.
            within: Seconds to wait for the outcome.

        Returns:
            `DONE`: the other one has answered. `REFUSED`: the far end does not do that.
            `FAILED`: it tried, and could not. `UNKNOWN`: it never told.

        Raises:
            CallError: The call does not stand, or a transfer is under way.
            ValueError: The target is no number and no URI.
        """
        call = self._call
        if call is None or not self.answered or self.ended:
            raise CallError("the call does not stand: there is nobody to transfer")
        uri = self._target(target)
        self._forget()
        self._do(lambda now: self._board.signalling.refer(call, uri, now))
        try:
            await self._until(lambda: self._outcome is not None or self.ended, within)
        except TimeoutError:
            return Outcome.UNKNOWN
        return self._outcome[0] if self._outcome is not None else Outcome.UNKNOWN

    def report_transfer(self, status: int) -> None:
        """Tell the far end, which asked us to call somebody, how it went (a SIP status)."""
        call = self._call
        if call is not None and not self.ended:
            with contextlib.suppress(CallError):
                self._do(lambda now: self._board.signalling.report_transfer(call, status, now))

    async def close(self) -> None:
        """Give the ports back; idempotent. The call is hung up before."""
        if self._endpoint is not None:
            await self._board.media.close(self._endpoint)

    # -- sound

    def say(self, pcm: Int16) -> None:
        """Queue audio to send (int16 at `rate`); `wanted` says how much is worth giving."""
        if self._endpoint is not None and self._session is not None and len(pcm):
            self._endpoint.push(pcm, self._given)
            self._given += len(pcm)

    def reserve(self, pcm: Int16) -> None:
        """Keep what will be said next (int16 at `rate`), in place of what was kept."""
        if self._endpoint is not None:
            self._endpoint.reserve(pcm, self._given)

    def skip(self, pcm: Int16) -> None:
        """Take it that these samples were said: they were sent out of the reserve."""
        self._given += len(pcm)

    async def said(self, within: float = 0.5) -> None:
        """Wait until what was queued has left."""
        session = self._session
        if session is not None and self._queued and not self.held and not self.ended:
            # The clock is even: what waits is sent when its time has passed, and one packet.
            await asyncio.sleep(min(within, self._queued + session.config.ptime))

    # -- keys

    def press(self, keys: str) -> None:
        """Press keys: as telephone events, or by INFO where those were not agreed on.

        Raises:
            ValueError: A character is no key.
        """
        keys = keys.upper()
        if not keys or any(key not in KEYS for key in keys):
            raise ValueError(f"{keys!r}: keys are {KEYS}")
        call, endpoint = self._call, self._endpoint
        if self.plan is None or self.ended or call is None or endpoint is None:
            return
        if self.plan.dtmf is not None:
            endpoint.send_dtmf(keys)
            return
        for key in keys:
            with contextlib.suppress(CallError):
                self._do(partial(self._board.signalling.send_dtmf_info, call, key))

    # -- what happens to it

    def take(self, news: Decision) -> None:
        """Take the signalling's news of this call."""
        match news:
            case sip.Answered() | sip.MediaChanged():
                self._agree(news.plan)
            case sip.Dtmf():
                self._pressed(news.digit)
            case sip.ChangeRefused():
                self._refused = (news.code, news.reason)
            case sip.Transferred():
                self._outcome = (news.outcome, news.code)
            case sip.TransferAsked():
                for told in list(self._on_refer):
                    told(news.target)
                if not self._on_refer:
                    # Who may transfer costs us calls: nobody takes that up unasked.
                    self.report_transfer(603)
            case sip.Ended():
                self.end = news
                self._came.set()
            case _:
                pass
        self._news.set()

    def _agree(self, plan: MediaPlan) -> None:
        before, self.plan = self.plan, plan
        endpoint = self._endpoint
        if endpoint is None:
            return
        self._since = asyncio.get_running_loop().time()
        session = self._session
        if session is None or before is None or differs(before, plan):
            session = self._session = MediaSession(media_of(plan))
            self._given = 0
            endpoint.start(session)
        else:
            endpoint.signal(plan.remote)
        session.sending = plan.sends
        session.receiving = plan.receives

    def _heard(self, pcm: Int16) -> None:
        self._take(pcm)
        session = self._session
        if session is None or self.held or not session.receiving:
            self._since = asyncio.get_running_loop().time()
            return
        now = asyncio.get_running_loop().time()
        quiet = session.quiet_for(now)
        quiet = now - self._since if quiet is None else min(quiet, now - self._since)
        if quiet > self._board.silence_limit:
            log.info("%r: no audio came for %.0f s: hanging up", self, quiet)
            self.hang_up("no audio came from the far end")

    def _happened(self, event: Event) -> None:
        if isinstance(event, Digit):
            self._pressed(event.key)

    async def _change(self, *, on: bool) -> bool:
        call = self._call
        if call is None or not self.answered or self.ended:
            return False
        self._forget()
        signalling = self._board.signalling
        try:
            self._do(lambda now: (signalling.hold if on else signalling.resume)(call, now))
            await self._until(
                lambda: (
                    self._refused is not None
                    or self.ended
                    or (self.plan is not None and self.plan.receives is not on)
                ),
                CHANGE,
            )
        except TimeoutError:
            return False
        done = self._refused is None and not self.ended
        if done:
            self._holding = on
        return done

    def _forget(self) -> None:
        """Forget how the last wish ended."""
        self._outcome = self._refused = None

    def _target(self, target: str) -> Uri:
        if target.startswith(("sip:", "sips:", "tel:")):
            return Uri.parse(target)
        if not target or any(character in target for character in ' <>"@;,\r\n'):
            raise ValueError(f"{target!r} is no number: give digits, a user, or a whole URI")
        return self._board.uri(self, target)

    def _do(self, decide: Callable[[float], list[Decision]]) -> None:
        self._board.do(decide)
