"""Dispatch: what begins is placed, once; what comes later goes where it belongs.

A worker that is not there, or refuses before anything was begun, is passed over. Once a worker may
have begun something with a request, no other one gets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

import aiohttp
from aiohttp import web

from vivavoce.web.carriers import SIGNED
from vivavoce.web.cluster.figures import Figures
from vivavoce.web.cluster.greeting import Greeting, speaks_first
from vivavoce.web.cluster.placement import Placed, Placement, Refusal
from vivavoce.web.cluster.quota import Quota
from vivavoce.web.cluster.relay import Errand, Relay, Told, UntakenError
from vivavoce.web.cluster.routing import Route, carrier_of
from vivavoce.web.cluster.spending import Spending
from vivavoce.web.exposure import Door
from vivavoce.web.limits import Limits, network
from vivavoce.web.live import DeskError
from vivavoce.web.tokens import Claims

TRIES = 4
"""Workers that are asked for one thing, at most."""
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Send = Callable[[str, Errand, Told], Awaitable[T]]


class Begin(Protocol[T_co]):
    """Begins something for a caller; tells the status as soon as that is known."""

    def __call__(self, *, caller: str, told: Told) -> Awaitable[T_co]:
        """Begin."""


class Dispatch:
    """Finds the worker of each request.

    Args:
        door: Knows call tokens.
        limits: How long messages may be.
        placement: Chooses workers.
        quota: Counts what addresses and callers do.
        spending: Knows which tokens were used.
        relay: Hands requests to workers.
        figures: Told of what is refused, and of workers that were passed over.
    """

    def __init__(
        self,
        door: Door,
        *,
        limits: Limits,
        placement: Placement,
        quota: Quota,
        spending: Spending,
        relay: Relay,
        figures: Figures,
    ) -> None:
        self._door, self._limits, self._placement = door, limits, placement
        self._quota, self._spending = quota, spending
        self._relay, self._figures = relay, figures

    # What begins.

    async def begin(
        self, errand: Errand, where: Route, token: str, *, draining: bool = False
    ) -> web.StreamResponse:
        """Place a call, or a room; a token is used up before, and once.

        Args:
            errand: The request.
            where: What it is.
            token: The call token that it bears; "" for none.
            draining: Whether no more calls begin.

        Raises:
            DeskError: It may not begin, or nobody takes it.
        """
        if draining:
            self._figures.refused("closing")
            raise DeskError(503, "closing", "this server is shutting down: call another", 10.0)
        request = errand.request
        name = carrier_of(request.path)
        if self._door.signer is not None and speaks_first(name, token):
            greeting = await Greeting.open(request, name, self._limits.message)
            try:
                await self._greet(greeting, errand)
            except DeskError as error:
                await greeting.refuse(error)
            return greeting.socket
        claims = self._claims(request, token)
        if where.what == "join":
            # A room is where it is.
            join = partial(self.any, errand, first=where.worker)
            return await self._begun(errand, claims, join)
        return await self._begun(errand, claims, partial(self._placed, errand, self._relay.send))

    async def _begun(self, errand: Errand, claims: Claims | None, begin: Begin[T]) -> T:
        """Begin what a client may begin.

        Raises:
            DeskError: It has begun too much, its token was used before, or nobody takes it.
        """
        caller = claims.caller if claims else ""
        if errand.request.path != "/api/rooms":
            self._check(errand.address, caller)
        spent = await self._spend(claims)
        status = 0

        def told(found: int) -> None:
            nonlocal status
            status = found

        try:
            return await begin(caller=caller, told=told)
        finally:
            # An error began nothing, or nothing that lasts: its token is still good.
            if spent and not 0 < status < 400:
                await self._spending.give_back(spent)

    async def _placed(
        self, errand: Errand, send: Send[T], *, caller: str = "", told: Told = lambda _: None
    ) -> T:
        """Hand a call to the least loaded worker; to the next one where that does not take it.

        Raises:
            DeskError: Nobody takes it.
        """
        tried: set[str] = set()
        refused: DeskError | None = None
        while len(tried) < TRIES:
            placed = self._placement.place(
                time.monotonic(), tried, address=network(errand.address), caller=caller
            )
            if isinstance(placed, Refusal):
                refused = refused or DeskError(503, placed.code, placed.message, placed.retry)
                break
            tried.add(placed.worker)
            ident = placed.ident if errand.begins else ""
            settled = partial(self._settled, placed, told, counted=errand.begins)
            try:
                return await send(placed.worker, replace(errand, ident=ident), settled)
            except UntakenError as error:
                refused = error.refusal or refused
                self._figures.retried()
            finally:
                if not placed.settled:
                    self._placement.settle(placed, begun=False)
        if refused is None:
            refused = DeskError(503, "no_worker", "nobody took the call: try again soon", 2.0)
        if errand.begins:
            self._figures.refused(refused.code)
        raise refused

    def _settled(self, placed: Placed, told: Told, status: int, *, counted: bool) -> None:
        self._placement.settle(placed, begun=counted and status < 400)
        told(status)

    async def _greet(self, greeting: Greeting, errand: Errand) -> None:
        """Place the call of a carrier that tells its token in the socket.

        Raises:
            DeskError: It may not begin, or nobody takes it.
        """
        await greeting.read()
        claims = self._door.claims(greeting.token, None)
        worker: aiohttp.ClientWebSocketResponse
        dial = partial(self._placed, errand, self._relay.dial)
        worker = await self._begun(errand, claims, dial)
        try:
            await greeting.hand_on(worker)
        finally:
            await asyncio.shield(worker.close())

    def _check(self, address: str, caller: str) -> None:
        states, coming = self._placement.states(), self._placement.pending()
        refusal = self._quota.begin(address, caller, states, coming, time.monotonic())
        if refusal is not None:
            self._figures.refused("too_many_calls")
            raise DeskError(429, "too_many_calls", refusal.message, refusal.retry)

    def _claims(self, request: web.Request, token: str) -> Claims | None:
        """Read a call token, where one is needed before the worker is asked.

        Raises:
            DeskError: There is none, or a bad one.
        """
        signer = self._door.signer
        if signer is None or (request.path == "/api/rooms" and signer.is_service(token)):
            return None
        name = carrier_of(request.path)
        if not name:
            return self._door.claims(token, request.headers.get("Origin"))
        if name in SIGNED and os.environ.get(SIGNED[name][0]):
            return None  # the worker checks what the carrier signed
        return self._door.claims(token, None)

    async def _spend(self, claims: Claims | None) -> str:
        """Use a token up; return its id, "" where there is nothing to use up.

        Raises:
            DeskError: It was used before, or that cannot be known.
        """
        if claims is None or claims.room:
            return ""
        try:
            fresh = await self._spending.spend(claims.id, claims.expires, time.time())
        except ConnectionError:
            text = "whether the call token was used cannot be known now: try again"
            raise DeskError(503, "no_ledger", text, 2.0) from None
        if not fresh:
            text = "the call token has begun a call already: get another one"
            raise DeskError(409, "used_token", text)
        return claims.id

    # What comes later.

    async def resume(self, errand: Errand, where: Route) -> web.StreamResponse:
        """Bring a caller back: to the worker that has the call, else to one that looks it up.

        Raises:
            DeskError: Nobody is there.
        """
        if where.worker and not self._placement.is_lost(where.worker, time.monotonic()):
            with contextlib.suppress(UntakenError):
                return await self._relay.send(where.worker, errand)
        try:
            return await self._placed(errand, self._relay.send)
        except DeskError as error:
            if error.status != 503:
                raise
            return await self.any(errand)

    async def any(
        self,
        errand: Errand,
        *,
        first: str = "",
        caller: str = "",
        told: Told = lambda _: None,
    ) -> web.StreamResponse:
        """Ask the worker that is named, while it is there; else any that is.

        Args:
            errand: The request.
            first: The worker that it names.
            caller: Who asks: it makes no difference.
            told: Told the status as soon as that is known.

        Raises:
            DeskError: There is none.
        """
        del caller
        tried: set[str] = set()
        name = first if self._placement.member(first) is not None else ""
        while len(tried) < TRIES:
            name = name or self._placement.any(time.monotonic(), tried)
            if not name:
                break
            tried.add(name)
            try:
                return await self._relay.send(name, errand, told)
            except UntakenError as error:
                if error.refusal is not None:
                    raise error.refusal from None
                self._figures.retried()
                name = ""
        raise DeskError(503, "no_worker", "nobody is here to answer: try again soon", 2.0)
