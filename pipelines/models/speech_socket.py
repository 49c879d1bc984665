"""Speaking over Voxtral 3's realtime socket.

A connection speaks one clause at a time, and the clauses of a reply overlap, so there is a small
pool of them. Nothing cancels a generation: a clause that is cut is not read to its end, its
connection is closed, which stops the server too, and the next clause takes one that is open
already. docs/voices.md has what the other ways cost.
"""

from __future__ import annotations

import asyncio
import logging
import urllib.parse
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.protocol import State

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.delivery import Delivery, deliver, mistral_abilities
from vivavoce.pipelines.models.errors import ModelError, kind_of_status
from vivavoce.pipelines.models.http import Endpoint, Http, explain
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.speech import RATE, default_voice, sample_of
from vivavoce.pipelines.models.speech_session import SpeechSession, kind_of_close
from vivavoce.pipelines.tasks import Tasks

PATH = "/v1/audio/speech/realtime"
KEPT = 4
"""Open connections that are kept for the next clauses, at most."""
LARGEST = 32 << 20
"""Bytes of one message: the websockets library's 1 MiB is 8 s of sound."""
CLOSE = 2.0
"""Seconds for a connection's orderly end."""

log = logging.getLogger("vivavoce")


@dataclass(slots=True, eq=False)
class _Line:
    """An open connection."""

    socket: ClientConnection
    session: SpeechSession = field(default_factory=SpeechSession)
    used: bool = False

    @property
    def usable(self) -> bool:
        return self.socket.state is State.OPEN and not self.session.speaking


class RealtimeSpeech:
    """A model behind Mistral's `/v1/audio/speech/realtime`.

    Used from one event loop. Its connections are closed with the pool that it was given.
    """

    rate = RATE

    def __init__(self, http: Http, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._waits = http.timeouts
        # That tags work on the socket is not established, and one read out loud is worse than
        # one left out.
        self.abilities = replace(mistral_abilities(endpoint.model), tags=False)
        self._idle: list[_Line] = []
        self._ending: set[_Line] = set()
        self._tasks = Tasks()
        self._sparing: asyncio.Task[None] | None = None
        self._closed = False
        http.own(self.close)

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text; see `Speaking.stream`."""
        asked = deliver(text, voice, language, self.abilities)
        settings = await self._settings(asked, language)
        line = await self._take()
        again = line.used  # it may have died of idleness, which shows when it is used
        while True:
            try:
                async with aclosing(self._speak(line, asked.text, settings)) as sound:
                    async for samples in sound:
                        yield samples
            except _DeadError:
                self._retire(line)
                if not again:
                    raise
                again = False
                line = await self._open()
                continue
            except BaseException:
                self._retire(line)
                raise
            self._keep(line)
            return

    async def close(self) -> None:
        """Close the connections; idempotent."""
        self._closed = True
        await self._tasks.close()
        # A task that is cancelled before it has begun closes nothing.
        left = {*self._idle, *self._ending}
        self._idle.clear()
        self._ending.clear()
        await asyncio.gather(*(_hang_up(line) for line in left))

    async def _settings(self, asked: Delivery, language: str) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if asked.sample is not None:
            settings["ref_audio"] = (await sample_of(asked.sample)).base64
        else:
            settings["voice"] = asked.voice or default_voice(language)
        settings |= {"response_format": "pcm", "streaming_mode": "responsive"}
        if asked.expressiveness is not None:
            settings["expressiveness"] = asked.expressiveness
        return settings

    async def _speak(
        self, line: _Line, text: str, settings: dict[str, Any]
    ) -> AsyncGenerator[Samples]:
        session, where = line.session, self._endpoint.url
        line.used = True
        wait = self._waits.first
        try:
            async with asyncio.timeout(self._waits.stall):
                for order in session.say(text, settings):
                    await line.socket.send(order)
            while session.speaking:
                async with asyncio.timeout(wait):
                    message = await line.socket.recv()
                samples = session.receive(message)
                if samples is not None and len(samples):
                    wait = self._waits.stall
                    yield samples
        except TimeoutError as error:
            what = "stopped answering" if session.spoken else "gave no answer"
            raise ModelError("speaking", "timeout", f"{where} {what} within {wait:g} s") from error
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else None
            reason = error.rcvd.reason if error.rcvd else ""
            kind = kind_of_close(code, reason)
            told = f"{where} closed the speech socket ({code or 'no close frame'}: {reason})"
            if kind == "broken" and not session.spoken:
                raise _DeadError("speaking", kind, told) from error
            raise ModelError("speaking", kind, told) from error

    async def _take(self) -> _Line:
        """Return an open connection, and see that the next clause finds one, too."""
        line = None
        while self._idle and line is None:
            line = self._idle.pop()
            if not line.usable:
                self._retire(line)
                line = None
        if line is None:
            line = await self._open()
        opening = self._sparing is not None and not self._sparing.done()
        if not self._idle and not opening and not self._closed:
            self._sparing = self._tasks.spawn(self._spare(), "speech socket")
        return line

    async def _spare(self) -> None:
        """Open a connection that nobody waits for."""
        try:
            line = await self._open()
        except ModelError as error:
            log.debug("no spare connection: %s", error)  # who needs it will be told
        else:
            self._keep(line)

    async def _open(self) -> _Line:
        url = urllib.parse.urlsplit(self._endpoint.at(PATH))
        query = urllib.parse.urlencode({"model": self._endpoint.model})
        target = url._replace(scheme=url.scheme.replace("http", "ws", 1), query=query).geturl()
        where = self._endpoint.url
        socket: ClientConnection | None = None
        try:
            async with asyncio.timeout(self._waits.connect):
                socket = await connect(
                    target,
                    additional_headers={"Authorization": f"Bearer {self._endpoint.key}"},
                    open_timeout=None,
                    close_timeout=CLOSE,
                    max_size=LARGEST,
                    # base64 of noise-like floats: it costs 10 ms a second of speech, and saves
                    # a tenth.
                    compression=None,
                )
                line = _Line(socket)
                while not line.session.open:
                    line.session.receive(await socket.recv())
        except BaseException as error:
            if socket is not None:
                self._retire(_Line(socket))
            if (told := _told(error, where, self._waits.connect)) is None:
                raise
            raise told from error
        return line

    def _keep(self, line: _Line) -> None:
        if self._closed or len(self._idle) >= KEPT or not line.usable:
            self._retire(line)
        else:
            self._idle.append(line)

    def _retire(self, line: _Line) -> None:
        if line in self._idle:
            self._idle.remove(line)
        if self._closed:
            line.socket.transport.abort()
        else:
            self._ending.add(line)
            self._tasks.spawn(self._end(line), "speech socket's end")

    async def _end(self, line: _Line) -> None:
        await _hang_up(line)
        self._ending.discard(line)


class _DeadError(ModelError):
    """A connection was dead before it gave any sound: the text can be asked for again."""


async def _hang_up(line: _Line) -> None:
    """Close a connection. Cancelled, it is cut off."""
    try:
        await line.socket.close()
    except BaseException:
        line.socket.transport.abort()
        raise


def _told(error: BaseException, where: str, wait: float) -> ModelError | None:
    """Return what it means that no connection came about; None for what is no answer to that."""
    if isinstance(error, InvalidStatus):
        answer = error.response
        try:
            retry_after = float(answer.headers.get("Retry-After", ""))
        except ValueError:
            retry_after = None
        body = explain(bytes(answer.body or b"").decode("utf-8", "replace"))
        return ModelError(
            "speaking",
            kind_of_status(answer.status_code),
            f"{where} answered {answer.status_code} to the speech socket: {body}",
            retry_after=retry_after,
        )
    if isinstance(error, TimeoutError):
        return ModelError(
            "speaking", "timeout", f"{where} opened no speech socket within {wait:g} s"
        )
    if isinstance(error, ConnectionClosed):
        code = error.rcvd.code if error.rcvd else None
        reason = error.rcvd.reason if error.rcvd else ""
        return ModelError(
            "speaking",
            kind_of_close(code, reason),
            f"{where} closed the speech socket at once ({code or 'no close frame'}: {reason})",
        )
    if isinstance(error, InvalidURI):
        return ModelError("speaking", "refused", f"{where} is not a usable URL")
    if isinstance(error, InvalidHandshake | WebSocketException):
        return ModelError("speaking", "broken", f"{where} speaks no WebSocket here ({error})")
    if isinstance(error, OSError):
        return ModelError("speaking", "unreachable", f"cannot connect to {where} ({error})")
    return None
