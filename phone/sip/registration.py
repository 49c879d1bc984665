"""Registration with a trunk's registrar (RFC 3261 §10): kept alive, backed off from."""

from __future__ import annotations

from vivavoce.phone.sip.decisions import Registered, RegistrationFailed
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.exchange import METHODS, Attempt, Exchange
from vivavoce.phone.sip.headers import NameAddr, number
from vivavoce.phone.sip.message import Headers, Request, Response
from vivavoce.phone.sip.place import Place
from vivavoce.phone.sip.timers import Alarm
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.uri import Uri

FIRST_RETRY = 30.0  # s
LONGEST_RETRY = 1800.0  # s
REFUSED_RETRY = 300.0  # s, after 403 or a wrong password: more would lock the account


class Registration:
    """One trunk's registration.

    Args:
        exchange: Where it is sent.
        trunk: The trunk.
        place: Where it is, and what answers its challenges.
    """

    def __init__(
        self,
        exchange: Exchange,
        trunk: Trunk,
        place: Place,
    ) -> None:
        self._exchange, self._trunk, self._place = exchange, trunk, place
        self._call_id = exchange.token(12)
        self._tag = exchange.token(6)
        self._cseq = 0
        self._expires = trunk.expires
        self._failures = 0
        self._alarm: Alarm | None = None
        self._attempt: Attempt | None = None
        self._asking = False  # the name is being looked up
        self._leaving = False
        self.registered = False

    def start(self, now: float) -> None:
        """Register, or refresh; a request under way goes on."""
        self._wait_no_more()
        if self._attempt is None and not self._asking:
            self._asking = True
            self._place.ask(self._send, self._send, now)

    def _send(self, now: float) -> None:
        self._asking = False
        targets = self._place.targets()
        if not targets:
            self._failed(503, "the host could not be resolved", now, 0.0)
            return
        self._attempt = Attempt(
            self._exchange,
            self._build,
            [(target, target if target.reliable else None) for target in targets],
            self._take,
            self._place.authenticator,
            verify=self._trunk.host,
        )
        self._attempt.start(now)

    def stop(self, now: float) -> None:
        """Take the registration back. Idempotent."""
        if self._leaving:
            return
        self._leaving = True
        self._wait_no_more()
        if self.registered and self._attempt is None:
            self.start(now)

    def _build(self) -> Request:
        self._cseq += 1
        trunk = self._trunk
        aor = NameAddr(trunk.uri(trunk.user))
        # The registrar's URI has no user part (§10.2).
        host = aor.uri
        request = Request(method="REGISTER", uri=Uri("sip", None, host.host, host.port))
        target = self._attempt.target if self._attempt else self._place.targets()[0]
        request.headers = Headers(
            [
                ("Max-Forwards", "70"),
                ("From", str(aor.tagged(self._tag))),
                ("To", str(aor)),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} REGISTER"),
                ("Contact", self._exchange.contact(target, trunk.user)),
                ("Expires", str(0 if self._leaving else self._expires)),
                ("Allow", METHODS),
            ]
        )
        return request

    def _take(self, response: Response, now: float) -> None:
        if response.status < 200:
            return
        attempt, self._attempt = self._attempt, None
        if response.status < 300:
            self._granted(response, attempt, now)
        elif response.status == 423 and not self._leaving:
            least = number(response.headers.get("Min-Expires"), 0) or 0
            if self._expires < least <= 86400:
                self._expires = least
                self.start(now)
            else:
                self._failed(423, response.reason, now, 0.0)
        else:
            wait = float(number(response.headers.get("Retry-After"), 0) or 0)
            self._failed(response.status, response.reason, now, wait)

    def _granted(self, response: Response, attempt: Attempt | None, now: float) -> None:
        if self._leaving:
            if self.registered and attempt is not None and attempt.transaction is not None:
                asked = attempt.transaction.request.headers.get("Expires")
                if asked != "0":
                    self.start(now)  # it was stopped while a refresh was under way
                    return
            self.registered = False
            self._exchange.emit(Registered(self._trunk.name, 0))
            return
        self._failures = 0
        self.registered = True
        expires = self._lifetime(response, attempt)
        # Early enough that a lost request and a stale nonce can be mended in time.
        wait = expires - 32.0 if expires > 64 else expires / 2
        self._alarm = self._exchange.alarms.at(now + max(wait, 5.0), self.start)
        self._exchange.emit(Registered(self._trunk.name, expires))

    def _lifetime(self, response: Response, attempt: Attempt | None) -> int:
        """Read how long our own binding lives: the registrar may shorten it."""
        mine = ""
        if attempt is not None and attempt.transaction is not None:
            contact = attempt.transaction.request.contact
            mine = f"{contact.uri.host}:{contact.uri.port}" if contact else ""
        default = number(response.headers.get("Expires"), self._expires) or self._expires
        try:
            for value in response.headers.values("Contact"):
                binding = NameAddr.parse(value)
                if f"{binding.uri.host}:{binding.uri.port}" == mine:
                    return number(binding.param("expires"), default, top=86400) or default
        except SipParseError:
            pass  # other bindings are not ours to judge
        return min(default, 86400)

    def _failed(self, code: int, reason: str, now: float, wait: float) -> None:
        self.registered = False
        if self._leaving:
            self._exchange.emit(Registered(self._trunk.name, 0))
            return
        self._failures += 1
        retry = min(FIRST_RETRY * 2.0 ** min(self._failures - 1, 10), LONGEST_RETRY)
        if code in {401, 403, 404, 407}:
            retry = max(retry, REFUSED_RETRY)
        # Between half and the whole, so that a thousand phones do not come back at once
        # (RFC 5626 §4.5).
        retry = max(retry * (0.5 + self._exchange.random() / 2), min(wait, LONGEST_RETRY))
        self._alarm = self._exchange.alarms.at(now + retry, self.start)
        self._exchange.emit(RegistrationFailed(self._trunk.name, code, reason, retry))

    def _wait_no_more(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
