"""Hearing: Mistral's realtime transcription socket (2602, 3-0), for the length of a call.

Protocol page §1. The connection is opened behind the scenes and opened again when it is lost or
silent; audio that has no final text yet is then sent once more. A flush is owed an answer: when
it does not come in time, the text known so far counts as final, and the connection is replaced,
since a late answer would be taken for the next one's. Voxtral 3 can follow the caller's turns too,
and may then give final texts unasked.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import websockets
from websockets.asyncio.client import ClientConnection

from vivavoce.pipelines.models.errors import ModelError, kind_of_status
from vivavoce.pipelines.models.http import Endpoint, Timeouts, explain
from vivavoce.pipelines.models.interfaces import HearingListener
from vivavoce.pipelines.models.segments import Segments
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.endpointing import TurnEvent

RATE = 16_000
CHUNK = 2_560
"""Bytes per message: 80 ms, the model's own step; smaller messages only cost CPU."""
BACKOFF = (0.1, 0.3, 1.0, 2.0, 4.0)
"""Seconds before each further attempt; the last one repeats."""
LASTING = 30.0
"""Seconds before a further attempt where the server refused and will again."""
LOST = 3
"""Failed attempts in a row after which transcription is given up for now."""
SOUND = 5.0
"""Seconds that a connection must last to count as one, where nothing was understood over it."""
_TURNS: dict[str, TurnEvent] = {
    "turn.start": "start",
    "turn.eager_end": "eager_end",
    "turn.resume": "resume",
    "turn.end": "end",
}


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How Voxtral 3 follows the caller's turns; None leaves the server's default.

    Attributes:
        start_threshold: How likely the caller must have the floor for a turn to start
            (0-1; 0.5).
        eager_end_threshold: Below which likelihood the turn seems to be over (0.5).
        end_threshold: Below which it is over (0.33).
        min_silence_ms: Silence that must have passed for that (500).
        end_timeout_ms: Silence after which it is over in any case (3000).
    """

    start_threshold: float | None = None
    eager_end_threshold: float | None = None
    end_threshold: float | None = None
    min_silence_ms: int | None = None
    end_timeout_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse what the server would refuse.

        Raises:
            ValueError: With what to change.
        """
        given = {name: value for name, value in asdict(self).items() if value is not None}
        for name, value in given.items():
            most = 1 if name.endswith("threshold") else math.inf
            if not 0 <= value <= most:
                raise ValueError(f"{name} must be from 0 to {most:g}; got {value!r}")
        full = {**_DEFAULTS, **given}
        start, eager = full["start_threshold"], full["eager_end_threshold"]
        end = full["end_threshold"]
        if not start >= eager > end:
            raise ValueError(
                "thresholds must satisfy start_threshold >= eager_end_threshold > end_threshold;"
                f" got {start:g}, {eager:g} and {end:g}"
            )
        if full["end_timeout_ms"] < full["min_silence_ms"]:
            raise ValueError(
                f"end_timeout_ms must be at least min_silence_ms; got {full['end_timeout_ms']:g}"
                f" and {full['min_silence_ms']:g}"
            )

    def json(self) -> dict[str, float]:
        """Give what is sent: the fields that were set."""
        return {name: value for name, value in asdict(self).items() if value is not None}


_DEFAULTS: dict[str, float] = {
    "start_threshold": 0.5,
    "eager_end_threshold": 0.5,
    "end_threshold": 0.33,
    "min_silence_ms": 500,
    "end_timeout_ms": 3000,
}


class MistralHearing:
    """One call's live transcription; implements `Hearing`."""

    def __init__(
        self,
        endpoint: Endpoint,
        timeouts: Timeouts,
        *,
        delay_ms: int | None = None,
        turns: bool | TurnDetection = False,
        language: str | None = None,
        context_bias: Sequence[str] = (),
    ) -> None:
        """Prepare it.

        Args:
            endpoint: Where the model is; `http` URLs become `ws`.
            timeouts: How long to wait.
            delay_ms: How far the text may lag behind the audio: 80–1200 or 2400; None leaves
                the server's default (480).
            turns: Whether the server is to follow the caller's turns (`on_turn`), with its
                defaults or tuned. Voxtral 3 only, as the next two.
            language: ISO 639-1 code of what is spoken; None leaves it to the model.
            context_bias: Words and phrases to expect.

        A server that refuses one of them is told as trouble, and what it refused.
        """
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._delay_ms = delay_ms
        self._turns = TurnDetection() if turns is True else turns or None
        self._language = language
        self._context_bias = tuple(context_bias)
        self._segments = Segments(unasked=self._turns is not None)
        self._wake = asyncio.Event()
        self._owing = asyncio.Event()
        self._flushed_at: dict[int, float] = {}
        self._partial = bytearray()
        self._listener: HearingListener | None = None
        self._tasks = Tasks()
        self._useful = False
        self._closed = False
        self._connected = False
        self._lost = False
        self._retried = -1

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
            self._segments.audio(bytes(self._partial))
            self._partial.clear()
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
            loop.call_soon(self._settle_all)
        return number

    async def close(self) -> None:
        """End it; idempotent."""
        self._closed = True
        await self._tasks.close()

    async def _run(self) -> None:
        """Keep a connection; report trouble once for each time it begins."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._closed:
            began = loop.time()
            self._useful = False
            try:
                async with self._connect() as socket:
                    await self._greet(socket)
                    self._connected = True
                    self._segments.reconnected()
                    # Answers are waited for anew: all of it is sent again.
                    self._flushed_at = dict.fromkeys(self._segments.owed, loop.time())
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
            failures = 0 if fine else failures + 1
            await self._fail(trouble, failures)

    async def _fail(self, trouble: ModelError, failures: int) -> None:
        # A dropped connection that comes back at the first attempts is no trouble to anybody.
        was_lost, self._lost = self._lost and failures > 0, trouble.lasting or failures >= LOST
        if self._lost:
            if self._listener is not None and not was_lost:
                self._listener.on_trouble(trouble, lost=True)
            self._settle_all()
        await asyncio.sleep(
            LASTING if trouble.lasting else BACKOFF[min(failures, len(BACKOFF) - 1)]
        )

    def _connect(self) -> websockets.connect:
        base = self._endpoint.url.rstrip("/")
        for scheme, socket_scheme in (("https://", "wss://"), ("http://", "ws://")):
            if base.startswith(scheme):
                base = socket_scheme + base.removeprefix(scheme)
        url = f"{base}/v1/audio/transcriptions/realtime?model={quote(self._endpoint.model)}"
        try:
            return websockets.connect(
                url,
                additional_headers={"Authorization": f"Bearer {self._endpoint.key}"},
                # Base64 of speech hardly compresses; not trying saves CPU on every message.
                compression=None,
                open_timeout=self._timeouts.connect,
                close_timeout=1,
                max_size=4 * 1024 * 1024,
            )
        except (ValueError, websockets.InvalidURI) as error:
            raise ModelError("hearing", "refused", f"{base} is not a usable URL") from error

    async def _greet(self, socket: ClientConnection) -> None:
        """Wait for the session and set it up."""
        async with asyncio.timeout(self._timeouts.connect):
            message = _parse(await socket.recv())
        if message.get("type") == "error":
            raise self._refused(message)
        if message.get("type") != "session.created":
            raise ModelError(
                "hearing", "broken", f"{self._endpoint.url} began with {message.get('type')!r}"
            )
        session: dict[str, Any] = {
            "audio_format": {"encoding": "pcm_s16le", "sample_rate": RATE},
        }
        if self._delay_ms is not None:
            session["target_streaming_delay_ms"] = self._delay_ms
        if self._turns is not None:
            session["turn_detection"] = self._turns.json()
        if self._language is not None:
            session["language"] = self._language
        if self._context_bias:
            session["context_bias"] = list(self._context_bias)
        await socket.send(json.dumps({"type": "session.update", "session": session}))

    async def _serve(self, socket: ClientConnection) -> None:
        """Send and receive until either ends; what ends first decides what is raised."""
        self._wake.set()
        tasks = {
            asyncio.create_task(self._send(socket), name="hearing.send"),
            asyncio.create_task(self._receive(socket), name="hearing.receive"),
            asyncio.create_task(self._watch(), name="hearing.watch"),
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
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._segments.pending:
                item = self._segments.next()
                if item is None:
                    await socket.send('{"type":"input_audio.flush"}')
                    continue
                data = base64.b64encode(item).decode("ascii")
                await socket.send(f'{{"type":"input_audio.append","audio":"{data}"}}')

    async def _receive(self, socket: ClientConnection) -> None:
        async for data in socket:
            message = _parse(data)
            match message.get("type"):
                case "transcription.text.delta":
                    self._useful = True
                    number, text = self._segments.delta(str(message.get("text") or ""))
                    if self._listener is not None:
                        self._listener.on_partial(number, text)
                case "transcription.done":
                    self._useful = True
                    settled = self._segments.done(str(message.get("text") or ""))
                    if settled is not None:
                        self._tell(settled)
                case "turn.start" | "turn.eager_end" | "turn.resume" | "turn.end" as kind:
                    self._turn(_TURNS[kind], message.get("time_s"))
                case "error":
                    raise self._refused(message)
                case _:
                    pass
        raise ModelError("hearing", "broken", f"{self._endpoint.url} closed the connection")

    def _turn(self, kind: TurnEvent, at: Any) -> None:
        self._useful = True
        if not isinstance(at, int | float) or not math.isfinite(at):
            at = math.inf  # a server that does not say when: now
        ago = self._segments.turn(kind, at)
        if self._listener is not None:
            self._listener.on_turn(kind, ago)

    async def _watch(self) -> None:
        """Notice a flush that is not answered."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._segments.owed:
                # Mostly nothing is owed, and a call that wakes for nothing costs CPU.
                self._owing.clear()
                await self._owing.wait()
            await asyncio.sleep(0.1)
            owed = self._segments.owed
            if not owed:
                continue
            # Time spent on sending what had piled up is no silence of the server's.
            if self._segments.pending:
                self._flushed_at[owed[0]] = loop.time()
            elif loop.time() - self._flushed_at[owed[0]] > self._timeouts.final:
                # Words that came piece by piece count as final. Where none did, the audio is
                # sent once more over a new connection before it is given up.
                if self._segments.understood or self._retried == owed[0]:
                    settled = self._segments.give_up()
                    if settled is not None:
                        self._tell(settled)
                self._retried = owed[0]
                raise ModelError(
                    "hearing",
                    "timeout",
                    f"{self._endpoint.url} gave no final text within {self._timeouts.final:g} s",
                )

    def _settle_all(self) -> None:
        """Settle what is owed: whoever waits gets what there is, rather than nothing for ever."""
        while (settled := self._segments.give_up()) is not None:
            self._tell(settled)

    def _tell(self, settled: tuple[int, str]) -> None:
        number, text = settled
        self._flushed_at.pop(number, None)
        # The next one's wait begins now: it could not be answered before.
        if self._segments.owed:
            self._flushed_at[self._segments.owed[0]] = asyncio.get_running_loop().time()
        if self._listener is not None:
            self._listener.on_final(number, text)

    def _refused(self, message: dict[str, Any]) -> ModelError:
        error = message.get("error")
        text = explain(json.dumps(error if isinstance(error, dict) else {"message": error}))
        code = error.get("code") if isinstance(error, dict) else None
        detail = f"{self._endpoint.url} answered error {code} for {self._endpoint.model}: {text}"
        match code:
            case 401 | 403:
                return ModelError("hearing", "auth", detail)
            case 1500:
                return ModelError("hearing", "refused", detail)
            case _:
                return ModelError("hearing", "broken", detail)

    def _explain(self, error: Exception) -> ModelError:
        url = self._endpoint.url
        if isinstance(error, websockets.InvalidStatus):
            status = error.response.status_code
            body = bytes(error.response.body or b"").decode("utf-8", "replace")
            return ModelError(
                "hearing", kind_of_status(status), f"{url} answered {status}: {explain(body)}"
            )
        if isinstance(error, websockets.ConnectionClosed):
            return ModelError("hearing", "broken", f"{url} closed the connection ({error})")
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
