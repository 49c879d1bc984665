"""Transactions (RFC 3261 §17 with RFC 6026): each sent once, seen once, over a lossy network."""

from __future__ import annotations

import enum
from collections.abc import Callable

from vivavoce.phone.sip.decisions import Address
from vivavoce.phone.sip.message import Headers, Message, Request, Response, reason_of
from vivavoce.phone.sip.timers import Alarm, Alarms, Timers

Deliver = Callable[[Response, float], None]
Key = tuple[str, ...]


class State(enum.Enum):
    """States of figures 5 to 8 of RFC 3261 and of RFC 6026; not every machine has each."""

    TRYING = "trying"  # also figure 5's Calling
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


def client_key(message: Message) -> Key:
    """Return what a response and its request have in common (§17.1.3)."""
    return message.via.branch, message.cseq.method


def server_key(request: Request, method: str = "") -> Key:
    """Return what a request, its retransmissions, its ACK and its CANCEL have in common.

    Without the magic cookie (RFC 2543 peers) the whole of what identified a request then is
    the key (§17.2.3).
    """
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    via = request.via
    if via.branch.startswith("z9hG4bK"):
        return via.branch, via.host, str(via.port or ""), method
    cseq, tag = str(request.cseq.number), request.from_.tag or ""
    return str(request.uri), tag, request.call_id, cseq, str(via), method


def answer_to(request: Request, status: int, why: str = "") -> Response:
    """Return a response that this side makes up itself: nobody answered (§8.1.3.1).

    Args:
        request: What nobody answered.
        status: 408, or 503 where it could not be sent.
        why: The reason phrase; the usual one by default.
    """
    items = [(n, request.headers.get(n) or "") for n in ("Via", "From", "To", "Call-ID", "CSeq")]
    return Response(status=status, reason=why or reason_of(status), headers=Headers(items))


class _Machine:
    """What all four share: alarms that end with the transaction."""

    def __init__(self, key: Key, alarms: Alarms, closed: Callable[[Key], None]) -> None:
        self.key = key
        self.state = State.TRYING
        self._alarms = alarms
        self._closed = closed
        self._repeat: Alarm | None = None
        self._limit: Alarm | None = None

    def _again(self, when: float, callback: Callable[[float], None]) -> None:
        self._stop_repeating()
        self._repeat = self._alarms.at(when, callback)

    def _until(self, when: float, callback: Callable[[float], None]) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self._alarms.at(when, callback)

    def _stop_repeating(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None

    def close(self, now: float = 0.0) -> None:  # noqa: ARG002 - also an alarm's callback
        """End it without a word. Idempotent."""
        if self.state is State.TERMINATED:
            return
        self.state = State.TERMINATED
        self._stop_repeating()
        if self._limit is not None:
            self._limit.cancel()
        self._closed(self.key)


class ClientTransaction(_Machine):
    """One request of ours until its final response (figures 5 and 6).

    Args:
        request: With its Via and branch.
        to: Where it goes.
        alarms: The clock's alarms.
        timers: Base intervals.
        send: Sends a message of this transaction to where it belongs.
        deliver: Gets each response that matters: provisional ones, the final one once, every
            2xx to an INVITE (forks and retransmissions), and a 408 or 503 made up here when
            nobody answered or the transport failed.
        closed: Told once, with the key, at the end.
    """

    def __init__(
        self,
        request: Request,
        to: Address,
        alarms: Alarms,
        timers: Timers,
        send: Callable[[Message], None],
        deliver: Deliver,
        closed: Callable[[Key], None],
    ) -> None:
        super().__init__(client_key(request), alarms, closed)
        self.request, self.to = request, to
        self._timers, self._send, self._deliver = timers, send, deliver
        self._interval = timers.t1
        self._ack: Request | None = None
        self.silent = False  # whether it ended without a word from the far end

    @property
    def invite(self) -> bool:
        """Whether it is an INVITE's."""
        return self.request.method == "INVITE"

    def start(self, now: float) -> None:
        """Send it for the first time."""
        if not self.to.reliable:
            self._again(now + self._interval, self._repeat_request)  # timers A, E
        self._until(now + self._timers.patience, self._time_out)  # timers B, F
        self._send(self.request)

    def receive(self, response: Response, now: float) -> None:
        """Take a response that matches."""
        status = response.status
        if self.state in {State.TRYING, State.PROCEEDING}:
            if status < 200:
                self._proceed(now)
            elif self.invite:
                self._finish_invite(response, now)
            else:
                self._finish(now)
            self._deliver(response, now)
        elif self.state is State.ACCEPTED and 200 <= status < 300:
            self._deliver(response, now)
        elif self.state is State.COMPLETED and self._ack is not None and status >= 300:
            self._send(self._ack)

    def fail(self, now: float, why: str = "") -> None:
        """The transport could not send it, for a reason that whoever called is to be told."""
        self._give_up(503, now, why)

    def _proceed(self, now: float) -> None:
        if self.invite:
            self._stop_repeating()
            if self._limit is not None:
                self._limit.cancel()
        elif self.state is State.TRYING and not self.to.reliable:
            self._interval = self._timers.t2
            self._again(now + self._interval, self._repeat_request)
        self.state = State.PROCEEDING

    def _finish_invite(self, response: Response, now: float) -> None:
        self._stop_repeating()
        if response.status < 300:
            self.state = State.ACCEPTED
            self._until(now + self._timers.patience, self.close)  # timer M
            return
        self._ack = acknowledge(self.request, response)
        self._send(self._ack)
        self.state = State.COMPLETED
        self._until(now + (0 if self.to.reliable else self._timers.patience), self.close)  # D

    def _finish(self, now: float) -> None:
        self._stop_repeating()
        self.state = State.COMPLETED
        self._until(now + (0 if self.to.reliable else self._timers.t4), self.close)  # timer K

    def _repeat_request(self, now: float) -> None:
        self._send(self.request)
        if self.state is State.PROCEEDING:
            self._interval = self._timers.t2
        elif self.invite:
            self._interval *= 2
        else:
            self._interval = min(2 * self._interval, self._timers.t2)
        self._again(now + self._interval, self._repeat_request)

    def _time_out(self, now: float) -> None:
        self._give_up(408, now)

    def _give_up(self, status: int, now: float, why: str = "") -> None:
        if self.state not in {State.TRYING, State.PROCEEDING}:
            return
        self.silent = self.state is State.TRYING
        self.close()
        self._deliver(answer_to(self.request, status, why), now)


def acknowledge(request: Request, response: Response) -> Request:
    """Return the ACK to a final response other than 2xx (§17.1.1.3)."""
    headers = Headers([("Via", str(request.via)), ("Max-Forwards", "70")])
    for route in request.headers.all("Route"):
        headers.add("Route", route)
    headers.add("From", request.headers.get("From") or "")
    headers.add("To", response.headers.get("To") or "")
    headers.add("Call-ID", request.call_id)
    headers.add("CSeq", f"{request.cseq.number} ACK")
    return Request(method="ACK", uri=request.uri, headers=headers)


class ServerTransaction(_Machine):
    """One request of the far end until it has our final response (figures 7 and 8).

    Args:
        request: The request.
        source: Where it came from; responses go there.
        alarms: The clock's alarms.
        timers: Base intervals.
        send: Sends a response of this transaction.
        closed: Told once, with the key, at the end.
    """

    def __init__(
        self,
        request: Request,
        source: Address,
        alarms: Alarms,
        timers: Timers,
        send: Callable[[Message], None],
        closed: Callable[[Key], None],
    ) -> None:
        super().__init__(server_key(request), alarms, closed)
        self.request, self.source = request, source
        self._timers, self._send = timers, send
        self._last: Response | None = None
        self._interval = timers.t1

    @property
    def invite(self) -> bool:
        """Whether it is an INVITE's."""
        return self.request.method == "INVITE"

    @property
    def answered(self) -> bool:
        """Whether a final response was given."""
        return self.state not in {State.TRYING, State.PROCEEDING}

    def respond(self, response: Response, now: float) -> None:
        """Send a response; after a final one, nothing more (a second final is ignored)."""
        if self.answered:
            return
        self._last = response
        self._send(response)
        if response.status < 200:
            self.state = State.PROCEEDING
        elif self.invite and response.status < 300:
            # The 2xx itself is repeated by whoever owns the dialog, until the ACK (RFC 6026).
            self.state = State.ACCEPTED
            self._until(now + self._timers.patience, self.close)  # timer L
        elif self.invite:
            self.state = State.COMPLETED
            if not self.source.reliable:
                self._again(now + self._interval, self._repeat_response)  # timer G
            self._until(now + self._timers.patience, self.close)  # timer H
        else:
            self.state = State.COMPLETED
            wait = 0 if self.source.reliable else self._timers.patience
            self._until(now + wait, self.close)  # timer J

    def repeat(self) -> None:
        """The request came again: say the last response again, but never a 2xx to INVITE."""
        if self._last is not None and self.state in {State.PROCEEDING, State.COMPLETED}:
            self._send(self._last)

    def acknowledge(self, now: float) -> None:
        """The ACK to our final response other than 2xx came."""
        if self.state is State.COMPLETED and self.invite:
            self.state = State.CONFIRMED
            self._stop_repeating()
            self._until(now + (0 if self.source.reliable else self._timers.t4), self.close)  # I

    def _repeat_response(self, now: float) -> None:
        self.repeat()
        self._interval = min(2 * self._interval, self._timers.t2)
        self._again(now + self._interval, self._repeat_response)
