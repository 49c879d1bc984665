"""Streamed HTTP requests to model servers, over connections that stay warm."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from vivavoce.pipelines.models.errors import ModelError, StageName, kind_of_status
from vivavoce.pipelines.models.sse import ServerSentEvent, SseParser

DRAIN = 0.5
"""Seconds for the end of a body whose last event has come."""
KEEP_ALIVE = 120.0
"""Seconds an idle connection is kept: a pause between turns must not cost a new TLS handshake."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a stage's model is.

    Attributes:
        url: Base, without a path ("https://api.mistral.ai").
        key: Bearer token; never logged.
        model: The model's id.
        dialect: The wire protocol that it speaks (`vivavoce.pipelines.models.providers`).
        voice: Speech only: the voice that stands for the agent's there; None: the agent's.
    """

    url: str
    key: str
    model: str
    dialect: str = "mistral"
    voice: str | None = None

    def __repr__(self) -> str:
        return f"Endpoint(url={self.url!r}, model={self.model!r}, dialect={self.dialect!r})"

    @property
    def name(self) -> str:
        """What it is, for records and logs."""
        return f"{self.model} at {self.url}"

    def at(self, path: str) -> str:
        """Return the URL of a path; a base that ends in `/v1`, as OpenAI's do, is one too."""
        base = self.url.rstrip("/")
        return base.removesuffix("/v1") + path if path.startswith("/v1/") else base + path


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for a model server (s).

    Attributes:
        connect: For a connection.
        final: For the final text of a flushed segment.
        first: For the first piece of an answer or of speech.
        stall: Between two pieces.
        switch: For the first piece, where another provider stands behind this one.
    """

    connect: float = 5.0
    final: float = 2.5
    first: float = 15.0
    stall: float = 6.0
    switch: float = 4.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        data: The body.
        headers: Looked up in any case.
    """

    data: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            ValueError: If it is none.
        """
        return json.loads(self.data)


class Http:
    """A pool of warm connections, shared by the calls of one event loop."""

    def __init__(self, timeouts: Timeouts | None = None) -> None:
        self.timeouts = timeouts or Timeouts()
        self._session: aiohttp.ClientSession | None = None
        self._owned: list[Callable[[], Awaitable[None]]] = []

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool; made when first used, on the running event loop."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.timeouts.connect),
            )
        return self._session

    def own(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have connections of another kind, such as sockets, closed with the pool."""
        self._owned.append(close)

    async def close(self) -> None:
        """Close all connections; idempotent."""
        while self._owned:
            await self._owned.pop()()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def events(
        self,
        stage: StageName,
        endpoint: Endpoint,
        path: str,
        body: dict[str, Any],
        last: Callable[[ServerSentEvent], bool],
    ) -> AsyncGenerator[ServerSentEvent]:
        """POST a request and iterate over the events of its answer.

        Closing the iterator closes the connection, which ends the request at the server. Iterated
        to its end, it leaves the connection warm for the next request.

        Args:
            stage: For errors.
            endpoint: Where to.
            path: Behind the endpoint's URL.
            body: JSON.
            last: Tells the event behind which none comes.

        Raises:
            ModelError: For a failure of any kind, with what to do about it.
        """
        url = endpoint.at(path)
        parser = SseParser()
        wait = self.timeouts.first
        clock = asyncio.get_running_loop().time
        # Until when an event is waited for: bytes that trickle in are none, and hold nobody.
        due = clock() + wait
        with _failures(stage, endpoint, lambda: (wait, wait == self.timeouts.first)):
            async with asyncio.timeout_at(due):
                response = await self.session.post(
                    url,
                    json=body,
                    headers={
                        "Authorization": f"Bearer {endpoint.key}",
                        "Accept": "text/event-stream",
                    },
                )
            async with response:
                if response.status >= 400:
                    raise await self._refusal(stage, endpoint, response)
                if response.content_type == "application/json":
                    # Some servers tell an error with status 200.
                    raise await self._refusal(stage, endpoint, response)
                while True:
                    async with asyncio.timeout_at(due):
                        chunk = await response.content.readany()
                    if not chunk:
                        return
                    events = parser.feed(chunk)
                    for event in events:
                        wait = self.timeouts.stall
                        yield event
                        if last(event):
                            await _drain(response)
                            return
                    if events:
                        due = clock() + wait  # from now: who takes them may take their time

    async def request(
        self,
        stage: StageName,
        endpoint: Endpoint,
        method: str,
        path: str,
        *,
        body: Any = None,
        form: aiohttp.FormData | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read its whole answer.

        Args:
            stage: For errors.
            endpoint: Where to.
            method: "GET", "POST" ...
            path: Behind the endpoint's URL.
            body: JSON, if there is any.
            form: Multipart fields instead.
            query: Behind the path.

        Raises:
            ModelError: For a failure of any kind, with what to do about it.
        """
        wait = self.timeouts.first
        parts: list[bytes] = []
        with _failures(stage, endpoint, lambda: (wait, not parts)):
            async with asyncio.timeout(wait):
                response = await self.session.request(
                    method,
                    endpoint.at(path),
                    json=body,
                    data=form,
                    params=query,
                    headers={"Authorization": f"Bearer {endpoint.key}"},
                )
            async with response:
                if response.status >= 400:
                    raise await self._refusal(stage, endpoint, response)
                while True:
                    async with asyncio.timeout(wait):
                        chunk = await response.content.readany()
                    if not chunk:
                        return Answer(b"".join(parts), response.headers)
                    parts.append(chunk)
                    wait = self.timeouts.stall

    async def _refusal(
        self, stage: StageName, endpoint: Endpoint, response: aiohttp.ClientResponse
    ) -> ModelError:
        async with asyncio.timeout(self.timeouts.stall):
            text = (await response.text(errors="replace"))[:4096]
        retry_after = seconds_until(response.headers.get("Retry-After", ""), time.time())
        return ModelError(
            stage,
            "refused" if response.status < 400 else kind_of_status(response.status),
            f"{endpoint.url} answered {response.status} for {endpoint.model}: {explain(text)}",
            retry_after=retry_after,
        )


def seconds_until(header: str, now: float) -> float | None:
    """Read `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.

    Args:
        header: Its value; empty where there is none.
        now: Seconds since the epoch.

    Returns:
        Seconds to wait, not negative; None where nothing sensible is said.
    """
    try:
        wait = float(header)
    except ValueError:
        try:
            wait = parsedate_to_datetime(header).timestamp() - now
        except ValueError:
            return None
    return max(0.0, wait) if math.isfinite(wait) else None


@contextlib.contextmanager
def _failures(
    stage: StageName, endpoint: Endpoint, waited: Callable[[], tuple[float, bool]]
) -> Iterator[None]:
    """Turn what goes wrong with a request into a `ModelError`.

    Args:
        stage: For errors.
        endpoint: Where it went.
        waited: Gives how long was waited (s), and whether for the first piece.
    """
    try:
        yield
    except TimeoutError as error:
        wait, first = waited()
        what = "gave no answer" if first else "stopped answering"
        raise ModelError(stage, "timeout", f"{endpoint.url} {what} within {wait:g} s") from error
    except aiohttp.ClientConnectorError as error:
        raise ModelError(
            stage, "unreachable", f"cannot connect to {endpoint.url} ({error.os_error})"
        ) from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise ModelError(stage, "refused", f"{endpoint.url} is not a usable URL") from error
    except (aiohttp.ClientError, ValueError, OSError) as error:
        raise ModelError(
            stage, "broken", f"{endpoint.url} broke off ({type(error).__name__}: {error})"
        ) from error


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what ends a body: a connection is only used again when nothing is left on it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN):
            while await response.content.readany():
                pass


def explain(text: str) -> str:
    """Return the human part of an error body of any of the shapes in use, in one short line."""
    try:
        body = json.loads(text)
    except ValueError:
        return " ".join(text.split())[:200] or "no explanation"
    for key in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(key):
            body = body[key]
    if isinstance(body, list) and body and isinstance(body[0], dict):
        place = ".".join(str(part) for part in body[0].get("loc", ()))
        body = f"{place}: {body[0].get('msg', '')}"
    if not isinstance(body, str):
        body = json.dumps(body)
    return " ".join(body.split())[:200]
