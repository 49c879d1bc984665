"""How the call server is reached, and who may call it."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from vivavoce.web.live import DeskError
from vivavoce.web.tokens import Claims, Signer, TokenError, Used

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
PORT = 7860
"""Where the call server listens, unless it is told otherwise."""


class ExposureError(ValueError):
    """The server would let anybody in; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """How the call server is reached.

    On loopback nothing else is needed: only this machine's own pages get in. On any other
    address, or under a name of its own (behind a proxy), it takes a secret and the pages' origins.

    Attributes:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        names: Names by which it is reached ("voice.example.com"): requests for others are
            refused, whatever a foreign page has made its own name point to.
        origins: Pages that may call beside its own ("https://shop.example"); "*" for any.
        secret: What call tokens are signed with; empty: calls need none.
        proxies: Networks (CIDR) of reverse proxies, whose `X-Forwarded-For` is believed.
        tls: Certificate and key, where no proxy does TLS.

    Raises:
        ExposureError: It would let anybody in, or something is no address, name or origin.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    names: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    secret: str = ""
    proxies: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        for origin in self.origins:
            parts = urlsplit(origin)
            if origin != "*" and (not parts.scheme or not parts.netloc or parts.path):
                raise ExposureError(f"{origin!r} is no origin: give https://HOST[:PORT]")
        for name in self.names:
            if not name or "/" in name or " " in name:
                raise ExposureError(f"{name!r} is no host name: give it as in voice.example.com")
        try:
            [ipaddress.ip_network(each, strict=False) for each in self.proxies]
        except ValueError as error:
            raise ExposureError(f"a proxy is an address or a CIDR: {error}") from None
        if not self.public:
            return
        missing = [
            *([] if self.secret else ["a secret for call tokens (VIVAVOCE_WEB_SECRET)"]),
            *([] if self.origins else ["the origins of the pages that may call (--origin)"]),
        ]
        if missing:
            raise ExposureError(
                f"{self.host}{' as ' + self.names[0] if self.names else ''} can be reached from"
                f" elsewhere, and anybody could call at your cost: give {' and '.join(missing)},"
                " or listen on 127.0.0.1"
            )

    def __repr__(self) -> str:
        return f"<Exposure {self.host}:{self.port}{' public' if self.public else ''}>"

    @property
    def public(self) -> bool:
        """Whether anybody but this machine reaches it."""
        return not self.loopback or bool(self.names)

    @property
    def loopback(self) -> bool:
        """Whether it listens on this machine alone."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(slots=True)
class Door:
    """Decides about requests by their headers.

    Attributes:
        exposure: How the server is reached.
    """

    exposure: Exposure
    signer: Signer | None = None
    used: Used = field(default_factory=Used)

    def __post_init__(self) -> None:
        if self.exposure.secret:
            try:
                self.signer = Signer(self.exposure.secret)
            except ValueError as error:
                raise ExposureError(str(error)) from None

    def check_host(self, host: str) -> None:
        """Check the `Host` header: a foreign page's own name must not lead here.

        Raises:
            DeskError: It is not one of ours.
        """
        name = _host(host)
        allowed = {each.lower() for each in self.exposure.names}
        if self.exposure.loopback:
            allowed |= LOOPBACK
        elif not allowed:
            return  # a public address, without names of its own
        if name not in allowed:
            raise DeskError(403, "wrong_host", f"this server is not called {name!r}")

    def check_origin(self, origin: str | None, host: str) -> str:
        """Check the `Origin` header; return it where it is another page's (for CORS).

        Raises:
            DeskError: That page may not call.
        """
        if origin is None:
            return ""
        if urlsplit(origin).netloc.lower() == host.lower() and host:
            return ""
        origins = self.exposure.origins
        if "*" in origins or origin.lower() in {each.lower() for each in origins}:
            return origin
        raise DeskError(403, "wrong_origin", f"pages of {origin[:100]!r} may not call this server")

    def claims(self, token: str, origin: str | None) -> Claims | None:
        """Read a call token; None where none is needed.

        Raises:
            DeskError: There is none, or it does not open this door.
        """
        if self.signer is None:
            return None
        if not token:
            raise DeskError(401, "no_token", "a call token is needed: Authorization: Bearer …")
        try:
            claims = self.signer.read(token, time.time())
        except TokenError as error:
            raise DeskError(401, "bad_token", str(error)) from None
        if claims.origin and claims.origin.lower() != (origin or "").lower():
            text = f"the call token is for pages of {claims.origin}"
            raise DeskError(403, "wrong_origin", text)
        return claims

    def spend(self, claims: Claims | None, agent: str, room: str = "") -> None:
        """Use a call token up; one for a room stays good.

        Args:
            claims: What it says; None where none is needed.
            agent: Who is called.
            room: Which room is entered; "" for none.

        Raises:
            DeskError: It is for another agent or room, or was used before.
        """
        if claims is None:
            return
        if claims.room:
            if claims.room != room:
                raise DeskError(403, "wrong_room", "the call token is for one room alone")
            return
        if claims.agent and agent and claims.agent != agent:
            text = f"the call token is for {claims.agent}, not for {agent}"
            raise DeskError(403, "wrong_agent", text)
        try:
            self.used.spend(claims, time.time())
        except TokenError as error:
            raise DeskError(409, "used_token", str(error)) from None

    def address(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return the client's address: the last one that no proxy of ours added."""
        networks = [ipaddress.ip_network(each, strict=False) for each in self.exposure.proxies]
        address = peer
        hops = [each.strip() for each in headers.get("X-Forwarded-For", "").split(",")]
        for hop in reversed([each for each in hops if each]):
            try:
                known = ipaddress.ip_address(address)
                if not any(known in each for each in networks):
                    break
                address = str(ipaddress.ip_address(hop))
            except ValueError:
                break
        return address


def _host(header: str) -> str:
    """Return a `Host` header's name, without its port."""
    header = header.strip().lower()
    if header.startswith("["):
        return header[: header.find("]") + 1]
    return header.rpartition(":")[0] if ":" in header else header
