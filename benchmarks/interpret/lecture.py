"""A lecture with many listeners: `python -m benchmarks.interpret.lecture`.

One speaker and fifty listeners in two languages, over WebRTC to a call server in a process of its
own, with the sandbox's models in another. Counted is what the models were asked (by the sandbox's
own report), and measured is the CPU of the server's process: with the speaker alone, with one
listener of each language, with all of them; once with what they hear encoded for all of a
language, and once for each of them.

The listeners are aiortc's; but for one of each language they do not decode what they get, lest
they leave the server no CPU on a small machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
from loguru import logger

from benchmarks.latency.machine import describe
from tests.speech import speak
from tests.web.calls import Browser
from vivavoce.agent import Interpreter
from vivavoce.pipelines.interpret.rooms import Rooms
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.desk import Desk
from vivavoce.web.exposure import Exposure
from vivavoce.web.interpreting import encoder
from vivavoce.web.limits import Limits
from vivavoce.web.server import CallServer

RESULTS = Path(__file__).parents[1] / "results" / "interpret-lecture.json"
TALK = Path(__file__).with_name("talk.txt")
LANGUAGES = ("fr", "es")
MODELS = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "mistral-small-latest",
    "speak": "voxtral-mini-tts-2603",
}
PAUSE = 0.6
"""Seconds between two sentences."""


def lines() -> list[str]:
    """Return what is said, a sentence or two at a time."""
    found = TALK.read_text(encoding="utf-8").splitlines()
    return [line.strip("~ ") for line in found if line.strip() and not line.startswith("#")]


# The server.


async def serve(url: str, key: str, *, shared: bool) -> None:
    """Serve a lecture's interpreter until the standard input ends; print where."""
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # a machine that is busy elsewhere measures itself
    where = {stage: Endpoint(url, key, model) for stage, model in MODELS.items()}
    interpreter = Interpreter("en", list(LANGUAGES), name="booth", original="ducked")
    limits = Limits(calls=600, per_address=600, starts=6_000, requests=1_000.0)
    async with Models.connect(**where, timeouts=Timeouts(10, 10, 10, 10)) as models:
        rooms = Rooms(models, encoder=encoder if shared else None)
        desk = Desk([interpreter], models, limits=limits, rooms=rooms)
        async with CallServer(desk, Exposure(port=0)) as server:
            print(server.url, flush=True)
            await asyncio.to_thread(sys.stdin.read)


class Server:
    """The server's process."""

    def __init__(self, sandbox: Sandbox, key: str, *, shared: bool) -> None:
        command = [sys.executable, "-m", "benchmarks.interpret.lecture", "--serve"]
        command += [sandbox.url, key, "shared" if shared else "own"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().strip()
        self._seen = psutil.Process(self._process.pid)

    def cpu(self) -> float:
        """Return the seconds of CPU that it has taken."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


# The listeners.


class Listener(Browser):
    """Somebody who listens, and sends no sound.

    Args:
        url: The server's.
        decodes: Decode what comes; else it is only counted.
    """

    def __init__(self, url: str, *, decodes: bool) -> None:
        super().__init__(url)
        for each in self.pc.getTransceivers():
            each.direction = "recvonly"
        receiver = self.pc.getReceivers()[0]
        handle = receiver._handle_rtp_packet  # noqa: SLF001 (aiortc has no other way)
        self.packets = 0
        self.first = self.last = -1

        async def count(packet: Any, *given: Any, **more: Any) -> None:
            self.packets += 1
            number = packet.sequence_number
            if self.first < 0:
                self.first = self.last = number
            # RTP's number, counted on behind 65,535.
            self.last += (number - self.last + 0x8000) % 0x10000 - 0x8000
            if decodes:
                await handle(packet, *given, **more)

        receiver._handle_rtp_packet = count  # noqa: SLF001 (likewise)

    @property
    def sent(self) -> int:
        """How many packets were sent to it, by their numbers, whether they came or not."""
        return self.last - self.first + 1 if self.packets else 0


@contextlib.asynccontextmanager
async def crowd(url: str, room: str, count: int) -> AsyncGenerator[list[Listener]]:
    """Have so many listeners join, of all languages in turn; the first ones decode."""
    there: list[Listener] = []
    try:
        for number in range(count):
            language = LANGUAGES[number % len(LANGUAGES)]
            listener = Listener(url, decodes=number < len(LANGUAGES))
            there.append(listener)
            await listener.call(request_data={"lecture": room, "hears": language})
            assert listener.status == 200, listener.answer
            await listener.until(lambda one=listener: one.events("room"), 60.0)
        yield there
    finally:
        for listener in there:
            await listener.close()


async def talk(speaker: Browser) -> None:
    """Say the talk, again and again."""
    while True:
        for text in lines():
            pcm = await asyncio.to_thread(speak, text, 48_000)
            speaker.mic.say(np.concatenate([pcm, np.zeros(round(PAUSE * 48_000), np.int16)]))
            while not speaker.mic.said:  # noqa: ASYNC110 (a microphone tells nobody)
                await asyncio.sleep(0.1)


async def window(server: Server, seconds: float) -> float:
    """Return the server's CPU within so many seconds, as a share of one core."""
    before, at = server.cpu(), time.monotonic()
    await asyncio.sleep(seconds)
    return (server.cpu() - before) / (time.monotonic() - at)


async def lecture(sandbox: Sandbox, listeners: int, seconds: float, *, shared: bool) -> Any:
    """Hold a lecture; return what was counted and measured."""
    key = sandbox.make_key()
    server = Server(sandbox, key, shared=shared)
    found: dict[str, Any] = {"encoded": "for all of a language" if shared else "for each"}
    try:
        async with aiohttp.ClientSession() as http, Browser(server.url) as speaker:
            async with http.post(f"{server.url}/api/rooms", json={"kind": "lecture"}) as answer:
                room = await answer.json()
            asked = {"lecture": room["room"], "speaks": "en", "name": "Laura"}
            await speaker.call(request_data=asked)
            talking = asyncio.create_task(talk(speaker))
            try:
                await asyncio.sleep(5.0)
                found["cpu_speaker_alone"] = await window(server, seconds / 2)
                async with crowd(server.url, room["room"], len(LANGUAGES)):
                    await asyncio.sleep(3.0)
                    found["cpu_one_of_each"] = await window(server, seconds)
                await asyncio.sleep(3.0)
                before = sandbox.report(key)
                async with crowd(server.url, room["room"], listeners) as there:
                    await asyncio.sleep(3.0)
                    before_all = [(each.packets, each.sent) for each in there]
                    at = time.monotonic()
                    own, steal = psutil.Process().cpu_times(), psutil.cpu_times()
                    found["cpu_all"] = await window(server, seconds)
                    now = psutil.Process().cpu_times()
                    spent = now.user + now.system - own.user - own.system
                    found["cpu_of_the_listeners"] = spent / (time.monotonic() - at)
                    idle = psutil.cpu_times().idle - steal.idle
                    found["cpu_idle_of_the_machine"] = idle / (time.monotonic() - at)
                    passed = time.monotonic() - at
                    came, sent = (
                        [
                            ((each.packets, each.sent)[kind] - was[kind]) / passed
                            for each, was in zip(there, before_all, strict=True)
                        ]
                        for kind in (0, 1)
                    )
                    segments = {
                        row["segment"]["target"]: 0 for row in there[0].events("segment")[:1]
                    } | {"fr": 0, "es": 0}
                    for one in there[: len(LANGUAGES)]:
                        seen = {
                            (e["segment"]["target"], e["segment"]["number"])
                            for e in one.events("segment")
                        }
                        for target, _ in seen:
                            segments[target] += 1
                    loud = [float(np.abs(one.sound).max()) for one in there[: len(LANGUAGES)]]
                after = sandbox.report(key)
            finally:
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
            url = f"{server.url}/api/rooms/{room['room']}/record?key={room['key']}"
            async with http.get(url) as answer:
                record = await answer.json()
        more = listeners - len(LANGUAGES)
        found["cpu_per_listener"] = (found["cpu_all"] - found["cpu_one_of_each"]) / more
        found["packets_sent_per_s"] = {"least": min(sent), "most": max(sent)}
        found["packets_that_came_per_s"] = {"least": min(came), "most": max(came)}
        found["loudest_heard"] = loud
        found["segments_seen"] = segments
        found["transcriptions"] = after["connections"] - after["speech_connections"]
        found["asked_meanwhile"] = {
            stage: after["turns"][stage] - before["turns"][stage] for stage in ("think", "speak")
        }
        found["why"] = sorted({row["why"] for row in record["transcript"] if row.get("why")})
        rows = [row for row in record["transcript"] if row["kind"] == "segment"]
        found["segments"] = {
            target: sum(row["target"] == target for row in rows) for target in LANGUAGES
        }
        found["asked"] = {stage: after["turns"][stage] for stage in ("think", "speak")}
        found["states"] = {
            state: sum(row["state"] == state for row in rows)
            for state in sorted({row["state"] for row in rows})
        }
        return found
    finally:
        server.close()
        sandbox.drop_key(key)


async def measure(listeners: int, seconds: float, ways: tuple[bool, ...]) -> Any:
    """Measure all."""
    with Sandbox() as sandbox:
        runs = [await lecture(sandbox, listeners, seconds, shared=shared) for shared in ways]
    return {"listeners": listeners, "seconds": seconds, "machine": describe(), "runs": runs}


def main() -> None:
    """Run it, print it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--serve", nargs=3, metavar=("URL", "KEY", "HOW"))
    parser.add_argument("--shared-only", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    logger.remove()
    if given.serve:
        url, key, how = given.serve
        asyncio.run(serve(url, key, shared=how == "shared"))
        return
    ways = (True,) if given.shared_only else (True, False)
    with contextlib.suppress(PermissionError):
        os.nice(-5)
    found = asyncio.run(measure(given.listeners, given.seconds, ways))
    print(json.dumps(found, indent=1))
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
