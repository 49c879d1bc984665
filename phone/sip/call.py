"""A call: all that the far end may ask within it, and what we may ask besides its media."""

from __future__ import annotations

import re

from vivavoce.phone.sip import refer
from vivavoce.phone.sip.change import Changing
from vivavoce.phone.sip.decisions import (
    Dtmf,
    Outcome,
    TransferAsked,
    Transferred,
)
from vivavoce.phone.sip.dialog import Dialog
from vivavoce.phone.sip.exchange import (
    METHODS,
)
from vivavoce.phone.sip.leg import CallError, CallState, attach
from vivavoce.phone.sip.message import Request, Response
from vivavoce.phone.sip.sdp import SdpError
from vivavoce.phone.sip.session import sdp_in
from vivavoce.phone.sip.timers import Alarm
from vivavoce.phone.sip.transaction import ServerTransaction
from vivavoce.phone.sip.uri import Uri

NOTIFY_PATIENCE = 180.0  # s that a transfer may take until its outcome is known

_SIGNAL = re.compile(rb"(?im)^[ \t]*Signal[ \t]*=[ \t]*([0-9A-D*#])[ \t]*\r?$")
_DURATION = re.compile(rb"(?im)^[ \t]*Duration[ \t]*=[ \t]*([0-9]{1,5})[ \t]*\r?$")


class Call(Changing):
    """One call, in either direction; see `Leg` for its attributes."""

    _referring: Alarm | None = None  # rings when a transfer of ours told no outcome
    _referred: Uri | None = None  # where the far end wants us to call

    @property
    def call(self) -> Call:
        """The call that this leg is."""
        return self

    def _stop(self) -> None:
        self._transferred(Outcome.UNKNOWN, 0)
        super()._stop()

    # -- what the application asks

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

    def _transferred(self, outcome: Outcome, code: int) -> None:
        if self._referring is not None:
            self._referring.cancel()
            self._referring = None
            self._exchange.emit(Transferred(self, outcome, code))

    def _no_notify(self, now: float) -> None:  # noqa: ARG002 - an alarm's callback
        self._transferred(Outcome.UNKNOWN, 408)
