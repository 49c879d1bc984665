"""AudioSocket: calls that an Asterisk streams to us over TCP.

The dial plan has `AudioSocket(${UUID},127.0.0.1:9092)`, or dials
`AudioSocket/127.0.0.1:9092/${UUID}`.
Each message is a kind, a length (16 bits, big-endian) and a payload; see
https://docs.asterisk.org/Configuration/Channel-Drivers/AudioSocket/.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import uuid
from collections.abc import Sequence

import numpy as np

from vivavoce.phone.entrance import Answering, Door
from vivavoce.phone.exposure import PhoneError
from vivavoce.phone.pbx import PbxLine
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

END, ID, DTMF, ERROR = 0x00, 0x01, 0x03, 0xFF
AUDIO = {0x10: 8_000, 0x12: 16_000}
"""Kinds of audio that are taken, and their sample rates (Hz): what speech models hear."""

_HEADER = struct.Struct("!BH")
HELLO = 5.0
"""Seconds until a connection must have said which call it is."""
FIRST = 1.0
"""Seconds that its first audio, which tells the rate, is waited for; it is slin otherwise."""
CLOGGED = 1 << 17
"""Bytes that wait to be sent (4 s at 16 kHz): the PBX does not read any more."""
GOODBYE = 2.0
"""Seconds that a connection is given to close."""


class Framer:
    """Cuts a stream into messages. Pure."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes; return the messages that are whole by now, as (kind, payload)."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._buffer)
            if len(self._buffer) < _HEADER.size + length:
                break
            messages.append((kind, bytes(self._buffer[_HEADER.size : _HEADER.size + length])))
            del self._buffer[: _HEADER.size + length]
        return messages


def message(kind: int, payload: bytes = b"") -> bytes:
    """Make a message."""
    return _HEADER.pack(kind, len(payload)) + payload


class AudioSocketLine(PbxLine):
    """One call over AudioSocket."""

    def __init__(self, writer: asyncio.StreamWriter, *, trunk: str, kind: int) -> None:
        super().__init__(trunk=trunk, rate=AUDIO[kind])
        self._writer = writer
        self._kind = kind

    def _take_up(self) -> None:
        """Nothing to tell: the dial plan has answered."""

    def _send(self, pcm: Int16) -> None:
        if self._writer.transport.get_write_buffer_size() > CLOGGED:
            self.hang_up("the PBX does not read any more")
            return
        self._writer.write(message(self._kind, pcm.astype("<i2").tobytes()))

    def _send_end(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(message(END))
            self._writer.close()


class AudioSocket:
    """A way in: an Asterisk's AudioSocket.

    Who calls is not told by this protocol: `number` and `call_id` are the UUID of the dial plan.

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
        listen: str = "127.0.0.1:9092",
        *,
        allow: Sequence[str] = (),
        agent: str = "",
        name: str = "audiosocket",
        max_calls: int = 50,
    ) -> None:
        self.name, self.agent = name, agent
        self._door = Door(name, listen, allow, max_calls)
        self._answer: Answering | None = None
        self._server: asyncio.Server | None = None
        self._tasks = Tasks()
        self._lines: set[AudioSocketLine] = set()

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self._door.host

    @property
    def port(self) -> int:
        """Where it listens, once it is open."""
        if self._server is None:
            return self._door.port
        return int(self._server.sockets[0].getsockname()[1])

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
            self._server = await asyncio.start_server(
                self._connected, self._door.host, self._door.port
            )
        except OSError as error:
            where = f"{self._door.host}:{self._door.port}"
            raise PhoneError(
                f"{self.name}: cannot listen on {where}: {error.strerror or error}"
            ) from error

    async def close(self) -> None:
        """Hang up its calls and listen no more; idempotent."""
        if self._server is not None:
            self._server.close()
            for line in list(self._lines):
                line.hang_up("the telephone is closing")
            deadline = asyncio.get_running_loop().time() + GOODBYE * 2
            while len(self._tasks) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await self._tasks.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), GOODBYE)
            self._server = None

    # -- inside

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        if not self._door.admits(peer):
            log.warning("%s: %s was not let in", self.name, peer)
            writer.close()
            return
        if self._door.full():
            writer.write(message(END))  # the dial plan goes on, and has somebody else answer
            writer.close()
            return
        self._tasks.spawn(self._serve(reader, writer), f"{self.name} {peer}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with self._door.call():
                await self._carry(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(TimeoutError, OSError):
                await asyncio.wait_for(writer.wait_closed(), GOODBYE)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = Framer()
        try:
            async with asyncio.timeout(HELLO):
                known, messages = await _hello(framer, reader)
            kind, messages = await _first_audio(framer, reader, messages)
        except (TimeoutError, OSError, ValueError) as error:
            log.warning("%s: no call began: %s", self.name, str(error) or "nothing was said")
            return
        line = AudioSocketLine(writer, trunk=self.name, kind=kind)
        line.call_id = line.number = known
        self._lines.add(line)
        reading = asyncio.create_task(_read(line, framer, messages, reader), name="audiosocket")
        assert self._answer is not None
        try:
            await self._answer(line)
        finally:
            line.hang_up()
            self._lines.discard(line)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _hello(
    framer: Framer, reader: asyncio.StreamReader
) -> tuple[str, list[tuple[int, bytes]]]:
    """Wait for the call's UUID; return it, and what came behind it.

    Raises:
        ValueError: The other side does not speak AudioSocket.
    """
    while data := await reader.read(4096):
        messages = framer.feed(data)
        if messages:
            (kind, payload), *rest = messages
            if kind != ID or len(payload) != 16:
                raise ValueError(f"a message of kind 0x{kind:02x} came before the UUID")
            return str(uuid.UUID(bytes=payload)), rest
    raise ValueError("the connection was closed")


async def _first_audio(
    framer: Framer, reader: asyncio.StreamReader, messages: list[tuple[int, bytes]]
) -> tuple[int, list[tuple[int, bytes]]]:
    """Wait a little for audio; return its kind, and all that came.

    Raises:
        ValueError: Its rate is none that is taken.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FIRST):
            while not any(kind not in (DTMF, ID) for kind, _ in messages):
                data = await reader.read(4096)
                if not data:
                    break
                messages += framer.feed(data)
    for kind, _ in messages:
        if kind in AUDIO:
            return kind, messages
        if kind not in (DTMF, ID, END, ERROR):
            raise ValueError(f"audio of kind 0x{kind:02x} came: use slin or slin16")
    return min(AUDIO), messages


async def _read(
    line: AudioSocketLine,
    framer: Framer,
    messages: list[tuple[int, bytes]],
    reader: asyncio.StreamReader,
) -> None:
    """Give a line what comes, until its end."""
    try:
        while True:
            for kind, payload in messages:
                if AUDIO.get(kind) == line.rate:
                    line.came(np.frombuffer(payload[: len(payload) // 2 * 2], "<i2"))
                elif kind == DTMF:
                    line.pressed(payload.decode("ascii", "replace").upper())
                elif kind in (END, ERROR):
                    line.lost("the caller hung up" if kind == END else "the PBX told an error")
                    return
            data = await reader.read(4096)
            if not data:
                line.lost("the caller hung up")
                return
            messages = framer.feed(data)
    except OSError as error:
        line.lost(f"the connection broke: {error}")
