"""Transports: moves the user agent's bytes over UDP, TCP and TLS; decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, cast

from vivavoce.phone.sip.decisions import Address, Decision, Resolve, Send
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.message import Framer
from vivavoce.phone.sip.resolve import Records
from vivavoce.phone.sip.ua import UserAgent
from vivavoce.phone.sip.uri import ip_literal

log = logging.getLogger(__name__)

CONNECT = 5.0  # s that opening a connection may take
LOOK_UP = 8.0  # s that a name may take
FIRST = 30.0  # s that a new connection may take until its first message
IDLE = 3600.0  # s without a byte after which a connection that was used is closed
MAX_CONNECTIONS = 512
MAX_UNSENT = 256 * 1024  # bytes a peer may leave unread before its connection is closed

LookUp = Callable[[Resolve], Awaitable[Records]]


async def addresses_of(asked: Resolve) -> Records:
    """Look A and AAAA records up with the system's resolver, off the event loop.

    SRV and NAPTR need a DNS client: hand one of your own to `Transports` for them.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(loop.getaddrinfo(asked.host, None), LOOK_UP)
    except (OSError, TimeoutError):
        return Records()
    hosts = dict.fromkeys(str(entry[4][0]) for entry in found)
    return Records(addresses={asked.host: tuple(hosts)})


def _plain(host: str) -> str:
    """Return an IPv4 address that a dual-stack socket shows as IPv6 as what it is."""
    return host.removeprefix("::ffff:") if "." in host else host


class Transports:
    """The sockets of one user agent.

    Open them first, make the `UserAgent` from the addresses they got, then `attach` it.

    Args:
        news: Gets every decision that is no packet and no look-up, in order. It is called
            within the event loop and must not block.
        look_up: Answers `Resolve`.
        server_tls: Certificate of our TLS listener.
        client_tls: How peers' certificates are verified; by default against the system's
            authorities, with the host name checked.

    Attributes:
        local: What was bound, in the order asked for.
    """

    def __init__(
        self,
        news: Callable[[Decision], None],
        *,
        look_up: LookUp = addresses_of,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
    ) -> None:
        self._news, self._look_up = news, look_up
        self._server_tls = server_tls
        self._client_tls = client_tls
        self.local: list[Address] = []
        self._ua: UserAgent | None = None
        self._datagrams: list[tuple[Address, asyncio.DatagramTransport]] = []
        self._servers: list[asyncio.Server] = []
        self._streams: dict[Address, _Stream] = {}
        self._opening: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def open(self, bind: Iterable[Address]) -> None:
        """Bind; port 0 takes a free one. When one fails, those before it are closed again.

        Raises:
            OSError: An address cannot be bound.
            ValueError: TLS was asked for without a certificate.
        """
        try:
            for address in bind:
                if address.transport == "udp":
                    await self._bind_datagrams(address)
                else:
                    await self._listen(address)
        except BaseException:
            await self.close()
            raise

    async def _bind_datagrams(self, address: Address) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self), (address.host, address.port)
        )
        port = transport.get_extra_info("sockname")[1]
        self.local.append(Address("udp", address.host, port))
        self._datagrams.append((self.local[-1], transport))

    async def _listen(self, address: Address) -> None:
        context = self._server_tls if address.transport == "tls" else None
        if address.transport == "tls" and context is None:
            raise ValueError("a TLS listener needs a certificate: give server_tls")
        server = await asyncio.get_running_loop().create_server(
            lambda: _Stream(self, address.transport), address.host, address.port, ssl=context
        )
        self._servers.append(server)
        port = server.sockets[0].getsockname()[1]
        self.local.append(Address(address.transport, address.host, port))

    def attach(self, ua: UserAgent) -> None:
        """Start carrying for a user agent."""
        self._ua = ua
        self.do(ua.start(time.monotonic()))

    def do(self, decisions: Iterable[Decision]) -> None:
        """Carry out what a method of the user agent decided."""
        for decision in decisions:
            if isinstance(decision, Send):
                self._send(decision)
            elif isinstance(decision, Resolve):
                self._start(self._resolve(decision))
            else:
                self._news(decision)
        self._wake()

    async def close(self) -> None:
        """Close every socket and end every task. Idempotent. Calls are not hung up here."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._servers:
            server.close()
        for stream in list(self._streams.values()):
            stream.abort()
        for _, transport in self._datagrams:
            transport.close()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
        self._datagrams.clear()
        await asyncio.sleep(0)  # sockets are let go by the loop's next turn

    # -- from the sockets

    def received(self, data: bytes, source: Address) -> None:
        """Take a datagram or a frame."""
        if self._ua is not None and not self._closed:
            self.do(self._ua.receive(data, source, time.monotonic()))

    def connected(self, stream: _Stream) -> bool:
        """Take a new connection; False when it is not wanted."""
        if self._ua is None or len(self._streams) >= MAX_CONNECTIONS:
            return False
        if not self._ua.knows(stream.peer.host):
            return False
        self._streams[stream.peer] = stream
        return True

    def lost(self, stream: _Stream) -> None:
        """Take it that a connection is closed."""
        if self._streams.get(stream.peer) is stream:
            del self._streams[stream.peer]
            self._failed(stream.peer, f"{_at(stream.peer)} closed the connection")

    # -- inside

    def _send(self, send: Send) -> None:
        if send.to.transport == "udp":
            self._send_datagram(send)
            return
        for place in (send.to, send.otherwise):
            if place is not None and place in self._streams:
                self._streams[place].write(send.data)
                return
        if send.otherwise is None or self._closed:
            return
        waiting = self._opening.get(send.otherwise)
        if waiting is not None:
            waiting.append(send.data)
            return
        self._opening[send.otherwise] = [send.data]
        self._start(self._connect(send.otherwise, send.to, send.verify))

    def _send_datagram(self, send: Send) -> None:
        colon = ":" in send.to.host
        for mine, transport in self._datagrams:
            if (":" in mine.host) == colon and not transport.is_closing():
                transport.sendto(send.data, (send.to.host, send.to.port))
                return
        log.warning("no UDP socket to send to %s from", send.to.host)

    async def _connect(self, place: Address, asked: Address, verify: str | None) -> None:
        loop = asyncio.get_running_loop()
        context, name = None, None
        if place.transport == "tls":
            self._client_tls = self._client_tls or ssl.create_default_context()
            context, name = self._client_tls, verify or place.host
        try:
            _, stream = await asyncio.wait_for(
                loop.create_connection(
                    lambda: _Stream(self, place.transport),
                    place.host,
                    place.port,
                    ssl=context,
                    server_hostname=name,
                ),
                CONNECT,
            )
        except (OSError, TimeoutError, ssl.SSLError) as error:
            why = f"no connection to {_at(place)}: {_what(error)}"
            log.warning("%s", why)
            self._opening.pop(place, None)
            self._failed(asked, why)
            return
        for data in self._opening.pop(place, []):
            stream.write(data)

    async def _resolve(self, asked: Resolve) -> None:
        records = Records()
        with contextlib.suppress(OSError, TimeoutError):
            records = await asyncio.wait_for(self._look_up(asked), LOOK_UP)
        if self._ua is not None:
            self.do(self._ua.resolved(asked.trunk, records, time.monotonic()))

    def _failed(self, to: Address, why: str) -> None:
        if self._ua is not None and not self._closed:
            self.do(self._ua.failed(to, time.monotonic(), why))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wake(self) -> None:
        """Have the next tick come when it is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        when = self._ua.next if self._ua is not None and not self._closed else None
        if when is not None:
            delay = max(0.0, when - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._ua is not None:
            self.do(self._ua.tick(time.monotonic()))


def _at(place: Address) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"{host}:{place.port}"


def _what(error: OSError | TimeoutError) -> str:
    """Return what hindered a connection, for people."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted: {error.verify_message}"
        case TimeoutError():
            return f"it did not answer within {CONNECT:g} s"
        case OSError(errno=int(number)):
            return os.strerror(number)  # asyncio's own text tells the address once more
        case _:
            return str(error)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: Transports) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._owner.received(data, Address("udp", _plain(addr[0]), addr[1]))

    def error_received(self, exc: Exception) -> None:
        # An ICMP error names no transaction; its time-out decides.
        log.debug("UDP: %s", exc)


class _Stream(asyncio.Protocol):
    """One TCP or TLS connection, with a limit on silence and on what stays unsent."""

    peer: Address

    def __init__(self, owner: Transports, transport: str) -> None:
        self._owner, self._kind = owner, transport
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        host, port = transport.get_extra_info("peername")[:2]
        self.peer = Address(self._kind, ip_literal(_plain(host)) or host, port)
        if not self._owner.connected(self):
            self._transport.abort()
        self._wait(FIRST)

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._framer.feed(data)
        except SipParseError as error:
            log.info("closing the connection of %s: %s", self.peer.host, error)
            self.abort()
            return
        if frames:
            self._wait(IDLE)
        for frame in frames:
            self._owner.received(frame, self.peer)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            log.debug("connection to %s: %s", self.peer.host, exc)
        if self._idle is not None:
            self._idle.cancel()
        self._owner.lost(self)

    def write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNSENT:
            self.abort()
            return
        transport.write(data)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, silence: float) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(silence, self.abort)
