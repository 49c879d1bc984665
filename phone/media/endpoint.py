"""Media on the network: a call's RTP and RTCP ports.

Thin: `session.MediaSession` decides. An endpoint lives on one event loop, which may be one on a
thread of its own (`thread.MediaThread`), for the application's is busy with models and lags.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import random
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from vivavoce.pipelines.audio.convert import Int16

from .receiver import BLOCK
from .rtp import Address
from .sender import CATCH_UP
from .session import Event, MediaSession, Outgoing, Statistics

log = logging.getLogger("vivavoce")

PORTS = range(20_000, 30_000)
"""Where RTP ports are taken from unless told otherwise."""

_TRIES = 200
_BUFFER = 1 << 18  # bytes of socket buffer: some 20 s of one call, or a flood's first moment
_BEHIND = 0.1  # s: so far behind, blocks of the caller's audio are skipped rather than hurried


class _Port(asyncio.DatagramProtocol):
    """One socket's packets, given to a function."""

    def __init__(self, take: Callable[[bytes, Address], None]) -> None:
        self._take = take
        self.closed = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._take(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        # ICMP says that nobody listens there: the other side may not be ready yet.
        log.debug("RTP: %s", exc)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        if not self.closed.done():
            self.closed.set_result(None)


class MediaEndpoint:
    """A call's media on a pair of UDP ports: RTP on an even one, RTCP on the next.

    Make it with `open`. All methods but `close` may be called from any thread; callbacks run on
    the endpoint's loop, and must not block it.

    Attributes:
        address: Our RTP address, for the SDP.
        session: What decides. Of its loop only: use the endpoint's methods elsewhere.
    """

    def __init__(
        self,
        session: MediaSession | None,
        *,
        heard: Callable[[Int16], None] | None = None,
        source: Callable[[int], Int16 | None] | None = None,
        happened: Callable[[Event], None] | None = None,
    ) -> None:
        self.address: Address = ("", 0)
        self.session = session
        self._loop = asyncio.get_running_loop()
        self._heard = heard
        self._source = source
        self._happened = happened
        self._rtp: asyncio.DatagramTransport | None = None
        self._rtcp: asyncio.DatagramTransport | None = None
        self._ports: list[_Port] = []
        self._timer: asyncio.TimerHandle | None = None
        self._next_pull: float | None = None
        self._closed = False
        self._waiting: deque[Callable[[], object]] = deque()  # from other threads
        self._complained: set[str] = set()

    @classmethod
    async def open(
        cls,
        session: MediaSession | None = None,
        *,
        host: str = "127.0.0.1",
        ports: range = PORTS,
        heard: Callable[[Int16], None] | None = None,
        source: Callable[[int], Int16 | None] | None = None,
        happened: Callable[[Event], None] | None = None,
    ) -> Self:
        """Bind the ports, and begin if there is a session.

        An offer needs our port before the answer tells what the session is: open without one,
        and `start` when it is known. Packets that come before that are dropped.

        Args:
            session: One call's media.
            host: IP literal to bind to.
            ports: Where the ports are taken from.
            heard: Given each 20 ms of the caller's audio (int16 at the session's rate).
            source: Asked for the agent's audio, each 20 ms, with the number of samples that
                are wanted; None is silence. Without it, audio is what `push` gives.
            happened: Given keys, goodbyes and changes of address.

        Raises:
            ValueError: `host` is no IP literal.
            OSError: No pair of ports is free, or the host is not ours.

        Cancellation-safe: nothing stays bound.
        """
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            raise ValueError(f"RTP binds to an IP address, not to the name {host!r}.") from None
        endpoint = cls(session, heard=heard, source=source, happened=happened)
        rtp, rtcp = _bind(host, ports, socket.AF_INET6 if version == 6 else socket.AF_INET)
        try:
            endpoint.address = rtp.getsockname()[:2]
            endpoint._rtp = await endpoint._listen(rtp, rtcp_port=False)
            endpoint._rtcp = await endpoint._listen(rtcp, rtcp_port=True)
        except BaseException:
            rtp.close()
            rtcp.close()
            await endpoint.close()
            raise
        if session is not None:
            endpoint.start(session)
        return endpoint

    def start(self, session: MediaSession) -> None:
        """Begin with a session, or go on with another one (codecs changed by a re-INVITE)."""

        def begin() -> None:
            if self._closed:
                return
            self.session = session
            if self._timer is None:
                self._run()

        self._do(begin)

    def push(self, pcm: Int16, at: int | None = None) -> None:
        """Queue audio to send (int16 at the session's rate); dropped before a session.

        `at` as in `MediaSession.push`.
        """
        self._soon(lambda: self.session.push(pcm, at) if self.session else None)

    def reserve(self, pcm: Int16, at: int) -> None:
        """Keep what is about to be pushed (see `MediaSession.reserve`)."""
        self._soon(lambda: self.session.reserve(pcm, at) if self.session else None)

    def signal(self, remote: Address | None) -> None:
        """Take the address of a new SDP (see `MediaSession.signal`)."""
        self._do(lambda: self.session.signal(remote) if self.session else None)

    def flush(self) -> None:
        """Fall silent at once: the caller has cut in."""
        self._do(lambda: self.session.flush() if self.session else None)

    def send_dtmf(self, keys: str) -> None:
        """Send keys as telephone events.

        Raises:
            ValueError: On the endpoint's own thread, as `MediaSession.send_dtmf`; from another
                one it is logged.
        """
        self._do(lambda: self.session.send_dtmf(keys) if self.session else None)

    def statistics(self) -> Statistics | None:
        """Give the figures so far; None before a session. They may be a packet old."""
        return self.session.statistics() if self.session is not None else None

    async def close(self) -> None:
        """Say goodbye, stop, and give the ports back; idempotent, on the endpoint's loop."""
        if not self._closed:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self.session is not None and self._rtp is not None:
                self._send(self.session.goodbye(self._loop.time()))
            for transport in (self._rtp, self._rtcp):
                if transport is not None:
                    transport.close()
        waiting = [port.closed for port in self._ports]
        if waiting:
            # Closing takes one turn of the loop; a second is for one that hangs.
            await asyncio.wait(waiting, timeout=1.0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- on the endpoint's loop

    @property
    def _here(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _do(self, work: Callable[[], object]) -> None:
        """Do something on our loop, in its turn among all that was asked for."""
        if self._here:
            self._catch_up()
            work()
            return
        self._waiting.append(work)
        with contextlib.suppress(RuntimeError):  # the loop is closed, and so are we
            self._loop.call_soon_threadsafe(self._catch_up)

    def _soon(self, work: Callable[[], object]) -> None:
        """Do something before the next packet is made: nobody needs to be woken for it."""
        if self._here:
            work()
        elif not self._closed:
            self._waiting.append(work)  # a deque's ends are safe from any thread

    def _catch_up(self) -> None:
        while self._waiting:
            self._waiting.popleft()()

    async def _listen(self, sock: socket.socket, *, rtcp_port: bool) -> asyncio.DatagramTransport:
        take = self._take_rtcp if rtcp_port else self._take
        transport, port = await self._loop.create_datagram_endpoint(lambda: _Port(take), sock=sock)
        self._ports.append(port)
        return transport

    def _take(self, data: bytes, source: Address) -> None:
        if self.session is not None and not self._closed:
            self.session.receive(data, source, self._loop.time())

    def _take_rtcp(self, data: bytes, source: Address) -> None:
        if self.session is not None and not self._closed:
            self.session.receive_rtcp(data, source, self._loop.time())

    def _run(self) -> None:
        """Do what is due, and come back when the next thing is."""
        session = self.session
        if self._closed or session is None:
            return
        self._catch_up()
        now = self._loop.time()
        if self._next_pull is None or now - self._next_pull > _BEHIND:
            # At first, of the same instant as the sender's clock: one wake-up serves both.
            self._next_pull = now  # later: we slept, and what was not pulled is the past
        while self._next_pull <= now:
            pcm = session.pull(now)
            self._next_pull += BLOCK
            if self._heard is not None:
                self._call("heard", self._heard, pcm)
        if self._source is not None and (session.due is None or session.due <= now):
            self._fill(session, self._source, now)
        self._send(session.tick(now))
        for event in session.events():
            if self._happened is not None:
                self._call("happened", self._happened, event)
        due = session.due
        wake = self._next_pull if due is None else min(due, self._next_pull)
        if not self._stopped():  # a callback may have closed us
            self._timer = self._loop.call_at(wake, self._run)

    def _stopped(self) -> bool:
        return self._closed

    def _fill(
        self, session: MediaSession, source: Callable[[int], Int16 | None], now: float
    ) -> None:
        """Ask for what the packets lack that leave now: several, where we were late."""
        ptime = session.config.ptime
        late = 0.0 if session.due is None else now - session.due
        packets = min(CATCH_UP, int(late / ptime) + 1)
        wanted = round((packets * ptime - session.queued) * session.rate)
        if wanted > 0 and not session.dialling:
            pcm = self._call("source", source, wanted)
            if pcm is not None:
                session.push(pcm)

    def _send(self, packets: list[Outgoing]) -> None:
        for data, address, control in packets:
            transport = self._rtcp if control else self._rtp
            if transport is not None and not transport.is_closing():
                transport.sendto(data, address)

    def _call(self, name: str, function: Callable[[Any], Any], argument: object) -> Any:
        """Call somebody else's function: its defect must not end the call."""
        try:
            return function(argument)
        except Exception:
            if name not in self._complained:  # once, not fifty times a second
                self._complained.add(name)
                log.exception("A media callback (%s) failed", name)
            return None


def _bind(host: str, ports: range, family: int) -> tuple[socket.socket, socket.socket]:
    """Find an even port whose neighbour is free too.

    At random: ports that come in order are guessed easily.
    """
    even = range(ports.start + ports.start % 2, ports.stop, 2)
    problem: OSError | None = None
    # Only as many as are tried: all of them in random order took 10 ms, and every call waited.
    for port in random.SystemRandom().sample(even, min(_TRIES, len(even))):
        sockets: list[socket.socket] = []
        try:
            for number in (port, port + 1):
                sock = socket.socket(family, socket.SOCK_DGRAM)
                sockets.append(sock)
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
                sock.bind((host, number))
        except OSError as error:
            for sock in sockets:
                sock.close()
            problem = error
        else:
            return sockets[0], sockets[1]
    raise OSError(
        f"No pair of UDP ports is free on {host} between {ports.start} and {ports.stop}: "
        f"widen the range or end other calls ({problem})."
    )
