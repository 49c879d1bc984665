"""Header fields with structure: Via, the name-addr fields, CSeq (RFC 3261 §20, §25)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.uri import Uri, bracketed, parse_host_port

Params = tuple[tuple[str, str | None], ...]

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>]*>|[^",;<>]+|[,;]', re.DOTALL)
TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"\Z', re.DOTALL)
_VIA = re.compile(
    r"\s*SIP\s*/\s*2\.0\s*/\s*(?P<transport>[A-Za-z0-9\-.!%*_+`'~]+)\s+"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+)\s*(?P<port>:\s*[0-9]{1,5})?\s*\Z",
    re.IGNORECASE,
)
_CSEQ = re.compile(r"\s*([0-9]{1,10})\s+([A-Za-z0-9\-.!%*_+`'~]+)\s*\Z")
_NUMBER = re.compile(r"\s*([0-9]{1,10})\s*(?:[;(].*)?\Z", re.DOTALL)


def split(value: str, separator: str) -> list[str]:
    """Split at commas or semicolons outside quoted strings and angle brackets; parts stripped.

    Raises:
        SipParseError: A quote or an angle bracket is not closed.
    """
    if separator not in value and '"' not in value and "<" not in value and ">" not in value:
        return [value.strip()]
    parts: list[str] = []
    start = place = 0
    while place < len(value):
        piece = _PIECE.match(value, place)
        if piece is None:
            raise SipParseError("a quoted string or an angle bracket is not closed")
        if piece[0] == separator:
            parts.append(value[start:place].strip())
            start = piece.end()
        place = piece.end()
    parts.append(value[start:].strip())
    return parts


def unquote(text: str) -> str:
    """Return a quoted string's content, or the text itself when it is not quoted."""
    if _QUOTED.match(text):
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text


def quote(text: str) -> str:
    """Return text as a quoted string; control characters, which it cannot hold, become spaces."""
    clean = re.sub(r"[\x00-\x1f\x7f]", " ", text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def parse_params(parts: Iterable[str]) -> Params:
    """Read `name[=value]` parts; values stay as written, quotes and all.

    Raises:
        SipParseError: A part is malformed.
    """
    found: list[tuple[str, str | None]] = []
    for part in parts:
        name, equals, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if not name and not equals:
            continue  # `;;` and a trailing `;` are seen in the wild and mean nothing
        if not TOKEN.match(name) or (equals and not value):
            raise SipParseError("a header parameter is malformed")
        if value and not value.startswith('"') and re.search(r"[\s\"<>]", value):
            raise SipParseError("a header parameter's value is malformed")
        found.append((name.lower(), value if equals else None))
    return tuple(found)


def format_params(params: Params) -> str:
    """Return parameters as they stand in a header."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)


def param(params: Params, name: str) -> str | None:
    """Return a parameter's value unquoted, "" for a flag, None when it is absent."""
    return next((unquote(v) if v else "" for n, v in params if n == name), None)


def with_param(params: Params, name: str, value: str | None) -> Params:
    """Return params with one set, in its old place or at the end."""
    if any(n == name for n, _ in params):
        return tuple((n, value if n == name else v) for n, v in params)
    return (*params, (name, value))


def number(value: str | None, default: int | None = None, *, top: int = 2**32 - 1) -> int | None:
    """Read delta-seconds and their like: `default` when absent or no number, at most `top`."""
    found = _NUMBER.match(value) if value is not None else None
    return min(int(found[1]), top) if found else default


@dataclass(frozen=True, slots=True)
class NameAddr:
    """The value of From, To, Contact, Route, Record-Route or Refer-To.

    Attributes:
        uri: The address.
        display: The display name without quotes, "" when there is none.
        params: The header's parameters (not the URI's).
    """

    uri: Uri
    display: str = ""
    params: Params = ()

    @staticmethod
    def parse(text: str) -> NameAddr:
        """Read one value.

        Raises:
            SipParseError: It is malformed.
        """
        return _parse_name_addr(text)

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{format_params(self.params)}"

    @property
    def tag(self) -> str | None:
        """The tag, None when there is none."""
        return self.param("tag") or None

    def param(self, name: str) -> str | None:
        """Return a parameter's value unquoted, "" for a flag, None when it is absent."""
        return param(self.params, name)

    def tagged(self, tag: str) -> NameAddr:
        """Return it with this tag."""
        return replace(self, params=with_param(self.params, "tag", tag))


def _display_end(text: str) -> int:
    """Return where a quoted display name at the start ends, 0 when there is none."""
    if not text.startswith('"'):
        return 0
    found = _PIECE.match(text)
    return found.end() if found else 0


@functools.lru_cache(maxsize=256)
def _parse_name_addr(text: str) -> NameAddr:
    first, *rest = split(text, ";")
    if first.endswith(">") and (place := first.find("<", _display_end(first))) >= 0:
        display = first[:place].strip()
        uri = first[place + 1 : -1].strip()
        # Names with accents or dots but no quotes are seen in the wild: harmless, so kept.
        return NameAddr(Uri.parse(uri), unquote(display), parse_params(rest))
    # Without brackets `;` ends the URI: what follows belongs to the header, and a `?` or a
    # comma would have needed brackets (§20.10).
    if "?" in first or '"' in first or "<" in first:
        raise SipParseError("a URI with headers needs angle brackets")
    return NameAddr(Uri.parse(first), "", parse_params(rest))


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value (§20.42).

    Attributes:
        transport: Upper case: `UDP`, `TCP`, `TLS`, or what else came.
        host: Host of sent-by, without brackets.
        port: Port of sent-by, None when none is written.
        params: branch, rport, received and others.
    """

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @staticmethod
    def parse(text: str) -> Via:
        """Read one value.

        Raises:
            SipParseError: It is malformed.
        """
        return _parse_via(text)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        params = format_params(self.params)
        return f"SIP/2.0/{self.transport} {bracketed(self.host)}{port}{params}"

    @property
    def branch(self) -> str:
        """The branch, "" when there is none."""
        return param(self.params, "branch") or ""

    def seen_from(self, host: str, port: int) -> Via:
        """Return it with where the packet came from (RFC 3581)."""
        params = self.params
        if host != self.host:
            params = with_param(params, "received", host)
        if any(name == "rport" for name, _ in params):
            params = with_param(with_param(params, "rport", str(port)), "received", host)
        return replace(self, params=params)


@functools.lru_cache(maxsize=256)
def _parse_via(text: str) -> Via:
    first, *rest = split(text, ";")
    # One space for many first: else a run of them is matched in every possible way.
    found = _VIA.match(" ".join(first.split()))
    if found is None:
        raise SipParseError("a Via is malformed")
    port = found["port"].lstrip(":").strip() if found["port"] else ""
    host, number_ = parse_host_port(f"{found['host']}:{port}" if port else found["host"])
    return Via(found["transport"].upper(), host, number_, parse_params(rest))


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number and method (§20.16)."""

    number: int
    method: str

    @staticmethod
    def parse(text: str) -> CSeq:
        """Read one value.

        Raises:
            SipParseError: It is malformed or above 2³² - 1.
        """
        found = _CSEQ.match(text)
        if found is None or int(found[1]) >= 2**32:
            raise SipParseError("CSeq is malformed or too large")
        return CSeq(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
