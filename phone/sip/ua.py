"""The user agent: packets and wishes in, decisions out; it ties calls, trunks and registrations."""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from vivavoce.phone.sip.admission import Admission, Pass, scanner
from vivavoce.phone.sip.auth import Guard
from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import Address, Decision, Incoming, Send
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.exchange import EXTENSIONS, METHODS, Exchange
from vivavoce.phone.sip.headers import NameAddr
from vivavoce.phone.sip.inbound import Inbound
from vivavoce.phone.sip.leg import Leg, Surroundings
from vivavoce.phone.sip.message import MAX_MESSAGE, Request, Response, parse
from vivavoce.phone.sip.outbound import Outbound
from vivavoce.phone.sip.place import Place
from vivavoce.phone.sip.refresh import SessionTimer
from vivavoce.phone.sip.registration import Registration
from vivavoce.phone.sip.resolve import Records
from vivavoce.phone.sip.sdp import SdpError
from vivavoce.phone.sip.sdp import parse as parse_sdp
from vivavoce.phone.sip.session import SDP_TYPE, LocalMedia, sdp_in
from vivavoce.phone.sip.timers import Timers
from vivavoce.phone.sip.transaction import ServerTransaction, State
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.uri import Uri

PONG = b"\r\n"
_PINGS = (b"", b"\r\n", b"\r\n\r\n", b"\x00")  # what keeps NAT bindings open


class UserAgent:
    """All signalling of one process: pure, single-threaded, never waiting.

    Every method that does something returns what it decided, in order; the caller sends what
    is to be sent and passes the news on. `now` is in seconds on one monotonic clock, and never
    goes back. After each call, `next` says when `tick` is due.

    Args:
        local: The addresses that we are reached at, as the far end must write them (behind a
            NAT the public ones): one for each transport and IP version.
        trunks: Where calls come from and go to.
        phones: Password by user of the phones that may call in by digest; None for none: then
            what no trunk sends is dropped unheard.
        realm: What phones see in the challenge.
        max_calls: Most calls at once.
        full: Asked before a call is taken, beside `max_calls`: whether there is no room for it.
        timers: Base intervals of RFC 3261.
        session_timer: Our wish for session timers.
        admission: Allow-lists and rates; by default made from the trunks.
        agent: What User-Agent and Server say.
        token: Returns that many random bytes as lower-case hex.

    Raises:
        ValueError: The configuration does not hold together.
    """

    def __init__(
        self,
        local: Iterable[Address],
        trunks: Iterable[Trunk] = (),
        *,
        phones: Mapping[str, str] | None = None,
        realm: str = "vivavoce",
        max_calls: int = 100,
        full: Callable[[], bool] = lambda: False,
        timers: Timers | None = None,
        session_timer: SessionTimer | None = None,
        admission: Admission | None = None,
        agent: str = "vivavoce",
        token: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        self._exchange = Exchange(local, token, timers or Timers(), agent)
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._admission = admission or Admission(
            {trunk.name: trunk.allow for trunk in self._trunks.values()}, phones=phones is not None
        )
        if any(trunk.public for trunk in self._trunks.values()):
            self._exchange.public = self._seen_as
        self._guard = Guard(realm, phones, bytes.fromhex(token(32))) if phones else None
        self._max_calls = max_calls
        self._no_room = full
        self._calls: dict[tuple[str, str], Call] = {}
        self._around = Surroundings(
            self._exchange,
            session_timer or SessionTimer(),
            self._admission.lend,
            self._admission.take_back,
            self._forget,
        )
        self._places: dict[str, Place] = {}
        self._registrations: dict[str, Registration] = {}
        self._closing = self._resting = False
        self.refused: Counter[str] = Counter()
        """Calls that came in and were refused, by why."""
        for trunk in self._trunks.values():
            place = self._places[trunk.name] = Place(self._exchange, trunk, self._admission.learn)
            if trunk.register:
                self._registrations[trunk.name] = Registration(self._exchange, trunk, place)

    # -- time and packets

    @property
    def next(self) -> float | None:
        """When `tick` is due next, None for never."""
        return self._exchange.alarms.next

    @property
    def calls(self) -> list[Call]:
        """The calls that are not over."""
        return list(self._calls.values())

    @property
    def pending(self) -> int:
        """How many transactions are under way."""
        return len(self._exchange.clients) + len(self._exchange.servers)

    @property
    def unanswered(self) -> int:
        """How many requests of ours wait for a final response."""
        waiting = {State.TRYING, State.PROCEEDING}
        return sum(client.state in waiting for client in self._exchange.clients.values())

    def start(self, now: float) -> list[Decision]:
        """Look trunks up and register with those that want it."""
        for name, place in self._places.items():
            if name in self._registrations:
                self._registrations[name].start(now)
            else:
                place.ask(None, None, now)
        return self._exchange.drain()

    def knows(self, host: str) -> bool:
        """Whether anything from an IP literal is heard: if not, it needs no connection."""
        return self._admission.knows(host)

    def tick(self, now: float) -> list[Decision]:
        """Do what is due."""
        self._exchange.alarms.ring(now)
        return self._exchange.drain()

    def receive(self, data: bytes, source: Address, now: float) -> list[Decision]:
        """Take a datagram, or a frame that `message.Framer` cut from a stream.

        Never raises, whatever the bytes. What is not admitted costs two look-ups and no reply.

        Args:
            data: The bytes.
            source: Where they came from, with the transport.
            now: Seconds.
        """
        verdict = self._admission.admit(source.host, now)
        if verdict is None:
            return []
        if len(data) <= 4 and data in _PINGS:
            return [Send(PONG, source)] if source.reliable and data == b"\r\n\r\n" else []
        try:
            message = parse(data)
            if isinstance(message, Response):
                self._exchange.take_response(message, now)
            else:
                self._take(message, source, verdict, now)
        except SipParseError as error:
            self._complain(error, verdict, source)
        return self._exchange.drain()

    def resolved(self, trunk: str, records: Records, now: float) -> list[Decision]:
        """Take what a `Resolve` found; empty records when it found nothing."""
        self._places[trunk].found(records, now)
        return self._exchange.drain()

    def failed(self, to: Address, now: float, why: str = "") -> list[Decision]:
        """Take it that nothing can be sent to an address, or that its connection broke.

        Args:
            to: The address.
            now: The time (s).
            why: What whoever called or registered over it is told; RFC 3261's phrase by default.
        """
        self._exchange.fail(to, now, why)
        return self._exchange.drain()

    def rest(self) -> None:
        """Take no new calls: INVITE and OPTIONS get 503, so that a proxy goes elsewhere.

        Those there are go on, with all that they ask for. Idempotent; there is no way back.
        """
        self._resting = True

    def close(self, now: float) -> list[Decision]:
        """Hang every call up, unregister, take no new calls. Idempotent.

        Packets and ticks are to be passed on for as long as `pending` is not 0, or as long as
        there is patience.
        """
        self._closing = True
        for call in self.calls:
            call.hang_up(now)
        for registration in self._registrations.values():
            registration.stop(now)
        return self._exchange.drain()

    # -- calls

    def dial(
        self,
        trunk: str,
        number: str | Uri,
        media: LocalMedia,
        now: float,
        *,
        caller: str = "",
        display: str = "",
        late_offer: bool = False,
        ring_time: float = 60.0,
    ) -> tuple[Outbound, list[Decision]]:
        """Call somebody over a trunk.

        Args:
            trunk: The trunk's name.
            number: A number or user there, or a whole URI (it goes to the trunk all the same).
            media: What our media engine offers.
            now: Seconds.
            caller: The number or user shown; the trunk's own by default.
            display: The name shown.
            late_offer: Leave the offer to the far end.
            ring_time: Seconds until an unanswered call is cancelled.

        Raises:
            KeyError: There is no such trunk.
            ValueError: As many calls as may be are under way, or the user agent is closing.
        """
        place, where = self._places[trunk], self._trunks[trunk]
        if self._closing or self._full(where):
            raise ValueError(f"no call can be made over {trunk!r}: the most calls are under way")
        target = number if isinstance(number, Uri) else where.uri(number)
        local = NameAddr(where.uri(caller or where.user or "anonymous"), display)
        call = Outbound(
            self._around,
            where,
            place.authenticator,
            Uri.parse(str(target)),
            local,
            media,
            late_offer=late_offer,
            ring_time=ring_time,
        )
        self._calls[call.key] = call
        place.ask(lambda later: call.start(place.targets(), later), call.unreachable, now)
        return call, self._exchange.drain()

    def ring(self, call: Call, now: float, media: LocalMedia | None = None) -> list[Decision]:
        """Say that it rings; with media, that a sound comes before the answer."""
        with contextlib.suppress(SdpError):  # the 488 and the end are among the decisions
            self._inbound(call).ring(now, media)
        return self._exchange.drain()

    def answer(self, call: Call, media: LocalMedia, now: float) -> list[Decision]:
        """Take an incoming call.

        When nothing that the far end offers can be spoken it is refused (488), and the
        decisions end it.

        Raises:
            CallError: It was answered, refused or cancelled already.
        """
        with contextlib.suppress(SdpError):  # the 488 and the end are among the decisions
            self._inbound(call).answer(media, now)
        return self._exchange.drain()

    def reject(self, call: Call, now: float, code: int = 603) -> list[Decision]:
        """Refuse an incoming call."""
        self._inbound(call).reject(code, now)
        return self._exchange.drain()

    def hang_up(self, call: Call, now: float) -> list[Decision]:
        """End a call, whatever its state: CANCEL, a refusal, or BYE. Idempotent."""
        call.hang_up(now)
        return self._exchange.drain()

    def hold(self, call: Call, now: float) -> list[Decision]:
        """Put the far end on hold."""
        call.hold(now, on=True)
        return self._exchange.drain()

    def resume(self, call: Call, now: float) -> list[Decision]:
        """Take the far end back from hold."""
        call.hold(now, on=False)
        return self._exchange.drain()

    def update(self, call: Call, now: float, media: LocalMedia | None = None) -> list[Decision]:
        """Offer the session anew, perhaps with other media."""
        call.update(now, media)
        return self._exchange.drain()

    def send_dtmf_info(
        self, call: Call, digit: str, now: float, duration: int = 160
    ) -> list[Decision]:
        """Send a digit by INFO; `duration` in ms."""
        call.send_dtmf(digit, duration, now)
        return self._exchange.drain()

    def refer(self, call: Call, target: Uri, now: float) -> list[Decision]:
        """Have the far end call `target` instead; `Transferred` tells the outcome."""
        call.transfer(target, now)
        return self._exchange.drain()

    def report_transfer(self, call: Call, status: int, now: float) -> list[Decision]:
        """Tell the far end, which asked us to call somebody (`TransferAsked`), how it went."""
        call.report_transfer(status, now)
        return self._exchange.drain()

    # -- requests

    def _take(self, request: Request, source: Address, verdict: Pass, now: float) -> None:
        via = request.via.seen_from(source.host, source.port)
        rest = [str(other) for other in request.vias[1:]]
        request.headers.set("Via", ", ".join([str(via), *rest]))
        if request.method == "ACK":
            self._acknowledge(request, now)
            return
        call = self._call_of(request)
        if call is None and verdict.trunk is None:
            proved = self._proved(request, source, verdict, now)
            if proved is None:
                return
            verdict = proved
        transaction, new = self._exchange.take_request(request, source)
        if not new:
            transaction.repeat()
            return
        try:
            self._dispatch(transaction, call, verdict, now)
        except SipParseError as error:
            self._exchange.refuse(transaction, error.status, now)

    def _acknowledge(self, request: Request, now: float) -> None:
        transaction = self._exchange.matching(request, "INVITE")
        if transaction is not None:
            transaction.acknowledge(now)
        call = self._call_of(request)
        if call is not None:
            call.acknowledge(request, now)

    def _proved(self, request: Request, source: Address, verdict: Pass, now: float) -> Pass | None:
        """Let a phone on that repeats itself, cancels, or proves who it is."""
        if not verdict.phone or self._guard is None or scanner(request):
            return None
        if request.to.tag is not None:
            return None  # of no call of ours: not worth a word
        if self._exchange.matching(request, request.method) is not None:
            return verdict
        if request.method == "CANCEL":
            return verdict if self._exchange.matching(request, "INVITE") is not None else None
        checked = self._guard.check(request, source.host, now)
        if checked.user is not None:
            return replace(verdict, user=checked.user)
        # Without a transaction: a flood of strangers leaves nothing behind (§26.3.2.4).
        response = self._guard.challenge(request, source.host, now, stale=checked.stale)
        self._exchange.emit(Send(bytes(response), source))
        return None

    def _dispatch(
        self, transaction: ServerTransaction, call: Call | None, verdict: Pass, now: float
    ) -> None:
        request, exchange = transaction.request, self._exchange
        if request.method == "CANCEL":
            self._cancel(transaction, now)
            return
        unknown = request.headers.tokens("Require") - EXTENSIONS
        if unknown:
            names = ", ".join(sorted(unknown))
            exchange.refuse(transaction, 420, now, [("Unsupported", names)])
        elif call is not None:
            call.receive(transaction, now)
        elif request.uri.scheme not in {"sip", "sips", "tel"}:
            exchange.refuse(transaction, 416, now)
        elif request.to.tag is not None:
            exchange.refuse(transaction, 481, now)
        elif exchange.merged(request):
            exchange.refuse(transaction, 482, now)
        elif request.method == "INVITE":
            self._invited(transaction, verdict, now)
        elif request.method == "OPTIONS" and self._resting:
            exchange.refuse(transaction, 503, now, [("Retry-After", "10")])
        elif request.method == "OPTIONS":
            response = request.reply(200, tag=exchange.token(6))
            response.headers.add("Allow", METHODS)
            response.headers.add("Supported", ", ".join(sorted(EXTENSIONS)))
            response.headers.add("Accept", SDP_TYPE)
            exchange.respond(transaction, response, now)
        elif request.method in {"BYE", "INFO", "UPDATE", "REFER", "NOTIFY", "PRACK"}:
            exchange.refuse(transaction, 481, now)
        else:
            exchange.refuse(transaction, 405, now, [("Allow", METHODS)])

    def _invited(self, transaction: ServerTransaction, verdict: Pass, now: float) -> None:
        request, exchange = transaction.request, self._exchange
        trunk = self._trunks.get(verdict.trunk) if verdict.trunk is not None else None
        offer = sdp_in(request)
        ends = self._closing or self._resting
        if ends or len(self._calls) >= self._max_calls or self._no_room():
            self.refused["closing" if ends else "busy"] += 1
            exchange.refuse(transaction, 503, now, [("Retry-After", "10")])
            return
        if trunk is not None and self._full(trunk):
            self.refused["trunk_full"] += 1
            exchange.refuse(transaction, 486, now)
            return
        if request.body and not offer:
            exchange.refuse(transaction, 415, now, [("Accept", SDP_TYPE)])
            return
        if self._around.timer.too_small(request):
            least = str(self._around.timer.minimum)
            exchange.refuse(transaction, 422, now, [("Min-SE", least)])
            return
        if offer and not _speakable(offer):
            exchange.refuse(transaction, 488, now)
            return
        call = Inbound(self._around, trunk, transaction, now)
        call.user = verdict.user
        self._calls[call.key] = call
        transaction.respond(request.reply(100), now)
        exchange.emit(Incoming(call))

    def _cancel(self, transaction: ServerTransaction, now: float) -> None:
        invite = self._exchange.matching(transaction.request, "INVITE")
        if invite is None:
            self._exchange.refuse(transaction, 481, now)
            return
        call = next(
            (c for c in self.calls if isinstance(c, Inbound) and c.invite is invite.request), None
        )
        response = transaction.request.reply(200, tag=call.local_tag if call else "")
        self._exchange.respond(transaction, response, now)
        if call is not None:
            call.cancelled(now)

    # -- inside

    def _call_of(self, request: Request) -> Call | None:
        return self._calls.get((request.call_id, request.to.tag or ""))

    def _seen_as(self, host: str) -> str:
        """Return our address as a trunk sees it, "" for the one that everybody sees."""
        name = self._admission.trunk_of(host)
        return self._trunks[name].public if name in self._trunks else ""

    def _full(self, trunk: Trunk) -> bool:
        over = sum(call.trunk == trunk.name for call in self._calls.values())
        return over >= trunk.max_calls or len(self._calls) >= self._max_calls

    def _forget(self, call: Leg) -> None:
        self._calls.pop(call.key, None)

    @staticmethod
    def _inbound(call: Call) -> Inbound:
        if not isinstance(call, Inbound):
            raise TypeError("only a call that came in can be rung, answered or refused")
        return call

    def _complain(self, error: SipParseError, verdict: Pass, source: Address) -> None:
        """Answer a malformed request of a trunk; strangers' are not worth a word."""
        request = error.request
        if verdict.trunk is None or request is None or request.method == "ACK":
            return
        if any(len(str(value)) > MAX_MESSAGE // 4 for _, value in request.headers):
            return
        response = request.reply(error.status, tag=self._exchange.token(6))
        self._exchange.emit(Send(bytes(response), source))


def _speakable(offer: bytes) -> bool:
    try:
        return parse_sdp(offer).audio() is not None
    except SdpError:
        return False
