"""SIP messages (RFC 3261 §7): bytes to requests and responses, and back."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.headers import TOKEN, CSeq, NameAddr, Via, number, split
from vivavoce.phone.sip.uri import Uri

MAX_MESSAGE = 16 * 1024  # bytes; a datagram or, on a stream, head and body together
MAX_HEADERS = 200  # lines, each continuation counted
BRANCH_COOKIE = "z9hG4bK"

_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "e": "Content-Encoding",
    "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length",
    "m": "Contact", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To",
    "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "d": "Request-Disposition",
}  # fmt: skip
_SPELLED = {
    name.lower(): name
    for name in ("Call-ID", "CSeq", "WWW-Authenticate", "MIME-Version", "RSeq", "RAck", "Min-SE")
}
_SINGLE = ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type")
_REQUEST_LINE = re.compile(
    r"([A-Za-z0-9\-.!%*_+`'~]+) ([^ ]+) SIP/([0-9]+\.[0-9]+)\Z", re.IGNORECASE
)
_STATUS_LINE = re.compile(r"SIP/([0-9]+\.[0-9]+) ([0-9]{3})(?: (.*))?\Z", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued",
    183: "Session Progress", 200: "OK", 202: "Accepted", 302: "Moved Temporarily",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 407: "Proxy Authentication Required", 408: "Request Timeout",
    410: "Gone", 413: "Request Entity Too Large", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
    422: "Session Interval Too Small", 423: "Interval Too Brief",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
    491: "Request Pending", 500: "Server Internal Error", 501: "Not Implemented",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
    513: "Message Too Large", 580: "Precondition Failure", 600: "Busy Everywhere",
    603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


@functools.lru_cache(maxsize=256)
def canonical(name: str) -> str:
    """Return a header's full name in its usual spelling; compact forms are expanded."""
    lower = name.lower()
    if lower in _COMPACT:
        return _COMPACT[lower]
    return _SPELLED.get(lower) or "-".join(part.capitalize() for part in lower.split("-"))


class Headers:
    """Header fields in their order; names in any case or compact form."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = [(canonical(name), value) for name, value in items]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str) -> str | None:
        """Return the first value, None when there is none."""
        name = canonical(name)
        return next((value for key, value in self._items if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return every line's value."""
        name = canonical(name)
        return [value for key, value in self._items if key == name]

    def values(self, name: str) -> list[str]:
        """Return every value, lines split at commas; empty ones left out.

        Raises:
            SipParseError: A quote or bracket is not closed.
        """
        return [part for line in self.all(name) for part in split(line, ",") if part]

    def tokens(self, name: str) -> set[str]:
        """Return the option tags or methods of a list header, as written."""
        return {part for line in self.all(name) for part in map(str.strip, line.split(",")) if part}

    def add(self, name: str, value: str) -> None:
        """Add a line at the end."""
        self._items.append((canonical(name), value))

    def prepend(self, name: str, value: str) -> None:
        """Add a line at the top."""
        self._items.insert(0, (canonical(name), value))

    def set(self, name: str, value: str) -> None:
        """Replace the first of this name in place and drop the others, or add it."""
        name = canonical(name)
        kept: list[tuple[str, str]] = []
        done = False
        for key, old in self._items:
            if key != name:
                kept.append((key, old))
            elif not done:
                kept.append((key, value))
                done = True
        self._items = kept if done else [*kept, (name, value)]

    def remove(self, name: str) -> None:
        """Drop all lines of a name."""
        name = canonical(name)
        self._items = [item for item in self._items if item[0] != name]


@dataclass(slots=True, kw_only=True)
class Message:
    """What requests and responses share.

    The typed properties are checked once by `parse`; on messages from it, those of the
    mandatory fields (via, from_, to, call_id, cseq) do not raise. The others may raise
    `SipParseError` when read.
    """

    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def vias(self) -> list[Via]:
        """Every Via value, the topmost first."""
        return [Via.parse(value) for value in self.headers.values("Via")]

    @property
    def via(self) -> Via:
        """The topmost Via value."""
        line = self.headers.get("Via")
        if line is None:
            raise SipParseError("there is no Via")
        return Via.parse(split(line, ",")[0])

    @property
    def from_(self) -> NameAddr:
        """From."""
        return NameAddr.parse(self.headers.get("From") or "")

    @property
    def to(self) -> NameAddr:
        """To."""
        return NameAddr.parse(self.headers.get("To") or "")

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self.headers.get("Call-ID") or ""

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        return CSeq.parse(self.headers.get("CSeq") or "")

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact, None when there is none or it is `*`."""
        values = self.headers.values("Contact")
        return NameAddr.parse(values[0]) if values and values[0] != "*" else None

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; "" when none is named."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def first_line(self) -> str:
        """Return the request line or status line."""
        raise NotImplementedError

    def __bytes__(self) -> bytes:
        lines = [self.first_line()]
        lines += [f"{name}: {value}" for name, value in self.headers if name != "Content-Length"]
        lines.append(f"Content-Length: {len(self.body)}")
        for line in lines:
            if "\r" in line or "\n" in line:
                # Only our own callers can cause this: parsed values hold no line ends.
                raise ValueError("a SIP header must not contain a line end")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body


@dataclass(slots=True, kw_only=True)
class Request(Message):
    """A request: method (case-sensitive) and Request-URI."""

    method: str
    uri: Uri

    def first_line(self) -> str:
        """Return the request line or status line."""
        return f"{self.method} {self.uri} SIP/2.0"

    def reply(self, status: int, *, tag: str = "", reason: str = "") -> Response:
        """Return a response with what every response copies (§8.2.6.2).

        Args:
            status: 100 to 699.
            tag: The To tag, put when the request has none.
            reason: Its phrase; the usual one by default.
        """
        items = [(name, value) for name, value in self.headers if name == "Via"]
        to = self.headers.get("To") or ""
        if tag and status > 100 and self.to.tag is None:
            to = f"{to};tag={tag}"
        items += [
            ("From", self.headers.get("From") or ""),
            ("To", to),
            ("Call-ID", self.call_id),
            ("CSeq", self.headers.get("CSeq") or ""),
        ]
        if status == 100 and (stamp := self.headers.get("Timestamp")) is not None:
            items.append(("Timestamp", stamp))
        return Response(status=status, reason=reason or reason_of(status), headers=Headers(items))


@dataclass(slots=True, kw_only=True)
class Response(Message):
    """A response: status code and reason phrase."""

    status: int
    reason: str = ""

    def first_line(self) -> str:
        """Return the request line or status line."""
        return f"SIP/2.0 {self.status} {self.reason}"


def reason_of(status: int) -> str:
    """Return the usual phrase of a status code."""
    return REASONS.get(status) or REASONS.get(status // 100 * 100, "Unknown")


def parse(data: bytes) -> Request | Response:
    """Read one message: a datagram, or one frame that `Framer` cut.

    Raises:
        SipParseError: It is malformed or over a limit. Nothing else is raised, whatever the
            bytes.
    """
    if len(data) > MAX_MESSAGE:
        raise SipParseError(f"a message has more than {MAX_MESSAGE} bytes", 513)
    data = data.lstrip(b"\r\n")
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        raise SipParseError("a message's head does not end")
    first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    if len(lines) > MAX_HEADERS:
        raise SipParseError(f"a message has more than {MAX_HEADERS} header lines", 513)
    message, version = _start(first)
    message.headers = Headers(_fields(lines))
    _check_mandatory(message)
    try:
        _check(message, version, body)
    except SipParseError as error:
        if isinstance(message, Request):
            error.request = message
        raise
    return message


def _start(line: str) -> tuple[Request | Response, str]:
    if _CONTROL.search(line):
        raise SipParseError("the first line has control characters")
    if found := _STATUS_LINE.match(line):
        status = int(found[2])
        if not 100 <= status <= 699:
            raise SipParseError("the status code is none of 100 to 699")
        return Response(status=status, reason=found[3] or ""), found[1]
    found = _REQUEST_LINE.match(line)
    if found is None:
        raise SipParseError("the first line is neither a request's nor a response's")
    return Request(method=found[1], uri=Uri.parse(found[2])), found[3]


def _fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    name, value = "", ""
    for line in lines:
        if line[:1] in {" ", "\t"}:
            if not name:
                raise SipParseError("the first header line is a continuation")
            if _CONTROL.search(line):
                raise SipParseError("a header has control characters")
            value = (value + " " + line.strip(" \t")).strip()
            continue
        if name:
            yield name, value
        name, colon, value = line.partition(":")
        name, value = name.rstrip(" \t"), value.strip(" \t")
        if not colon or not TOKEN.match(name):
            raise SipParseError("a header line has no name")
        if _CONTROL.search(value):
            raise SipParseError("a header has control characters")
    if name:
        yield name, value


def _check_mandatory(message: Request | Response) -> None:
    """Check what an answer is made of: without it nothing can be said back."""
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        values = message.headers.all(name)
        if not values or not values[0] or (len(values) > 1 and name != "Via"):
            raise SipParseError(f"{name} is missing, empty or there twice")
    # `via` beside `vias`: an empty value before the first one is no value and not the topmost.
    _ = message.via, message.vias, message.from_, message.to, message.cseq


def _check(message: Request | Response, version: str, body: bytes) -> None:
    if version != "2.0":
        raise SipParseError("the message is not of SIP 2.0", 505)
    for name in _SINGLE:
        if len(message.headers.all(name)) > 1:
            raise SipParseError(f"{name} is there twice")
    if not message.from_.tag and message.via.branch.startswith(BRANCH_COOKIE):
        raise SipParseError("From has no tag")
    if isinstance(message, Request):
        if message.cseq.method != message.method:
            raise SipParseError("CSeq names another method")
        hops = message.headers.get("Max-Forwards")
        if hops is not None and not (hops.isascii() and hops.isdigit() and int(hops[:4]) < 256):
            raise SipParseError("Max-Forwards is no number of 0 to 255")
    length = message.headers.get("Content-Length")
    if length is not None:
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > len(body):
            raise SipParseError("Content-Length is no number, or larger than what came")
        body = body[: int(length)]
    message.body = body
    _ = message.contact, number(message.headers.get("Expires"))


class Framer:
    """Cuts a byte stream (TCP, TLS) into messages by Content-Length (§18.3).

    Memory is bounded by the limits of one message and one read.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; return whole messages, and `CRLF CRLF` for each ping (RFC 5626).

        Raises:
            SipParseError: What came cannot be cut; the connection is to be closed.
        """
        self._buffer += data
        frames: list[bytes] = []
        while frame := self._cut():
            frames.append(frame)
        return frames

    def _cut(self) -> bytes:
        if self._buffer.startswith(b"\r\n\r\n"):
            del self._buffer[:4]
            return b"\r\n\r\n"
        start = 2 if self._buffer.startswith(b"\r\n") and len(self._buffer) > 2 else 0
        if start and self._buffer[2:3] != b"\r":
            del self._buffer[:2]  # one line end between messages
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_MESSAGE:
                raise SipParseError("a message's head on a stream is too long", 513)
            return b""
        lengths = _LENGTH.findall(bytes(self._buffer[:end]))
        if len(lengths) != 1 or not re.fullmatch(rb"[0-9]{1,9}", lengths[0].strip()):
            raise SipParseError("a message on a stream needs one Content-Length")
        total = end + 4 + int(lengths[0])
        if total > MAX_MESSAGE:
            raise SipParseError(f"a message has more than {MAX_MESSAGE} bytes", 513)
        if len(self._buffer) < total:
            return b""
        frame = bytes(self._buffer[:total])
        del self._buffer[:total]
        return frame
