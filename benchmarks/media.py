"""What a telephone call's media costs: CPU per 20 ms and call, and memory, for 50 calls.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.media [calls] [seconds]

First the pure part alone (each call: one packet in, 20 ms out, 20 ms in, one packet out), for
each codec and several networks; then whole calls on loopback sockets: an echo on one thread, its
callers on another process, and the share of a core that the echo's process needed.
"""

import asyncio
import gc
import multiprocessing
import os
import random
import statistics
import sys
import time
import tracemalloc

# Before numpy is imported: a BLAS thread per core costs more than it gives here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from vivavoce.phone.media.endpoint import MediaEndpoint
from vivavoce.phone.media.rtp import RtpPacket
from vivavoce.phone.media.session import MediaConfig, MediaSession
from vivavoce.phone.media.srtp import Crypto

CALLS = 50
SECONDS = 4.0
PEER = ("192.0.2.9", 4000)
PORTS = range(44_000, 46_000)


def voice(rate: int, seconds: float) -> np.ndarray:
    """Noise in bursts, as loud and as often silent as speech."""
    noise = np.random.default_rng(1).standard_normal(round(rate * seconds)) * 3000
    bursts = np.sin(np.arange(len(noise)) * 2 * np.pi * 0.7 / rate) > -0.3
    return (noise * bursts).astype(np.int16)


def pure(
    name: str,
    kind: int,
    *,
    jitter: float = 0.0,
    drift: float = 0.0,
    secure: bool = False,
    inband: bool | None = False,
    loss: float = 0.0,
    calls: int = CALLS,
) -> None:
    """Echo `SECONDS` of audio through each of `calls` sessions, and show what that took."""
    chance = random.Random(1)
    ours, theirs = Crypto.make(), Crypto.make()
    keys = {"local_crypto": ours, "remote_crypto": theirs} if secure else {}
    other = {"local_crypto": theirs, "remote_crypto": ours} if secure else {}
    gc.collect()
    tracemalloc.start()
    sessions = [
        MediaSession(MediaConfig({kind: name}, remote=PEER, inband=inband, **keys))
        for _ in range(calls)
    ]
    memory = tracemalloc.get_traced_memory()[0] / calls
    tracemalloc.stop()
    # One peer's packets serve all calls: what is measured is our side alone.
    peer = MediaSession(MediaConfig({kind: name}, remote=PEER, **other))
    peer.push(voice(peer.rate, SECONDS + 1))
    schedule = []
    for index in range(round(SECONDS * 50)):
        sent = index * 0.02
        schedule += [
            (sent / (1 + drift) + chance.uniform(0, jitter), packet.data)
            for packet in peer.tick(sent)
            if chance.random() >= loss and not packet.rtcp
        ]
    schedule.sort(key=lambda entry: entry[0])
    at, taken = 0, []
    for tick in range(round(SECONDS * 50)):
        now = tick * 0.02
        due = []
        while at < len(schedule) and schedule[at][0] <= now:
            due.append(schedule[at])
            at += 1
        begin = time.perf_counter()
        for session in sessions:
            for arrived, data in due:
                session.receive(data, PEER, arrived)
            session.push(session.pull(now))
            session.tick(now)
        taken.append((time.perf_counter() - begin) / calls * 1e6)
    settled = taken[len(taken) // 4 :]
    heard = sessions[0].statistics().heard
    options = f"{name}{' SRTP' if secure else ''}{' tones' if inband else ''}"
    network = f"jitter {jitter * 1e3:.0f} ms, drift {drift:+.0%}, loss {loss:.0%}"
    median = statistics.median(settled)
    print(
        f"{options:<18} {network:<36} {median:>7.1f} {np.percentile(settled, 99):>7.1f} "
        f"{median * 50 * calls / 1e4:>7.1f} % {memory / 1024:>8.0f} kB "
        f"{heard.delay * 1e3:>6.0f} ms {heard.concealed / heard.pulled:>7.1%}"
    )


def callers(
    ports: list[int], seconds: float, pipe: "multiprocessing.connection.Connection"
) -> None:
    """Call each port, listen to the echo, and tell the largest gap between packets."""

    async def run() -> tuple[int, float]:
        endpoints = []
        last: dict[int, float] = {}
        worst, count = 0.0, 0

        class Gaps(asyncio.DatagramProtocol):
            def __init__(self, number: int) -> None:
                self.number = number

            def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
                nonlocal worst, count
                now = time.perf_counter()
                if self.number in last:
                    worst = max(worst, now - last[self.number])
                last[self.number] = now
                count += 1

        loop = asyncio.get_running_loop()
        for number, port in enumerate(ports):
            transport, _ = await loop.create_datagram_endpoint(
                lambda number=number: Gaps(number), remote_addr=("127.0.0.1", port)
            )
            endpoints.append(transport)
        begin = loop.time()
        payload = bytes(range(160))
        for tick in range(round(seconds * 50)):
            await asyncio.sleep(max(0.0, begin + tick * 0.02 - loop.time()))
            for number, transport in enumerate(endpoints):
                packet = RtpPacket(0, tick & 0xFFFF, tick * 160, number, payload)
                transport.sendto(packet.serialise())
        for transport in endpoints:
            transport.close()
        return count, worst

    pipe.send(asyncio.run(run()))


async def sockets(calls: int, seconds: float) -> None:
    """Echo real calls, all on this thread, and show the share of a core and the gaps."""
    endpoints = []
    for _ in range(calls):
        echo: list[MediaEndpoint] = []
        endpoint = await MediaEndpoint.open(
            ports=PORTS, heard=lambda pcm, echo=echo: echo[0].push(pcm)
        )
        echo.append(endpoint)
        endpoint.start(MediaSession(MediaConfig(remote=None, inband=False)))
        endpoints.append(endpoint)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=callers, args=([e.address[1] for e in endpoints], seconds, theirs)
    )
    process.start()
    while not any(e.statistics().heard.packets.received for e in endpoints):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    busy, begin = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds - 1.0)
    share = (time.process_time() - busy) / (time.perf_counter() - begin)
    while not ours.poll():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    count, worst = ours.recv()
    process.join(10)
    latest = max(e.statistics().sent.latest for e in endpoints)
    lost = sum(e.statistics().lost for e in endpoints)
    for endpoint in endpoints:
        await endpoint.close()
    print(
        f"\n{calls} echoes of PCMU on loopback, {seconds:.0f} s: {share:.1%} of a core, "
        f"{share / calls / 50 * 1e6:.0f} µs per 20 ms and call; {count} packets came back, "
        f"{lost} lost, latest {latest * 1e3:.1f} ms after its time, "
        f"largest gap at a caller {worst * 1e3:.1f} ms"
    )


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else CALLS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    print(
        f"{calls} calls, per 20 ms and call:\n{'codec':<18} {'network':<36} {'median':>7} "
        f"{'p99 µs':>7} {'of a core':>9} {'memory':>11} {'delay':>9} {'made up':>7}"
    )
    pure("PCMU", 0, calls=calls)
    pure("PCMA", 8, calls=calls)
    pure("PCMU", 0, calls=calls, secure=True)
    pure("PCMU", 0, calls=calls, inband=True)
    pure("PCMU", 0, calls=calls, jitter=0.06, loss=0.05)
    pure("PCMU", 0, calls=calls, jitter=0.06, loss=0.05, drift=0.01)
    pure("G722", 9, calls=calls)
    pure("opus", 111, calls=calls)
    asyncio.run(sockets(calls, seconds))


if __name__ == "__main__":
    main()
