"""A browser's connection: WebRTC, with the telephone's media under it.

ICE, DTLS and SCTP are aiortc's. What it does with sound is not used: its jitter buffer holds 82 ms
back, and its sender waits for a thread and a queue. RTP goes to and from `MediaSession`, whose
buffer follows the network (from 20 ms on) and whose packets leave as soon as their sound is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from typing import Any, cast

# aiortc's first certificate loads these two, which would hold up the calls that run then (20 ms).
import cryptography.hazmat.backends.openssl.backend
import cryptography.hazmat.primitives.serialization  # noqa: F401
import numpy as np
import pylibsrtp
from aiortc import RTCCertificate, RTCDataChannel, RTCDtlsTransport, RTCIceCandidate
from aiortc.exceptions import InvalidStateError
from aiortc.rtcdtlstransport import RTCDtlsParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from vivavoce.phone.media.jitter import Limits
from vivavoce.phone.media.rtp import is_rtcp
from vivavoce.phone.media.session import MediaConfig, MediaSession, Outgoing
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.blocks import Blocks
from vivavoce.web.cluster.names import mark_token
from vivavoce.web.ice import Ice
from vivavoce.web.leg import BLOCK, Told
from vivavoce.web.sdp import Local, Offer, OfferError, write_answer
from vivavoce.web.turn import IceServers

log = logging.getLogger("vivavoce")

RATE = 24_000
"""Sample rate of the sound in both directions (Hz): the speech model's own."""
DELAY = Limits(0.020, 0.600)
"""Bounds of the jitter buffer's delay (s): 20 to 60 ms on a network that is any good. On one that
stalls it grows, for words that are lost cost more than words that are late; where it is quiet it
shrinks again."""
MARGIN = 0.002
"""Seconds of speech more than a packet that wait to be sent, so that none goes out half full."""
HANDSHAKE = 15.0
"""Seconds that DTLS may take."""
SILENT = 1.5
"""Seconds without a datagram after which a client that sends sound is out of reach."""
STILL = 8.0
"""Likewise of a client that sends none, which is asked by ICE's checks alone."""
BACKLOG = 1_000_000
"""Bytes that may wait for a client's data channel; more is dropped."""
BEHIND = 0.2
"""Seconds that the clock may be late before the time is skipped."""
HURRY = 0.002
"""Seconds between two blocks when the clock was late: what came meanwhile has to be read first."""
SHORTEST = 12
"""Bytes of RTP's head."""
GOODBYE = 2.0
"""Seconds that closing each layer may take."""
LARGEST = 65_536
"""Bytes of a message."""

_THERE = ("webrtc", 1)  # the only address that there is above DTLS


class _Dtls(RTCDtlsTransport):
    """aiortc's DTLS, whose SRTP goes to and from a media session without a task between."""

    def __init__(self, ice: Any, certificate: RTCCertificate) -> None:
        super().__init__(ice, [certificate])
        self.session: MediaSession | None = None
        self.reported_at = 0.0  # when the last RTCP came (s)
        ice.media = self._media

    def _media(self, data: bytes) -> None:
        session = self.session
        srtp = cast("pylibsrtp.Session | None", self._rx_srtp)  # None before the handshake
        if session is None or srtp is None or len(data) < SHORTEST:
            return
        now = time.monotonic()
        try:
            if is_rtcp(data):
                data = srtp.unprotect_rtcp(data)
                self.reported_at = now
            else:
                data = srtp.unprotect(data)
        except pylibsrtp.Error:
            return  # a stranger's, or one that came twice
        session.receive(data, _THERE, now)


class Peer:
    """One WebRTC connection that a client offered. Implements `Leg`.

    Args:
        servers: STUN and TURN servers that we use ourselves.
        worker: The worker that it is a connection of, which its name tells; "" without any.

    Attributes:
        name: Names it in renegotiations (`pc_id`).
        told: Who takes its messages.
    """

    kind = "webrtc"
    rate = RATE

    def __init__(self, servers: IceServers | None = None, worker: str = "") -> None:
        self.name = mark_token(secrets.token_urlsafe(12), worker)
        self.told: Told | None = None
        self.ice = Ice(servers)
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls = _Dtls(self.ice, self._certificate)
        self._sctp: RTCSctpTransport | None = None
        self._channel: RTCDataChannel | None = None
        self._session: MediaSession | None = None
        self._offer: Offer | None = None
        self._role = ""
        self._id = secrets.randbits(62)
        self._blocks = Blocks()
        self._due: float | None = None  # of the packet that has not left yet
        self._outbox: deque[str] = deque(maxlen=200)
        self._tasks = Tasks()
        self._begun = False
        self._closed = asyncio.Event()
        self._closing = False
        self._changing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Peer {self.name} {self.ice.state} {self._dtls.state}>"

    # Signalling.

    async def answer(self, offer: Offer) -> str:
        """Answer an offer: the first, or one that changes something or restarts ICE.

        Raises:
            OfferError: It is one of another connection.
            ConnectionError: This one is closed.
        """
        async with self._changing:
            self._check(offer)
            self._offer = offer
            if not self._role:
                self._role = offer.ours
                self._dtls._set_role(self._role)  # noqa: SLF001 (aiortc has no other way)
            await self.ice.take(offer)
            self._agree(offer)
            if not self._begun:
                self._begun = True
                self._tasks.spawn(self._begin(offer), "WebRTC")
            username, password = self.ice.credentials
            fingerprints = self._certificate.getFingerprints()
            return write_answer(
                offer,
                Local(
                    username=username,
                    password=password,
                    candidates=self.ice.candidates,
                    fingerprints=tuple(f for f in fingerprints if f.algorithm == "sha-256"),
                    role=self._role,
                    ssrc=self._session._sender.ssrc if self._session else 0,  # noqa: SLF001
                    cname=self._session.config.cname if self._session else "",
                    largest=LARGEST,
                    session=self._id,
                ),
            )

    async def add(self, candidates: list[RTCIceCandidate], *, complete: bool) -> None:
        """Take candidates that came after the offer."""
        await self.ice.add(candidates, complete=complete)

    def _check(self, offer: Offer) -> None:
        before = self._offer
        if self._closing:
            raise ConnectionError("the connection is closed")
        if before is not None and {f.value for f in before.fingerprints} != {
            f.value for f in offer.fingerprints
        }:
            raise OfferError("this offer is another connection's: send it with restart_pc")

    def _agree(self, offer: Offer) -> None:
        """Set the media up as the offer has it."""
        if offer.opus is None:
            return
        session = self._session
        if session is None or offer.opus not in session.config.codecs:
            kind, clock = offer.events or (None, 48_000)
            session = MediaSession(
                MediaConfig(
                    codecs={offer.opus: "opus"},
                    remote=_THERE,
                    event_type=kind,
                    event_clock=clock,
                    inband=False,
                    comfort_noise_type=None,
                    rtcp_mux=True,
                    limits=DELAY,
                    opus_rate=RATE,
                    wall_offset=time.time() - time.monotonic(),
                )
            )
            self._session = self._dtls.session = session
        session.receiving = offer.sends
        session.sending = offer.receives

    async def _begin(self, offer: Offer) -> None:
        """Bring the layers up, one after the other, and then keep the time."""
        dtls = self._dtls
        if not await self.ice.stands():
            await self._lose("no path to the client was found")
            return
        try:
            async with asyncio.timeout(HANDSHAKE):
                await dtls.start(RTCDtlsParameters(list(offer.fingerprints), offer.role))
        except TimeoutError:
            await self._lose("the DTLS handshake was not finished")
            return
        if dtls.state != "connected":
            await self._lose("the DTLS handshake failed")
            return
        dtls.on("statechange", self._changed)
        if offer.sctp_port is not None:
            self._sctp = RTCSctpTransport(dtls)
            self._sctp.on("datachannel", self._opened)
            await self._sctp.start(RTCSctpCapabilities(LARGEST), offer.sctp_port)
        with self._blocks.ticking():
            await self._keep_time()

    async def _lose(self, why: str) -> None:
        log.info("%r: %s", self, why)
        self._gone()

    def _changed(self) -> None:
        if self._dtls.state in {"closed", "failed"}:
            self._gone()

    def _gone(self) -> None:
        self._closed.set()
        self._blocks.wake()

    # The leg.

    @property
    def closed(self) -> bool:
        """Whether it is gone for good."""
        return self._closed.is_set()

    @property
    def up(self) -> bool:
        """Whether the client can hear us."""
        return self._dtls.state == "connected" and not self.closed

    @property
    def alive(self) -> bool:
        """Whether anything came from the client lately."""
        sends = self._offer is not None and self._offer.sends
        sends = sends and self._session is not None
        quiet = self._session.quiet_for(time.monotonic()) if sends and self._session else None
        limit = STILL if quiet is None or quiet > STILL else SILENT
        return self.up and time.monotonic() - self.ice.alive_at < limit

    @property
    def wanted(self) -> float:
        """Seconds of speech that it lacks for its next packet."""
        session = self._session
        if session is None or not session.sending:
            return BLOCK if self.up else 0.0  # nobody hears it, and it is said all the same
        wanted = BLOCK + MARGIN - session.queued
        return wanted if wanted > MARGIN else 0.0

    async def listen(self) -> list[tuple[Int16, int]]:
        """Wait for blocks of the caller's sound."""
        return await self._blocks.take(closed=self.closed)

    async def say(self, pcm: Int16) -> None:
        """Send speech: the packet that waits for it leaves at once."""
        if self._session is not None:
            self._session.push(pcm)
            await self._flush()

    async def relay(self, packet: bytes) -> None:
        """Send 20 ms of Opus that is encoded already: a listener's, who hears what many hear."""
        if self._session is not None:
            self._session.push_encoded(packet)
            await self._flush()

    def write(self, text: str) -> None:
        """Send a message; before the data channel is open it waits."""
        channel = self._channel
        if channel is None:
            self._outbox.append(text)
        elif channel.bufferedAmount < BACKLOG:
            try:
                channel.send(text)
            except (InvalidStateError, ConnectionError):
                return
            except ValueError as error:  # longer than the client takes
                log.warning("%r: a message was not sent: %s", self, error)

    def figures(self) -> dict[str, Any]:
        """Return how good the connection is."""
        if self._session is None:
            return {}
        now = self._session.statistics()
        return {
            "delay_ms": round(now.heard.delay * 1000, 1),
            "jitter_ms": round(now.jitter * 1000, 1),
            "lost": now.lost,
            "received": now.heard.packets.received,
            "concealed_ms": round(now.heard.concealed * 1000),
            "repaired_ms": round(now.heard.repaired * 1000),
            "round_trip_ms": None if now.round_trip is None else round(now.round_trip * 1000, 1),
            "remote_lost": None if now.remote_lost is None else round(now.remote_lost, 3),
            "late_ms": round(now.sent.latest * 1000, 1),
            "restarts": self.ice.restarts,
        }

    async def close(self) -> None:
        """Say goodbye and close every layer; idempotent."""
        if self._closing:
            return
        self._closing = True
        self._gone()
        await self._tasks.close()
        if self._session is not None and self._dtls.state == "connected":
            await self._send(self._session.goodbye(time.monotonic()))
        for part in (self._sctp, self._dtls):
            if part is not None:
                with contextlib.suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(GOODBYE):
                        await part.stop()
        await self.ice.close()

    # Inside: messages.

    def _opened(self, channel: RTCDataChannel) -> None:
        self._channel = channel  # a client that opens another one is answered on that
        channel.on("message", self._said)
        while self._outbox:
            self.write(self._outbox.popleft())

    def _said(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            message = message.decode("utf-8", "replace")
        if len(message) <= LARGEST and self.told is not None and not self._closing:
            self.told(message)

    # Inside: the clock.

    async def _keep_time(self) -> None:
        """Every 20 ms: take a block of the caller's sound, and send the packet of the last one.

        That has mostly left already, with the speech that was made for it (`say`).
        """
        silence = np.zeros(round(RATE * BLOCK), np.int16)
        at = time.monotonic()
        while not self.closed:
            await self._flush()
            now = time.monotonic()
            if now - at > BEHIND:
                at = now  # we slept, and what was not heard or said meanwhile is the past
            session = self._session
            self._due = at
            self._blocks.put(silence if session is None else session.pull(now), RATE)
            at += BLOCK
            await asyncio.sleep(max(HURRY, at - time.monotonic()))

    async def _flush(self) -> None:
        if self._session is not None and self._due is not None:
            # The packet's own time, not this moment: else a late one would come with another. But
            # what RTCP tells of the past must not lie in the future.
            due, self._due = max(self._due, self._dtls.reported_at), None
            await self._send(self._session.tick(due))

    async def _send(self, packets: list[Outgoing]) -> None:
        for packet in packets:
            with contextlib.suppress(ConnectionError):
                await self._dtls._send_rtp(packet.data)  # noqa: SLF001 (it is what a sender calls)
