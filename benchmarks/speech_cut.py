"""What a barge-in costs on the speech socket, which has no message to cancel a generation with.

Three ways to go on after a clause was cut: read the cut one to its end and use the connection
again (drain), close it and open another (reopen), or close it and take one that is open already
(spare). Measured: from the cut to the next clause's first sample, over a proxy that has a
network's delay, TCP's and TLS's handshakes included; and what speech the server makes in vain.

`python -m benchmarks.speech_cut` prints the table; docs/voices.md keeps one.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from vivavoce.pipelines.models.speech_session import SpeechSession
from vivavoce.sandbox.launch import Sandbox

MODEL = "voxtral-mini-tts-realtime-3-0"
SETTINGS = {"voice": "voice_478", "response_format": "pcm", "streaming_mode": "responsive"}
HANDSHAKES = 2  # round trips of TCP and TLS 1.3
CHAR = 0.06  # seconds of speech that a character makes
TRIALS = 5
WAYS = ("drain", "reopen", "spare")

Line = tuple[ClientConnection, SpeechSession]


@asynccontextmanager
async def network(host: str, port: int, rtt: float) -> AsyncGenerator[int]:
    """Give a port behind which the server is, `rtt` seconds away."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                when, data = await due.get()
                await asyncio.sleep(max(0.0, when - loop.time()))
                writer.write(data)

        delivering = asyncio.create_task(deliver())
        try:
            while data := await reader.read(65_536):
                due.put_nowait((loop.time() + rtt / 2, data))
            await asyncio.sleep(rtt / 2)
        except ConnectionError:
            pass
        finally:
            delivering.cancel()
            writer.close()

    carrying: set[asyncio.Task[None] | None] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying.add(asyncio.current_task())
        await asyncio.sleep(HANDSHAKES * rtt)
        there = await asyncio.open_connection(host, port)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if left := [task for task in carrying if task is not None and not task.done()]:
            await asyncio.wait(left, timeout=5)


async def opened(port: int, key: str) -> Line:
    """Return an open session."""
    socket = await connect(
        f"ws://127.0.0.1:{port}/v1/audio/speech/realtime?model={MODEL}",
        additional_headers={"Authorization": f"Bearer {key}"},
        compression=None,
        max_size=32 << 20,
    )
    session = SpeechSession()
    while not session.open:
        session.receive(await socket.recv())
    return socket, session


async def first(line: Line, text: str) -> None:
    """Have a text spoken, up to its first sample."""
    socket, session = line
    for message in session.say(text, SETTINGS):
        await socket.send(message)
    while not session.spoken:
        session.receive(await socket.recv())


async def trial(way: str, port: int, key: str, seconds: float) -> float:
    """Cut a clause of so many seconds at its first sample; return the wait for the next (s)."""
    line = await opened(port, key)
    spare = await opened(port, key) if way == "spare" else None
    await first(line, "w" * round(seconds / CHAR))
    begun = time.monotonic()
    socket, session = line
    if way == "drain":
        while session.speaking:
            session.receive(await socket.recv())
        following = line
    else:
        closing = asyncio.create_task(socket.close())
        following = spare or await opened(port, key)
    await first(following, "Yes?")
    waited = time.monotonic() - begun
    await following[0].close()
    if way != "drain":
        await closing
    return waited


async def main() -> None:
    """Measure and print."""
    print("| network | server's pace | cut off | " + " | ".join(WAYS) + " | made in vain |")
    print("|---|---|---|---|---|---|---|")
    with Sandbox() as sandbox:
        where = urlsplit(sandbox.url)
        assert where.hostname
        assert where.port
        for rtt in (0.02, 0.1):
            async with network(where.hostname, where.port, rtt) as port:
                for pace in (0.1, 0.3):
                    for seconds in (2.0, 8.0):
                        cells, vain = [], []
                        for way in WAYS:
                            key = sandbox.make_key(
                                script={"speak": "tone"},
                                latency={
                                    "speak_realtime_factor": pace,
                                    "speak_first_audio_ms": 90,
                                },
                            )
                            waits = [await trial(way, port, key, seconds) for _ in range(TRIALS)]
                            cells.append(f"{statistics.median(waits) * 1000:.0f} ms")
                            spoken = sandbox.report(key)["spoken_s"] / TRIALS
                            vain.append(max(0.0, spoken - 4 * CHAR))
                        print(
                            f"| {rtt * 1000:.0f} ms | {pace:g} s a second | {seconds:g} s | "
                            + " | ".join(cells)
                            + " | "
                            + ", ".join(f"{each:.1f} s" for each in vain)
                            + " |"
                        )


if __name__ == "__main__":
    asyncio.run(main())
