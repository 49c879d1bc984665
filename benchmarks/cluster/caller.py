"""A caller with a script, over a websocket: who comes back when the connection breaks.

It sends sound all the time (20 ms of a quiet room) and counts what it gets; what it has to say it
types, each sentence once the last one was answered, so that each call goes the same way however
busy the machine is. When its connection breaks it comes back with its token, as the page does, and
takes up its script where the transcript says that it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

RATE = 8_000
BLOCK = 0.02
ROOM = bytes(2 * round(RATE * BLOCK))
BACK = 20.0
"""Seconds in which a caller must have come back."""
AGAIN = 0.4
"""Seconds between two attempts to."""
ANSWER = 240.0
"""Seconds that an answer may take before the call counts as stuck."""


@dataclass(frozen=True, slots=True)
class Return:
    """A caller came back.

    Attributes:
        seconds: From the end of the old connection to the new one's first word.
        attempts: How often it asked.
        worker: Who has the call now.
        lost: Sentences that it had said and the transcript does not have.
        known: Entries of the transcript that it came back to.
    """

    seconds: float
    attempts: int
    worker: str
    lost: int
    known: int


@dataclass
class Caller:
    """Says its sentences.

    Attributes:
        url: Of the front or server.
        number: Its own.
        script: What it says.
        call: The call's id.
        workers: Who had the call, one after the other.
        returns: Each time that it came back.
        transcript: Entries as the server told them last, by their id.
        sound: Bytes that it got.
        ended: Why it is over: "done", or what went wrong.
        at: How many sentences were answered.
    """

    url: str
    number: int
    script: list[str]
    call: str = ""
    workers: list[str] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    transcript: dict[str, dict[str, Any]] = field(default_factory=dict)
    sound: int = 0
    ended: str = ""
    at: int = 0
    _resume: str = ""
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Call, and talk to the end of the script."""
        broke: float | None = None
        attempts = 0
        while not self.ended:
            if broke is not None and time.monotonic() - broke > BACK:
                self.ended = f"not back within {BACK:g} s"
                return
            attempts += 1
            query = f"rate={RATE}" + (f"&resume={self._resume}" if self._resume else "")
            address = f"{self.url.replace('http', 'ws', 1)}/api/ws?{query}"
            try:
                async with asyncio.timeout(BACK):
                    socket = await http.ws_connect(address, compress=0)
            except aiohttp.WSServerHandshakeError as error:
                if error.status in {404, 410} or (broke is None and attempts > 40):
                    self.ended = f"refused with {error.status}"
                await asyncio.sleep(AGAIN)
                continue
            except (OSError, aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(AGAIN)
                continue
            try:
                await self._talk(socket, broke, attempts)
            finally:
                with contextlib.suppress(Exception):
                    await socket.close()
            if not self.ended:
                broke, attempts = time.monotonic(), 0

    def lines(self) -> list[str]:
        """Return what was said and heard, in order: what two runs are compared by.

        A reply of which nothing was heard did not begin.
        """
        entries = sorted(
            (
                each
                for each in self.transcript.values()
                if each["kind"] in {"caller", "agent"} and each.get("started") is not None
            ),
            key=lambda each: each["started"],
        )
        return [
            f"caller: {each['text']}" if each["kind"] == "caller" else f"agent: {_heard(each)}"
            for each in entries
        ]

    # Inside.

    async def _talk(
        self, socket: aiohttp.ClientWebSocketResponse, broke: float | None, attempts: int
    ) -> None:
        sending = asyncio.create_task(self._send_sound(socket))
        talking: asyncio.Task[None] | None = None
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self.sound += len(message.data)
                    continue
                if message.type is not aiohttp.WSMsgType.TEXT or not message.data.startswith("{"):
                    continue
                told = json.loads(message.data)
                data = told.get("data") or {}
                if told.get("type") != "server-message":
                    continue
                if data.get("event") == "call":
                    self.call, self._resume = data["call"], data["resume"]
                    self.workers.append(data["resume"].partition(".")[0])
                    await _say(socket, "client-ready", {"version": "1.2.0"})
                elif data.get("event") == "snapshot":
                    self._take_all(data["transcript"])
                    if broke is not None:
                        missing = self.at - len(self._said())
                        now = time.monotonic()
                        worker, known = self.workers[-1], len(data["transcript"])
                        self.returns.append(
                            Return(now - broke, attempts, worker, max(0, missing), known)
                        )
                        broke = None
                    if talking is None:
                        talking = asyncio.create_task(self._say_script(socket))
                elif data.get("event") == "call_ended":
                    self.ended = self.ended or f"ended: {data['reason']}"
                else:
                    self._take(data)
                    self._told.set()
        finally:
            sending.cancel()
            if talking is not None:
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
            await asyncio.gather(sending, return_exceptions=True)

    def _take_all(self, transcript: list[dict[str, Any]]) -> None:
        self.transcript = {each["id"]: each for each in transcript if "id" in each}
        self._told.set()

    def _take(self, data: dict[str, Any]) -> None:
        for name in ("utterance", "reply"):
            if isinstance(entry := data.get(name), dict) and "id" in entry:
                self.transcript[entry["id"]] = entry

    def _said(self) -> list[str]:
        return [each["text"] for each in self.transcript.values() if each["kind"] == "caller"]

    def _answered(self, text: str) -> bool:
        """Whether a reply that is over follows a sentence."""
        entries = list(self.transcript.values())
        began = [each["started"] for each in entries if each.get("text") == text]
        return bool(began) and any(
            each["kind"] == "agent"
            and each.get("closed")
            and each.get("heard")
            and each["started"] is not None
            and each["started"] >= began[-1]
            for each in entries
        )

    async def _say_script(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async with asyncio.timeout(ANSWER):  # the greeting is heard to its end
            while not any(
                each["kind"] == "agent" and each.get("closed") for each in self.transcript.values()
            ):
                self._told.clear()
                await self._told.wait()
        for number, text in enumerate(self.script):
            if text not in self._said():
                await _say(socket, "send-text", {"content": text})
            async with asyncio.timeout(ANSWER):
                while not self._answered(text):
                    self._told.clear()
                    await self._told.wait()
            self.at = number + 1
        self.ended = "done"
        await _say(socket, "disconnect-bot", {})
        await asyncio.sleep(0.2)
        await socket.close()

    async def _send_sound(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not socket.closed:
            await socket.send_bytes(ROOM)
            due += BLOCK
            await asyncio.sleep(max(0.0, due - loop.time()))


def _heard(entry: dict[str, Any]) -> str:
    return entry["heard"] + (" [cut]" if entry.get("interrupted") else "")


async def _say(socket: aiohttp.ClientWebSocketResponse, kind: str, data: dict[str, Any]) -> None:
    message = {"label": "rtvi-ai", "type": kind, "id": f"m{time.monotonic_ns()}", "data": data}
    await socket.send_str(json.dumps(message))
