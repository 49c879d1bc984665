"""What every endpoint shares on the wire: error bodies, server-sent events, ends of connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from vivavoce.sandbox.fault import Fault, Stage
from vivavoce.sandbox.profile import Profile

Handler = Callable[[web.Request, Profile], Awaitable[web.StreamResponse]]
"""Answers a request to a dialect."""


class Problem(Exception):  # noqa: N818 - it is an answer, not a failure of the server
    """An answer other than success, in the shape of Mistral's API."""

    def __init__(
        self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}

    def response(self) -> web.Response:
        """Give it as an HTTP response."""
        return web.json_response(self.body, status=self.status, headers=self.headers)


class Own(Problem):
    """One in the shape that its dialect wants; nobody shapes it anew."""


HUGE = 8 << 20
"""Characters of a `huge` message."""
_STREAMED = ("garbage", "cut", "huge", "trickle", "endless")
_AGAIN_S = 0.005  # between two pieces of what has no end


class Page(Own):
    """A web page where an answer should be."""

    def __init__(self) -> None:
        super().__init__(200, {})

    def response(self) -> web.Response:
        """Give it as an HTTP response."""
        return web.Response(text="<html><h1>Welcome to the proxy</h1>", content_type="text/html")


_TYPES = {
    400: ("invalid_request_error", "3000"),
    401: ("unauthorized", "1401"),
    403: ("moderation_error", "1403"),
    404: ("not_found", "1404"),
    413: ("request_too_large", "3413"),
    429: ("rate_limited", "1300"),
}


def problem(
    status: int,
    message: str,
    *,
    kind: str | None = None,
    param: str | None = None,
    code: str | None = None,
    retry_after: float | None = None,
) -> Problem:
    """Make the documented ``{"object":"error",…}`` body."""
    default_kind, default_code = _TYPES.get(status, ("internal_server_error", "1000"))
    body = {
        "object": "error",
        "message": message,
        "type": kind or default_kind,
        "param": param,
        "code": code or default_code,
    }
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return Problem(status, body, headers)


def invalid(message: str, *where: str | int, kind: str = "value_error") -> Problem:
    """Make the 422 that a body of the wrong form gets."""
    return Problem(422, {"detail": [{"type": kind, "loc": ["body", *where], "msg": message}]})


def refusal(fault: Fault) -> Problem:
    """Make the answer of a ``status`` fault."""
    answer = problem(fault.status, fault.message, retry_after=fault.retry_after)
    if fault.status == 422:
        answer.body = invalid(fault.message).body
    return answer


def told(body: dict[str, Any]) -> str:
    """Return what an error's body says, whether it is a refusal's or a form's."""
    message = body.get("message")
    if message is None and body.get("detail"):
        message = body["detail"][0].get("msg")
    return str(message or "invalid")


def shaped(handler: Handler, refused: Callable[[int, str], Own]) -> Handler:
    """Have a handler's problems told in another dialect's shape.

    Args:
        handler: It.
        refused: Makes that shape, of a status and what is wrong.
    """

    async def reshaped(request: web.Request, profile: Profile) -> web.StreamResponse:
        try:
            return await handler(request, profile)
        except Own:
            raise
        except Problem as answer:
            made = refused(answer.status, told(answer.body))
            made.headers = answer.headers
            raise made from answer

    return reshaped


async def read_json(request: web.Request) -> dict[str, Any]:
    """Read a JSON object from the request.

    Raises:
        Problem: 422, when the body is none.
    """
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise invalid(f"JSON decode error: {error}", kind="json_invalid") from error
    if not isinstance(body, dict):
        raise invalid("Input should be an object", kind="model_attributes_type")
    return body


def dumps(data: Any) -> str:
    """Write compact JSON; letters stay as they are, as they do in Mistral's streams."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def reset(request: web.Request) -> None:
    """End the TCP connection with RST: the client sees it broken, not closed."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    abort = getattr(transport, "abort", transport.close)
    abort()


class Ended(Exception):  # noqa: N818 - a fault did what it was asked to
    """A fault ended this response; there is nothing left to send."""


class Strikes:
    """One HTTP request's faults: told before each chunk, they strike where they should.

    Used by thinking and speaking; hearing has a conversation and strikes for itself.
    """

    def __init__(self, request: web.Request, profile: Profile, stage: Stage) -> None:
        self._request, self._profile, self._stage = request, profile, stage
        self.number = profile.begin(stage)
        self.chunks = 0

    def find(self, *kinds: str) -> Fault | None:
        """Give the first fault of these kinds that strikes this request."""
        return self._profile.fault(self._stage, self.number, *kinds)

    async def door(self) -> None:
        """Before anything is answered.

        Raises:
            Problem: For a ``status`` fault.
            Ended: When the connection is gone.
        """
        if fault := self.find("status"):
            raise refusal(fault)
        if self.find("page"):
            raise Page
        if fault := self.find("slow"):
            await asyncio.sleep(fault.ms / 1000)
        await self._break()

    async def chunk(self, stream: EventStream | None = None) -> None:
        """After a chunk went out; the same ends, in the middle of the stream."""
        self.chunks += 1
        await self._break(stream)

    async def _break(self, stream: EventStream | None = None) -> None:
        fault = self.find("stall", "reset", "close", "error", *_STREAMED)
        if fault is not None and fault.kind in _STREAMED:
            if stream is not None and max(1, fault.after) == self.chunks:
                await self._spoil(fault, stream)
            return
        if fault is None or fault.after != self.chunks:
            return
        if fault.kind == "stall":
            # Until the client gives up: its disconnection cancels this handler.
            await asyncio.sleep(3600)
        elif fault.kind == "error":
            body = problem(fault.status, fault.message, code=str(fault.code or 1000)).body
            if stream is None:
                raise Problem(fault.status, body)
            if stream.error is None:
                await stream.send({"type": "error", "error": body, **body}, event="error")
            else:
                await stream.send(stream.error(fault.status, body))
        elif fault.kind == "reset":
            reset(self._request)
        elif self._request.transport is not None:
            self._request.transport.close()
        raise Ended

    async def _spoil(self, fault: Fault, stream: EventStream) -> None:
        """Go on with what no protocol allows."""
        if fault.kind == "garbage":
            await stream.raw(b'data: {"choices": [{"delta": nothing\n\n')
        elif fault.kind == "huge":
            await stream.raw(b"data: " + b"x" * HUGE)
        elif fault.kind == "trickle":
            stream.pause = fault.ms / 1000
        elif fault.kind == "endless":
            while True:  # until the client gives up: its disconnection cancels this handler
                await stream.raw(stream.last)
                await asyncio.sleep(_AGAIN_S)
        else:
            await stream.raw(stream.last[: len(stream.last) // 2])
            if self._request.transport is not None:
                self._request.transport.close()
            raise Ended


class EventStream:
    """A response of server-sent events; a client that left cancels or ends the handler."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
            }
        )
        self._open = False
        self.last = b""
        self.pause = 0.0  # seconds between two bytes, where they trickle
        # Makes the dialect's own error of a status and Mistral's body, in a stream without names.
        self.error: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None

    @property
    def response(self) -> web.StreamResponse:
        """What the handler returns."""
        return self._response

    async def open(self) -> None:
        """Send the headers."""
        if not self._open:
            self._open = True
            await self._response.prepare(self._request)

    async def send(
        self, data: dict[str, Any] | str, event: str | None = None, *, cut: bool = False
    ) -> None:
        """Send one event; ``cut`` sends it in two packets, inside a multibyte character."""
        await self.open()
        text = data if isinstance(data, str) else dumps(data)
        head = f"event: {event}\n" if event else ""
        self.last = body = f"{head}data: {text}\n\n".encode()
        if self.pause:
            for each in range(len(body)):
                await self._response.write(body[each : each + 1])
                await asyncio.sleep(self.pause)
            return
        at = next((i for i, byte in enumerate(body) if byte >= 0xC0), None) if cut else None
        if at is None:
            await self._response.write(body)
            return
        await self._response.write(body[: at + 1])
        await asyncio.sleep(0.01)  # else the kernel may join the two packets
        await self._response.write(body[at + 1 :])

    async def raw(self, data: bytes) -> None:
        """Send bytes that need be no event."""
        await self.open()
        await self._response.write(data)

    async def comment(self, text: str) -> None:
        """Send a comment, which clients pass over."""
        await self.open()
        await self._response.write(f": {text}\n\n".encode())

    async def close(self) -> None:
        """End the stream in good order."""
        await self.open()
        await self._response.write_eof()


async def pause_until(when: float) -> None:
    """Sleep until the event loop's clock shows ``when`` (seconds)."""
    await asyncio.sleep(max(0.0, when - asyncio.get_running_loop().time()))
