"""A leg: one dialog and what it takes to speak in it (RFC 3261 §12-15); the base of a call."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from vivavoce.phone.sip.auth import Authenticator
from vivavoce.phone.sip.decisions import (
    Answered,
    Ended,
    MediaChanged,
    Send,
)
from vivavoce.phone.sip.dialog import Dialog
from vivavoce.phone.sip.exchange import (
    EXTENSIONS,
    METHODS,
    Attempt,
    Exchange,
    carry_authorisation,
)
from vivavoce.phone.sip.headers import NameAddr, number
from vivavoce.phone.sip.message import Message, Request, Response, reason_of
from vivavoce.phone.sip.refresh import SessionTimer
from vivavoce.phone.sip.sdp import MediaPlan
from vivavoce.phone.sip.session import SDP_TYPE, Session
from vivavoce.phone.sip.timers import Alarm, Repeater
from vivavoce.phone.sip.transaction import Deliver, ServerTransaction
from vivavoce.phone.sip.trunk import Trunk

if TYPE_CHECKING:
    from vivavoce.phone.sip.call import Call

_M = TypeVar("_M", bound=Message)


class CallError(RuntimeError):
    """What was asked of a call does not fit its state."""


class CallState(enum.Enum):
    """Where a call stands."""

    SETUP = "setup"
    ESTABLISHED = "established"
    LEAVING = "leaving"  # hung up, but the far end has to be told still
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every call of a user agent works with.

    Attributes:
        exchange: Transactions and alarms.
        timer: Our wish for session timers.
        lend: Lets a host in while a call stands.
        take_back: Undoes one `lend`.
        closed: Told when a call is over and may be forgotten.
    """

    exchange: Exchange
    timer: SessionTimer
    lend: Callable[[str], None]
    take_back: Callable[[str], None]
    closed: Callable[[Leg], None]


@dataclass(slots=True)
class _Acks:
    """The ACKs that were sent, to be sent again with each 2xx that comes again."""

    sent: dict[tuple[str, int], Send] = field(default_factory=dict)


class Leg:
    """One dialog with the far end, from either side.

    Attributes:
        id: Ours, unique and random.
        call_id: The Call-ID.
        local_tag: Our tag.
        trunk: The trunk it runs over, None for a registered phone.
        user: The registered phone's user, "" over a trunk.
        local: Our side.
        remote: Their side.
        state: Where it stands.
        plan: The media agreed on, None before that.
    """

    def __init__(
        self,
        around: Surroundings,
        trunk: Trunk | None,
        authenticator: Authenticator | None,
        call_id: str,
        local: NameAddr,
        remote: NameAddr,
    ) -> None:
        self._around = around
        self._exchange = around.exchange
        self._trunk = trunk
        self._authenticator = authenticator
        self.id = self._exchange.token(8)
        self.call_id = call_id
        self.local_tag = local.tag or ""
        self.trunk = trunk.name if trunk is not None else None
        self.user = ""
        self.local, self.remote = local, remote
        self.state = CallState.SETUP
        self.plan: MediaPlan | None = None
        self._session: Session | None = None
        self._dialog: Dialog | None = None
        self._acks = _Acks()
        self._unacked: dict[int, Repeater] = {}
        self._minimum = 0  # the Min-SE the far end named, s
        self._allowed: set[str] = set()
        self._timer: Alarm | None = None
        self._lent: set[str] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state.value}>"

    @property
    def call(self) -> Call:
        """The call that this leg is."""
        raise NotImplementedError

    @property
    def key(self) -> tuple[str, str]:
        """What requests within it have in common: Call-ID and our tag."""
        return self.call_id, self.local_tag

    # -- what the application asks

    def hang_up(self, now: float) -> None:
        """End it, whatever its state. Idempotent."""
        if self.state is CallState.ESTABLISHED:
            if self._unacked:
                # §15: no BYE before the ACK to our 2xx, or its time-out.
                self.state = CallState.LEAVING
                return
            self._bye(now)
            self.end(200, "hung up", now, remote=False)

    def _standing(self) -> Session:
        if self.state is not CallState.ESTABLISHED or self._session is None:
            raise CallError(f"the call is {self.state.value}: it has to be answered and not over")
        return self._session

    # -- building and sending

    @property
    def outbound(self) -> bool:
        """Whether we called."""
        return False

    def _ask(
        self,
        method: str,
        now: float,
        deliver: Deliver,
        body: bytes = b"",
        kind: str = "",
        headers: list[tuple[str, str]] | None = None,
        dialog: Dialog | None = None,
    ) -> None:
        """Send a request within the dialog."""
        dialog = dialog or self._dialog
        if dialog is None:
            raise CallError("the call has no dialog yet")
        to, otherwise = dialog.destination()
        if not self._exchange.reaches(to.transport):
            to, otherwise = dialog.flow, None
        self._lend(to.host)

        def build() -> Request:
            request = dialog.request(method)
            if method in {"INVITE", "UPDATE", "REFER"}:
                request.headers.add(
                    "Contact", self._exchange.contact(to, self.local.uri.user or "")
                )
                self._capable(request)
            if method in {"INVITE", "UPDATE"} and dialog.confirmed:
                self._around.timer.ask(request, self._minimum, "uac" if self._timer else "")
            for name, value in headers or ():
                request.headers.add(name, value)
            if body:
                attach(request, body, kind)
            return request

        verify = self._trunk.host if self._trunk is not None else None
        targets = [(to, otherwise)]
        Attempt(self._exchange, build, targets, deliver, self._authenticator, verify).start(now)

    def _tell(
        self,
        method: str,
        now: float,
        body: bytes = b"",
        kind: str = "",
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        """Send a request whose refusal changes nothing, unless the call is forgotten there."""

        def answered(response: Response, now: float) -> None:
            if response.status >= 300:
                self._fatal(response, now)

        self._ask(method, now, answered, body, kind, headers)

    def _bye(self, now: float, dialog: Dialog | None = None) -> None:
        self._ask("BYE", now, lambda _response, _now: None, dialog=dialog)

    def _in_dialog(self, request: Request, status: int, transaction: ServerTransaction) -> Response:
        """Return a response that carries our Contact, and the route set back."""
        response = request.reply(status, tag=self.local_tag)
        for value in request.headers.all("Record-Route"):
            response.headers.add("Record-Route", value)
        user = self.local.uri.user or ""
        response.headers.add("Contact", self._exchange.contact(transaction.source, user))
        self._capable(response)
        return response

    @staticmethod
    def _capable(message: _M) -> _M:
        message.headers.set("Allow", METHODS)
        message.headers.set("Supported", ", ".join(sorted(EXTENSIONS)))
        return message

    def _answer(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a 2xx to an INVITE, again and again until its ACK (§13.3.1.4)."""
        self._exchange.respond(transaction, response, now)
        data, source = bytes(response), transaction.source
        cseq = transaction.request.cseq.number
        self._unacked[cseq] = Repeater(
            self._exchange.alarms,
            self._exchange.timers,
            lambda: self._exchange.emit(Send(data, source)),
            self._no_ack,
            now=now,
            cap=self._exchange.timers.t2,
        )

    def _no_ack(self, now: float) -> None:
        if self.state in {CallState.ESTABLISHED, CallState.LEAVING}:
            self._bye(now)
            self.end(408, "the far end never acknowledged the answer", now, remote=True)

    def _acknowledge(
        self, response: Response, dialog: Dialog | None = None, body: bytes = b""
    ) -> None:
        """Send the ACK to a 2xx, and keep it for when the 2xx comes again."""
        dialog = dialog or self._dialog
        if dialog is None:
            return
        cseq = response.cseq.number
        to, otherwise = dialog.destination()
        if not self._exchange.reaches(to.transport):
            to, otherwise = dialog.flow, None
        self._lend(to.host)
        ack = dialog.request("ACK", number=cseq)
        if self._authenticator is not None and self._invite_request is not None:
            carry_authorisation(ack, self._invite_request)
        if body:
            attach(ack, body)
        self._exchange.stamp(ack, to)
        send = Send(bytes(ack), to, otherwise)
        self._acks.sent[response.to.tag or "", cseq] = send
        self._exchange.emit(send)

    _invite_request: Request | None = None

    def _acknowledge_again(self, response: Response) -> bool:
        """Send the ACK again when this 2xx had one; False when it is a new one."""
        sent = self._acks.sent.get((response.to.tag or "", response.cseq.number))
        if sent is not None:
            self._exchange.emit(sent)
        return sent is not None

    def _fatal(self, response: Response, now: float) -> bool:
        """End a call whose far end has forgotten it or is gone (§12.2.1.2)."""
        if response.status not in {408, 481} or self.state is not CallState.ESTABLISHED:
            return False
        self._bye(now)
        self.end(response.status, response.reason, now, remote=True)
        return True

    def _more(self, response: Response) -> bool:
        """Take a 422's Min-SE; False when it asks for nothing new."""
        least = number(response.headers.get("Min-SE"), 0) or 0
        if not self._minimum < least <= 86400:
            return False
        self._minimum = least
        return True

    # -- state

    def _note(self, message: Message) -> None:
        """Note what the far end can do."""
        allowed = message.headers.tokens("Allow")
        if allowed:
            self._allowed = allowed

    def _agreed(self, plan: MediaPlan) -> None:
        """Tell what media are agreed on, when that is news."""
        before, self.plan = self.plan, plan
        if self.state is CallState.SETUP or plan == before:
            return
        self._exchange.emit(MediaChanged(self.call, plan) if before else Answered(self.call, plan))

    def _lend(self, host: str) -> None:
        if host not in self._lent:
            self._lent.add(host)
            self._around.lend(host)

    def _stop(self) -> None:
        """Stop what waits for a time; each layer adds its own."""
        if self._timer is not None:
            self._timer.cancel()
        for repeater in self._unacked.values():
            repeater.stop()
        self._unacked.clear()

    def end(self, code: int, reason: str, now: float, *, remote: bool) -> None:
        """Let go of everything and say so, once."""
        if self.state is CallState.ENDED:
            return
        self._stop()
        self.state = CallState.ENDED
        lent, self._lent = self._lent, set()

        def forget(_now: float) -> None:
            for host in lent:
                self._around.take_back(host)

        if lent:
            # What is still under way, such as the answer to our BYE, has to be heard.
            self._exchange.alarms.at(now + 2 * self._exchange.timers.patience, forget)
        self._exchange.emit(Ended(self.call, code, reason or reason_of(code), remote))
        self._around.closed(self)


def attach(message: Message, body: bytes, kind: str = SDP_TYPE) -> None:
    """Put a body on a message."""
    message.headers.set("Content-Type", kind)
    message.body = body
