"""An event loop that stands still for 200 ms each second: what the far end hears of a tone.

Beside it, what media on a thread of their own cost: 50 calls that are told a tone, either way.
"""

from __future__ import annotations

import socket
import sys
import time

import numpy as np

from benchmarks.phone import echo
from benchmarks.phone.flood import SDP, message
from vivavoce.pipelines.audio.convert import decode_mulaw

BLOCKED, EVERY = 0.2, 1.0
"""Seconds that the loop stands, and between that."""


def run(seconds: float = 15.0, calls: int = 50) -> dict[str, object]:
    """Hold a call through stalls of each kind, with and without a thread; then many calls."""
    found: dict[str, object] = {"blocked_ms": BLOCKED * 1000, "every_s": EVERY}
    for kind in ("none", "sleep", "busy"):
        for media in ("same", "thread"):
            found[f"{kind}_{media}"] = listen(media, kind, seconds)
    for media in ("same", "thread"):
        command = (sys.executable, "-m", "benchmarks.phone.staller", media, "none")
        many = echo.run(calls, seconds, command)
        found[f"{calls}_calls_{media}"] = {
            key: many[key] for key in ("calls_up", "all_went_well", "cpu_share_of_a_core")
        }
    return found


def listen(media: str, kind: str, seconds: float) -> dict[str, object]:
    """Hold one call; count what is silence in the tone, and the longest time without a packet."""
    command = (sys.executable, "-m", "benchmarks.phone.staller", media, kind)
    with echo.station(None, command) as (_, port):
        sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sip.bind(("127.0.0.1", 0))
            rtp.bind(("127.0.0.1", 0))
            sip.settimeout(10)
            rtp.settimeout(2)
            offer = SDP.format(port=rtp.getsockname()[1])
            sip.sendto(message("INVITE", port, sip, "one", body=offer), ("127.0.0.1", port))
            while b" 200 OK" not in (answer := sip.recv(8192)).split(b"\r\n", 1)[0]:
                pass
            to = next(x for x in answer.decode().split("\r\n") if x.startswith("To:"))
            tag = to[to.index(";tag=") :]
            ack = message("ACK", port, sip, "two", to=tag, cseq="1 ACK")
            sip.sendto(ack, ("127.0.0.1", port))
            times, silent, stamps = [], 0, []
            begun = False
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                packet = rtp.recv(2048)
                loud = int(np.abs(decode_mulaw(packet[12:]).astype(int)).max()) > 1000
                begun = begun or loud
                if begun:
                    times.append(time.monotonic())
                    stamps.append(int.from_bytes(packet[4:8], "big"))
                    silent += not loud
            bye = message("BYE", port, sip, "three", to=tag, cseq="2 BYE")
            sip.sendto(bye, ("127.0.0.1", port))
        finally:
            sip.close()
            rtp.close()
    missing = (stamps[-1] - stamps[0]) % 2**32 // 160 + 1 - len(stamps)
    return {
        "largest_gap_ms": round(float(np.diff(times).max()) * 1000, 1),
        "silent_ms_per_minute": round(silent * 20 / seconds * 60),
        "never_sent_ms_per_minute": round(missing * 20 / seconds * 60),
    }
