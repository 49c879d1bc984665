"""Session descriptions (RFC 4566/8866) of telephone calls: text to values, and back."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from vivavoce.phone.sip.uri import ip_literal

MAX_MEDIA = 16  # media sections
MAX_LINES = 500
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

# Bytes of master key and salt (RFC 4568 §6.2): what our media engine can do, and no more.
SUITES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}

_STATIC = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000), 13: ("CN", 8000)}
_TOKEN = re.compile(r"[^\s]+\Z")
_MEDIA = re.compile(
    r"(?P<kind>[A-Za-z0-9_.\-]+) (?P<port>[0-9]{1,5})(?:/[0-9]{1,4})? "
    r"(?P<protocol>[A-Z0-9a-z/_.\-]+)(?P<formats>(?: [^\s]+)+)\s*\Z"
)
_RTPMAP = re.compile(r"([0-9]{1,3})\s+([A-Za-z0-9_.\-]+)/([0-9]{1,6})(?:/([0-9]{1,2}))?\s*\Z")
_CRYPTO = re.compile(
    r"([0-9]{1,9})\s+([A-Za-z0-9_]+)\s+inline:([A-Za-z0-9+/=]+)(?:\|[^\s]*)?(.*)\Z"
)


class SdpError(ValueError):
    """A description is malformed, or nothing in it can be agreed on (488)."""


@dataclass(frozen=True, slots=True)
class Codec:
    """An RTP payload format.

    Attributes:
        name: Upper case, except `telephone-event` and `opus`, as registered.
        rate: RTP clock, Hz. G.722's is 8000 though it samples at 16 kHz (RFC 3551 §4.5.2).
        channels: As `a=rtpmap` says; Opus always says 2 (RFC 7587).
        payload: Payload type, 0 to 127; what we put into our own offers.
        fmtp: Format parameters as written, "" for none.
    """

    name: str
    rate: int
    channels: int = 1
    payload: int = 0
    fmtp: str = ""

    def same(self, other: Codec) -> bool:
        """Whether it is the same format, whatever its number and parameters."""
        mine = (self.name.lower(), self.rate, self.channels)
        return mine == (other.name.lower(), other.rate, other.channels)


PCMU = Codec("PCMU", 8000, payload=0)
PCMA = Codec("PCMA", 8000, payload=8)
G722 = Codec("G722", 8000, payload=9)
OPUS = Codec("opus", 48000, 2, payload=111, fmtp="useinbandfec=1")
DTMF = Codec("telephone-event", 8000, payload=101, fmtp="0-15")


@dataclass(frozen=True, slots=True)
class Crypto:
    """One `a=crypto` line (RFC 4568); the key never shows in a repr.

    Attributes:
        tag: Its number.
        suite: One of `SUITES`.
        key: Master key and salt.
    """

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(slots=True)
class Media:
    """One `m=` section.

    Attributes:
        kind: `audio`, `video`, …
        port: UDP port; 0 is refused or ended.
        protocol: `RTP/AVP`, `RTP/SAVP`, …
        formats: As written: payload types, for RTP.
        host: IP literal of its `c=` (the session's when it has none of its own); None when
            that was a name, which is never looked up.
        codecs: The formats that are known by number or `a=rtpmap`, in order of preference.
        direction: One of `DIRECTIONS`.
        ptime: Packet time asked for, ms; None when not named.
        cryptos: The usable `a=crypto` lines.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    host: str | None = None
    codecs: tuple[Codec, ...] = ()
    direction: str = "sendrecv"
    ptime: int | None = None
    cryptos: tuple[Crypto, ...] = ()
    attributes: list[str] = field(default_factory=list)

    @property
    def secure(self) -> bool:
        """Whether it is encrypted RTP (SAVP, SAVPF)."""
        return self.protocol in {"RTP/SAVP", "RTP/SAVPF"}

    @property
    def speakable(self) -> bool:
        """Whether it is audio over RTP that could be agreed on."""
        plain = self.protocol in {"RTP/AVP", "RTP/AVPF"}
        return self.kind == "audio" and self.port > 0 and (plain or self.secure)


@dataclass(slots=True)
class Description:
    """A session description.

    Attributes:
        origin: Everything of `o=` after the user name but the version, which marks the
            session.
        version: The version of `o=`.
        media: Its sections.
    """

    origin: str
    version: int
    media: list[Media]

    def audio(self) -> Media | None:
        """Return the first audio section that is neither refused nor of a strange protocol."""
        return next((media for media in self.media if media.speakable), None)


def parse(data: bytes) -> Description:
    """Read a description.

    Raises:
        SdpError: It is malformed. Nothing else is raised, whatever the bytes.
    """
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in text.split("\n") if line]
    if len(lines) > MAX_LINES:
        raise SdpError(f"a description has more than {MAX_LINES} lines")
    if not lines or lines[0].strip() != "v=0":
        raise SdpError("a description starts with v=0")
    origin, version, host, direction = "", 0, None, "sendrecv"
    ptime: int | None = None
    sections: list[_Section] = []
    for line in lines[1:]:
        kind, equals, value = line.partition("=")
        if not equals or len(kind) != 1:
            raise SdpError("a line of a description is not type=value")
        value = value.strip()
        if kind == "m":
            if len(sections) >= MAX_MEDIA:
                raise SdpError(f"a description has more than {MAX_MEDIA} media")
            sections.append(_Section(_media_line(value), host, direction, ptime))
        elif sections:
            sections[-1].take(kind, value)
        elif kind == "o":
            origin, version = _origin(value)
        elif kind == "c":
            host = _connection(value)
        elif kind == "a" and value in DIRECTIONS:
            direction = value
        elif kind == "a" and value.startswith("ptime:"):
            ptime = _ptime(value)
    if not origin:
        raise SdpError("a description has no origin (o=)")
    return Description(origin, version, [section.finish() for section in sections])


def _origin(value: str) -> tuple[str, int]:
    parts = value.split()
    if len(parts) != 6 or not re.fullmatch(r"[0-9]{1,20}", parts[2]):
        raise SdpError("the origin (o=) is malformed")
    return " ".join([parts[1], *parts[3:]]), int(parts[2])


def _connection(value: str) -> str | None:
    parts = value.split()
    if len(parts) != 3 or parts[0] != "IN" or parts[1] not in {"IP4", "IP6"}:
        raise SdpError("a connection (c=) is malformed")
    # A multicast address's /ttl is cut off; a name gives None and is never looked up.
    return ip_literal(parts[2].partition("/")[0])


def _media_line(value: str) -> Media:
    found = _MEDIA.match(value)
    if found is None or int(found["port"]) > 65535:
        raise SdpError("a media line (m=) is malformed")
    return Media(
        found["kind"], int(found["port"]), found["protocol"], tuple(found["formats"].split())
    )


def _ptime(value: str) -> int | None:
    found = re.match(r"[a-z]+:\s*([0-9]{1,4})", value)
    return int(found[1]) if found and 0 < int(found[1]) <= 200 else None


class _Section:
    """One media section while it is read."""

    def __init__(self, media: Media, host: str | None, direction: str, ptime: int | None) -> None:
        self._media = media
        media.host, media.direction, media.ptime = host, direction, ptime
        self._maps: dict[str, tuple[str, int, int]] = {}
        self._fmtp: dict[str, str] = {}

    def take(self, kind: str, value: str) -> None:
        media = self._media
        if kind == "c":
            media.host = _connection(value)
        if kind != "a":
            return
        if value in DIRECTIONS:
            media.direction = value
        elif value.startswith("ptime:"):
            media.ptime = _ptime(value)
        elif value.startswith("rtpmap:"):
            if found := _RTPMAP.match(value[7:].strip()):
                self._maps[found[1]] = (found[2], int(found[3]), int(found[4] or 1))
        elif value.startswith("fmtp:"):
            number, _, parameters = value[5:].strip().partition(" ")
            self._fmtp[number] = parameters.strip()
        elif value.startswith("crypto:"):
            if (crypto := _crypto(value[7:].strip())) is not None:
                media.cryptos += (crypto,)
        else:
            media.attributes.append(value)

    def finish(self) -> Media:
        found: list[Codec] = []
        for text in self._media.formats:
            if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > 127:
                continue
            number = int(text)
            if text in self._maps:
                name, rate, channels = self._maps[text]
            elif number in _STATIC:
                (name, rate), channels = _STATIC[number], 1
            else:
                continue
            found.append(Codec(name, rate, channels, number, self._fmtp.get(text, "")))
        self._media.codecs = tuple(found)
        return self._media


def _crypto(value: str) -> Crypto | None:
    """Read a crypto line; None when its suite, key or parameters are none we can do."""
    found = _CRYPTO.match(value)
    if found is None or found[2] not in SUITES:
        return None
    # KDR and FEC would change the stream; WSH is only a hint (RFC 4568 §6.3).
    if any(not word.startswith("WSH=") for word in found[4].split()):
        return None
    # A key identifier (MKI) changes every packet: it stands after the last bar, with a colon.
    if re.search(r"\|[0-9]+:[0-9]+", value):
        return None
    try:
        key = base64.b64decode(found[3] + "=" * (-len(found[3]) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Crypto(int(found[1]), found[2], key) if len(key) == SUITES[found[2]] else None


def serialise(description: Description, address: str) -> bytes:
    """Return a description as bytes; `address` is the IP literal of `o=` and `c=`."""
    family = "IP6" if ":" in address else "IP4"
    identity = description.origin.split()[0]
    lines = [
        "v=0",
        f"o=- {identity} {description.version} IN {family} {address}",
        "s=-",
        f"c=IN {family} {address}",
        "t=0 0",
    ]
    for media in description.media:
        lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}")
        if not media.port:
            continue
        for codec in media.codecs:
            channels = f"/{codec.channels}" if codec.channels > 1 else ""
            lines.append(f"a=rtpmap:{codec.payload} {codec.name}/{codec.rate}{channels}")
            if codec.fmtp:
                lines.append(f"a=fmtp:{codec.payload} {codec.fmtp}")
        if media.ptime:
            lines.append(f"a=ptime:{media.ptime}")
        lines += [f"a=crypto:{crypto}" for crypto in media.cryptos]
        lines += [f"a={attribute}" for attribute in media.attributes]
        lines.append(f"a={media.direction}")
    return ("\r\n".join(lines) + "\r\n").encode()


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """What offer and answer agreed on: all that a media engine needs.

    Attributes:
        remote: Where the far end wants its RTP: IP literal and port. None when it named no
            usable address: then send to where its RTP comes from.
        codec: The format; `codec.payload` is the number of what we send.
        receive_payload: The number of what we receive (usually the same).
        dtmf: Payload type of the telephone-events we send, None when there are none.
        receive_dtmf: Payload type of the telephone-events we receive.
        ptime: Packet time to send with, ms.
        sends: Whether we may send: False while the far end holds us.
        receives: Whether we shall hear something: False while we hold.
        send_key: SDES key of what we send, None without SRTP.
        receive_key: SDES key of what we receive.
        comfort_noise: Whether RFC 3389 comfort noise (payload type 13) is agreed.
    """

    remote: tuple[str, int] | None
    codec: Codec
    receive_payload: int
    dtmf: int | None
    receive_dtmf: int | None
    ptime: int
    sends: bool
    receives: bool
    send_key: Crypto | None = None
    receive_key: Crypto | None = None
    comfort_noise: bool = False
