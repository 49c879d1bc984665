"""One request to a server that transcribes files: sent in pieces, answered whole or streamed."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from vivavoce.pipelines.models.errors import ModelError, kind_of_status
from vivavoce.pipelines.models.http import Endpoint, Http, explain
from vivavoce.pipelines.models.sse import ServerSentEvent, SseParser
from vivavoce.pipelines.models.transcription.sound import Body

LARGEST = 64 << 20
"""Bytes of an answer: three hours of words with times are some 10 MB."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a server may take (s).

    Attributes:
        answer: For the next piece of a request to be taken, or for the first of its answer.
        per_second: And this much more for each second of audio.
        stall: Between two pieces of an answer, with as much more.
    """

    answer: float = 120.0
    per_second: float = 1.0
    stall: float = 120.0

    def first(self, seconds: float) -> float:
        """How long until an answer begins, for so much audio (s)."""
        return self.answer + seconds * self.per_second

    def between(self, seconds: float) -> float:
        """How long between two pieces of an answer, for so much audio (s)."""
        return self.stall + seconds * self.per_second


class Request:
    """Posts bodies to one endpoint and reads what it answers."""

    def __init__(self, http: Http, where: Endpoint, waits: Waits | None = None) -> None:
        self.where = where
        self._http = http
        self._waits = waits or Waits()

    async def whole(
        self, path: str, body: Body, seconds: float
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Post a body; return the answer's JSON object and its headers, by lower-case name.

        Args:
            path: Behind the endpoint's URL.
            body: What to send; used up.
            seconds: Of audio in it: more takes longer.

        Raises:
            ModelError: For a failure of any kind.
        """
        async with self._posted(path, body, seconds, "application/json") as response:
            found = await self._json(response, seconds)
            return found, {name.lower(): value for name, value in response.headers.items()}

    async def events(
        self, path: str, body: Body, seconds: float
    ) -> AsyncGenerator[ServerSentEvent]:
        """Post a body and iterate over the events of the answer; takes what `whole` takes.

        Closing the iterator closes the connection, which ends the request at the server. A server
        that does not stream after all gives one event, named "whole", with the JSON object.

        Raises:
            ModelError: For a failure of any kind.
        """
        parser = SseParser()
        wait = self._waits.between(seconds)
        async with self._posted(path, body, seconds, "text/event-stream") as response:
            if response.content_type == "application/json":
                yield ServerSentEvent("whole", json.dumps(await self._json(response, seconds)))
                return
            while True:
                async with asyncio.timeout(wait):
                    chunk = await response.content.readany()
                if not chunk:
                    return
                for event in parser.feed(chunk):
                    yield event

    async def _json(self, response: aiohttp.ClientResponse, seconds: float) -> dict[str, Any]:
        wait = self._waits.between(seconds)
        data = bytearray()
        while True:
            async with asyncio.timeout(wait):
                chunk = await response.content.readany()
            if not chunk:
                break
            data += chunk
            if len(data) > LARGEST:
                raise ValueError(f"an answer of more than {LARGEST} bytes")
        found = json.loads(data)
        if not isinstance(found, dict):
            raise ValueError("an answer that is no JSON object")  # noqa: TRY004
        if found.get("object") == "error" or (found.get("error") and "text" not in found):
            # Some servers tell an error with status 200.
            raise ValueError(explain(bytes(data[:4096]).decode("utf-8", "replace")))
        return found

    @asynccontextmanager
    async def _posted(
        self, path: str, body: Body, seconds: float, accept: str
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self.where.url
        loop = asyncio.get_running_loop()
        first = self._waits.first(seconds)
        scope = asyncio.timeout(first)
        waiting = True

        async def pieces() -> AsyncGenerator[bytes]:
            async with aclosing(body.pieces) as source:
                async for piece in source:
                    yield piece
                    # Sending may take long, but not without an end: the time that the server has
                    # begins anew with every piece that it takes.
                    if waiting and not scope.expired():
                        scope.reschedule(loop.time() + first)

        headers = {
            "Accept": accept,
            "Content-Type": body.content_type,
            "Content-Length": str(body.length),
        }
        if self.where.key:
            headers["Authorization"] = f"Bearer {self.where.key}"
        try:
            async with scope:
                response = await self._http.session.post(
                    self.where.at(path), data=pieces(), headers=headers
                )
                # It may answer before it has all: a file that is too large is refused early.
                waiting = False
            async with response:
                if response.status >= 400:
                    raise await self._refusal(response)
                yield response
        except TimeoutError as error:
            raise ModelError(
                "hearing", "timeout", f"{url} gave no answer for {first:.0f} s"
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise ModelError(
                "hearing", "unreachable", f"cannot connect to {url} ({error.os_error})"
            ) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise ModelError("hearing", "refused", f"{url} is not a usable URL") from error
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise ModelError(
                "hearing", "broken", f"{url} broke off ({type(error).__name__}: {error})"
            ) from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> ModelError:
        text = ""
        with contextlib.suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(self._waits.stall):
                text = (await response.content.read(4096)).decode("utf-8", "replace")
        return ModelError(
            "hearing",
            kind_of_status(response.status),
            f"{self.where.url} answered {response.status} for {self.where.model}: {explain(text)}",
            retry_after=retry_after(response.headers.get("Retry-After", ""), time.time()),
        )


def retry_after(header: str, now: float) -> float | None:
    """Read a Retry-After header: seconds, or a date (RFC 9110, section 10.2.3).

    Args:
        header: Its value; "" if there is none.
        now: Seconds since 1970.
    """
    try:
        return max(float(header), 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(header).timestamp() - now, 0.0)
    except (TypeError, ValueError):
        return None
