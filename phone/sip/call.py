"""A call: what both directions share once there is a dialog (RFC 3261 §12-15, 3311, 3515, 4028)."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from vivavoce.phone.sip import refer
from vivavoce.phone.sip.auth import Authenticator
from vivavoce.phone.sip.decisions import (
    Answered,
    ChangeRefused,
    Dtmf,
    Ended,
    MediaChanged,
    Outcome,
    Send,
    TransferAsked,
    Transferred,
)
from vivavoce.phone.sip.dialog import Dialog
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.exchange import (
    EXTENSIONS,
    METHODS,
    Attempt,
    Exchange,
    carry_authorisation,
)
from vivavoce.phone.sip.headers import NameAddr, number
from vivavoce.phone.sip.message import Message, Request, Response, reason_of
from vivavoce.phone.sip.refresh import Interval, SessionTimer
from vivavoce.phone.sip.sdp import MediaPlan, SdpError
from vivavoce.phone.sip.session import SDP_TYPE, LocalMedia, Session, sdp_in
from vivavoce.phone.sip.timers import Alarm, Repeater
from vivavoce.phone.sip.transaction import Deliver, ServerTransaction
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.uri import Uri

NOTIFY_PATIENCE = 180.0  # s that a transfer may take until its outcome is known

_M = TypeVar("_M", bound=Message)

_SIGNAL = re.compile(rb"(?im)^\s*Signal\s*=\s*([0-9A-D*#])\s*$")
_DURATION = re.compile(rb"(?im)^\s*Duration\s*=\s*([0-9]{1,5})\s*$")


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
    closed: Callable[[Call], None]


@dataclass(slots=True)
class _Acks:
    """The ACKs that were sent, to be sent again with each 2xx that comes again."""

    sent: dict[tuple[str, int], Send] = field(default_factory=dict)


class Call:
    """One call, in either direction.

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
        self._changing = False  # our re-INVITE or UPDATE with an offer is under way
        self._wanted = ""  # the method of a change that waits for another one
        self._minimum = 0  # the Min-SE the far end named, s
        self._allowed: set[str] = set()
        self._timer: Alarm | None = None
        self._again: Alarm | None = None
        self._referring: Alarm | None = None
        self._referred: Uri | None = None
        self._lent: set[str] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state.value}>"

    @property
    def key(self) -> tuple[str, str]:
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

    def hold(self, now: float, *, on: bool) -> None:
        """Put the far end on hold (we send, and hear nothing) or take it back."""
        session = self._standing()
        if session.holding != on:
            session.holding = on
            self._change("INVITE", now)

    def update(self, now: float, media: LocalMedia | None = None) -> None:
        """Offer the session anew by UPDATE (or re-INVITE where it is not known)."""
        session = self._standing()
        if media is not None:
            session.local = media
        self._change("UPDATE" if "UPDATE" in self._allowed else "INVITE", now)

    def send_dtmf(self, digit: str, duration: int, now: float) -> None:
        """Send a digit by INFO; `duration` in ms.

        Raises:
            CallError: The call does not stand, or it is no digit.
        """
        self._standing()
        if not re.fullmatch(r"[0-9A-D*#]", digit):
            raise CallError(f"{digit!r} is none of 0-9, A-D, * and #")
        body = f"Signal={digit}\r\nDuration={duration}\r\n".encode()
        self._tell("INFO", now, body, "application/dtmf-relay")

    def transfer(self, target: Uri, now: float) -> None:
        """Ask the far end to call `target` instead (REFER).

        Raises:
            CallError: The call does not stand, or a transfer is under way.
        """
        self._standing()
        if self._referring is not None:
            raise CallError("a transfer is under way already")
        self._referring = self._exchange.alarms.at(now + NOTIFY_PATIENCE, self._no_notify)

        def answered(response: Response, now: float) -> None:
            if response.status >= 300:
                self._transferred(refer.refusal_of(response.status), response.status)
                self._fatal(response, now)

        headers = [("Refer-To", f"<{target}>"), ("Referred-By", f"<{self.local.uri}>")]
        self._ask("REFER", now, answered, headers=headers)

    def report_transfer(self, status: int, now: float) -> None:
        """Tell the far end, which asked for a transfer, how it goes (100-699)."""
        if self._referred is None or self.state is not CallState.ESTABLISHED:
            raise CallError("no transfer was asked for, or the call is over")
        if status >= 200:
            self._referred = None
        state = "active;expires=180" if status < 200 else "terminated;reason=noresource"
        headers = [("Event", "refer"), ("Subscription-State", state)]
        self._tell("NOTIFY", now, refer.sipfrag(status), refer.SIPFRAG, headers)

    def _standing(self) -> Session:
        if self.state is not CallState.ESTABLISHED or self._session is None:
            raise CallError(f"the call is {self.state.value}: it has to be answered and not over")
        return self._session

    # -- what the far end asks

    def receive(self, transaction: ServerTransaction, now: float) -> None:
        """Take a request within the dialog.

        Raises:
            SipParseError: A header of it is malformed.
        """
        request = transaction.request
        dialog = self._dialog_of(request)
        if dialog is None or self.state is CallState.ENDED:
            self._exchange.refuse(transaction, 481, now)
            return
        if not dialog.in_order(request):
            self._exchange.refuse(transaction, 500, now)
            return
        if request.method in {"INVITE", "UPDATE"}:
            dialog.refresh(request, transaction.source)
            self._note(request)
        else:
            dialog.flow = transaction.source
        handler = {
            "BYE": self._on_bye,
            "INVITE": self._on_offer,
            "UPDATE": self._on_offer,
            "INFO": self._on_info,
            "REFER": self._on_refer,
            "NOTIFY": self._on_notify,
            "PRACK": self._on_prack,
            "OPTIONS": self._on_options,
        }.get(request.method)
        if handler is None:
            self._exchange.refuse(transaction, 405, now, [("Allow", METHODS)])
        else:
            handler(transaction, now)

    def acknowledge(self, request: Request, now: float) -> None:
        """Take the ACK to a 2xx of ours."""
        repeater = self._unacked.pop(request.cseq.number, None)
        if repeater is None:
            return
        repeater.stop()
        if self._session is not None and self._session.offering and not self._changing:
            try:
                self._agreed(self._session.answered(sdp_in(request)))
            except SdpError as error:
                self._bye(now)
                self.end(488, f"no usable answer came: {error}", now, remote=False)
                return
        if self.state is CallState.LEAVING and not self._unacked:
            self._bye(now)
            self.end(200, "hung up", now, remote=False)
        else:
            self._settled(now)

    def _dialog_of(self, request: Request) -> Dialog | None:
        dialog = self._dialog
        return dialog if dialog and dialog.remote_tag == (request.from_.tag or "") else None

    def _on_bye(self, transaction: ServerTransaction, now: float) -> None:
        self._exchange.respond(transaction, transaction.request.reply(200), now)
        self.end(200, "the far end hung up", now, remote=True)

    def _on_options(self, transaction: ServerTransaction, now: float) -> None:
        self._exchange.respond(transaction, self._capable(transaction.request.reply(200)), now)

    def _on_offer(self, transaction: ServerTransaction, now: float) -> None:
        request, session = transaction.request, self._session
        invite = request.method == "INVITE"
        body = sdp_in(request)
        if session is None or (invite and self.state is CallState.SETUP):
            self._exchange.refuse(transaction, 500, now, [("Retry-After", "5")])
            return
        if self._changing or ((body or invite) and not session.stable):
            self._exchange.refuse(transaction, 491, now)
            return
        if self._around.timer.too_small(request):
            least = str(self._around.timer.minimum)
            self._exchange.refuse(transaction, 422, now, [("Min-SE", least)])
            return
        response = self._in_dialog(request, 200, transaction)
        try:
            if body:
                plan, answer = session.offered(body)
                attach(response, answer)
                self._agreed(plan)
            elif invite:
                attach(response, session.offer())
        except SdpError:
            self._exchange.refuse(transaction, 488, now)
            return
        if self.state is not CallState.SETUP:
            self._keep(self._around.timer.grant(request, response), now)
        if invite:
            self._answer(transaction, response, now)
        else:
            self._exchange.respond(transaction, response, now)

    def _on_info(self, transaction: ServerTransaction, now: float) -> None:
        request, kind = transaction.request, transaction.request.content_type
        digit, duration = "", 0
        if kind == "application/dtmf-relay":
            found, long = _SIGNAL.search(request.body), _DURATION.search(request.body)
            digit = found[1].decode().upper() if found else ""
            duration = int(long[1]) if long else 0
        elif kind == "application/dtmf":
            text = request.body.strip().decode("ascii", "replace").upper()
            digit = text if re.fullmatch(r"[0-9A-D*#]", text) else ""
        elif request.body:
            accept = "application/dtmf-relay, application/dtmf"
            self._exchange.refuse(transaction, 415, now, [("Accept", accept)])
            return
        self._exchange.respond(transaction, request.reply(200), now)
        if digit:
            self._exchange.emit(Dtmf(self, digit, duration))

    def _on_refer(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        target = refer.target_of(request)
        allowed = self._trunk is not None and self._trunk.refer
        if not allowed or self.state is not CallState.ESTABLISHED or self._referred is not None:
            self._exchange.refuse(transaction, 603, now)
            return
        response = self._in_dialog(request, 202, transaction)
        self._exchange.respond(transaction, response, now)
        self._referred = target
        self.report_transfer(100, now)
        self._exchange.emit(TransferAsked(self, target))

    def _on_notify(self, transaction: ServerTransaction, now: float) -> None:
        request = transaction.request
        if not refer.for_refer(request):
            self._exchange.refuse(transaction, 489, now)
            return
        if self._referring is None:
            self._exchange.refuse(transaction, 481, now)
            return
        self._exchange.respond(transaction, request.reply(200), now)
        status = refer.sipfrag_status(request.body)
        outcome = refer.outcome_of(status) if status is not None else None
        if outcome is not None and status is not None:
            self._transferred(outcome, status)
        elif refer.ended(request):
            self._transferred(Outcome.UNKNOWN, status or 0)

    def _on_prack(self, transaction: ServerTransaction, now: float) -> None:
        self._exchange.refuse(transaction, 481, now)

    # -- changes of ours

    def _change(self, method: str, now: float) -> None:
        session = self._standing()
        if self._changing or not session.stable or self._unacked or self._again is not None:
            self._wanted = method
            return
        self._changing, self._wanted = True, ""
        body = session.offer(full=False)

        def answered(response: Response, now: float) -> None:
            self._change_answered(method, response, now)

        self._ask(method, now, answered, body, SDP_TYPE)

    def _change_answered(self, method: str, response: Response, now: float) -> None:
        session = self._session
        if response.status < 200 or session is None:
            return
        if 200 <= response.status < 300 and method == "INVITE":
            if self._acknowledge_again(response):
                return
            self._acknowledge(response)
        if self.state is CallState.ENDED:
            return
        self._changing = False
        if response.status < 300:
            try:
                self._renew(response, now)
                self._agreed(session.answered(sdp_in(response)))
            except (SdpError, SipParseError) as error:
                session.rollback()
                self._exchange.emit(ChangeRefused(self, 488, str(error)))
        else:
            session.rollback()
            self._change_failed(method, response, now)
        self._settled(now)

    def _change_failed(self, method: str, response: Response, now: float) -> None:
        if response.status == 491:
            # §14.1: who made the Call-ID waits longer, so that they do not meet again.
            ours = self.outbound
            low, high = (210, 400) if ours else (0, 200)
            wait = (low + int(self._exchange.random() * (high - low + 1))) / 100
            self._again = self._exchange.alarms.at(
                now + wait, lambda later: self._change_again(method, later)
            )
        elif response.status == 422 and self._more(response):
            self._wanted = method
        elif not self._fatal(response, now):
            self._exchange.emit(ChangeRefused(self, response.status, response.reason))

    def _change_again(self, method: str, now: float) -> None:
        self._again = None
        if self.state is CallState.ESTABLISHED:
            self._change(method, now)

    def _settled(self, now: float) -> None:
        """A change is through: start the one that waited."""
        if self._wanted and self.state is CallState.ESTABLISHED:
            self._change(self._wanted, now)

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

    # -- session timer

    def _keep(self, interval: Interval | None, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if interval is None:
            return
        callback = self._refresh if interval.ours else self._expired
        self._timer = self._exchange.alarms.at(now + interval.due, callback)

    def _refresh(self, now: float) -> None:
        # Half the time is left for it: what fails until then ends the call.
        left = max(self._around.timer.expires, self._minimum) / 2
        self._timer = self._exchange.alarms.at(now + left - min(32, left / 3), self._expired)
        if "UPDATE" not in self._allowed:
            self._change("INVITE", now)
            return

        def answered(response: Response, now: float) -> None:
            if 200 <= response.status < 300 and self.state is CallState.ESTABLISHED:
                self._renew(response, now)
            elif response.status == 422 and self._more(response):
                self._refresh(now)
            elif response.status >= 300:
                self._fatal(response, now)

        self._ask("UPDATE", now, answered)

    def _expired(self, now: float) -> None:
        if self.state is CallState.ESTABLISHED:
            self._bye(now)
            self.end(408, "the session expired: the far end did not refresh it", now, remote=True)

    def _renew(self, response: Response, now: float) -> None:
        if self._dialog is not None:
            self._dialog.refresh(response, self._dialog.flow)
        self._keep(self._around.timer.granted(response), now)

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
        self._exchange.emit(MediaChanged(self, plan) if before else Answered(self, plan))

    def _lend(self, host: str) -> None:
        if host not in self._lent:
            self._lent.add(host)
            self._around.lend(host)

    def _transferred(self, outcome: Outcome, code: int) -> None:
        if self._referring is not None:
            self._referring.cancel()
            self._referring = None
            self._exchange.emit(Transferred(self, outcome, code))

    def _no_notify(self, now: float) -> None:  # noqa: ARG002 - an alarm's callback
        self._transferred(Outcome.UNKNOWN, 408)

    def end(self, code: int, reason: str, now: float, *, remote: bool) -> None:
        """Let go of everything and say so, once."""
        if self.state is CallState.ENDED:
            return
        self._transferred(Outcome.UNKNOWN, 0)
        self.state = CallState.ENDED
        for alarm in (self._timer, self._again):
            if alarm is not None:
                alarm.cancel()
        for repeater in self._unacked.values():
            repeater.stop()
        self._unacked.clear()
        lent, self._lent = self._lent, set()

        def forget(_now: float) -> None:
            for host in lent:
                self._around.take_back(host)

        if lent:
            # What is still under way, such as the answer to our BYE, has to be heard.
            self._exchange.alarms.at(now + 2 * self._exchange.timers.patience, forget)
        self._exchange.emit(Ended(self, code, reason or reason_of(code), remote))
        self._around.closed(self)


def attach(message: Message, body: bytes, kind: str = SDP_TYPE) -> None:
    message.headers.set("Content-Type", kind)
    message.body = body
