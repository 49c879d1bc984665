"""Offer and answer within one dialog (RFC 3264): who offered, what stands, what is agreed."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace

from vivavoce.phone.sip import sdp
from vivavoce.phone.sip.message import Message
from vivavoce.phone.sip.sdp import Codec, Crypto, Description, Media, MediaPlan, SdpError
from vivavoce.phone.sip.uri import ip_literal

SDP_TYPE = "application/sdp"


class Srtp(enum.Enum):
    """SDES-SRTP on a trunk."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """What our media engine offers for one call.

    Attributes:
        host: IP literal that the far end is to send to (the public one, behind NAT).
        port: Its UDP port.
        codecs: Formats in order of preference, each with our payload type.
        dtmf: Our payload type of telephone-events, None for none.
        ptime: Packet time we like, ms.
        srtp: Whether media may or must be encrypted.
    """

    host: str
    port: int
    codecs: tuple[Codec, ...] = (sdp.PCMU, sdp.PCMA)
    dtmf: int | None = 101
    ptime: int = 20
    srtp: Srtp = Srtp.OFF

    def __post_init__(self) -> None:
        if ip_literal(self.host) is None:
            raise ValueError(f"media host {self.host!r} is no IP address: give a literal")
        if not 0 < self.port < 65536 or not self.codecs or not 10 <= self.ptime <= 60:
            raise ValueError("media need a port, at least one codec and 10 to 60 ms per packet")


class _Turn(enum.Enum):
    STABLE = "stable"
    OURS = "we offered"
    THEIRS = "they offered"


class Session:
    """The session of one dialog.

    Args:
        local: Our media.
        identity: A number for `o=`, up to 18 digits.
        key: Returns that many random bytes, for SDES.
    """

    def __init__(self, local: LocalMedia, identity: int, key: Callable[[int], bytes]) -> None:
        self.local = local
        self._identity = identity
        self._key = key
        self._version = 0
        self._body = b""
        self._turn = _Turn.STABLE
        self._offered: Description | None = None
        self._layout: list[Media] = []  # every section ever agreed, ours among them
        self._payloads = {self._name(codec): codec.payload for codec in local.codecs}
        self._dtmf = local.dtmf
        self._own_key: Crypto | None = None
        self.holding = False
        self.plan: MediaPlan | None = None

    @staticmethod
    def _name(codec: Codec) -> tuple[str, int, int]:
        return codec.name.lower(), codec.rate, codec.channels

    @property
    def stable(self) -> bool:
        """Whether no offer waits for its answer."""
        return self._turn is _Turn.STABLE

    @property
    def offering(self) -> bool:
        """Whether our offer waits for its answer."""
        return self._turn is _Turn.OURS

    # -- our offers

    def offer(self, *, full: bool = True) -> bytes:
        """Return an offer; it stands until `answered` or `rollback`.

        Args:
            full: Offer all our codecs; else only what is in use, which no peer can take for a
                wish to change.

        Raises:
            SdpError: An offer is under way already.
        """
        if not self.stable:
            raise SdpError("an offer is already waiting for its answer")
        codecs = self.local.codecs
        if not full and self.plan is not None:
            agreed = self.plan.codec
            codecs = tuple(codec for codec in codecs if codec.same(agreed)) or codecs
        codecs = self._numbered(codecs)
        if self._dtmf is not None:
            codecs += (replace(sdp.DTMF, payload=self._dtmf),)
        secure = self.local.srtp is Srtp.REQUIRED or (
            self.plan is not None and self.plan.send_key is not None
        )
        media = Media("audio", self.local.port, "RTP/SAVP" if secure else "RTP/AVP", ())
        media.ptime = self.local.ptime
        media.direction = "sendonly" if self.holding else "sendrecv"
        if secure or self.local.srtp is Srtp.OPTIONAL:
            suite = self._own_key.suite if self._own_key else "AES_CM_128_HMAC_SHA1_80"
            media.cryptos = (self._crypto(1, suite),)
        media.codecs = codecs
        media.formats = tuple(str(codec.payload) for codec in codecs)
        description = self._arrange(media)
        self._offered, self._turn = description, _Turn.OURS
        return self._publish(description)

    def _numbered(self, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
        """Give each codec the payload type it had, and one that is free where two collide.

        Numbers that the far end chose stay (§8.3.2): a mapping never changes within a session.
        """
        taken = {self._dtmf} if self._dtmf is not None else set()
        numbered: list[Codec] = []
        agreed = self.plan.codec if self.plan is not None else None
        for codec in sorted(codecs, key=lambda c: agreed is None or not c.same(agreed)):
            number = self._payloads[self._name(codec)]
            if number in taken:
                number = next(n for n in range(96, 128) if n not in taken)
                self._payloads[self._name(codec)] = number
            taken.add(number)
            numbered.append(replace(codec, payload=number))
        order = [self._name(codec) for codec in codecs]
        return tuple(sorted(numbered, key=lambda c: order.index(self._name(c))))

    def answered(self, body: bytes) -> MediaPlan:
        """Take the answer to our offer; return what is agreed now.

        Raises:
            SdpError: It is malformed, refuses the audio, or does not answer what was offered;
                the offer is rolled back.
        """
        try:
            plan = self.preview(body)
        finally:
            offered, self._offered, self._turn = self._offered, None, _Turn.STABLE
        if offered is not None:
            self._layout = offered.media
        self.plan = plan
        return plan

    def preview(self, body: bytes) -> MediaPlan:
        """Return what an answer to our offer means, and leave the offer open (forked 18x).

        Raises:
            SdpError: As for `answered`.
        """
        offered, answer = self._offered, sdp.parse(body)
        if offered is None:
            raise SdpError("an answer came to no offer")
        if len(answer.media) != len(offered.media):
            raise SdpError("the answer has not as many media as the offer")
        pairs = zip(offered.media, answer.media, strict=True)
        found = next(((o, a) for o, a in pairs if o.port and a.speakable), None)
        if found is None:
            raise SdpError("the answer refuses the audio")
        ours, theirs = found
        return self._agree(ours, theirs, answering=False)

    def rollback(self) -> None:
        """Our offer failed: what was agreed before goes on."""
        if self._turn is _Turn.OURS:
            self._offered, self._turn = None, _Turn.STABLE

    # -- their offers

    def offered(self, body: bytes) -> tuple[MediaPlan, bytes]:
        """Take an offer; return what is agreed by our answer, and the answer.

        Raises:
            SdpError: It is malformed or has no audio that we can do; what stood goes on.
        """
        if not self.stable:
            raise SdpError("an offer crosses another")
        offer = sdp.parse(body)
        chosen = next((m for m in offer.media if m.speakable and self._can(m)), None)
        if chosen is None:
            raise SdpError("nothing that is offered can be spoken: no audio, codec or key fits")
        answer = self._answer(chosen)
        plan = self._agree(answer, chosen, answering=True)
        sections = [
            answer if media is chosen else Media(media.kind, 0, media.protocol, media.formats)
            for media in offer.media
        ]
        self._layout = sections
        self.plan = plan
        return plan, self._publish(Description(str(self._identity), 0, sections))

    def _can(self, media: Media) -> bool:
        if media.secure and (self.local.srtp is Srtp.OFF or not media.cryptos):
            return False
        if not media.secure and self.local.srtp is Srtp.REQUIRED:
            return False
        return any(mine.same(their) for their in media.codecs for mine in self.local.codecs)

    def _answer(self, offer: Media) -> Media:
        ours = [
            replace(theirs, fmtp=mine.fmtp or theirs.fmtp)
            for theirs in offer.codecs
            for mine in self.local.codecs
            if mine.same(theirs)
        ]
        # Our order of preference decides, the first is spoken; numbers are theirs (§6.1).
        ours.sort(key=lambda c: [m.same(c) for m in self.local.codecs].index(True))
        chosen = ours[0]
        codecs = [chosen]
        self._payloads[self._name(chosen)] = chosen.payload
        event = _telephone_event(offer.codecs, chosen)
        if event is not None and self._dtmf is not None:
            codecs.append(replace(event, fmtp="0-15"))
            self._dtmf = event.payload
        elif self._dtmf == chosen.payload:
            # Ours gives way: the number that they chose stays theirs for the whole session.
            self._dtmf = next(n for n in range(101, 128) if n != chosen.payload)
        codecs += [c for c in offer.codecs if c.name.upper() == "CN" and c.rate == chosen.rate][:1]
        answer = Media("audio", self.local.port, offer.protocol, ())
        answer.codecs = tuple(codecs)
        answer.formats = tuple(str(codec.payload) for codec in codecs)
        answer.ptime = offer.ptime if offer.ptime and 10 <= offer.ptime <= 60 else self.local.ptime
        they_receive = offer.direction in {"sendrecv", "recvonly"} and offer.host != "0.0.0.0"  # noqa: S104 - RFC 2543's way to hold
        they_send = offer.direction in {"sendrecv", "sendonly"}
        answer.direction = _direction(they_receive, they_send and not self.holding)
        if offer.secure or (self.local.srtp is Srtp.OPTIONAL and offer.cryptos):
            best = offer.cryptos[0]
            answer.cryptos = (self._crypto(best.tag, best.suite),)
        return answer

    # -- both

    def _agree(self, ours: Media, theirs: Media, *, answering: bool) -> MediaPlan:
        codec = next((t for t in theirs.codecs if any(o.same(t) for o in self.local.codecs)), None)
        if answering:
            codec = ours.codecs[0]
        if codec is None:
            raise SdpError("the answer names no codec of the offer")
        mine = next((o for o in ours.codecs if o.same(codec)), None)
        if mine is None:
            raise SdpError("the answer names a codec that was not offered")
        event_out = _telephone_event(theirs.codecs, codec) if self._dtmf is not None else None
        event_in = _telephone_event(ours.codecs, codec)
        send_key = receive_key = None
        if theirs.cryptos and ours.cryptos:
            receive_key = theirs.cryptos[0]
            send_key = next((c for c in ours.cryptos if c.tag == receive_key.tag), None)
            if send_key is None or send_key.suite != receive_key.suite:
                raise SdpError("the answer takes a key that was not offered")
        elif theirs.secure or self.local.srtp is Srtp.REQUIRED:
            raise SdpError("encrypted media without a usable key")
        on_hold = theirs.host in {"0.0.0.0", "::"}  # noqa: S104 - RFC 2543's way to hold
        they_receive = theirs.direction in {"sendrecv", "recvonly"} and not on_hold
        they_send = theirs.direction in {"sendrecv", "sendonly"}
        usable = theirs.host is not None and not on_hold
        return MediaPlan(
            remote=(theirs.host, theirs.port) if usable and theirs.host else None,
            codec=codec,
            receive_payload=mine.payload,
            dtmf=event_out.payload if event_out and event_in else None,
            receive_dtmf=event_in.payload if event_out and event_in else None,
            ptime=theirs.ptime if theirs.ptime and 10 <= theirs.ptime <= 60 else self.local.ptime,
            sends=they_receive and ours.direction in {"sendrecv", "sendonly"},
            receives=they_send and ours.direction in {"sendrecv", "recvonly"},
            send_key=send_key,
            receive_key=receive_key,
            comfort_noise=all(
                any(c.name.upper() == "CN" for c in side.codecs) for side in (ours, theirs)
            ),
        )

    def _crypto(self, tag: int, suite: str) -> Crypto:
        # One key for the whole session: a new one in each re-INVITE would restart the stream.
        if self._own_key is None or self._own_key.suite != suite:
            self._own_key = Crypto(tag, suite, self._key(sdp.SUITES[suite]))
        self._own_key = replace(self._own_key, tag=tag)
        return self._own_key

    def _arrange(self, audio: Media) -> Description:
        """Put the audio where it stood: sections never vanish or move (§8)."""
        sections: list[Media] = []
        placed = False
        for old in self._layout:
            if old.port and old.kind == "audio" and not placed:
                sections.append(audio)
                placed = True
            else:
                sections.append(Media(old.kind, 0, old.protocol, old.formats))
        return Description(str(self._identity), 0, sections if placed else [*sections, audio])

    def _publish(self, description: Description) -> bytes:
        """Write it out; the version rises only when something changed."""
        description.version = self._version
        body = sdp.serialise(description, self.local.host)
        if self._body and body != self._body:
            self._version += 1
            description.version = self._version
            body = sdp.serialise(description, self.local.host)
        self._body = body
        return body


def _direction(sends: bool, receives: bool) -> str:
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def _telephone_event(codecs: tuple[Codec, ...], spoken: Codec) -> Codec | None:
    """Return the telephone-event of the spoken codec's clock rate, else the 8 kHz one."""
    events = [codec for codec in codecs if codec.name.lower() == "telephone-event"]
    return next((e for e in events if e.rate == spoken.rate), next(iter(events), None))


def sdp_in(message: Message) -> bytes:
    """Return the session description a message carries, b"" for none.

    A multipart body (carriers add such) is searched for it.
    """
    kind = message.content_type
    if not message.body:
        return b""
    if kind in {SDP_TYPE, ""}:
        return message.body
    if kind.startswith("multipart/"):
        line = message.headers.get("Content-Type") or ""
        _, _, boundary = line.partition("boundary=")
        boundary = boundary.split(";")[0].strip().strip('"')
        if boundary:
            mark = b"--" + boundary.encode("utf-8", "surrogateescape")
            for part in message.body.split(mark)[1:17]:
                head, _, body = part.partition(b"\r\n\r\n")
                if SDP_TYPE.encode() in head.lower():
                    return body
    return b""
