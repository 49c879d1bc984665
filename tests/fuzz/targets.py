"""Every parser of ours that faces a network, as a function of bytes that must not raise.

What a parser says it raises is caught here; anything else that comes out is a defect. One list for
the tests, which mutate the seeds by Hypothesis, and for `python -m tests.fuzz`, where atheris looks
for new paths for as long as it is let.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from vivavoce.phone import audiosocket, chan_websocket
from vivavoce.phone.media import rtcp, rtp, srtp
from vivavoce.phone.media.dtmf import TelephoneEvent
from vivavoce.phone.media.session import MediaConfig, MediaSession
from vivavoce.phone.sip import auth, headers, message, sdp, uri
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.sdp import SdpError
from vivavoce.pipelines.audio import riff
from vivavoce.pipelines.audio.wav import AudioFileError
from vivavoce.pipelines.models.chat import Answer, AnswerError
from vivavoce.pipelines.models.consent import Consent, ConsentError
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.sound import Sound
from vivavoce.pipelines.models.speech_session import SpeechSession
from vivavoce.pipelines.models.sse import SseParser
from vivavoce.pipelines.models.transcription.text import Transcript
from vivavoce.web import carriers, realtime, rtvi, tokens
from vivavoce.web import sdp as web_sdp

OFFER = b"""v=0\r
o=- 1 1 IN IP4 192.0.2.2\r
s=-\r
c=IN IP4 192.0.2.2\r
t=0 0\r
m=audio 9000 RTP/SAVP 0 9 111 101\r
a=rtpmap:111 opus/48000/2\r
a=fmtp:111 useinbandfec=1\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r
a=ptime:20\r
a=sendrecv\r
"""
BROWSER = b"""v=0\r
o=- 46117317 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0 1\r
m=audio 9 UDP/TLS/RTP/SAVPF 111 126\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=ice-ufrag:4ZcD\r
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlpt\r
a=fingerprint:sha-256 75:74:5A:A6:A4:E5:52:F4:A7:67:4C:01:C7:EE:91:3F:21:3D:A2:E3:53:7B:6F:30:86:F2\
:30:AA:65:FB:04:24\r
a=setup:actpass\r
a=mid:0\r
a=sendrecv\r
a=rtcp-mux\r
a=rtpmap:111 opus/48000/2\r
a=rtpmap:126 telephone-event/8000\r
a=candidate:1 1 udp 2122260223 192.0.2.1 56143 typ host generation 0\r
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r
c=IN IP4 0.0.0.0\r
a=mid:1\r
a=sctp-port:5000\r
a=max-message-size:262144\r
"""
INVITE = b"""INVITE sip:bob@192.0.2.1:5060;transport=udp SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK776;rport\r
Max-Forwards: 70\r
To: "Bob" <sip:bob@192.0.2.1>\r
From: Alice <sip:alice@192.0.2.2>;tag=1928301774\r
Call-ID: a84b4c76e66710\r
CSeq: 314159 INVITE\r
Contact: <sip:alice@192.0.2.2>\r
Content-Type: application/sdp\r
Content-Length: 4\r
\r
v=0\r
"""
CHALLENGE = b"""SIP/2.0 401 Unauthorized\r
Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK776;received=192.0.2.2\r
To: <sip:bob@192.0.2.1>;tag=a\r
From: <sip:alice@192.0.2.2>;tag=1\r
Call-ID: a84b4c76e66710\r
CSeq: 1 REGISTER\r
WWW-Authenticate: Digest realm="x", nonce="y", qop="auth,auth-int", algorithm=SHA-256, stale=FALSE\r
Content-Length: 0\r
\r
"""
RTP = bytes([0x80, 0x00, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4]) + bytes(range(160))
RTCP = bytes.fromhex("81c9000700000001000000020000000000000000000000000000000000000000")
PEER = ("192.0.2.2", 9000)
CONFIGS = tuple(
    MediaConfig(codecs=codecs, remote=PEER, event_type=101, rtcp_mux=True)
    for codecs in ({0: "pcmu", 8: "pcma"}, {9: "g722"}, {111: "opus"})
)
CHUNK: dict[str, Any] = {
    "id": "a",
    "choices": [
        {
            "index": 0,
            "delta": {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}],
                "tool_calls": [
                    {"id": "abc", "index": 0, "function": {"name": "f", "arguments": '{"a":1}'}}
                ],
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
STARTS = (
    {"event": "start", "start": {"streamSid": "a", "callSid": "b", "customParameters": {}}},
    {"event": "start", "stream_id": "a", "start": {"call_control_id": "b", "media_format": {}}},
    {"event": "start", "start": {"streamId": "a", "callId": "b"}},
    {"event": "websocket:connected", "content-type": "audio/l16;rate=16000"},
)


@dataclass(frozen=True, slots=True)
class Target:
    """A parser.

    Attributes:
        run: Gives it bytes; raises only what is a defect.
        seeds: Lawful inputs to begin with.
        where: Who sends it such bytes.
    """

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    where: str


TARGETS: dict[str, Target] = {}


def target(where: str, *seeds: bytes) -> Callable[[Callable[[bytes], None]], Callable[..., None]]:
    """Enter a parser under its function's name."""

    def enter(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
        TARGETS[run.__name__] = Target(run, seeds, where)
        return run

    return enter


def _json(data: bytes) -> dict[str, Any] | None:
    """What a client or server of ours would have read already: an object, or nothing."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _dump(*given: object) -> tuple[bytes, ...]:
    return tuple(json.dumps(each).encode() for each in given)


# A telephone's peers.


@target("anybody who reaches the SIP port", INVITE, CHALLENGE)
def sip_message(data: bytes) -> None:
    try:
        read = message.parse(data)
    except SipParseError:
        return
    _ = read.headers.get("Contact"), read.to, read.from_, read.cseq, read.via
    if isinstance(read, message.Response):
        with contextlib.suppress(SipParseError):
            auth.challenges(read)


@target("a SIP peer over TCP or TLS", INVITE + CHALLENGE, b"\r\n\r\n" + INVITE)
def sip_stream(data: bytes) -> None:
    framer = message.Framer()
    with contextlib.suppress(SipParseError):
        for at in range(0, len(data), 97):
            framer.feed(data[at : at + 97])


@target("a SIP peer", b"sip:a%20b@[2001:db8::1]:5060;transport=tcp?x=y", b"tel:+33123456789")
def sip_uri(data: bytes) -> None:
    with contextlib.suppress(SipParseError):
        read = uri.Uri.parse(data.decode("utf-8", "replace"))
        uri.Uri.parse(str(read))


@target("a SIP peer", b'"A \\" B" <sip:a@b.example;lr>;tag=1;x', b"sip:a@b;tag=2")
def sip_address(data: bytes) -> None:
    with contextlib.suppress(SipParseError):
        headers.NameAddr.parse(data.decode("utf-8", "replace"))


@target("a SIP peer", OFFER)
def sip_sdp(data: bytes) -> None:
    with contextlib.suppress(SdpError):
        sdp.parse(data)


@target("a SIP peer", b"1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz")
def srtp_key(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        srtp.Crypto.parse(data.decode("utf-8", "replace"))


@target("anybody who reaches a media port", RTP)
def rtp_packet(data: bytes) -> None:
    with contextlib.suppress(rtp.MalformedPacket):
        rtp.RtpPacket.parse(data)


@target("anybody who reaches a media port", RTCP, RTCP + RTCP)
def rtcp_packet(data: bytes) -> None:
    with contextlib.suppress(rtp.MalformedPacket):
        rtcp.parse(data)


@target("anybody who reaches a media port", b"\x05\x8a\x03\x20")
def dtmf_event(data: bytes) -> None:
    TelephoneEvent.parse(data)


@target(
    "anybody who reaches a media port",
    RTP,
    *(RTP[:1] + bytes([kind]) + RTP[2:] for kind in (9, 101, 111)),
    RTCP,
)
def media_session(data: bytes) -> None:
    for config in CONFIGS:
        session = MediaSession(config)
        for number in range(4):  # the same one again, later, and a neighbour of it
            at = number * 0.02
            session.receive(data, PEER, at)
            session.receive(data[:2] + bytes([number]) + data[3:], PEER, at)
            session.pull(at)


@target("an Asterisk that dials by AudioSocket", b"\x01\x00\x10" + bytes(16) + b"\x10\x00\x02ab")
def audiosocket_stream(data: bytes) -> None:
    audiosocket.Framer().feed(data)


@target("an Asterisk that dials by WebSocket", b'{"event":"MEDIA_START","format":"slin16"}')
def asterisk_event(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        chan_websocket.read_event(data.decode("utf-8", "replace"))


# A browser and other clients of the server.


@target("a browser", BROWSER)
def web_offer(data: bytes) -> None:
    with contextlib.suppress(web_sdp.OfferError):
        web_sdp.read_offer(data.decode("utf-8", "replace"))


@target("a browser", b"candidate:1 1 udp 2122260223 192.0.2.1 56143 typ host", b"a=")
def ice_candidate(data: bytes) -> None:
    with contextlib.suppress(web_sdp.OfferError):
        web_sdp.read_candidate(data.decode("utf-8", "replace"))


@target(
    "a browser, an application",
    *_dump(
        {"label": "rtvi-ai", "type": "client-ready", "id": "1", "data": {"version": "1.0.0"}},
        {"label": "rtvi-ai", "type": "send-text", "id": "2", "data": {"content": "hello"}},
        {"label": "rtvi-ai", "type": "client-message", "id": "3", "data": {"t": "dtmf", "d": "1"}},
    ),
    b"ping: 1",
)
def rtvi_message(data: bytes) -> None:
    with contextlib.suppress(rtvi.RtviError):
        rtvi.read(data.decode("utf-8", "replace"))


@target(
    "a client of the realtime endpoint",
    *_dump(
        {"audio": {"input": {"format": {"type": "audio/pcmu"}}}, "output_modalities": ["text"]},
        {"instructions": "a", "tools": [{"type": "function", "name": "f", "parameters": {}}]},
    ),
)
def realtime_session(data: bytes) -> None:
    given = _json(data)
    if given is None:
        return
    session = realtime.Session("agent")
    with contextlib.suppress(ValueError, TypeError):
        session.update(given)
    json.dumps([session.describe(), session.item(given), session.truncated(given)])


SIGNER = tokens.Signer("a secret that is long enough for the purpose of this")


@target("anybody", SIGNER.issue(1_000.0).encode(), SIGNER.issue_operator(1_000.0).encode())
def call_token(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for read in (SIGNER.read, SIGNER.read_operator):
        with contextlib.suppress(tokens.TokenError):
            read(text, 1_001.0)


@target("a carrier", *_dump(*STARTS))
def carrier_start(data: bytes) -> None:
    given = _json(data)
    if given is not None:
        for name in ("twilio", "telnyx", "plivo", "exotel", "vonage"):
            with contextlib.suppress(ValueError):
                carriers.read_start(name, given)


# A model's server.


@target("a chat model's server", b"event: a\ndata: {}\n\ndata: [DONE]\r\n\r\n: b\nretry: 1\n\n")
def event_stream(data: bytes) -> None:
    stream = SseParser()
    with contextlib.suppress(ValueError):
        for at in range(0, len(data), 7):
            stream.feed(data[at : at + 7])


@target(
    "a chat model's server",
    *_dump(CHUNK, {"error": {"message": "a", "code": 3}}, {"choices": [{"delta": ["a"]}]}),
)
def chat_chunk(data: bytes) -> None:
    given = _json(data)
    if given is None:
        return
    answer = Answer()
    with contextlib.suppress(AnswerError, ValueError):
        for _ in range(2):
            answer.feed(given)
        answer.finish()


@target(
    "a speech model's server",
    *_dump(
        {"type": "speech.audio.delta", "audio_data": "AAAAAA=="},
        {"type": "error", "error": {"code": 1, "message": "a"}},
    ),
)
def speech_message(data: bytes) -> None:
    session = SpeechSession()
    for first in (b'{"type":"session.created","session":{}}', data, data):
        with contextlib.suppress(ModelError):
            session.receive(first)


@target("a speech model's server", b"RIFF" + bytes(40) + b"data", bytes(64))
def speech_sound(data: bytes) -> None:
    for form in ("s16", "f32"):
        sound = Sound(form)
        for at in range(0, len(data), 5):
            sound.feed(data[at : at + 5])


@target("a transcription service", *_dump({"text": "a", "segments": [{"text": "a", "start": 0}]}))
def transcript(data: bytes) -> None:
    given = _json(data)
    if given is not None:
        with contextlib.suppress(ValueError):
            read = Transcript.parse(given)
            assert all(not math.isnan(each.start) for each in read.segments)


# Files and texts that people hand in.


@target("a user's file", b"RIFF\x28\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80>\x00\x00"
        b"\x00}\x00\x00\x02\x00\x10\x00data\x04\x00\x00\x00\x00\x00\x00\x00")  # fmt: skip
def wav_header(data: bytes) -> None:
    with contextlib.suppress(AudioFileError):
        riff.read_format(io.BytesIO(data), len(data))


@target("a user", b"Marie Dupont, in writing, 2026-11-20")
def consent(data: bytes) -> None:
    with contextlib.suppress(ConsentError):
        Consent.parse(data.decode("utf-8", "replace"), date(2026, 11, 21))
