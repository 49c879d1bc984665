"""The path under a call's WebRTC connection: ICE, which may be restarted while the call goes on.

aiortc's own ICE transport lives and dies with one set of credentials. This one keeps a path for
each generation of them and hands the DTLS transport above whatever comes by any of them, so that
a caller who changes from one network to another loses a moment of sound and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from aioice import Candidate, Connection
from aiortc import RTCIceCandidate
from aiortc.rtcicetransport import candidate_from_aioice, candidate_to_aioice

from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.sdp import MOST_CANDIDATES, Offer
from vivavoce.web.turn import IceServers

log = logging.getLogger("vivavoce")

GATHER = 5.0
"""Seconds that collecting our own candidates may take; STUN servers that are silent take long."""
CONNECT = 20.0
"""Seconds in which a path must stand."""
CLOSE = 2.0
"""Seconds that closing a path may take."""
WAITING = 512
"""Datagrams that wait to be read; what comes beyond is dropped, as a full socket would."""


class _Path(Connection):
    """One generation of credentials, and the path that was found with them."""

    def __init__(self, ice: Ice, **options: Any) -> None:
        super().__init__(ice_controlling=False, **options)
        self._ice = ice
        self.username = ""  # the client's
        self.stands = False
        self.heard = 0
        self.ended = False

    def request_received(self, message: Any, addr: Any, protocol: Any) -> None:
        """Answer a check; it is a sign of life too."""
        self._ice.sign_of_life()
        super().request_received(message, addr, protocol)

    def data_received(self, data: bytes, component: int) -> None:
        """Hand a datagram up at once, instead of through a queue and a task."""
        del component
        self._ice.took(self, data)


class Ice:
    """The datagrams of one client, by whatever path there is. aiortc's DTLS runs on it.

    Args:
        servers: STUN and TURN servers that we use ourselves.

    Attributes:
        media: Who takes SRTP and SRTCP; they are dropped before there is anybody.
        alive_at: When anything last came (s, `time.monotonic`).
        restarts: How often the client restarted ICE.
    """

    role = "controlled"  # aiortc asks for it where the SDP did not tell DTLS' roles

    def __init__(self, servers: IceServers | None = None) -> None:
        self._servers = servers or IceServers()
        self._paths: list[_Path] = []
        self._current: _Path | None = None
        self._inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._tasks = Tasks()
        self.media: Callable[[bytes], None] | None = None
        self._closed = False
        self._stands = asyncio.Event()
        self._failed = asyncio.Event()
        self.alive_at = time.monotonic()
        self.restarts = -1

    @property
    def state(self) -> str:
        """Return ICE's state in WebRTC's words."""
        if self._closed:
            return "closed"
        if self._stands.is_set():
            return "completed"
        return "failed" if self._failed.is_set() else "checking"

    @property
    def credentials(self) -> tuple[str, str]:
        """Our newest user name and password."""
        return self._paths[-1].local_username, self._paths[-1].local_password

    @property
    def candidates(self) -> tuple[RTCIceCandidate, ...]:
        """Where we can be reached, by the newest credentials."""
        return tuple(candidate_from_aioice(each) for each in self._paths[-1].local_candidates)

    @property
    def remote(self) -> str:
        """The client's address, where a path stands."""
        pair = self._current._nominated.get(1) if self._current else None  # noqa: SLF001
        return str(pair.remote_addr[0]) if pair is not None else ""

    async def take(self, offer: Offer) -> None:
        """Take an offer's credentials and candidates; new ones start ICE anew.

        The path that stands is used until another does.

        Raises:
            ConnectionError: It is closed.
        """
        if self._closed:
            raise ConnectionError("the connection is closed")
        if self._paths and self._paths[-1].username == offer.username:
            await self.add(offer.candidates, complete=offer.complete)
            return
        path = _Path(self, **self._servers.for_aioice())
        path.username = offer.username
        path.remote_is_lite = offer.lite
        path.remote_username, path.remote_password = offer.username, offer.password
        self._paths.append(path)
        self.restarts += 1
        self._failed.clear()
        with contextlib.suppress(TimeoutError):
            # Without an answer from a STUN server the local addresses still stand.
            async with asyncio.timeout(GATHER):
                await path.gather_candidates()
        for old in self._paths[:-2]:
            await self._drop(old)
        await self.add(offer.candidates, complete=offer.complete)
        self._tasks.spawn(self._connect(path), "ICE")

    async def add(self, candidates: Sequence[RTCIceCandidate], *, complete: bool) -> None:
        """Take more of the client's candidates, for its newest credentials."""
        if not self._paths or self._closed:
            return
        path = self._paths[-1]
        for candidate in candidates:
            if path.heard >= MOST_CANDIDATES:
                break
            path.heard += 1
            self._tasks.spawn(self._add(path, candidate_to_aioice(candidate)), "ICE candidate")
        if complete and not path.ended:
            path.ended = True
            self._tasks.spawn(self._add(path, None), "ICE candidates' end")

    async def stands(self, within: float = CONNECT) -> bool:
        """Wait until there is a path; return whether there is one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._stands.wait()
        return self._stands.is_set() and not self._closed

    async def close(self) -> None:
        """Give all paths up; idempotent."""
        if self._closed:
            return
        self._closed = True
        await self._tasks.close()
        for path in list(self._paths):
            await self._drop(path)
        self._inbox.put_nowait(None)
        self._stands.set()  # who waits is told that it is closed

    # What aiortc's DTLS transport calls.

    async def _recv(self) -> bytes:
        data = await self._inbox.get()
        if data is None:
            self._inbox.put_nowait(None)
            raise ConnectionError("the connection is closed")
        return data

    async def _send(self, data: bytes) -> None:
        # With no path at this moment the datagram is lost, as on any network: DTLS and SCTP
        # send theirs again, and sound that is late is worth nothing.
        if self._closed:
            raise ConnectionError("the connection is closed")
        if self._current is not None:
            with contextlib.suppress(ConnectionError, OSError):
                await self._current.send(data)

    # What a path tells.

    def sign_of_life(self) -> None:
        """Something came from the client."""
        self.alive_at = time.monotonic()

    def took(self, path: _Path, data: bytes) -> None:
        """Take a datagram that came by a path."""
        if self._closed or path not in self._paths:
            return
        self.sign_of_life()
        if path is not self._current and path is self._paths[-1] and path.stands:
            self._current = path
        if not data:
            return
        if 127 < data[0] < 192:  # RFC 7983
            if self.media is not None:
                self.media(data)
        elif self._inbox.qsize() < WAITING:
            self._inbox.put_nowait(data)

    # Inside.

    async def _add(self, path: _Path, candidate: Candidate | None) -> None:
        # Names ("….local") take a while to be looked up: nobody waits for that.
        with contextlib.suppress(ValueError, ConnectionError, OSError):
            await path.add_remote_candidate(candidate)

    async def _connect(self, path: _Path) -> None:
        try:
            async with asyncio.timeout(CONNECT):
                await path.connect()
        except (ConnectionError, TimeoutError):
            log.info("ICE: no path was found (%d candidates)", len(path.remote_candidates))
            self._failed.set()
            return
        path.stands = True
        self._current = path
        self.sign_of_life()
        self._stands.set()

    async def _drop(self, path: _Path) -> None:
        self._paths.remove(path)
        if path is self._current:
            self._current = None
        with contextlib.suppress(TimeoutError, ConnectionError, OSError):
            async with asyncio.timeout(CLOSE):
                await path.close()
