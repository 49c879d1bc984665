"""A flood of INVITEs from a stranger during a call: what the call suffers."""

from __future__ import annotations

import socket
import threading
import time

from benchmarks.phone.echo import station

CALL = """{method} sip:echo@127.0.0.1:{port} SIP/2.0\r
Via: SIP/2.0/UDP {host}:{own};branch=z9hG4bK{branch}\r
From: <sip:flood@{host}>;tag={call}\r
To: <sip:echo@127.0.0.1:{port}>{to}\r
Call-ID: {call}\r
CSeq: {cseq}\r
Contact: <sip:flood@{host}:{own}>\r
Max-Forwards: 70\r
{kind}Content-Length: {length}\r
\r
{body}"""
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\n"
)


def message(
    method: str,
    port: int,
    sock: socket.socket,
    branch: str,
    *,
    call: str = "c",
    to: str = "",
    cseq: str = "",
    body: str = "",
) -> bytes:
    host, own = sock.getsockname()
    return CALL.format(
        method=method,
        port=port,
        host=host,
        own=own,
        branch=branch,
        call=call,
        to=to,
        cseq=cseq or f"1 {method}",
        kind="Content-Type: application/sdp\r\n" if body else "",
        length=len(body),
        body=body,
    ).encode()


def flood(port: int, rate: int, seconds: float, replies: list[bytes]) -> int:
    """Send INVITEs from an address that no trunk knows; return how many."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.9", 0))
    sock.setblocking(False)
    began, sent = time.monotonic(), 0
    while (at := time.monotonic() - began) < seconds:
        while sent < at * rate:
            data = message(
                "INVITE", port, sock, f"f{sent}", call=f"f{sent}", body=SDP.format(port=4000)
            )
            sock.sendto(data, ("127.0.0.1", port))
            sent += 1
        try:
            replies.append(sock.recv(4096))
        except BlockingIOError:
            time.sleep(0.002)
    sock.close()
    return sent


def gaps(sock: socket.socket, until: float) -> list[float]:
    """Return the times between packets of RTP."""
    sock.settimeout(0.5)
    found, last = [], 0.0
    while time.monotonic() < until:
        try:
            sock.recv(2048)
        except TimeoutError:
            continue
        now = time.monotonic()
        if last:
            found.append(now - last)
        last = now
    return found


def run(rate: int = 500, seconds: float = 10.0) -> dict[str, object]:
    """Hold a call, first in peace, then in a flood."""
    with station() as (process, port):
        sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sip.bind(("127.0.0.1", 0))
            rtp.bind(("127.0.0.1", 0))
            sip.settimeout(5)
            offer = SDP.format(port=rtp.getsockname()[1])
            sip.sendto(message("INVITE", port, sip, "one", body=offer), ("127.0.0.1", port))
            while b" 200 OK" not in (answer := sip.recv(8192)).split(b"\r\n", 1)[0]:
                pass
            to = next(x for x in answer.decode().split("\r\n") if x.startswith("To:"))
            tag = to[to.index(";tag=") :]
            ack = message("ACK", port, sip, "two", to=tag, cseq="1 ACK")
            sip.sendto(ack, ("127.0.0.1", port))
            peace = gaps(rtp, time.monotonic() + seconds)
            replies: list[bytes] = []
            sent: list[int] = []
            thread = threading.Thread(
                target=lambda: sent.append(flood(port, rate, seconds, replies))
            )
            start = process.cpu_times()
            thread.start()
            storm = gaps(rtp, time.monotonic() + seconds)
            thread.join()
            used = process.cpu_times()
            bye = message("BYE", port, sip, "three", to=tag, cseq="2 BYE")
            sip.sendto(bye, ("127.0.0.1", port))
            while b"2 BYE" not in (answer := sip.recv(8192)):
                pass
        finally:
            sip.close()
            rtp.close()
        cpu = used.user + used.system - start.user - start.system
        return {
            "invites_per_second": rate,
            "sent": sent[0],
            "answered": len(replies),
            "cpu_share_of_a_core": round(cpu / seconds, 3),
            "largest_gap_ms": round(max(storm) * 1000, 1),
            "largest_gap_in_peace_ms": round(max(peace) * 1000, 1),
            "packets": len(storm),
            "bye_answered": answer.startswith(b"SIP/2.0 200"),
        }
