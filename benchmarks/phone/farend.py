"""The far end of a call, on plain sockets: paced packets of μ-law out, arrivals stamped."""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType
from typing import Self

from benchmarks.phone.flood import SDP, message
from benchmarks.phone.talker import STEP, Talker
from vivavoce.pipelines.audio.convert import decode_mulaw, encode_mulaw

RATE = 8_000


class FarEnd:
    """One call to a port of this machine; a context manager that hangs up.

    Attributes:
        began: When the first sample was captured (`time.monotonic`).
        late: By how much a packet was sent too late, at most (s).
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tag = ""
        self._there = ("127.0.0.1", 0)
        self.began = self.late = 0.0

    def __enter__(self) -> Self:
        sip, port = self._sip, self._port
        sip.bind(("127.0.0.1", 0))
        self._rtp.bind(("127.0.0.1", 0))
        sip.settimeout(15)
        offer = SDP.format(port=self._rtp.getsockname()[1])
        self._call = f"far-{time.monotonic_ns()}"
        there = ("127.0.0.1", port)
        sip.sendto(
            message("INVITE", port, sip, f"i{self._call}", call=self._call, body=offer), there
        )
        while b" 200 OK" not in (answer := sip.recv(8192)).split(b"\r\n", 1)[0]:
            pass
        lines = answer.decode().split("\r\n")
        to = next(line for line in lines if line.startswith("To:"))
        media = next(line for line in lines if line.startswith("m=audio"))
        self._tag = to[to.index(";tag=") :]
        self._there = ("127.0.0.1", int(media.split()[1]))
        ack = message(
            "ACK", port, sip, f"a{self._call}", call=self._call, to=self._tag, cseq="1 ACK"
        )
        sip.sendto(ack, there)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        bye = message(
            "BYE", self._port, self._sip, f"b{self._call}", call=self._call, to=self._tag,
            cseq="2 BYE",
        )  # fmt: skip
        self._sip.sendto(bye, ("127.0.0.1", self._port))
        try:
            while b"2 BYE" not in self._sip.recv(8192):
                pass
        except TimeoutError:
            pass
        self._sip.close()
        self._rtp.close()

    def talk(self, talker: Talker) -> None:
        """Send what a talker says, and tell it what comes, until it has nothing more to say."""
        self.began = time.monotonic()
        number = 0
        while (samples := talker.block(number)) is not None:
            due = self.began + (number + 1) * STEP
            while (left := due - time.monotonic()) > 0:
                self._rtp.settimeout(left)
                try:
                    data = self._rtp.recv(2048)
                except TimeoutError:
                    break
                now = time.monotonic()
                if data[1] & 0x7F == 0:
                    talker.heard(now - self.began, decode_mulaw(data[12:]), RATE)
            late = time.monotonic() - due
            self.late = max(self.late, late)
            talker.was_late(late)
            head = struct.pack(">BBHII", 0x80, 0, number & 0xFFFF, number * 160, 4711)
            self._rtp.sendto(head + encode_mulaw(samples), self._there)
            number += 1
