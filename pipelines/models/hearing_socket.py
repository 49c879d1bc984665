"""What live transcription is in every dialect: one call's words over connections that break.

The connection is opened behind the scenes and opened again when it is lost, silent, or in a rut;
audio that has no final text yet is then sent once more. A flush is owed an answer: when it does
not come in time, the connection is replaced, since a late answer would be taken for the next
one's, and the segment is heard again; with no answer then either, what came piece by piece counts
as final. A dialect adds its messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from abc import ABC, abstractmethod
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from vivavoce.pipelines.models.errors import ModelError, kind_of_status
from vivavoce.pipelines.models.http import Endpoint, Timeouts, explain
from vivavoce.pipelines.models.interfaces import HearingListener
from vivavoce.pipelines.models.refusals import closed_kind, error_kind
from vivavoce.pipelines.models.segments import Segments
from vivavoce.pipelines.models.watch import Watch
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

RATE = 16_000
CHUNK = 2_560
"""Bytes per message: 80 ms, the model's own step; smaller messages only cost CPU."""
BACKOFF = (0.1, 0.3, 1.0, 2.0, 4.0)
"""Seconds before each further attempt; the last one repeats."""
LASTING = 30.0
"""Seconds before a further attempt where the server refused and will again."""
SOON = 5.0
"""Seconds before one all the same, where somebody has spoken: they wait for an answer."""
LOST = 3
"""Failed attempts in a row after which transcription is given up for now."""
SOUND = 5.0
"""Seconds that a connection must last to count as one, where nothing was understood over it."""
LONGEST_WAIT = 60.0
"""Seconds that a server may ask us to stay away, at most."""


class HearingSocket(ABC):
    """One call's live transcription over a WebSocket; implements `Hearing`."""

    def __init__(
        self, endpoint: Endpoint, timeouts: Timeouts, segments: Segments, watch: Watch
    ) -> None:
        """Prepare it.

        Args:
            endpoint: Where the model is; `http` URLs become `ws`.
            timeouts: How long to wait.
            segments: What was sent and understood; nothing yet.
            watch: Judges the connections.
        """
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._segments = segments
        self._watch = watch
        self._wake = asyncio.Event()
        self._owing = asyncio.Event()
        self._wanted = asyncio.Event()  # somebody has spoken, and nobody heard it
        self._flushed_at: dict[int, float] = {}
        self._checked_at = 0.0
        self._partial = bytearray()
        self._listener: HearingListener | None = None
        self._tasks = Tasks()
        self._useful = False
        self._failures = 0  # in a row
        self._closed = False
        self._connected = False
        self._lost = False
        self._retried = -1  # the segment that was sent again, for want of an answer
        self._tries = 0  # how often
        self._spare = ""  # what was understood of it before

    # -- what a dialect adds

    @property
    @abstractmethod
    def _path(self) -> str:
        """Path and query of the socket."""

    @abstractmethod
    async def _greet(self, socket: ClientConnection) -> None:
        """Take the server's first message and set the session up."""

    @abstractmethod
    async def _give(self, socket: ClientConnection, pcm: bytes) -> None:
        """Send audio."""

    @abstractmethod
    async def _ask(self, socket: ClientConnection) -> None:
        """Ask for the final text of what was sent."""

    @abstractmethod
    def _take(self, message: dict[str, Any]) -> None:
        """Take a message of the server's.

        Raises:
            ModelError: If the connection is of no more use.
        """

    async def _before(self) -> None:  # noqa: B027 - most dialects have nothing to do
        """Do what comes before each attempt to connect.

        Raises:
            ModelError: If there is no point in connecting.
        """

    @property
    def _open(self) -> bool:
        """Whether the server takes audio now."""
        return True

    # -- what a call does

    @property
    def backlog(self) -> float:
        """Seconds of audio that wait to be sent; none while there is nobody to send them to."""
        return self._segments.unsent / (2 * RATE) if self._connected else 0.0

    async def open(self, listener: HearingListener) -> None:
        """Begin; returns at once and connects behind the scenes."""
        self._listener = listener
        if not self._closed and not len(self._tasks):
            self._tasks.spawn(self._run(), "hearing")

    def send(self, pcm: bytes) -> None:
        """Take int16 mono audio at 16 kHz."""
        self._partial += pcm
        if len(self._partial) >= CHUNK:
            whole = len(self._partial) - len(self._partial) % CHUNK
            for at in range(0, whole, CHUNK):
                self._segments.audio(bytes(self._partial[at : at + CHUNK]))
            del self._partial[:whole]
            self._wake.set()

    def flush(self) -> int:
        """Ask for the final text of what was sent since the last flush; return its number."""
        if self._partial:
            self._segments.audio(bytes(self._partial))
            self._partial.clear()
        number = self._segments.flush()
        loop = asyncio.get_running_loop()
        self._flushed_at[number] = loop.time()
        self._owing.set()
        self._wake.set()
        if self._lost and not self._connected:
            self._wanted.set()
            loop.call_soon(self._settle_all)
        return number

    async def close(self) -> None:
        """End it; idempotent."""
        self._closed = True
        await self._tasks.close()

    # -- connections

    async def _run(self) -> None:
        """Keep a connection; report trouble once for each time it begins."""
        loop = asyncio.get_running_loop()
        while not self._closed:
            began = loop.time()
            self._useful = False
            try:
                await self._before()
                async with self._connect() as socket:
                    await self._greet(socket)
                    now = loop.time()
                    self._connected = True
                    self._segments.reconnected()
                    self._watch.connected(now)
                    # Answers are waited for anew: all of it is sent again.
                    self._flushed_at = dict.fromkeys(self._segments.owed, now)
                    self._checked_at = now
                    await self._serve(socket)
            except ModelError as error:
                trouble = error
            except (OSError, websockets.WebSocketException, TimeoutError) as error:
                trouble = self._explain(error)
            else:
                continue
            self._connected = False
            # A server that greets and breaks off each time is no better than none.
            fine = self._useful or loop.time() - began > SOUND
            self._failures = 0 if fine else self._failures + 1
            await self._fail(trouble)

    async def _fail(self, trouble: ModelError) -> None:
        failures = self._failures
        # A dropped connection that comes back at the first attempts is no trouble to anybody.
        log.info("%s; %.1f s of audio wait", trouble, self._segments.kept / (2 * RATE))
        was_lost, self._lost = self._lost and failures > 0, trouble.lasting or failures >= LOST
        if self._lost:
            if self._listener is not None and not was_lost:
                self._listener.on_trouble(trouble, lost=True)
            self._settle_all()
        asked = min(trouble.retry_after or 0, LONGEST_WAIT)
        if not trouble.lasting:
            await asyncio.sleep(max(BACKOFF[min(failures, len(BACKOFF) - 1)], asked))
            return
        self._wanted.clear()
        await asyncio.sleep(max(SOON, asked))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, LASTING - max(SOON, asked))):
                await self._wanted.wait()

    def _connect(self) -> websockets.connect:
        base = self._endpoint.at(self._path)
        for scheme, socket_scheme in (("https://", "wss://"), ("http://", "ws://")):
            if base.startswith(scheme):
                base = socket_scheme + base.removeprefix(scheme)
        key = self._endpoint.key
        try:
            return websockets.connect(
                base,
                additional_headers={"Authorization": f"Bearer {key}"} if key else {},
                # Base64 of speech hardly compresses; not trying saves CPU on every message.
                compression=None,
                open_timeout=self._timeouts.connect,
                close_timeout=1,
                max_size=4 * 1024 * 1024,
            )
        except (ValueError, websockets.InvalidURI) as error:
            url = self._endpoint.url
            raise ModelError("hearing", "refused", f"{url} is not a usable URL") from error

    async def _first(self, socket: ClientConnection) -> None:
        """Wait for `session.created`."""
        async with asyncio.timeout(self._timeouts.connect):
            message = _parse(await socket.recv())
        if message.get("type") == "error":
            raise self._refused(message)
        if message.get("type") != "session.created":
            raise ModelError(
                "hearing", "broken", f"{self._endpoint.url} began with {message.get('type')!r}"
            )

    async def _serve(self, socket: ClientConnection) -> None:
        """Send and receive until either ends; what ends first decides what is raised."""
        self._wake.set()
        tasks = {
            asyncio.create_task(self._send(socket), name="hearing.send"),
            asyncio.create_task(self._receive(socket), name="hearing.receive"),
            asyncio.create_task(self._wait_for_answers(), name="hearing.watch"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._segments.pending and self._open:
                item = self._segments.next()
                if item is None:
                    self._watch.asked()
                    await self._ask(socket)
                    continue
                now = loop.time()
                self._watch.audio(item, now)
                await self._give(socket, item)
                self._judge(now)
            if self._watch.ripe and not self._segments.pending and not self._segments.asked:
                self._segments.checkpoint()
                self._checked_at = loop.time()
                self._owing.set()
                self._wake.set()

    def _judge(self, now: float) -> None:
        match self._watch.verdict(now):
            case "rut":
                self._watch.in_vain()
                told = "wrote no word while somebody spoke"
            case "silent":
                told = "stopped answering"
            case None:
                return
        raise ModelError("hearing", "timeout", f"{self._endpoint.url} {told}")

    async def _receive(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        async for data in socket:
            self._watch.message(loop.time())
            self._take(_parse(data))
        code, reason = socket.close_code, socket.close_reason
        raise self._closed_by(code or 1006, reason or "")

    # -- what the server says

    def _delta(self, text: str) -> None:
        """Take a piece of text."""
        if not text:
            return
        self._useful = True
        if text.strip():
            self._watch.words()
        number, whole = self._segments.delta(text)
        if self._listener is not None:
            self._listener.on_partial(number, whole)

    def _done(self, text: str) -> None:
        """Take a final text."""
        self._useful = True
        owed = self._segments.owed
        if text.strip() or self._segments.understood:
            self._watch.words()
        elif self._watch.blank and owed and self._retried != owed[0]:
            # Somebody spoke for a while. Another connection may understand it.
            self._retried, self._tries, self._spare = owed[0], 1, ""
            self._watch.in_vain()
            raise ModelError(
                "hearing", "timeout", f"{self._endpoint.url} understood nothing of a long utterance"
            )
        self._watch.settled()
        settled = self._segments.done(text)
        if settled is not None:
            self._tell(settled)

    async def _wait_for_answers(self) -> None:
        """Notice a flush that is not answered."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._segments.asked:
                # Mostly nothing is owed, and a call that wakes for nothing costs CPU.
                self._owing.clear()
                await self._owing.wait()
            await asyncio.sleep(0.1)
            if self._segments.asked:
                self._judge_answers(loop.time())

    def _judge_answers(self, now: float) -> None:
        owed = self._segments.owed
        since = self._flushed_at[owed[0]] if owed else self._checked_at
        # Time spent on sending what had piled up is no silence of the server's.
        if self._segments.pending and self._open:
            self._checked_at = now
            if owed:
                self._flushed_at[owed[0]] = now
            return
        # A server that is slow and not dead has twice the time when it is asked again. No more
        # than that: whoever spoke waits, and asks once more before they are told.
        tries = self._tries if owed[:1] == (self._retried,) else 0
        if now - since > min(2, 1 + tries) * self._timeouts.final + self._watch.allowance:
            if owed:
                self._give_up(owed[0], tries)
            raise ModelError(
                "hearing",
                "timeout",
                f"{self._endpoint.url} gave no final text within {self._timeouts.final:g} s",
            )

    def _give_up(self, number: int, tries: int) -> None:
        """Have a segment heard again over another connection; in the end, settle with its deltas.

        They may lack words: the last ones are held back until a flush is understood, and a server
        that stopped in the middle wrote fewer still. Where there are none, it is asked once more.
        """
        known = max(self._segments.text, self._spare if tries else "", key=len)
        if tries < (1 if known else 2):
            self._retried, self._tries, self._spare = number, tries + 1, known
            return
        settled = self._segments.give_up()
        if settled is None:
            return
        if not known and self._listener is not None:
            # Nothing of it is known, and whoever said it waits for an answer.
            what = f"{self._endpoint.url} gave no final text, asked {tries + 1} times"
            self._listener.on_trouble(ModelError("hearing", "timeout", what), lost=True)
        self._tell((settled[0], known))

    def _settle_all(self) -> None:
        """Settle what is owed: whoever waits gets what there is, rather than nothing for ever."""
        while (settled := self._segments.give_up()) is not None:
            self._tell(settled)

    def _tell(self, settled: tuple[int, str]) -> None:
        number, text = settled
        self._flushed_at.pop(number, None)
        # The next one's wait begins now: it could not be answered before.
        now = asyncio.get_running_loop().time()
        self._checked_at = now
        if self._segments.owed:
            self._flushed_at[self._segments.owed[0]] = now
        if self._listener is not None:
            self._listener.on_final(number, text)

    # -- what went wrong

    def _refused(self, message: dict[str, Any]) -> ModelError:
        """Put an error event in words."""
        error = message.get("error")
        code = error.get("code") if isinstance(error, dict) else message.get("code")
        text = explain(json.dumps(error if isinstance(error, dict) else {"message": error}))
        kind = error_kind(code, text, useful=self._useful)
        url, model = self._endpoint.url, self._endpoint.model
        return ModelError("hearing", kind, f"{url} answered error {code} for {model}: {text}")

    def _closed_by(self, code: int, reason: str) -> ModelError:
        kind = closed_kind(code, reason, useful=self._useful, again=self._failures > 0)
        told = f" ({code}{f': {reason}' if reason else ''})"
        return ModelError("hearing", kind, f"{self._endpoint.url} closed the connection{told}")

    def _explain(self, error: Exception) -> ModelError:
        url = self._endpoint.url
        if isinstance(error, websockets.InvalidStatus):
            answer = error.response
            body = bytes(answer.body or b"").decode("utf-8", "replace")
            try:
                wait = float(answer.headers.get("Retry-After", ""))
            except ValueError:
                wait = None
            return ModelError(
                "hearing",
                kind_of_status(answer.status_code),
                f"{url} answered {answer.status_code}: {explain(body)}",
                retry_after=wait,
            )
        if isinstance(error, websockets.ConnectionClosed):
            received = error.rcvd
            code, reason = (received.code, received.reason) if received else (1006, "")
            return self._closed_by(code, reason)
        if isinstance(error, TimeoutError):
            return ModelError("hearing", "timeout", f"{url} gave no answer")
        return ModelError("hearing", "unreachable", f"cannot connect to {url} ({error})")


def _parse(data: str | bytes) -> dict[str, Any]:
    try:
        message = json.loads(data)
    except ValueError as error:
        raise ModelError("hearing", "broken", "a message that is no JSON") from error
    if not isinstance(message, dict):
        raise ModelError("hearing", "broken", "a message that is no object")
    return message
