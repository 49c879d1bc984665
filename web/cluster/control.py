"""Control: what fronts and fleets ask of a worker itself, over one connection that is kept."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Self

import aiohttp
from yarl import URL

from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.inside import DRAIN, STATE
from vivavoce.web.cluster.proof import Asked, Seal
from vivavoce.web.cluster.state import WorkerState

WITHIN = 2.5
"""Seconds in which a worker answers, or has missed it."""
KEPT = 15.0
"""Seconds that a connection to a worker is kept for the next request: less than the worker keeps
it, so that none is sent into one that is just being closed."""
CONNECT = 2.0
"""Seconds in which a connection to a worker must stand."""
LARGEST = 1 << 20
"""Bytes of a state."""


class ControlError(Exception):
    """A worker did not answer.

    Attributes:
        absent: Nobody listens there.
    """

    def __init__(self, text: str, *, absent: bool = False) -> None:
        super().__init__(text)
        self.absent = absent


def open_session() -> aiohttp.ClientSession:
    """Make what requests to workers are sent with; closed by whoever made it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
    )


class Control:
    """Asks workers how they stand, and has them take no more calls. Close it.

    Args:
        seal: Proves that it is of the cluster.
    """

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._session = open_session()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def state(self, member: Member) -> WorkerState:
        """Return how a worker stands; safe to cancel.

        Raises:
            ControlError: It does not answer in time, or is another one.
        """
        return await self._ask(member, "GET", STATE)

    async def drain(self, member: Member) -> WorkerState:
        """Have a worker take no more calls; those that it has go on. Safe to cancel, and to repeat.

        Raises:
            ControlError: It does not answer in time.
        """
        return await self._ask(member, "POST", DRAIN)

    async def close(self) -> None:
        """Close the connections; idempotent."""
        await self._session.close()

    async def _ask(self, member: Member, method: str, path: str) -> WorkerState:
        headers = self._seal.headers(Asked(member.name, method, path), time.time())
        try:
            async with (
                asyncio.timeout(WITHIN),
                self._session.request(method, URL(member.url + path), headers=headers) as answer,
            ):
                raw = await answer.content.read(LARGEST)
                while not answer.content.at_eof() and len(raw) < LARGEST:
                    raw += await answer.content.read(LARGEST)
                if answer.status != 200:
                    raise ControlError(f"{member.name} answers {answer.status}: {raw[:200]!r}")
            state = WorkerState.from_dict(json.loads(raw), node=member.node, url=member.url)
        except aiohttp.ClientConnectorError as error:
            raise ControlError(f"{member.name} is not there: {error}", absent=True) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ControlError(f"{member.name} does not answer: {error!r}") from None
        if state.name != member.name:
            raise ControlError(f"{state.name} answers where {member.name} was", absent=True)
        return state
