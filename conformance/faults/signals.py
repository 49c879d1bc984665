"""A network between two telephones that can be spoiled: SIP over UDP, and the media in its SDP."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Literal

from tests.ports import HERE
from tests.web.relay import Side

Place = tuple[str, int]
_NOBODY = (b"3", b"77", b"117")
"""Payload types that none of us has, by their length."""
Way = Literal["in", "out"]
"""Towards the one that it was aimed at, or away from it."""
_PORT = re.compile(rb"(?<=m=audio )\d+")


class Signals:
    """Stands between whoever sends to `port` and one address, for one call at a time.

    Each side takes it for the other: it puts its own ports in the place of theirs, in the headers
    and in the SDP. All ports have five digits, so that no length changes.

    Attributes:
        port: Where it listens for SIP.
        hears: Whether media pass towards the one that it was aimed at.
        loss: Share of those packets that is lost.
        spoil: Whether offers of that way lose the codecs that anybody has.
    """

    def __init__(self) -> None:
        self.port = 0
        self.hears, self.spoil, self.loss = True, False, 0.0
        self._losing: dict[tuple[Way, str], int] = {}
        self._chance = random.Random(7)
        self._to: Place = (HERE, 0)
        self._client: Place = (HERE, 0)
        self._front: asyncio.DatagramTransport
        self._back: asyncio.DatagramTransport
        # Media: the client's side and the other one, and where their packets go.
        self._near: asyncio.DatagramTransport
        self._far: asyncio.DatagramTransport
        self._targets: dict[Way, Place] = {"in": (HERE, 0), "out": (HERE, 0)}

    async def open(self) -> None:
        """Listen."""
        self._front = await self._socket(self._from_client)
        self._back = await self._socket(self._from_other)
        self._near = await self._socket(self._media_in)
        self._far = await self._socket(self._media_out)
        self.port = _port(self._front)

    def close(self) -> None:
        """Let go; idempotent."""
        for each in (self._front, self._back, self._near, self._far):
            each.close()

    def aim(self, to: Place) -> None:
        """Carry what comes to an address."""
        self._to = to

    @property
    def target(self) -> Place:
        """The address that it is aimed at."""
        return self._to

    def lose(self, way: Way, kind: str, times: int) -> None:
        """Lose the next messages of a kind.

        Args:
            way: Which way they go.
            kind: As "BYE" or "200 INVITE"; "" for any.
            times: How many.
        """
        self._losing[way, kind] = times

    def found(self) -> None:
        """Lose and spoil no more."""
        self._losing.clear()
        self.hears, self.spoil, self.loss = True, False, 0.0

    async def rebind(self) -> None:
        """Send media from another port from now on, as behind a router that forgot its binding."""
        old, self._far = self._far, await self._socket(self._media_out)
        # What is still sent to the old one gets through no more.
        old.close()

    # -- signalling

    def _from_client(self, data: bytes, source: Place) -> None:
        self._client = source
        if self._loses("in", data):
            return
        if self.spoil:
            data = re.sub(rb"(m=audio \d+ RTP/AVP)[ \d]+", _nobody, data)
            data = data.replace(b"a=rtpmap:", b"a=rtpnap:")
        ports = {_port(self._front): self._to[1], source[1]: _port(self._back)}
        self._back.sendto(self._told("out", data, ports, _port(self._far)), self._to)

    def _from_other(self, data: bytes, _source: Place) -> None:
        if self._loses("out", data):
            return
        ports = {_port(self._back): self._client[1], self._to[1]: self.port}
        self._front.sendto(self._told("in", data, ports, _port(self._near)), self._client)

    def _told(self, way: Way, data: bytes, ports: dict[int, int], media: int) -> bytes:
        """Return a message as the other side is to have it.

        Args:
            way: Which way the media go that it announces a place for.
            data: The message.
            ports: Whose port takes whose place in the headers.
            media: The port that stands for the one in the SDP.
        """
        head, blank, body = data.partition(b"\r\n\r\n")
        found = re.compile(rb"(?<=127\.0\.0\.1:)\d+")
        head = found.sub(lambda port: b"%d" % ports.get(int(port[0]), int(port[0])), head)
        if (port := _PORT.search(body)) is not None and int(port[0]):
            self._targets[way] = (HERE, int(port[0]))
            body = _PORT.sub(b"%d" % media, body)
        return head + blank + body

    def _loses(self, way: Way, data: bytes) -> bool:
        kind = _kind(data)
        for key in ((way, kind), (way, "")):
            if self._losing.get(key, 0) > 0:
                self._losing[key] -= 1
                return True
        return False

    # -- media

    def _media_in(self, data: bytes, _source: Place) -> None:
        if self.hears and self._chance.random() >= self.loss and self._targets["in"][1]:
            self._far.sendto(data, self._targets["in"])

    def _media_out(self, data: bytes, _source: Place) -> None:
        if self._targets["out"][1]:
            self._near.sendto(data, self._targets["out"])

    async def _socket(self, take: object) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Side(take),  # type: ignore[arg-type]
            local_addr=(HERE, 0),
        )
        return transport


def _port(transport: asyncio.DatagramTransport) -> int:
    return int(transport.get_extra_info("sockname")[1])


def _nobody(found: re.Match[bytes]) -> bytes:
    """Return a media line of the same length whose formats nobody has."""
    formats = found[0][len(found[1]) :]
    return found[1] + re.sub(rb"\d+", lambda each: _NOBODY[len(each[0]) - 1], formats)


def _kind(data: bytes) -> str:
    """Return what a message is: a request's method, or a status and the method it answers."""
    first, _, rest = data.partition(b"\r\n")
    if not first.startswith(b"SIP/2.0 "):
        return first.split(b" ", 1)[0].decode(errors="replace")
    method = re.search(rb"^CSeq: *\d+ +(\w+)", rest, re.MULTILINE | re.IGNORECASE)
    return f"{first[8:11].decode()} {method[1].decode() if method else ''}".strip()
