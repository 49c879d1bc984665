"""The exchange: every transaction under way, and one request's path to its final answer."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from vivavoce.phone.sip.auth import Authenticator
from vivavoce.phone.sip.decisions import Address, Decision, Send
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.message import BRANCH_COOKIE, Message, Request, Response
from vivavoce.phone.sip.timers import Alarms, Timers
from vivavoce.phone.sip.transaction import (
    ClientTransaction,
    Deliver,
    Key,
    ServerTransaction,
    client_key,
    server_key,
)
from vivavoce.phone.sip.uri import Uri

METHODS = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY, PRACK"
EXTENSIONS = frozenset({"timer", "100rel"})


class Exchange:
    """Sends, matches and repeats; knows transactions, not calls.

    Args:
        local: The addresses we are reached at, as the far end must write them, one for each
            transport and IP version.
        token: Returns that many random bytes as lower-case hex.
        timers: Base intervals.
        agent: What User-Agent and Server say.

    Attributes:
        out: Decisions not yet handed out.
        alarms: Everything that waits for a time.
    """

    def __init__(
        self,
        local: Iterable[Address],
        token: Callable[[int], str],
        timers: Timers,
        agent: str,
    ) -> None:
        self.local = tuple(local)
        self.public: Callable[[str], str] = lambda _host: ""  # what a host sees us as, "" for local
        if not self.local:
            raise ValueError("a user agent needs at least one local address")
        self.token, self.timers, self.agent = token, timers, agent
        self.alarms = Alarms()
        self.out: list[Decision] = []
        self.clients: dict[Key, ClientTransaction] = {}
        self.servers: dict[Key, ServerTransaction] = {}
        self._first: dict[Key, Key] = {}  # by which path each request came first

    def emit(self, decision: Decision) -> None:
        """Add a decision to what is handed out."""
        self.out.append(decision)

    def drain(self) -> list[Decision]:
        """Hand out what was decided."""
        out, self.out = self.out, []
        return out

    def random(self) -> float:
        """Return a random number in [0, 1)."""
        return int(self.token(6), 16) / 2**48

    # -- what we call ourselves

    def own(self, there: Address) -> Address:
        """Return our address towards another: of its transport and IP version.

        Raises:
            ValueError: We have no listener of that transport.
        """
        version = ipaddress.ip_address(there.host).version
        fit = [mine for mine in self.local if mine.transport == there.transport]
        same = [mine for mine in fit if ipaddress.ip_address(mine.host).version == version]
        if not fit:
            raise ValueError(f"there is no {there.transport} listener to reach {there.host} from")
        own = (same or fit)[0]
        seen = self.public(there.host)
        return replace(own, host=seen) if seen else own

    def reaches(self, transport: str) -> bool:
        """Whether we have a listener of a transport."""
        return any(mine.transport == transport for mine in self.local)

    def contact(self, there: Address, user: str) -> str:
        """Return our Contact towards an address."""
        own = self.own(there)
        params = () if own.transport == "udp" else (("transport", own.transport),)
        return f"<{Uri('sip', user or None, own.host, own.port, params)}>"

    # -- requests of ours

    def request(
        self,
        request: Request,
        to: Address,
        deliver: Deliver,
        now: float,
        *,
        otherwise: Address | None = None,
        verify: str | None = None,
    ) -> ClientTransaction:
        """Put a Via on a request and send it in a transaction of its own.

        Raises:
            ValueError: There is no listener of the transport.
        """
        self.stamp(request, to)

        def send(message: Message) -> None:
            self.emit(Send(bytes(message), to, otherwise, verify))

        transaction = ClientTransaction(
            request, to, self.alarms, self.timers, send, deliver, self._client_closed
        )
        self.clients[transaction.key] = transaction
        transaction.start(now)
        return transaction

    def stamp(self, request: Request, to: Address) -> None:
        """Put our Via (with a new branch and rport) and User-Agent on a request."""
        own = self.own(to)
        host = f"[{own.host}]" if ":" in own.host else own.host
        branch = BRANCH_COOKIE + self.token(8)
        via = f"SIP/2.0/{own.transport.upper()} {host}:{own.port};branch={branch};rport"
        request.headers.prepend("Via", via)
        request.headers.set("User-Agent", self.agent)

    def cancel(self, transaction: ClientTransaction, now: float) -> None:
        """Send the CANCEL of an INVITE that has had a provisional response (§9.1)."""
        invite = transaction.request
        request = Request(method="CANCEL", uri=invite.uri)
        request.headers.add("Via", str(invite.via))
        request.headers.add("Max-Forwards", "70")
        for route in invite.headers.all("Route"):
            request.headers.add("Route", route)
        for name in ("From", "To", "Call-ID"):
            request.headers.add(name, invite.headers.get(name) or "")
        request.headers.add("CSeq", f"{invite.cseq.number} CANCEL")
        to = transaction.to

        def send(message: Message) -> None:
            self.emit(Send(bytes(message), to))

        cancel = ClientTransaction(
            request, to, self.alarms, self.timers, send, _ignore, self._client_closed
        )
        self.clients[cancel.key] = cancel
        cancel.start(now)

    def take_response(self, response: Response, now: float) -> None:
        """Give a response to its transaction; one without is dropped."""
        if len(response.vias) != 1:
            return  # not the last hop: somebody's mistake, or an attack (§8.1.3.3)
        transaction = self.clients.get(client_key(response))
        if transaction is not None:
            transaction.receive(response, now)

    # -- requests of theirs

    def take_request(self, request: Request, source: Address) -> tuple[ServerTransaction, bool]:
        """Return the request's transaction, and whether the request is new to it."""
        known = self.servers.get(server_key(request))
        if known is not None:
            return known, False

        def send(message: Message) -> None:
            self.emit(Send(bytes(message), source))

        transaction = ServerTransaction(
            request, source, self.alarms, self.timers, send, self._server_closed
        )
        self.servers[transaction.key] = transaction
        self._first.setdefault(_mark(request), transaction.key)
        return transaction, True

    def matching(self, request: Request, method: str) -> ServerTransaction | None:
        """Return the transaction that an ACK or CANCEL is about."""
        return self.servers.get(server_key(request, method))

    def merged(self, request: Request) -> bool:
        """Whether a new request came before by another path (§8.2.2.2)."""
        return self._first.get(_mark(request)) not in {None, server_key(request)}

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a response in its transaction."""
        response.headers.set("Server", self.agent)
        transaction.respond(response, now)

    def refuse(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer with a status and nothing else."""
        response = transaction.request.reply(status, tag=self.token(6))
        for name, value in headers:
            response.headers.add(name, value)
        self.respond(transaction, response, now)

    def fail(self, to: Address, now: float, why: str = "") -> None:
        """The transport could not send to an address, or lost its connection; `why` says more."""
        for transaction in [t for t in self.clients.values() if t.to == to]:
            transaction.fail(now, why)

    def _client_closed(self, key: Key) -> None:
        self.clients.pop(key, None)

    def _server_closed(self, key: Key) -> None:
        transaction = self.servers.pop(key, None)
        if transaction is not None and self._first.get(_mark(transaction.request)) == key:
            del self._first[_mark(transaction.request)]


def _mark(request: Request) -> Key:
    """Return what a request has in common with itself on another path (§8.2.2.2)."""
    return request.from_.tag or "", request.to.tag or "", request.call_id, str(request.cseq)


def _ignore(response: Response, now: float) -> None:
    """Take the answer to a CANCEL: it says nothing about the INVITE."""


class Attempt:
    """One request on its way: through challenges, and from server to server.

    Args:
        exchange: Where it is sent.
        build: Returns the request anew, with the next CSeq number and without Via.
        targets: Where it may go, in order, each with where to connect otherwise.
        deliver: Gets the provisional responses and the final one (of INVITE, every 2xx); not
            the challenges that were answered nor the failures that were passed over.
        authenticator: Answers challenges; None passes them on.
        verify: On TLS, the name that the certificate must prove.

    Attributes:
        transaction: The transaction under way.
    """

    MAX_CHALLENGES = 2  # one, and one more for a nonce gone stale meanwhile

    def __init__(
        self,
        exchange: Exchange,
        build: Callable[[], Request],
        targets: Sequence[tuple[Address, Address | None]],
        deliver: Deliver,
        authenticator: Authenticator | None = None,
        verify: str | None = None,
    ) -> None:
        self._exchange, self._build = exchange, build
        self._targets = list(targets)
        self._deliver, self._authenticator, self._verify = deliver, authenticator, verify
        self._challenged = 0
        self.transaction: ClientTransaction | None = None
        self.cancelled = False

    @property
    def target(self) -> Address:
        """Where it went last."""
        return self._targets[0][0]

    def start(self, now: float) -> None:
        """Send it, or send it again."""
        request = self._build()
        if self._authenticator is not None:
            self._authenticator.authorise(request)
        to, otherwise = self._targets[0]
        self.transaction = self._exchange.request(
            request, to, self._take, now, otherwise=otherwise, verify=self._verify
        )

    def _take(self, response: Response, now: float) -> None:
        if response.status in {401, 407} and not self.cancelled and self._answer(response):
            self.start(now)
        elif self._passes_over(response) and not self.cancelled and len(self._targets) > 1:
            self._targets.pop(0)
            self.start(now)
        else:
            self._deliver(response, now)

    def _passes_over(self, response: Response) -> bool:
        """Whether the next server is to be tried (RFC 3263 §4.3): this one is not there."""
        silent = self.transaction is not None and self.transaction.silent
        return response.status == 503 or (response.status == 408 and silent)

    def _answer(self, response: Response) -> bool:
        if self._authenticator is None or self._challenged >= self.MAX_CHALLENGES:
            return False
        if self._challenged and "stale=true" not in _squeezed(response):
            return False  # the password is wrong: saying it again would only lock the account
        try:
            learned = self._authenticator.learn(response)
        except SipParseError:
            return False
        self._challenged += learned
        return learned


def _squeezed(response: Response) -> str:
    lines = response.headers.all("WWW-Authenticate") + response.headers.all("Proxy-Authenticate")
    return "".join(lines).replace(" ", "").replace('"', "").lower()


def carry_authorisation(ack: Request, invite: Request) -> None:
    """Copy the credentials of an INVITE to the ACK of its 2xx (§13.2.2.4)."""
    for name in ("Authorization", "Proxy-Authorization"):
        for value in invite.headers.all(name):
            ack.headers.add(name, value)
