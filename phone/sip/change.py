"""Changes of ours to a call that stands: hold, UPDATE, re-INVITE and session timers."""

from __future__ import annotations

from vivavoce.phone.sip.decisions import (
    ChangeRefused,
)
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.leg import CallState, Leg
from vivavoce.phone.sip.message import Response
from vivavoce.phone.sip.refresh import Interval
from vivavoce.phone.sip.sdp import SdpError
from vivavoce.phone.sip.session import SDP_TYPE, LocalMedia, sdp_in
from vivavoce.phone.sip.timers import Alarm


class Changing(Leg):
    """A leg whose session we may change, and keep alive (RFC 3261 §14, 3311, 4028)."""

    _changing = False  # our re-INVITE or UPDATE with an offer is under way
    _wanted = ""  # the method of a change that waits for another one
    _again: Alarm | None = None  # rings when a change that met another may be tried again

    def _stop(self) -> None:
        if self._again is not None:
            self._again.cancel()
        super()._stop()

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
                self._exchange.emit(ChangeRefused(self.call, 488, str(error)))
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
            self._exchange.emit(ChangeRefused(self.call, response.status, response.reason))

    def _change_again(self, method: str, now: float) -> None:
        self._again = None
        if self.state is CallState.ESTABLISHED:
            self._change(method, now)

    def _settled(self, now: float) -> None:
        """A change is through: start the one that waited."""
        if self._wanted and self.state is CallState.ESTABLISHED:
            self._change(self._wanted, now)

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
