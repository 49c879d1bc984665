"""Carriers' media sockets: `/carriers/twilio`, `telnyx`, `plivo`, `vonage`, `exotel`.

What is on the wire is pipecat's: its serializers, at the carrier's own rate, so that nothing is
resampled but by us. A carrier's socket is opened by whoever knows its address: where call tokens
are needed, that address carries one (`?token=…`), or the carrier signs what it asks for.

Telnyx signs no socket, but the request that asks what to do with a call (TeXML): `POST
/carriers/telnyx` checks that, and answers with a socket's address and a token for this one call.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode
from xml.sax.saxutils import quoteattr

import numpy as np
from aiohttp import WSMsgType, web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pipecat.frames.frames import InputAudioRawFrame, InputDTMFFrame, OutputAudioRawFrame
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.serializers.exotel import ExotelFrameSerializer
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.serializers.vonage import VonageFrameSerializer

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.web import rtvi
from vivavoce.web.live import DeskError, Wish
from vivavoce.web.socket import carry, open_socket, refuse
from vivavoce.web.stream import StreamLeg

if TYPE_CHECKING:
    from vivavoce.web.server import CallServer

GREETING = 10.0
"""Seconds in which a carrier must say which call its socket carries."""
FIRST = 5
"""Messages among which it must."""
NAMES = ("twilio", "telnyx", "plivo", "vonage", "exotel")
STALE = 300.0
"""Seconds after which a request that Telnyx signed is one that somebody plays again."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What a carrier says first.

    Attributes:
        serializer: Speaks its protocol.
        rate: Sample rate of its sound (Hz).
        caller: Who calls, where it says so.
        called: Whom.
        agent: Whom the call is for, where its parameters say so.
        token: A call token among its parameters.
    """

    serializer: FrameSerializer
    rate: int = 8_000
    caller: str = ""
    called: str = ""
    agent: str = ""
    token: str = ""


class CarrierLeg(StreamLeg):
    """A carrier's media socket."""

    def __init__(self, socket: web.WebSocketResponse, name: str, begun: Begun) -> None:
        super().__init__(socket, begun.rate)
        self.kind = name
        self._serializer = begun.serializer

    async def took(self, message: str | bytes) -> None:
        """Take sound or a key."""
        try:
            frame = await self._serializer.deserialize(message)
        except Exception:  # noqa: BLE001 (pipecat's parsers trust their carriers)
            return
        if isinstance(frame, InputAudioRawFrame):
            self.feed(np.frombuffer(frame.audio, np.int16))
        elif isinstance(frame, InputDTMFFrame) and self.told is not None:
            key = {"t": "key", "d": {"key": frame.button.value}}
            self.told(rtvi.write("client-message", key))

    async def encode(self, pcm: Int16) -> list[str | bytes]:
        """Return speech as the carrier has it."""
        data = await self._serializer.serialize(OutputAudioRawFrame(pcm.tobytes(), self.rate, 1))
        return [data] if data else []

    def write(self, text: str) -> None:
        """Drop it: there is no page at the other end."""


def read_start(name: str, message: dict[str, Any]) -> Begun | None:
    """Read a carrier's message; None while it is not the one that begins a call.

    Args:
        name: The carrier's.
        message: Its JSON.

    Raises:
        ValueError: It lacks what names the stream.
    """
    start = message.get("start")
    event = message.get("event")
    if name == "vonage":
        if event != "websocket:connected":
            return None
        rate = _rate(str(message.get("content-type", "")))
        vonage = VonageFrameSerializer.InputParams(vonage_sample_rate=rate, sample_rate=rate)
        return Begun(VonageFrameSerializer(vonage), rate, *_parties(message))
    if event != "start" or not isinstance(start, dict):
        return None
    custom = start.get("customParameters") or start.get("custom_parameters") or {}
    custom = custom if isinstance(custom, dict) else {}
    parties = _parties({**start, **custom})
    match name:
        case "twilio":
            twilio = TwilioFrameSerializer.InputParams(sample_rate=8_000, auto_hang_up=False)
            stream = _named(start.get("streamSid") or message.get("streamSid"), "streamSid")
            return Begun(TwilioFrameSerializer(stream, params=twilio), 8_000, *parties)
        case "telnyx":
            coding = start.get("media_format")
            coding = coding.get("encoding", "PCMU") if isinstance(coding, dict) else "PCMU"
            telnyx = TelnyxFrameSerializer.InputParams(sample_rate=8_000, auto_hang_up=False)
            stream = _named(message.get("stream_id"), "stream_id")
            return Begun(
                TelnyxFrameSerializer(stream, coding, coding, params=telnyx), 8_000, *parties
            )
        case "plivo":
            plivo = PlivoFrameSerializer.InputParams(sample_rate=8_000, auto_hang_up=False)
            stream = _named(start.get("streamId"), "streamId")
            return Begun(PlivoFrameSerializer(stream, params=plivo), 8_000, *parties)
        case _:
            exotel = ExotelFrameSerializer.InputParams(sample_rate=8_000)
            stream = _named(start.get("stream_sid") or message.get("stream_sid"), "stream_sid")
            return Begun(ExotelFrameSerializer(stream, params=exotel), 8_000, *parties)


def _named(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"the carrier's first message has no {what}")
    return value


def _parties(given: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return caller, called, agent and token, where they are told."""

    def text(*names: str) -> str:
        return next((str(given[name])[:2_000] for name in names if given.get(name)), "")

    return text("from", "caller"), text("to", "called"), text("agent"), text("token")


def _rate(content_type: str) -> int:
    _, _, value = content_type.partition("rate=")
    return int(value) if value in {"8000", "16000", "24000"} else 16_000


def signed_by_twilio(url: str, signature: str, token: str) -> bool:
    """Whether Twilio signed a request for a URL (X-Twilio-Signature) with an account's token.

    https://www.twilio.com/docs/usage/security#validating-requests: base64 of the HMAC-SHA1 of the
    URL as Twilio has it, with no parameters as in a websocket's request.
    """
    wanted = hmac.digest(token.encode(), url.encode(), hashlib.sha1)
    return hmac.compare_digest(base64.b64encode(wanted).decode().encode(), signature.encode())


def signed_by_plivo(url: str, nonce: str, signatures: str, token: str) -> bool:
    """Whether Plivo signed a request (X-Plivo-Signature-V3 and its nonce).

    https://www.plivo.com/docs/messaging/concepts/signature-validation: base64 of the HMAC-SHA256
    of URL, dot and nonce; several signatures, one for each token in use, are joined by commas.
    """
    wanted = hmac.digest(token.encode(), f"{url}.{nonce}".encode(), hashlib.sha256)
    text = base64.b64encode(wanted).decode()
    return any(hmac.compare_digest(text.encode(), each.strip().encode())
               for each in signatures.split(","))  # fmt: skip


def signed_by_vonage(header: str, secret: str, wall: float) -> bool:
    """Whether a request bears a token of Vonage's (a JWT, HS256, under the signature secret)."""
    scheme, _, jwt = header.partition(" ")
    parts = jwt.split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:
        return False
    wanted = hmac.digest(secret.encode(), f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256)
    try:
        signature = base64.urlsafe_b64decode(parts[2] + "=" * (-len(parts[2]) % 4))
        head = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        fresh = wall < float(claims.get("exp", float(claims.get("iat", 0)) + 300))
    except (ValueError, TypeError, AttributeError):
        return False
    return head.get("alg") == "HS256" and fresh and hmac.compare_digest(signature, wanted)


def signed_by_telnyx(headers: Mapping[str, str], body: bytes, key: str, wall: float) -> bool:
    """Whether Telnyx signed a request, lately.

    https://developers.telnyx.com/development/api-fundamentals/webhooks: Ed25519 over the time, a
    bar and the body as it came, under the account's public key (base64).
    """
    stamp = headers.get("telnyx-timestamp", "")
    try:
        signature = base64.b64decode(headers.get("telnyx-signature-ed25519", ""), validate=True)
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(signature, f"{stamp}|".encode() + body)
        return abs(wall - float(stamp)) < STALE
    except (ValueError, InvalidSignature):
        return False


SIGNED: dict[str, tuple[str, Callable[[str, Mapping[str, str], str, float], bool]]] = {
    "twilio": (
        "TWILIO_AUTH_TOKEN",
        lambda url, headers, secret, _: signed_by_twilio(
            url, headers.get("X-Twilio-Signature", ""), secret
        ),
    ),
    "plivo": (
        "PLIVO_AUTH_TOKEN",
        lambda url, headers, secret, _: signed_by_plivo(
            url,
            headers.get("X-Plivo-Signature-V3-Nonce", ""),
            headers.get("X-Plivo-Signature-V3", ""),
            secret,
        ),
    ),
    "vonage": (
        "VONAGE_SIGNATURE_SECRET",
        lambda _url, headers, secret, wall: signed_by_vonage(
            headers.get("Authorization", ""), secret, wall
        ),
    ),
}
"""Carriers that sign: the environment's variable with the secret, and the check. With the secret
set nothing unsigned gets in."""


def _trusted(server: CallServer, name: str, request: web.Request) -> bool:
    """Whether the carrier has signed.

    Raises:
        DeskError: It should have, and has not.
    """
    if name not in SIGNED:
        return False
    variable, check = SIGNED[name]
    secret = os.environ.get(variable, "")
    if not secret:
        return False
    url = f"{_scheme(server, request)}://{request.host}{request.raw_path}"
    if not check(url, request.headers, secret, time.time()):
        raise DeskError(403, "not_signed", f"this was not signed by {name}, or for another address")
    return True


def _scheme(server: CallServer, request: web.Request) -> str:
    """Return "wss" or "ws": of the address that the carrier was given, before any proxy."""
    scheme = "wss" if server.exposure.public or request.secure else "ws"
    return {"https": "wss", "http": "ws"}.get(request.headers.get("X-Forwarded-Proto", ""), scheme)


async def _answer_telnyx(server: CallServer, request: web.Request) -> web.Response:
    """Answer a TeXML request with the socket that takes the call.

    Raises:
        DeskError: It is not signed, or this server does not take such requests.
    """
    key = os.environ.get("TELNYX_PUBLIC_KEY", "")
    if not key:
        text = "set TELNYX_PUBLIC_KEY (portal: Account, Keys & Credentials, Public Key)"
        raise DeskError(404, "no_key", text)
    async with asyncio.timeout(server.desk.limits.body_time):
        body = await request.read()
    if not signed_by_telnyx(request.headers, body, key, time.time()):
        raise DeskError(403, "not_signed", "this was not signed by telnyx, or too long ago")
    asked = parse_qs(body.decode("utf-8", "replace"))
    query = {}
    if agent := request.query.get("agent", ""):
        query["agent"] = agent[:64]
    signer = server.door.signer
    if signer is not None:
        caller = asked.get("From", [""])[0][:64]
        try:
            query["token"] = signer.issue(time.time(), agent=query.get("agent", ""), caller=caller)
        except ValueError as error:
            raise DeskError(400, "bad_token", str(error)) from None
    url = f"{_scheme(server, request)}://{request.host}{request.path}"
    url += f"?{urlencode(query)}" if query else ""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Connect>'
        f'<Stream url={quoteattr(url)} bidirectionalMode="rtp"/></Connect></Response>'
    )
    return web.Response(text=text, content_type="application/xml")


async def _begin(name: str, socket: web.WebSocketResponse) -> Begun:
    """Wait for a carrier to say which call its socket carries.

    Raises:
        DeskError: It does not.
    """
    try:
        async with asyncio.timeout(GREETING):
            for _ in range(FIRST):
                message = await socket.receive()
                if message.type is not WSMsgType.TEXT:
                    break
                given = json.loads(message.data)
                begun = read_start(name, given) if isinstance(given, dict) else None
                if begun is not None:
                    return begun
    except (ValueError, TimeoutError):
        pass
    raise DeskError(400, "no_start", f"{name} did not say which call this is")


def carrier_routes(server: CallServer) -> list[web.RouteDef]:
    """Return what is at `/carriers/…`."""

    async def take(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in NAMES:
            raise DeskError(404, "no_carrier", f"there is no {name[:20]!r}: {', '.join(NAMES)}")
        trusted = _trusted(server, name, request)
        early = request.query.get("token", "")
        claims = None
        if not trusted and early:
            claims = server.door.claims(early, None)
        socket = await open_socket(server, request)
        try:
            begun = await _begin(name, socket)
            if not trusted and claims is None:
                claims = server.door.claims(begun.token, None)
            wish = Wish(
                agent=begun.agent or request.query.get("agent", "")
                or (claims.agent if claims else ""),
                address=server.address(request),
                caller=begun.caller or (claims.caller if claims else ""),
                called=begun.called,
            )  # fmt: skip
            server.desk.agent_for(wish)
            server.door.spend(claims, wish.agent)
            leg = CarrierLeg(socket, name, begun)
            live = server.desk.begin(leg, wish, speaks_rtvi=False)
        except DeskError as error:
            await refuse(socket, error)
            return socket
        leg.begin()
        await carry(leg)
        await live.hang_up()
        return socket

    async def answer(request: web.Request) -> web.Response:
        return await _answer_telnyx(server, request)

    return [web.get("/carriers/{name}", take), web.post("/carriers/telnyx", answer)]
