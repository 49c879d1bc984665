"""Offers and answers of a call's WebRTC connection: one audio, one data channel, bundled."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from aiortc import RTCIceCandidate
from aiortc.rtcdtlstransport import RTCDtlsFingerprint
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp, candidate_to_sdp

LONGEST = 64_000
"""Characters of an offer that are read."""
MOST_CANDIDATES = 64
"""Candidates of one side that are kept: nobody has more, and each is probed."""
MOST_SECTIONS = 16
_TOKEN = re.compile(r"[\x21-\x7e]{1,32}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")  # some clients' are not quite ice-chars


class OfferError(ValueError):
    """An offer cannot be answered; the message says why."""


@dataclass(frozen=True, slots=True)
class Section:
    """One m= line of an offer, so that the answer has as many.

    Attributes:
        line: Its m= line without the port: kind, profile and formats.
        mid: Its name.
        use: "audio", "data", or "" for what is refused.
    """

    line: tuple[str, str, str]
    mid: str
    use: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client offers, checked.

    Attributes:
        sections: All m= lines, in order.
        opus: Opus' payload type; None without audio.
        events: Payload type and clock rate (Hz) of telephone events, where they are offered.
        sends: Whether the client may send audio.
        receives: Whether it takes audio.
        sctp_port: Where its data channels are; None without.
        username: Its ICE user name.
        password: Its ICE password.
        lite: Whether it is an ICE lite agent.
        fingerprints: Of its certificate.
        role: Its DTLS role: "auto", "client" or "server".
        candidates: Its candidates so far.
        complete: Whether these are all.
    """

    sections: tuple[Section, ...]
    opus: int | None
    events: tuple[int, int] | None
    sends: bool
    receives: bool
    sctp_port: int | None
    username: str
    password: str
    lite: bool
    fingerprints: tuple[RTCDtlsFingerprint, ...]
    role: str
    candidates: tuple[RTCIceCandidate, ...] = ()
    complete: bool = False

    @property
    def ours(self) -> str:
        """The DTLS role that we take."""
        # The answerer speaks first where it may (RFC 8842 §5.3): a round trip less.
        return "server" if self.role == "client" else "client"


@dataclass(frozen=True, slots=True)
class Local:
    """What we answer with.

    Attributes:
        username: Our ICE user name.
        password: Our ICE password.
        candidates: Where we can be reached.
        fingerprints: Of our certificate.
        role: Our DTLS role.
        ssrc: Of our audio.
        cname: RTCP's name for us.
        sctp_port: Where our data channels are.
        largest: Of a message on them (bytes).
        session: Names the session in the SDP.
    """

    username: str
    password: str
    candidates: tuple[RTCIceCandidate, ...]
    fingerprints: tuple[RTCDtlsFingerprint, ...]
    role: str
    ssrc: int
    cname: str
    sctp_port: int = 5000
    largest: int = 65_536
    session: int = field(default_factory=lambda: secrets.randbits(62))


def read_offer(text: str) -> Offer:
    """Read an offer.

    Raises:
        OfferError: It is none, or has nothing that can be answered.
    """
    if len(text) > LONGEST:
        raise OfferError(f"an offer has at most {LONGEST} characters, not {len(text)}")
    try:
        session = SessionDescription.parse(text)
    except Exception as error:
        raise OfferError("this is no SDP: send a browser's localDescription.sdp") from error
    if not 0 < len(session.media) <= MOST_SECTIONS:
        raise OfferError(f"an offer has 1 to {MOST_SECTIONS} m= lines, not {len(session.media)}")
    bundle = [str(each) for group in session.group if group.semantic == "BUNDLE"
              for each in group.items]  # fmt: skip
    sections: list[Section] = []
    audio: MediaDescription | None = None
    data: MediaDescription | None = None
    mids: set[str] = set()
    for number, media in enumerate(session.media):
        mid = media.rtp.muxId or str(number)
        if not _TOKEN.fullmatch(mid) or mid in mids:
            raise OfferError("each m= line needs an a=mid of its own")
        mids.add(mid)
        use = ""
        if media.port and audio is None and media.kind == "audio" and _opus(media) is not None:
            audio, use = media, "audio"
        elif media.port and data is None and _carries_data(media):
            data, use = media, "data"
        if use and mid not in bundle:
            raise OfferError("audio and data share one connection here: offer BUNDLE (max-bundle)")
        formats = " ".join(map(str, media.fmt)) or "0"
        sections.append(Section((media.kind, media.profile, formats), mid, use))
    first = next((media for media in session.media if media in (audio, data)), None)
    if first is None:
        raise OfferError("offer audio with Opus, or a data channel: there is neither")
    return _offer(tuple(sections), first, audio, data)


def _offer(
    sections: tuple[Section, ...],
    first: MediaDescription,
    audio: MediaDescription | None,
    data: MediaDescription | None,
) -> Offer:
    ice, dtls = first.ice, first.dtls
    username = (ice.usernameFragment if ice else None) or ""
    password = (ice.password if ice else None) or ""
    if not _CREDENTIAL.fullmatch(username) or not _CREDENTIAL.fullmatch(password):
        raise OfferError("the offer has no ICE user name and password (a=ice-ufrag, a=ice-pwd)")
    known = [each for each in dtls.fingerprints if each.algorithm.lower().startswith("sha-")] \
        if dtls is not None else []  # fmt: skip
    if dtls is None or not known:
        raise OfferError("the offer has no DTLS fingerprint and role (a=fingerprint, a=setup)")
    if audio is not None and not audio.rtcp_mux:
        raise OfferError("the offer does not share a port between RTP and RTCP (a=rtcp-mux)")
    direction = (audio.direction or "sendrecv") if audio is not None else "inactive"
    candidates = [each for media in (audio, data) if media is not None
                  for each in media.ice_candidates]  # fmt: skip
    return Offer(
        sections=sections,
        opus=_opus(audio) if audio is not None else None,
        events=_events(audio) if audio is not None else None,
        sends=direction in {"sendrecv", "sendonly"},
        receives=direction in {"sendrecv", "recvonly"},
        sctp_port=_port(data) if data is not None else None,
        username=username,
        password=password,
        lite=bool(ice and ice.iceLite),
        fingerprints=tuple(known),
        role=dtls.role,
        candidates=tuple(candidates[:MOST_CANDIDATES]),
        complete=first.ice_candidates_complete,
    )


def _opus(media: MediaDescription) -> int | None:
    for codec in media.rtp.codecs:
        if codec.mimeType.lower() == "audio/opus" and codec.clockRate == 48_000:
            return codec.payloadType
    return None


def _events(media: MediaDescription) -> tuple[int, int] | None:
    found = {
        codec.clockRate: codec.payloadType
        for codec in media.rtp.codecs
        if codec.payloadType is not None
        and codec.mimeType.lower() == "audio/telephone-event"
        and codec.clockRate in {8000, 48_000}
    }
    for clock in (48_000, 8_000):  # events of Opus' own clock share its timestamps
        if clock in found:
            return found[clock], clock
    return None


def _carries_data(media: MediaDescription) -> bool:
    return media.kind == "application" and "SCTP" in media.profile and _port(media) is not None


def _port(media: MediaDescription) -> int | None:
    if media.sctp_port is not None:
        return media.sctp_port if 0 < media.sctp_port < 65_536 else None
    first = str(media.fmt[0]) if media.fmt else ""
    return int(first) if first.isdecimal() and 0 < int(first) < 65_536 else None


def read_candidate(text: str, mid: str = "") -> RTCIceCandidate | None:
    """Read a candidate as browsers trickle them; None where it is empty (there are no more).

    Raises:
        OfferError: It is none.
    """
    text = text.strip().removeprefix("a=").removeprefix("candidate:")
    if not text:
        return None
    try:
        candidate = candidate_from_sdp(text)
    except Exception as error:
        raise OfferError(f"this is no ICE candidate: {text[:80]!r}") from error
    candidate.sdpMid = mid or "0"
    return candidate


def write_answer(offer: Offer, local: Local) -> str:
    """Write the answer to an offer."""
    used = [section for section in offer.sections if section.use]
    lines = [
        "v=0",
        f"o=- {local.session} 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(section.mid for section in used),
        "a=msid-semantic: WMS *",
    ]
    for section in offer.sections:
        kind, profile, formats = section.line
        if not section.use:
            lines += [f"m={kind} 0 {profile} {formats}", "c=IN IP4 0.0.0.0", "a=inactive"]
            lines.append(f"a=mid:{section.mid}")
            continue
        if section.use == "audio":
            lines += _audio(offer, local, profile)
        else:
            lines += _data(local, profile)
        lines += [
            f"a=mid:{section.mid}",
            f"a=ice-ufrag:{local.username}",
            f"a=ice-pwd:{local.password}",
            "a=ice-options:trickle",
            *(f"a=fingerprint:{each.algorithm} {each.value}" for each in local.fingerprints),
            f"a=setup:{'active' if local.role == 'client' else 'passive'}",
        ]
        if section is used[0]:
            lines += [f"a=candidate:{candidate_to_sdp(each)}" for each in local.candidates]
            lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


def _audio(offer: Offer, local: Local, profile: str) -> list[str]:
    opus, events = offer.opus, offer.events
    direction = {
        (True, True): "sendrecv",
        (True, False): "recvonly",
        (False, True): "sendonly",
        (False, False): "inactive",
    }[offer.sends, offer.receives]
    lines = [
        f"m=audio 9 {profile} {opus}" + (f" {events[0]}" if events else ""),
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=rtcp-mux",
        f"a={direction}",
        f"a=rtpmap:{opus} opus/48000/2",
        # Discontinuous transmission would leave nothing to tell a silent caller from a lost one.
        f"a=fmtp:{opus} minptime=10;useinbandfec=1;usedtx=0;stereo=0",
        "a=ptime:20",
    ]
    if events:
        lines += [f"a=rtpmap:{events[0]} telephone-event/{events[1]}", f"a=fmtp:{events[0]} 0-15"]
    if offer.receives:
        lines += [
            "a=msid:vivavoce agent",
            f"a=ssrc:{local.ssrc} cname:{local.cname}",
            f"a=ssrc:{local.ssrc} msid:vivavoce agent",
        ]
    return lines


def _data(local: Local, profile: str) -> list[str]:
    legacy = profile == "DTLS/SCTP"
    return [
        f"m=application 9 {profile} {local.sctp_port if legacy else 'webrtc-datachannel'}",
        "c=IN IP4 0.0.0.0",
        f"a=sctpmap:{local.sctp_port} webrtc-datachannel 1024"
        if legacy
        else f"a=sctp-port:{local.sctp_port}",
        f"a=max-message-size:{local.largest}",
    ]
