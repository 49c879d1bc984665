"""A caller: says three sentences, listens for the answers, and says one again that went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import numpy as np

from conformance.faults.ears import NOTES, RATE, Ears, Heard, longest_silence
from conformance.faults.script import (
    ANSWERS,
    APOLOGIES,
    FALLBACK,
    GREETING,
    KNOWN,
    QUESTIONS,
)
from tests.speech import speak
from vivavoce.pipelines.audio.convert import Int16

BLOCK = 0.02
"""Seconds that are sent at a time."""
PATIENCE = 22.0
"""Seconds that a caller waits for an answer before the question is put once more."""
QUIET = 0.7
"""Seconds of silence after which what the agent said is over."""
TRIES = 4
"""How often a question is put."""
COMING_BACK = 120
"""How often a caller whose line was lost tries to come back, every half second."""
Hook = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class Said:
    """One thing that the caller said.

    Attributes:
        text: What.
        turn: Which of the three.
        started: When it began to be said (s).
        ended: When all of it was said; None where the line went first.
        answered: Its own answer was heard.
        sorry: An apology was heard instead, or before.
        waited: From its end to the first sound of the answer (s).
        length: How long it is (s).
    """

    text: str
    turn: int
    started: float
    ended: float | None = None
    answered: bool = False
    sorry: bool = False
    waited: float | None = None
    length: float = 0.0


@dataclass(slots=True)
class Story:
    """What a call was for its caller.

    Attributes:
        greeted: The greeting was heard.
        said: What the caller said, in order.
        heard: What they heard.
        silence: The longest time in which nobody was heard, from the greeting on (s).
        dropped: The line was lost or closed before the caller hung up.
        code: With which code, where it had one.
        back: How often the caller came back after the line was lost.
        away: For how long they could not, the longest time (s).
        marks: When what was done to the call, by name (s).
        told: The events that the client was told of.
        turns: How many questions there were to ask.
    """

    greeted: bool = False
    said: list[Said] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    silence: float = 0.0
    dropped: bool = False
    code: int | None = None
    back: int = 0
    away: float = 0.0
    marks: dict[str, float] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    turns: int = len(QUESTIONS)

    @property
    def slowness(self) -> float:
        """How many times as long as it is something took to say, at worst."""
        said = [each for each in self.said if each.ended is not None and each.length]
        return max(((s.ended or 0.0) - s.started) / s.length for s in said) if said else 1.0

    def answered(self, turn: int) -> bool:
        """Whether a turn's question was answered, at whichever try."""
        return any(each.answered for each in self.said if each.turn == turn)

    @property
    def recovery(self) -> float | None:
        """From the lifting of the fault to the first answer that began after it (s)."""
        lifted = self.marks.get("lift")
        if lifted is None:
            return None
        starts = [each.started for each in self.heard if each.text in ANSWERS]
        return next((start - lifted for start in starts if start >= lifted), None)


class Caller(ABC):
    """Somebody who calls. What carries the sound is a subclass's."""

    rate = RATE

    def __init__(self) -> None:
        self.story = Story()
        self.ears = Ears(KNOWN, RATE)
        self.over = asyncio.Event()
        self.patience, self.tries = PATIENCE, TRIES
        self.questions = QUESTIONS

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Call."""

    @abstractmethod
    async def __aexit__(self, *_: object) -> None:
        """Let go of the line."""

    @abstractmethod
    async def say(self, pcm: Int16) -> bool:
        """Say something; return once it is said, and whether it could be."""

    @abstractmethod
    async def hang_up(self) -> None:
        """End the call in good order."""

    async def ready(self) -> None:  # noqa: B027 (most lines are there)
        """Wait until there is somebody to talk to: nobody speaks while the page says it is lost."""

    async def converse(self, hook: Hook) -> Story:
        """Hold the conversation.

        Args:
            hook: Told where it is: "start", "before 2", "saying 2", "said 2", "reply 2", "after 2".
        """
        story = self.story
        story.turns = len(self.questions)
        await hook("start")
        await self._until(lambda: self._spoke(0.0), 15.0)
        began = time.monotonic()
        story.greeted = any(each.text == GREETING for each in self.ears.sentences())
        for turn, question in enumerate(self.questions, 1):
            for attempt in range(self.tries):
                if self.over.is_set():
                    break
                first = attempt == 0
                if first:
                    await hook(f"before {turn}")
                said = await self._ask(question, turn, hook if first else None)
                if first:
                    await hook(f"after {turn}")
                if said.answered:
                    break
        end = time.monotonic()
        story.heard = self.ears.sentences()
        story.dropped = self.over.is_set()
        sounds = [(each.started, each.ended) for each in story.heard]
        sounds += [(each.started, each.ended or each.started) for each in story.said]
        story.silence = longest_silence(began, end, sounds)
        return story

    async def _ask(self, question: str, turn: int, hook: Hook | None) -> Said:
        await self.ready()
        said = Said(question, turn, time.monotonic())
        self.story.said.append(said)
        midway = None
        if hook is not None:
            midway = asyncio.create_task(self._midway(hook, turn), name="midway")
        try:
            pcm = speak(question, self.rate)
            said.length = len(pcm) / self.rate
            whole = await self.say(pcm)
            if midway is not None:
                await midway
        finally:
            if midway is not None:
                midway.cancel()
        if whole:
            said.ended = time.monotonic()
        if hook is not None:
            await hook(f"said {turn}")
        since = time.monotonic()
        if hook is not None:
            await self._until(lambda: bool(self.ears.sentences(since)), self.patience)
            await hook(f"reply {turn}")
        left = max(QUIET + 0.1, since + self.patience - time.monotonic())
        await self._until(lambda: self._spoke(since), left)
        if self.ears.sentences(since):
            # It still speaks: nobody who listens cuts in, for as long as that is bearable.
            await self._until(lambda: self._spoke(since), self.patience)
        heard = self.ears.sentences(since)
        fits = (ANSWERS[turn - 1], FALLBACK)
        own = next((each for each in heard if each.text in fits), None)
        said.answered = own is not None
        said.sorry = any(each.text in (*APOLOGIES, NOTES) for each in heard)
        if own is not None:
            said.waited = own.started - since
        return said

    async def _midway(self, hook: Hook, turn: int) -> None:
        await asyncio.sleep(0.7)
        await hook(f"saying {turn}")

    def _spoke(self, since: float) -> bool:
        """Whether something was heard since then, and it is over."""
        heard = self.ears.sentences(since)
        return bool(heard) and time.monotonic() - heard[-1].ended > QUIET

    async def _until(self, condition: Callable[[], bool], within: float) -> bool:
        due = time.monotonic() + within
        while not (found := condition()):
            if time.monotonic() >= due or self.over.is_set():
                break
            await asyncio.sleep(0.05)
        return found


class SocketCaller(Caller):
    """Calls over a websocket, as a program does: plain samples both ways.

    Args:
        url: Of the call server, or of what stands before it.
        resume: Whether a line that is lost is taken up again, as the page does.
        token: Lets the caller in; "" where nobody asks.
    """

    def __init__(self, url: str, *, resume: bool = False, token: str = "") -> None:
        super().__init__()
        self.url, self.resume, self.token = url, resume, token
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.about: dict[str, Any] = {}
        self.reading = asyncio.Event()
        self.reading.set()
        self._there = asyncio.Event()  # there is a line
        self.silent = False  # sends nothing, as a microphone whose track has ended
        self._http: aiohttp.ClientSession | None = None
        self._waiting = np.zeros(0, np.int16)
        self._empty = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._hung_up = False

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        try:
            await self._connect()
        except BaseException:
            await self._http.close()
            raise
        self._tasks = [
            asyncio.create_task(self._listen(), name="caller listens"),
            asyncio.create_task(self._talk(), name="caller talks"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                if self.socket is not None:
                    await self.socket.close()
                if self._http is not None:
                    await self._http.close()

    async def say(self, pcm: Int16) -> bool:
        """Say something."""
        self._empty.clear()
        self._waiting = np.concatenate((self._waiting, pcm))
        over = asyncio.create_task(self.over.wait())
        empty = asyncio.create_task(self._empty.wait())
        try:
            await asyncio.wait({over, empty}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            empty.cancel()
        return self._empty.is_set() and not self.silent

    async def ready(self) -> None:
        """Wait for a line that is known to be lost, for as long as it is tried to come back."""
        there = asyncio.create_task(self._there.wait())
        over = asyncio.create_task(self.over.wait())
        try:
            await asyncio.wait({there, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            over.cancel()

    async def hang_up(self) -> None:
        """Close the socket with 1000, which is hanging up."""
        self._hung_up = True
        if self.socket is not None:
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(5):
                    await self.socket.close()

    async def _connect(self) -> None:
        assert self._http is not None
        query = f"?rate={self.rate}"
        if self.token:
            query += f"&token={self.token}"
        if self.about:
            query += f"&resume={self.about['resume']}"
        async with asyncio.timeout(10):
            self.socket = await self._http.ws_connect(f"{self.url}/api/ws{query}", max_msg_size=0)
        await self.socket.send_str(json.dumps({"type": "client-ready", "id": "1"}))
        self._there.set()

    async def _listen(self) -> None:
        while True:
            await self._read()
            assert self.socket is not None
            self._there.clear()
            lost = time.monotonic()
            self.story.code = self.socket.close_code
            if self._hung_up or not self.resume or self.story.code == 1000:
                self.over.set()
                return
            for _ in range(COMING_BACK):
                try:
                    await self._connect()
                except (aiohttp.ClientError, OSError, TimeoutError):
                    await asyncio.sleep(0.5)
                else:
                    self.story.back += 1
                    self.story.away = max(self.story.away, time.monotonic() - lost)
                    break
            else:
                self.over.set()
                return

    async def _read(self) -> None:
        assert self.socket is not None
        with contextlib.suppress(ConnectionError):
            while True:
                await self.reading.wait()
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    self.ears.feed(np.frombuffer(message.data, "<i2"), time.monotonic())
                elif message.type is aiohttp.WSMsgType.TEXT:
                    self._told(json.loads(message.data))
                else:
                    return

    def _told(self, message: dict[str, Any]) -> None:
        data = message.get("data")
        if isinstance(data, dict) and "event" in data:
            if data["event"] == "call":
                self.about = data
                self.story.marks.setdefault("call", time.monotonic())
            self.story.told.append(data)

    async def _talk(self) -> None:
        size, at = round(self.rate * BLOCK), time.monotonic()
        while True:
            block = np.zeros(size, np.int16)
            said, self._waiting = self._waiting[:size], self._waiting[size:]
            block[: len(said)] = said
            if not len(self._waiting):
                self._empty.set()
            socket = self.socket
            if socket is not None and not socket.closed and not self.silent:
                with contextlib.suppress(ConnectionError, RuntimeError):
                    await socket.send_bytes(block.tobytes())
            at += BLOCK
            if time.monotonic() - at > 0.5:
                at = time.monotonic()
            await asyncio.sleep(max(0.0, at - time.monotonic()))
