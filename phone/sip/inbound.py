"""Calls of theirs: INVITE as the callee; ringing, answering, being cancelled (RFC 3261, 3262)."""

from __future__ import annotations

from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import Answered, Send
from vivavoce.phone.sip.dialog import Dialog
from vivavoce.phone.sip.leg import CallError, CallState, Surroundings, attach
from vivavoce.phone.sip.message import Request, Response, reason_of
from vivavoce.phone.sip.sdp import SdpError
from vivavoce.phone.sip.session import LocalMedia, Session, sdp_in
from vivavoce.phone.sip.timers import Alarm, Repeater
from vivavoce.phone.sip.transaction import ServerTransaction
from vivavoce.phone.sip.trunk import Trunk

LONGEST_RING = 180.0  # s, after which a call that nobody answers is refused
RING_AGAIN = 60.0  # s; a proxy gives a silent INVITE up after three minutes (§13.3.1.1)


class Inbound(Call):
    """A call that comes in.

    Args:
        around: What every call works with.
        trunk: The trunk it came over, None for a registered phone.
        transaction: The INVITE's.

    Attributes:
        invite: The INVITE: whom it calls, what else it says.

    Raises:
        SipParseError: The INVITE opens no dialog.
    """

    def __init__(
        self,
        around: Surroundings,
        trunk: Trunk | None,
        transaction: ServerTransaction,
        now: float,
    ) -> None:
        request = transaction.request
        tag = around.exchange.token(6)
        super().__init__(
            around, trunk, None, request.call_id, request.to.tagged(tag), request.from_
        )
        self.invite = request
        self._transaction = transaction
        self._dialog = Dialog.as_callee(request, tag, transaction.source)
        self._note(request)
        self._offer = sdp_in(request)
        self._required = "100rel" in request.headers.tokens("Require")
        self._can_reliable = self._required or "100rel" in request.headers.tokens("Supported")
        self._rseq = 0
        self._reliable: Repeater | None = None
        self._early = b""  # the SDP of ours that a provisional response carried
        self._deferred: Response | None = None  # the 200 that waits for the PRACK
        self._ringing: Alarm | None = None
        self._limit: Alarm | None = self._exchange.alarms.at(now + LONGEST_RING, self._unanswered)

    # -- what the application asks

    def ring(self, now: float, media: LocalMedia | None = None) -> None:
        """Say that it rings (180), or with media that a sound comes before the answer (183).

        Raises:
            CallError: It was answered, refused or cancelled.
            SdpError: Nothing that the far end offers can be spoken; the call was refused (488).
        """
        self._open()
        self._wait_no_more()
        if self._reliable is not None:
            return  # one reliable response at a time (RFC 3262 §3), and it says the same
        request = self.invite
        response = self._in_dialog(request, 183 if media else 180, self._transaction)
        if media is not None and not self._early:
            try:
                self._early = self._describe(media)
            except SdpError:
                self.reject(488, now)
                raise
        if media is not None:
            attach(response, self._early)
        elif self._required and not self._offer and not self._early:
            return  # a first reliable response would have to carry an offer (RFC 3262 §5)
        if self._required or (media is not None and self._can_reliable):
            self._ring_reliably(response, now)
        else:
            self._exchange.respond(self._transaction, response, now)
            self._ringing = self._exchange.alarms.at(
                now + RING_AGAIN, lambda later: self._ring_again(response, later)
            )

    def answer(self, media: LocalMedia, now: float) -> None:
        """Take the call.

        Raises:
            CallError: It was answered, refused or cancelled.
            SdpError: Nothing that the far end offers can be spoken; the call was refused (488).
        """
        self._open()
        self._wait_no_more()
        if self._deferred is not None:
            raise CallError("the call is being answered already")
        response = self._in_dialog(self.invite, 200, self._transaction)
        try:
            body = b"" if self._early and self._agreed_early else self._describe(media)
        except SdpError:
            self.reject(488, now)
            raise
        if body:
            attach(response, body)
        if self._reliable is not None and self._early:
            self._deferred = response  # RFC 3262 §3: not before the PRACK of our description
        else:
            self._accept(response, now)

    def reject(self, code: int, now: float, reason: str = "") -> None:
        """Refuse it with a status of 300 to 699 (486 busy, 603 declined, …).

        Raises:
            CallError: It was answered, refused or cancelled.
            ValueError: The status is none of a refusal.
        """
        self._open()
        if not 300 <= code <= 699:
            raise ValueError(f"{code} refuses nothing: take 300 to 699")
        response = self.invite.reply(code, tag=self.local_tag, reason=reason)
        self._exchange.respond(self._transaction, response, now)
        self.end(code, reason or reason_of(code), now, remote=False)

    def hang_up(self, now: float) -> None:
        """End it: 603 before the answer, BYE after. Idempotent."""
        if self.state is CallState.SETUP:
            self.reject(603, now)
        else:
            super().hang_up(now)

    # -- what happens to it

    def cancelled(self, now: float) -> None:
        """Take the CANCEL; once the call is answered it changes nothing."""
        if self.state is CallState.SETUP:
            response = self.invite.reply(487, tag=self.local_tag)
            self._exchange.respond(self._transaction, response, now)
            self.end(487, "the caller gave up", now, remote=True)

    def end(self, code: int, reason: str, now: float, *, remote: bool) -> None:
        """Let go of everything and say so, once."""
        if self.state is CallState.SETUP and not self._transaction.answered:
            # The far end hung an early dialog up, or the application was told to stop.
            response = self.invite.reply(487, tag=self.local_tag)
            self._exchange.respond(self._transaction, response, now)
        self._wait_no_more()
        if self._limit is not None:
            self._limit.cancel()
        if self._reliable is not None:
            self._reliable.stop()
        super().end(code, reason, now, remote=remote)

    def _on_prack(self, transaction: ServerTransaction, now: float) -> None:
        request, cseq = transaction.request, self.invite.cseq.number
        words = (request.headers.get("RAck") or "").split()
        if self._reliable is None or words != [str(self._rseq), str(cseq), "INVITE"]:
            self._exchange.refuse(transaction, 481, now)
            return
        self._reliable.stop()
        self._reliable = None
        response = request.reply(200)
        body, session = sdp_in(request), self._session
        try:
            if session is not None and session.offering:
                self.plan = session.answered(body)
            elif session is not None and body:
                self.plan, answer = session.offered(body)
                attach(response, answer)
        except SdpError:
            self._exchange.refuse(transaction, 488, now)
            self.end(488, "no media could be agreed on", now, remote=True)
            return
        self._exchange.respond(transaction, response, now)
        if self._deferred is not None:
            deferred, self._deferred = self._deferred, None
            self._accept(deferred, now)

    # -- inside

    def _open(self) -> None:
        if self.state is not CallState.SETUP:
            raise CallError(f"the call is {self.state.value}: it cannot be answered any more")

    @property
    def _agreed_early(self) -> bool:
        """Whether a reliable provisional response has settled the media already."""
        return self._rseq > 0

    def _describe(self, media: LocalMedia) -> bytes:
        """Return our answer to their offer, or our offer when they made none."""
        if self._session is None:
            exchange = self._exchange
            identity = int(exchange.token(6), 16)
            self._session = Session(media, identity, lambda n: bytes.fromhex(exchange.token(n)))
        elif self._early:
            return self._early  # the 200 repeats what an unreliable 183 said
        if not self._offer:
            return self._session.offer()
        self.plan, body = self._session.offered(self._offer)
        return body

    def _ring_reliably(self, response: Response, now: float) -> None:
        if not self._rseq:
            self._rseq = 1 + int(self._exchange.token(3), 16)
        else:
            self._rseq += 1
        response.headers.add("Require", "100rel")
        response.headers.add("RSeq", str(self._rseq))
        self._exchange.respond(self._transaction, response, now)
        data, source = bytes(response), self._transaction.source
        self._reliable = Repeater(
            self._exchange.alarms,
            self._exchange.timers,
            lambda: self._exchange.emit(Send(data, source)),
            self._no_prack,
            now=now,
            cap=None,
        )

    def _ring_again(self, response: Response, now: float) -> None:
        self._exchange.respond(self._transaction, response, now)
        self._ringing = self._exchange.alarms.at(
            now + RING_AGAIN, lambda later: self._ring_again(response, later)
        )

    def _accept(self, response: Response, now: float) -> None:
        assert self._dialog is not None
        self._dialog.confirmed = True
        if self._limit is not None:
            self._limit.cancel()
        if self._reliable is not None:
            self._reliable.stop()
        self.state = CallState.ESTABLISHED
        self._keep(self._around.timer.grant(self.invite, response), now)
        self._answer(self._transaction, response, now)
        if self.plan is not None:
            self._exchange.emit(Answered(self, self.plan))

    def _no_prack(self, now: float) -> None:
        if self.state is CallState.SETUP:
            self.reject(504, now, "the ringing was never acknowledged")

    def _unanswered(self, now: float) -> None:
        if self.state is CallState.SETUP:
            self.reject(480, now)

    def _wait_no_more(self) -> None:
        if self._ringing is not None:
            self._ringing.cancel()
            self._ringing = None


def called(request: Request) -> str:
    """Return the number or user that an INVITE calls."""
    return request.uri.user or ""
