"""Calls of ours: INVITE as the caller; forks, early media and CANCEL (RFC 3261 §13, 3262)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vivavoce.phone.sip.auth import Authenticator
from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import Address, Answered, EarlyMedia, Ringing
from vivavoce.phone.sip.dialog import Dialog
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.exchange import Attempt
from vivavoce.phone.sip.headers import NameAddr, number
from vivavoce.phone.sip.leg import CallState, Surroundings
from vivavoce.phone.sip.message import Headers, Request, Response
from vivavoce.phone.sip.sdp import SdpError
from vivavoce.phone.sip.session import SDP_TYPE, LocalMedia, Session, sdp_in
from vivavoce.phone.sip.timers import Alarm
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.uri import Uri

MAX_FORKS = 16


@dataclass(slots=True)
class _Fork:
    """One early dialog: one of the places that our call rings at."""

    dialog: Dialog
    sdp: bytes = b""
    rseq: int = 0


class Outbound(Call):
    """A call that we make.

    Args:
        around: What every call works with.
        trunk: The trunk it goes over.
        authenticator: Answers the trunk's challenges.
        target: Who is called.
        local: Our From, without a tag.
        media: Our media.
        late_offer: Whether to leave the offer to the far end (no SDP in the INVITE).
        ring_time: Seconds until an unanswered call is cancelled.
    """

    def __init__(
        self,
        around: Surroundings,
        trunk: Trunk,
        authenticator: Authenticator | None,
        target: Uri,
        local: NameAddr,
        media: LocalMedia,
        *,
        late_offer: bool,
        ring_time: float,
    ) -> None:
        exchange = around.exchange
        super().__init__(
            around,
            trunk,
            authenticator,
            exchange.token(12),
            local.tagged(exchange.token(6)),
            NameAddr(target),
        )
        self._target = target
        self._session = Session(
            media, int(exchange.token(6), 16), lambda n: bytes.fromhex(exchange.token(n))
        )
        self._offer = b"" if late_offer else self._session.offer()
        self._ring_time = ring_time
        self._cseq = 0
        self._forks: dict[str, _Fork] = {}
        self._attempt: Attempt | None = None
        self._heard = False  # a provisional response came: a CANCEL may go out
        self._rang = 0
        self._reason = (487, "cancelled")
        self._limit: Alarm | None = None

    @property
    def outbound(self) -> bool:
        """Whether we called."""
        return True

    def start(self, targets: Sequence[Address], now: float) -> None:
        """Send the INVITE to the first of the trunk's addresses, then to the next."""
        if self.state is not CallState.SETUP or self._attempt is not None:
            return
        self._attempt = Attempt(
            self._exchange,
            self._build,
            [(target, target if target.reliable else None) for target in targets],
            self._take,
            self._authenticator,
            verify=self._trunk.host if self._trunk is not None else None,
        )
        self._limit = self._exchange.alarms.at(now + self._ring_time, self._unanswered)
        self._attempt.start(now)

    def hang_up(self, now: float) -> None:
        """End it: CANCEL while it rings, BYE once it stands. Idempotent."""
        if self.state is CallState.SETUP:
            self._cancel(487, "cancelled", now)
        else:
            super().hang_up(now)

    def end(self, code: int, reason: str, now: float, *, remote: bool) -> None:
        """Let go of everything and say so, once."""
        if self._limit is not None:
            self._limit.cancel()
        super().end(code, reason, now, remote=remote)

    # -- the INVITE

    def _build(self) -> Request:
        self._cseq += 1
        self._heard = False
        self._forks.clear()
        request = Request(method="INVITE", uri=self._target.bare())
        request.headers = Headers(
            [
                ("Max-Forwards", "70"),
                ("From", str(self.local)),
                ("To", str(self.remote)),
                ("Call-ID", self.call_id),
                ("CSeq", f"{self._cseq} INVITE"),
            ]
        )
        if self._attempt is not None:
            user = self.local.uri.user or ""
            request.headers.add("Contact", self._exchange.contact(self._attempt.target, user))
        self._capable(request)
        self._around.timer.ask(request, self._minimum)
        if self._offer:
            request.headers.add("Content-Type", SDP_TYPE)
            request.body = self._offer
        self._invite_request = request
        return request

    def _take(self, response: Response, now: float) -> None:
        status = response.status
        try:
            if status < 200:
                self._provisional(response, now)
            elif status < 300:
                self._accepted(response, now)
            else:
                self._refused(response, now)
        except SipParseError as error:
            if status >= 200:
                # A 2xx that opens no dialog cannot even be acknowledged.
                self.end(502, f"a malformed answer came: {error}", now, remote=True)

    def _provisional(self, response: Response, now: float) -> None:
        if not self._heard:
            self._heard = True
            if self.state is CallState.LEAVING:
                self._send_cancel(now)
        tag = response.to.tag
        if self.state is not CallState.SETUP or response.status == 100 or tag is None:
            return
        fork = self._forks.get(tag)
        if fork is None and response.contact is not None and len(self._forks) < MAX_FORKS:
            fork = self._forks[tag] = _Fork(self._open(response))
        if fork is None:
            # Without a Contact there is no dialog, but the ringing is heard all the same.
            self._rings(response.status)
            return
        self._note(response)
        body = sdp_in(response)
        if "100rel" in response.headers.tokens("Require") and not self._prack(
            fork, response, body, now
        ):
            return
        if response.status in {180, 181, 182}:
            self._rings(response.status)
        if body and self._session is not None and body != fork.sdp and self._offer:
            try:
                plan = self._session.preview(body)
            except SdpError:
                return  # the answer in the 2xx decides
            fork.sdp = body
            self._exchange.emit(EarlyMedia(self, plan))

    def _rings(self, code: int) -> None:
        """Tell it once: provisional responses come again, and from every fork."""
        if code != self._rang:
            self._rang = code
            self._exchange.emit(Ringing(self, code))

    def _open(self, response: Response) -> Dialog:
        assert self._invite_request is not None
        assert self._attempt is not None
        return Dialog.as_caller(self._invite_request, response, self._attempt.target)

    def _prack(self, fork: _Fork, response: Response, body: bytes, now: float) -> bool:
        """Acknowledge a reliable provisional response; False when it is old or came too soon."""
        rseq = number(response.headers.get("RSeq"))
        if rseq is None or (fork.rseq and rseq != fork.rseq + 1):
            return False
        fork.rseq = rseq
        answer = b""
        if body and not self._offer and self._session is not None and self._session.stable:
            try:
                plan, answer = self._session.offered(body)
            except SdpError:
                self._cancel(488, "nothing that was offered can be spoken", now)
                return False
            fork.sdp = body
            self._exchange.emit(EarlyMedia(self, plan))
        cseq = response.cseq
        self._ask(
            "PRACK",
            now,
            lambda _response, _now: None,
            answer,
            SDP_TYPE,
            [("RAck", f"{rseq} {cseq.number} {cseq.method}")],
            fork.dialog,
        )
        return True

    def _accepted(self, response: Response, now: float) -> None:
        if self._acknowledge_again(response):
            return
        fork = self._forks.get(response.to.tag or "")
        dialog = fork.dialog if fork is not None else self._open(response)
        dialog.refresh(response, dialog.flow)
        dialog.routes = self._open(response).routes  # the 2xx's route set is the final one
        dialog.confirmed = True
        if self.state is not CallState.SETUP:
            # Cancelled meanwhile, or another fork was faster: it stands for a moment, and ends.
            self._acknowledge(response, dialog)
            self._bye(now, dialog)
            if self.state is CallState.LEAVING:
                self.end(*self._reason, now, remote=False)
            return
        self._dialog, self.remote = dialog, dialog.remote
        early = fork.sdp if fork is not None else b""
        self._forks.clear()
        self._note(response)
        self._establish(response, sdp_in(response), early, now)

    def _establish(self, response: Response, body: bytes, early: bytes, now: float) -> None:
        session = self._session
        assert session is not None
        answer = b""
        try:
            if self._offer:
                plan = session.answered(body or early)
            elif early and session.plan is not None:
                plan = session.plan  # agreed in a reliable 18x and its PRACK
            else:
                plan, answer = session.offered(body)
        except SdpError as error:
            self._acknowledge(response)
            self._bye(now)
            self.end(488, f"no media could be agreed on: {error}", now, remote=False)
            return
        self._acknowledge(response, body=answer)
        self.state = CallState.ESTABLISHED
        if self._limit is not None:
            self._limit.cancel()
        self.plan = plan
        self._exchange.emit(Answered(self, plan))
        self._keep(self._around.timer.granted(response), now)

    def _refused(self, response: Response, now: float) -> None:
        if self.state is CallState.SETUP and response.status == 422 and self._more(response):
            if self._attempt is not None:
                self._attempt.start(now)
            return
        if self.state is CallState.SETUP:
            self.end(response.status, response.reason, now, remote=True)
        elif self.state is CallState.LEAVING:
            self.end(*self._reason, now, remote=False)

    # -- giving up

    def _unanswered(self, now: float) -> None:
        self._cancel(408, "nobody answered in time", now)

    def unreachable(self, now: float) -> None:
        """End a call whose trunk could not be looked up."""
        if self._attempt is None:
            self.end(503, "the trunk's host could not be resolved", now, remote=False)

    def _cancel(self, code: int, reason: str, now: float) -> None:
        if self.state is not CallState.SETUP:
            return
        self._reason = (code, reason)
        if self._attempt is None:
            self.end(code, reason, now, remote=False)
            return
        self.state = CallState.LEAVING
        self._attempt.cancelled = True
        if self._limit is not None:
            self._limit.cancel()
        # Without any response yet the CANCEL would overtake the INVITE: it waits (§9.1).
        self._limit = self._exchange.alarms.at(now + self._exchange.timers.patience, self._abandon)
        if self._heard:
            self._send_cancel(now)

    def _send_cancel(self, now: float) -> None:
        if self._attempt is not None and self._attempt.transaction is not None:
            self._exchange.cancel(self._attempt.transaction, now)
            if self._limit is not None:
                self._limit.cancel()
            patience = self._exchange.timers.patience
            self._limit = self._exchange.alarms.at(now + patience, self._abandon)

    def _abandon(self, now: float) -> None:
        """No final response came to a cancelled INVITE: it is over all the same (§9.1)."""
        if self._attempt is not None and self._attempt.transaction is not None:
            self._attempt.transaction.close()
        self.end(*self._reason, now, remote=False)

    def _dialog_of(self, request: Request) -> Dialog | None:
        dialog = super()._dialog_of(request)
        if dialog is None and (fork := self._forks.get(request.from_.tag or "")) is not None:
            dialog = fork.dialog
        return dialog
