"""The relay: hands a client's request to one worker, and its answer back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from vivavoce.pipelines.load import AGAIN
from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.placement import Placement
from vivavoce.web.cluster.proof import OURS, Asked, Seal
from vivavoce.web.cluster.tunnel import Spliced, Tunnel, TunnelError
from vivavoce.web.live import DeskError

log = logging.getLogger("vivavoce")

SILENT = 120.0
"""Seconds that a worker may say nothing within an answer: one may wait for somebody to pick up."""
WHOLE = 65_536
"""Bytes of an answer that is handed on at once; a longer one as it comes."""
_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization te trailer trailers"
    " transfer-encoding upgrade proxy-connection expect".split()
)
_FORWARDED = frozenset({"x-forwarded-for", "forwarded", "x-real-ip"})  # the front has found it

Told = Callable[[int], None]


class UntakenError(Exception):
    """A worker did not take a request, and has begun nothing: another one may be asked.

    Attributes:
        refusal: What it said; None where it was not reached.
    """

    def __init__(self, refusal: DeskError | None = None) -> None:
        super().__init__("the worker did not take the request")
        self.refusal = refusal


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """A request on its way.

    Attributes:
        request: The client's.
        address: Where the client is.
        body: What it sent; None for nothing.
        begins: Whether a call begins with it.
        ident: What the front calls that; "" where none does.
    """

    request: web.Request
    address: str
    body: bytes | None = None
    begins: bool = False
    ident: str = ""

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a websocket."""
        headers = self.request.headers
        return (
            self.request.method == "GET"
            and headers.get("Upgrade", "").lower() == "websocket"
            and "upgrade" in headers.get("Connection", "").lower()
        )


class Relay:
    """Sends errands. Close it.

    Args:
        session: What HTTP goes over; closed by whoever made it.
        seal: Proves that requests are the cluster's.
        placement: Knows where workers are; told of those that are not.
        passed: Told of bytes that went through.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        seal: Seal,
        placement: Placement,
        passed: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._session, self._seal, self._placement = session, seal, placement
        self._passed = passed
        self._tunnels: dict[Tunnel, str] = {}

    @property
    def tunnels(self) -> int:
        """How many websockets go through."""
        return len(self._tunnels)

    def let_go(self, worker: str | None = None) -> None:
        """End the websockets of one worker, or all: their clients come back."""
        for tunnel, name in list(self._tunnels.items()):
            if worker in {None, name}:
                tunnel.abort()

    async def send(
        self, name: str, errand: Errand, told: Told = lambda _: None
    ) -> web.StreamResponse:
        """Hand a request to a worker; cancelled, it ends what it began.

        Args:
            name: Which one.
            errand: The request.
            told: Told the status as soon as that is known; a websocket goes on for long.

        Raises:
            UntakenError: The worker was not reached, or refused before anything was begun.
            DeskError: It ended while it answered.
        """
        member = self._placement.member(name)
        if member is None:
            raise UntakenError
        if errand.upgrades:
            return await self._splice(member, errand, told)
        return await self._fetch(member, errand, told)

    def _headers(self, member: Member, errand: Errand) -> CIMultiDict[str]:
        """Return what a worker is told of a client's request."""
        request = errand.request
        named = {each.strip().lower() for each in request.headers.get("Connection", "").split(",")}
        left_out = _HOP | _FORWARDED | OURS | named | {"content-length"}
        headers = CIMultiDict(
            (key, value) for key, value in request.headers.items() if key.lower() not in left_out
        )
        if request.secure:
            headers["X-Forwarded-Proto"] = "https"
        asked = Asked(member.name, request.method, request.raw_path, errand.address, errand.ident)
        headers.update(self._seal.headers(asked, time.time()))
        return headers

    async def dial(self, name: str, errand: Errand, told: Told) -> aiohttp.ClientWebSocketResponse:
        """Open a websocket to a worker that is not the client's own, but for it; close it.

        Raises:
            UntakenError: The worker was not reached, or refused before anything was begun.
            DeskError: It ended while it answered, or refuses for good.
        """
        member = self._placement.member(name)
        if member is None:
            raise UntakenError
        headers = self._headers(member, errand)
        for key in [each for each in headers if each.lower().startswith("sec-websocket-")]:
            del headers[key]
        try:
            socket = await self._session.ws_connect(
                URL(member.url + errand.request.raw_path, encoded=True),
                headers=headers,
                max_msg_size=0,
                heartbeat=10.0,
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            self._placement.unreachable(member.name)
            raise UntakenError from None
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 503:
                retry = "" if error.headers is None else error.headers.get("Retry-After", "")
                raise UntakenError(_refusal(b"", retry)) from None
            told(error.status)
            raise DeskError(error.status, "refused", "the worker refuses the socket") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _lost(member, error) from None
        told(101)
        return socket

    # HTTP.

    async def _fetch(self, member: Member, errand: Errand, told: Told) -> web.StreamResponse:
        request = errand.request
        try:
            answer = await self._session.request(
                request.method,
                URL(member.url + request.raw_path, encoded=True),
                headers=self._headers(member, errand),
                data=errand.body,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=2.0, sock_read=SILENT),
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            self._placement.unreachable(member.name)
            raise UntakenError from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _lost(member, error) from None
        try:
            return await self._hand_on(member, errand, answer, told)
        finally:
            answer.release()

    async def _hand_on(
        self, member: Member, errand: Errand, answer: aiohttp.ClientResponse, told: Told
    ) -> web.StreamResponse:
        request = errand.request
        headers = CIMultiDict(
            (key, value)
            for key, value in answer.headers.items()
            if key.lower() not in _HOP | {"date", "server", "content-length"}
        )
        length = answer.content_length
        try:
            if length is not None and length <= WHOLE and request.method != "HEAD":
                body = await answer.read()
                self._passed(len(body) + len(errand.body or b""))
                whole = web.Response(status=answer.status, headers=headers, body=body)
                if errand.begins and answer.status == 503:
                    raise UntakenError(_refusal(body, answer.headers.get("Retry-After", "")))
                told(answer.status)
                return whole
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _lost(member, error) from None
        told(answer.status)
        response = web.StreamResponse(status=answer.status, headers=headers)
        if length is not None:
            response.content_length = length
        await response.prepare(request)
        try:
            async for piece in answer.content.iter_chunked(WHOLE):
                self._passed(len(piece))
                await response.write(piece)
            await response.write_eof()
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            # Half of it is there: nobody may take that for the whole.
            log.warning("an answer of worker %s broke off: %r", member.name, error)
            if request.transport is not None:
                request.transport.abort()
        return response

    # Websockets.

    async def _splice(self, member: Member, errand: Errand, told: Told) -> web.StreamResponse:
        request = errand.request
        where = urlsplit(member.url)
        tunnel = Tunnel(where.hostname or "", where.port or 80, self._passed)
        headers = self._headers(member, errand)
        headers["Connection"], headers["Upgrade"] = "Upgrade", "websocket"
        self._tunnels[tunnel] = member.name
        try:
            answer = await tunnel.ask(request.raw_path, list(headers.items()))
            if answer.status != 101:
                body = await tunnel.refusal()
                kept = {
                    key: value
                    for key, value in answer.headers.items()
                    if key not in _HOP | {"date", "server", "content-length"}
                }
                refused = web.Response(status=answer.status, headers=kept, body=body)
                if errand.begins and answer.status == 503:
                    raise UntakenError(_refusal(body, kept.get("retry-after", "")))
                told(answer.status)
                return refused
            told(101)
            if request.transport is None:  # the client has left
                return Spliced(101)
            await tunnel.carry(request.transport)
            return Spliced(101)
        except TunnelError as error:
            if not error.begun:
                self._placement.unreachable(member.name)
                raise UntakenError from None
            raise _lost(member, error) from None
        finally:
            tunnel.abort()
            self._tunnels.pop(tunnel, None)


def _refusal(body: bytes, retry: str) -> DeskError:
    """Return what a worker refused with (503), in its own words."""
    code, text = "busy", "this server has no room for a call: try again"
    with contextlib.suppress(ValueError, KeyError, TypeError):
        error = json.loads(body)["error"]
        code, text = str(error["code"]), str(error["message"])
    return DeskError(503, code, text, float(retry) if retry.isdigit() else AGAIN)


def _lost(member: Member, error: BaseException) -> DeskError:
    log.warning("worker %s was lost while it was asked: %r", member.name, error)
    return DeskError(502, "worker_lost", "the server that was asked has ended: try again", 1.0)


async def read_body(request: web.Request, within: float) -> bytes | None:
    """Read a request's body, which the application bounds; None where there is none.

    Raises:
        DeskError: It does not come in time.
    """
    if not request.can_read_body:
        return None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            return await request.read()
    raise DeskError(408, "too_slow", "the request did not come in time")
