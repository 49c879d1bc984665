"""chan_websocket: calls that an Asterisk (from 20.18, 22.8, 23.2 on) streams to us by websocket.

The dial plan dials
`WebSocket/vivavoce/c(slin16)nf(json)v(caller=${CALLERID(num)},number=${EXTEN})`, and
`websocket_client.conf` says where `vivavoce` is. Samples come and go as binary messages,
everything else as JSON; see https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from vivavoce.phone.entrance import Answering, Door
from vivavoce.phone.exposure import PhoneError
from vivavoce.phone.pbx import PbxLine
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

FORMATS = {"slin": 8_000, "slin16": 16_000}
"""What may be spoken, and its sample rate (Hz): what speech models hear."""
HELLO = 5.0
"""Seconds until MEDIA_START must have come."""
LARGEST = 65_500
"""Bytes of a message: Asterisk's own limit."""
WAITING = 50
"""Messages that wait to be sent (1 s); audio is dropped beyond."""
GOODBYE = 2.0
"""Seconds that a connection is given to close."""


def read_event(text: str) -> dict[str, Any]:
    """Read an event of Asterisk's.

    Raises:
        ValueError: It is none.
    """
    try:
        event = json.loads(text)
    except ValueError:
        if text.startswith("MEDIA_START"):
            raise ValueError("it speaks plain text: dial with f(json)") from None
        raise ValueError(f"{text[:60]!r} is no event") from None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise ValueError(f"{text[:60]!r} is no event")  # noqa: TRY004 - of the wire, not of ours
    return event


class ChanWebSocketLine(PbxLine):
    """One call over chan_websocket."""

    def __init__(self, *, trunk: str, rate: int) -> None:
        super().__init__(trunk=trunk, rate=rate)
        self._queue: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._stopped = False  # Asterisk's queue is full

    def event(self, event: Mapping[str, Any]) -> None:
        """Take an event of Asterisk's."""
        self.alive()
        match event["event"]:
            case "DTMF_END":
                self.pressed(str(event.get("digit", "")).upper())
            case "MEDIA_XOFF":
                self._stopped = True
            case "MEDIA_XON":
                self._stopped = False
            case "ERROR":
                log.warning("%r: Asterisk says: %s", self, str(event)[:300])
            case _:
                pass

    async def outgoing(self) -> str | bytes | None:
        """Wait for the next message to send; None: there are no more."""
        return await self._queue.get()

    def _take_up(self) -> None:
        self._queue.put_nowait(json.dumps({"command": "ANSWER"}))

    def _send(self, pcm: Int16) -> None:
        if not self._stopped and self._queue.qsize() < WAITING:
            self._queue.put_nowait(pcm.astype("<i2").tobytes())

    def _send_end(self) -> None:
        self._queue.put_nowait(json.dumps({"command": "HANGUP"}))
        self._queue.put_nowait(None)


class ChanWebSocket:
    """A way in: an Asterisk's websocket channel.

    The parameters `caller`, `name` and `number` of the URI (the dial string's `v(…)`) tell who
    calls and what was called.

    Args:
        listen: `ADDRESS:PORT`; port 0 takes a free one.
        allow: Networks (CIDR) that may come in; none: this machine alone.
        agent: Who answers; "" for the first agent.
        name: What its calls have as `trunk`.
        max_calls: Most calls at once.

    Raises:
        PhoneError: It would let anybody in.
    """

    def __init__(
        self,
        listen: str = "127.0.0.1:9093",
        *,
        allow: Sequence[str] = (),
        agent: str = "",
        name: str = "chan_websocket",
        max_calls: int = 50,
    ) -> None:
        self.name, self.agent = name, agent
        self._door = Door(name, listen, allow, max_calls)
        self._answer: Answering | None = None
        self._server: Server | None = None
        self._lines: set[ChanWebSocketLine] = set()
        self._tasks = Tasks()

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self._door.host

    @property
    def port(self) -> int:
        """Where it listens, once it is open."""
        if self._server is None:
            return self._door.port
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def open(self, answer: Answering, gate: Gate | None = None) -> None:
        """Listen, and give each call to `answer` that there is room for.

        Args:
            answer: Takes the calls.
            gate: Measures whether one more fits; None: `max_calls` alone bounds them.

        Raises:
            PhoneError: The address cannot be bound.
        """
        self._answer, self._door.gate = answer, gate
        try:
            self._server = await serve(
                self._connected,
                self._door.host,
                self._door.port,
                process_request=self._admit,
                subprotocols=[Subprotocol("media")],
                select_subprotocol=_subprotocol,
                max_size=LARGEST,
                compression=None,
                open_timeout=HELLO,
                close_timeout=GOODBYE,
            )
        except OSError as error:
            where = f"{self._door.host}:{self._door.port}"
            raise PhoneError(
                f"{self.name}: cannot listen on {where}: {error.strerror or error}"
            ) from error

    async def close(self) -> None:
        """Hang up its calls and listen no more; idempotent."""
        if self._server is not None:
            server, self._server = self._server, None
            for line in list(self._lines):
                line.hang_up("the telephone is closing")
            server.close(close_connections=False)
            deadline = asyncio.get_running_loop().time() + GOODBYE * 2
            while self._lines and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            server.close()
            await self._tasks.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), GOODBYE * 2)

    # -- inside

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        peer = str((connection.remote_address or ("",))[0])
        if not self._door.admits(peer):
            log.warning("%s: %s was not let in", self.name, peer)
            return connection.respond(HTTPStatus.FORBIDDEN, "not from there\n")
        if "Origin" in request.headers:
            # A page in this machine's browser must not reach a port on loopback.
            return connection.respond(HTTPStatus.FORBIDDEN, "no browsers\n")
        if self._door.full():
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "no line is free\n")
        return None

    async def _connected(self, connection: ServerConnection) -> None:
        with self._door.call():
            await self._carry(connection)

    async def _carry(self, connection: ServerConnection) -> None:
        try:
            async with asyncio.timeout(HELLO):
                line = await self._hello(connection)
        except (TimeoutError, ValueError, ConnectionClosed) as error:
            why = str(error) or "MEDIA_START never came"
            log.warning("%s: no call began: %s", self.name, why)
            await connection.close(1002, why[:100])
            return
        self._lines.add(line)
        moving = [
            self._tasks.spawn(_read(line, connection), "chan_websocket"),
            self._tasks.spawn(_write(line, connection), "chan_websocket"),
        ]
        assert self._answer is not None
        try:
            await self._answer(line)
        finally:
            line.hang_up()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await asyncio.wait({moving[1]})
            for task in moving:
                task.cancel()
            await asyncio.gather(*moving, return_exceptions=True)
            self._lines.discard(line)
            await connection.close()

    async def _hello(self, connection: ServerConnection) -> ChanWebSocketLine:
        """Wait for MEDIA_START; return the line.

        Raises:
            ValueError: Something else came, or a format that is not taken.
        """
        text = await connection.recv()
        if not isinstance(text, str):
            raise ValueError("audio came before MEDIA_START")  # noqa: TRY004 - of the wire
        event = read_event(text)
        if event["event"] != "MEDIA_START":
            raise ValueError(f"{event['event']} came before MEDIA_START")
        format_ = str(event.get("format", ""))
        if format_ not in FORMATS:
            raise ValueError(f"the format is {format_!r}: dial with c(slin16) or c(slin)")
        line = ChanWebSocketLine(trunk=self.name, rate=FORMATS[format_])
        line.call_id = str(event.get("channel_id") or event.get("connection_id") or "")
        request = connection.request
        given = parse_qs(urlsplit(request.path).query) if request is not None else {}
        line.caller = given.get("caller", [""])[0]
        line.display = given.get("name", [""])[0]
        line.number = given.get("number", [""])[0]
        return line


def _subprotocol(
    _connection: ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """Take Asterisk's subprotocol where it is offered; it need not be."""
    return Subprotocol("media") if "media" in offered else None


async def _read(line: ChanWebSocketLine, connection: ServerConnection) -> None:
    """Give a line what comes, until its end."""
    try:
        async for message in connection:
            if isinstance(message, str):
                with contextlib.suppress(ValueError):
                    line.event(read_event(message))
            else:
                line.came(np.frombuffer(message[: len(message) // 2 * 2], "<i2"))
    except ConnectionClosed as error:
        log.debug("%r: %s", line, error)
    line.lost("the caller hung up")


async def _write(line: ChanWebSocketLine, connection: ServerConnection) -> None:
    """Send what a line has to say, until its end."""
    with contextlib.suppress(ConnectionClosed):
        while (message := await line.outgoing()) is not None:
            await connection.send(message)
