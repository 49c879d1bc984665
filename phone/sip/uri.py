"""SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966)."""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass, replace

from vivavoce.phone.sip.errors import SipParseError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")
_USER = re.compile(
    r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#:\[\]|^`{}\\\x80-\U0010ffff]|%[0-9A-Fa-f]{2})*\Z"
)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]{0,253})\Z")
_PARAM = re.compile(r"[^\s;=<>\"@,]+\Z")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f<>\"]")
_PORT = re.compile(r"[0-9]{1,5}\Z")

DEFAULT_PORT = {"udp": 5060, "tcp": 5060, "tls": 5061}


def ip_literal(host: str) -> str | None:
    """Return the canonical text of an IPv4 or IPv6 literal (brackets allowed), else None.

    Names, scoped addresses (`fe80::1%eth0`) and shorthand such as `127.1` are None: nothing
    that could need a resolver passes.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if "%" in bare:
        return None
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return None


def bracketed(host: str) -> str:
    """Return a host as it stands in a URI or Via: IPv6 literals in brackets."""
    return f"[{host}]" if ":" in host else host


def parse_port(text: str) -> int:
    """Return a port number.

    Raises:
        SipParseError: It is no number of 1 to 65535.
    """
    if not _PORT.match(text) or not 0 < int(text) < 65536:
        raise SipParseError(f"port {text[:10]!r} is no number of 1 to 65535")
    return int(text)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Split `host[:port]`; IPv6 literals lose their brackets, names become lower case.

    Raises:
        SipParseError: It is no host, or the port is out of range.
    """
    if text.startswith("["):
        literal, bracket, rest = text[1:].partition("]")
        host = ip_literal(literal) if bracket and ":" in literal else None
        if host is None:
            raise SipParseError("an IPv6 literal is malformed")
        if not rest:
            return host, None
        if not rest.startswith(":"):
            raise SipParseError("something follows an IPv6 literal")
        return host, parse_port(rest[1:])
    host, colon, port = text.partition(":")
    if not _HOST.match(host):
        raise SipParseError(f"{host[:40]!r} is no host")
    return host.lower(), parse_port(port) if colon else None


@dataclass(frozen=True, slots=True)
class Uri:
    """One URI.

    Attributes:
        scheme: Lower case: `sip`, `sips`, `tel` or what else came.
        user: The user part as written (escapes kept), None when there is none. For `tel` the
            number.
        host: Host without brackets, lower case; "" for schemes without one.
        port: The port written, None when none is.
        params: `(name, value)`; names lower case, value None for a flag.
        headers: What follows `?`, as written.
        opaque: What follows the colon of any other scheme, as written.
    """

    scheme: str
    user: str | None = None
    host: str = ""
    port: int | None = None
    params: tuple[tuple[str, str | None], ...] = ()
    headers: str = ""
    opaque: str = ""

    @staticmethod
    def parse(text: str) -> Uri:
        """Read a URI.

        Raises:
            SipParseError: It is malformed.
        """
        return _parse(text)

    def __str__(self) -> str:
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        params = "".join(f";{n}" if v is None else f";{n}={v}" for n, v in self.params)
        if self.scheme == "tel":
            return f"tel:{self.user}{params}"
        user = "" if self.user is None else f"{self.user}@"
        port = "" if self.port is None else f":{self.port}"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{bracketed(self.host)}{port}{params}{headers}"

    def param(self, name: str) -> str | None:
        """Return a parameter's value, "" for a flag, None when it is absent."""
        return next((v or "" for n, v in self.params if n == name), None)

    @property
    def ip(self) -> str | None:
        """The host when it is an IP literal: the only kind of host that is ever sent to."""
        return ip_literal(self.host) if self.host else None

    @property
    def secure(self) -> bool:
        """Whether it is a `sips` URI."""
        return self.scheme == "sips"

    def bare(self) -> Uri:
        """Return it without headers and `method`, as a request line needs it (§19.1.1)."""
        kept = tuple((n, v) for n, v in self.params if n != "method")
        return replace(self, headers="", params=kept)


def _params(text: str) -> tuple[tuple[str, str | None], ...]:
    found: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not _PARAM.match(name) or (equals and not _PARAM.match(value)):
            raise SipParseError("a URI parameter is malformed")
        found.append((name.lower(), value if equals else None))
    return tuple(found)


@functools.lru_cache(maxsize=256)
def _parse(text: str) -> Uri:
    if _FORBIDDEN.search(text):
        raise SipParseError("a URI contains white space, quotes or angle brackets")
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.match(scheme) or not rest:
        raise SipParseError("a URI has no scheme")
    scheme = scheme.lower()
    if scheme == "tel":
        number, semicolon, tail = rest.partition(";")
        if not re.fullmatch(r"\+?[0-9A-Da-d*#.()\-]+", number):
            raise SipParseError("a tel URI has no number")
        return Uri("tel", user=number, params=_params(tail) if semicolon else ())
    if scheme not in {"sip", "sips"}:
        return Uri(scheme, opaque=rest)
    # The user part may hold `;`, `?` and `:`, so it goes first; `@` stands once or never.
    user: str | None = None
    if "@" in rest:
        user, _, rest = rest.partition("@")
        if "@" in rest or not user or not _USER.match(user):
            raise SipParseError("the user part of a URI is malformed")
    rest, _, headers = rest.partition("?")
    rest, semicolon, params = rest.partition(";")
    host, port = parse_host_port(rest)
    return Uri(scheme, user, host, port, _params(params) if semicolon else (), headers)
