"""Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760), for clients and servers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.headers import Params, param, parse_params, quote, split
from vivavoce.phone.sip.message import Request, Response
from vivavoce.phone.sip.uri import Uri

# Strongest first: RFC 8760 wants servers to offer, and clients to take, the best they can.
_HASHES = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and the password, which never shows in a repr."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One Digest challenge of a 401 or 407."""

    realm: str
    nonce: str
    algorithm: str  # "MD5", "SHA-256" or "SHA-512-256", with "-sess" where it has one
    opaque: str | None
    qop: bool  # whether qop=auth is offered
    stale: bool
    proxy: bool


def _digest(algorithm: str, *parts: str) -> str:
    name = _HASHES[algorithm.removesuffix("-sess")]
    data = ":".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()


def _fields(value: str) -> Params | None:
    scheme, _, rest = value.strip().partition(" ")
    return parse_params(split(rest, ",")) if scheme.lower() == "digest" else None


def challenges(response: Response) -> list[Challenge]:
    """Return the challenges of a response that we can answer, best first.

    Raises:
        SipParseError: A challenge is malformed.
    """
    found: list[Challenge] = []
    for name in ("WWW-Authenticate", "Proxy-Authenticate"):
        for line in response.headers.all(name):
            params = _fields(line)
            if params is None:
                continue
            algorithm = param(params, "algorithm") or "MD5"
            base, _, session = algorithm.upper().partition("-SESS")
            qops = param(params, "qop")
            offered = {word.strip().lower() for word in (qops or "").split(",")}
            realm, nonce = param(params, "realm"), param(params, "nonce")
            if base not in _HASHES or realm is None or not nonce:
                continue
            if qops and "auth" not in offered:
                continue  # auth-int alone
            suffix = "-sess" if algorithm.lower().endswith("-sess") and not session else ""
            stale = (param(params, "stale") or "").lower() == "true"
            opaque = param(params, "opaque")
            proxy = name == "Proxy-Authenticate"
            found.append(Challenge(realm, nonce, base + suffix, opaque, bool(qops), stale, proxy))
    order = list(_HASHES)
    return sorted(found, key=lambda c: order.index(c.algorithm.removesuffix("-sess")))


class Authenticator:
    """Answers challenges with one pair of credentials, and keeps nonces to use again.

    Args:
        credentials: User and password.
        token: Returns fresh random text, for cnonce.
    """

    MAX_REALMS = 8

    def __init__(self, credentials: Credentials, token: Callable[[], str]) -> None:
        self._credentials = credentials
        self._token = token
        self._known: OrderedDict[tuple[str, bool], tuple[Challenge, int]] = OrderedDict()

    def learn(self, response: Response) -> bool:
        """Take a 401's or 407's challenges; False when there is none that we can answer.

        Raises:
            SipParseError: A challenge is malformed.
        """
        best: dict[tuple[str, bool], Challenge] = {}
        for challenge in challenges(response):
            best.setdefault((challenge.realm, challenge.proxy), challenge)
        for key, challenge in best.items():
            self._known[key] = (challenge, 0)
            self._known.move_to_end(key)
        while len(self._known) > self.MAX_REALMS:
            self._known.popitem(last=False)
        return bool(best)

    def authorise(self, request: Request) -> None:
        """Put the headers that answer all known challenges into a request."""
        for key, (challenge, used) in self._known.items():
            self._known[key] = (challenge, used + 1)
            name = "Proxy-Authorization" if challenge.proxy else "Authorization"
            request.headers.add(name, self._answer(challenge, used + 1, request))

    def _answer(self, challenge: Challenge, count: int, request: Request) -> str:
        user, uri = self._credentials.user, str(request.uri)
        cnonce, nc = self._token(), f"{count:08x}"
        secret = _digest(challenge.algorithm, user, challenge.realm, self._credentials.password)
        if challenge.algorithm.endswith("-sess"):
            secret = _digest(challenge.algorithm, secret, challenge.nonce, cnonce)
        what = _digest(challenge.algorithm, request.method, uri)
        if challenge.qop:
            parts = [secret, challenge.nonce, nc, cnonce, "auth", what]
        else:
            parts = [secret, challenge.nonce, what]
        fields = [
            f"username={quote(user)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(challenge.nonce)}",
            f"uri={quote(uri)}",
            f'response="{_digest(challenge.algorithm, *parts)}"',
            f"algorithm={challenge.algorithm}",
        ]
        if challenge.qop:
            fields += [f'cnonce="{cnonce}"', "qop=auth", f"nc={nc}"]
        elif challenge.algorithm.endswith("-sess"):
            fields.append(f'cnonce="{cnonce}"')
        if challenge.opaque is not None:
            fields.append(f"opaque={quote(challenge.opaque)}")
        return "Digest " + ", ".join(fields)


@dataclass(frozen=True, slots=True)
class Checked:
    """A request's credentials, judged: the user they prove, or whether the nonce was stale."""

    user: str | None = None
    stale: bool = False


class Guard:
    """Challenges requests and checks their answers, keeping (almost) no state.

    A nonce carries its time and a signature over it and the source's address, so anyone can
    be challenged at no cost in memory. Against replay the nonce count of each nonce in use
    must rise; that table is bounded, and a nonce that may have been pushed out of it is
    stale.

    Args:
        realm: Shown to the user by phones.
        users: Password by user.
        secret: At least 16 random bytes, made anew with each process.
        lifetime: How long a nonce is good, seconds.
        algorithms: What is offered, best first. Most phones know only MD5.
    """

    MAX_NONCES = 4096

    def __init__(
        self,
        realm: str,
        users: Mapping[str, str],
        secret: bytes,
        *,
        lifetime: float = 300.0,
        algorithms: Iterable[str] = ("SHA-256", "MD5"),
    ) -> None:
        if len(secret) < 16:
            raise ValueError("the secret needs at least 16 random bytes")
        self._realm, self._users, self._secret = realm, users, secret
        self._lifetime = lifetime
        self._algorithms = tuple(algorithms)
        if not self._algorithms or not set(self._algorithms) <= set(_HASHES):
            raise ValueError(f"digest algorithms are some of {', '.join(_HASHES)}")
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._floor = float("-inf")  # nonces of this time or older may have been forgotten

    def challenge(self, request: Request, host: str, now: float, *, stale: bool) -> Response:
        """Return the 401 for a request; it has a tag and needs no transaction.

        Args:
            request: What is to be proved.
            host: The source's IP literal, which the nonce is bound to.
            now: Seconds.
            stale: Whether only the nonce was old: phones then do not ask for the password.
        """
        tag = self._sign(f"tag {request.call_id} {request.via.branch}".encode())
        response = request.reply(401, tag=tag[:16])
        nonce = self._nonce(host, now)
        for algorithm in self._algorithms:
            response.headers.add(
                "WWW-Authenticate",
                f'Digest realm={quote(self._realm)}, nonce="{nonce}", '
                f'algorithm={algorithm}, qop="auth"' + (", stale=true" if stale else ""),
            )
        return response

    def check(self, request: Request, host: str, now: float) -> Checked:
        """Judge a request's Authorization.

        Raises:
            SipParseError: It is malformed.
        """
        for line in request.headers.all("Authorization"):
            params = _fields(line)
            if params is not None and param(params, "realm") == self._realm:
                return self._judge(params, request, host, now)
        return Checked()

    def _judge(self, params: Params, request: Request, host: str, now: float) -> Checked:
        values = {name: param(params, name) or "" for name, _ in params}
        algorithm = (values.get("algorithm") or "MD5").upper()
        nonce, count = values.get("nonce", ""), values.get("nc", "")
        if algorithm not in self._algorithms or values.get("qop", "").lower() != "auth":
            return Checked()
        if not re.fullmatch(r"[0-9A-Fa-f]{8}", count):
            return Checked()
        issued = self._issued(nonce, host)
        if issued is None:
            return Checked(stale=True)  # not ours: another process's, or another address's
        if not self._for_this(values.get("uri", ""), request):
            return Checked()
        user = values.get("username", "")
        # An unknown user costs the same time as a wrong password.
        password = self._users.get(user)
        secret = _digest(algorithm, user, self._realm, password or "")
        what = _digest(algorithm, request.method, values["uri"])
        expected = _digest(
            algorithm, secret, nonce, count, values.get("cnonce", ""), values["qop"], what
        )
        given = values.get("response", "").lower().encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(expected.encode(), given) or password is None:
            return Checked()
        if not now - self._lifetime <= issued <= now or not self._fresh(nonce, count, issued):
            return Checked(stale=True)
        return Checked(user)

    def _fresh(self, nonce: str, count: str, issued: float) -> bool:
        number, last = int(count, 16), self._counts.get(nonce)
        if last is None and issued <= self._floor:
            return False
        if number <= (last or 0):
            return False
        self._counts[nonce] = number
        self._counts.move_to_end(nonce)
        while len(self._counts) > self.MAX_NONCES:
            old, _ = self._counts.popitem(last=False)
            self._floor = max(self._floor, _time_of(old))
        return True

    @staticmethod
    def _for_this(uri: str, request: Request) -> bool:
        if uri == str(request.uri):
            return True
        try:
            there = Uri.parse(uri)
        except SipParseError:
            return False
        return (there.user, there.host) == (request.uri.user, request.uri.host)

    def _sign(self, data: bytes) -> str:
        return hmac.new(self._secret, data, "sha256").hexdigest()

    def _nonce(self, host: str, now: float) -> str:
        stamp = struct.pack("!d", now)
        mark = bytes.fromhex(self._sign(stamp + host.encode()))[:16]
        return base64.urlsafe_b64encode(stamp + mark).decode()

    def _issued(self, nonce: str, host: str) -> float | None:
        try:
            raw = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(raw) != 24:
            return None
        mark = bytes.fromhex(self._sign(raw[:8] + host.encode()))[:16]
        return _time_of(nonce) if hmac.compare_digest(mark, raw[8:]) else None


def _time_of(nonce: str) -> float:
    (stamp,) = struct.unpack("!d", base64.urlsafe_b64decode(nonce)[:8])
    return float(stamp)
