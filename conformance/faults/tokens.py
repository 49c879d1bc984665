"""Rows: the tokens that let callers in, when clocks differ and time runs out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import aiohttp

from conformance.faults.caller import Caller, SocketCaller
from conformance.faults.house import House, Plan
from conformance.faults.lines import WiredCaller, nothing
from conformance.faults.row import WHEN, Act, Finding, Lab, Row, Scene, hold
from conformance.faults.wire import Wire
from vivavoce.web.exposure import Exposure
from vivavoce.web.tokens import LIFETIME, Signer

GROUP = "call tokens"
SECRET = "what the fault table's tokens are signed with"
SIGNER = Signer(SECRET)


def rows() -> Iterator[Row]:
    """Return all of them."""

    async def expired(scene: Scene) -> None:
        token = SIGNER.issue(time.time() - LIFETIME - 1)
        await _refused(scene, token, 401)

    yield _row("one whose issuer's clock is two minutes behind", Act(expired))

    async def used(scene: Scene) -> None:
        await _refused(scene, scene.caller.token, 409)

    yield _row("one that began a call already", Act(used))
    # Its issuer's clock is as far behind as it can be: it is good for the dialling, no longer.
    short = Act(nothing, at="start")
    yield _row("it expires in mid-call", short, lifetime=3.0)

    async def reset(scene: Scene) -> None:
        scene.kept["wire"].reset()

    back = Act(reset, at="after 2")
    yield _row("it has expired when the caller's line breaks", back, lifetime=3.0, wired=True)


def _row(fault: str, act: Act, *, lifetime: float = LIFETIME, wired: bool = False) -> Row:
    name = f"{GROUP}: {fault}"

    async def run(lab: Lab) -> Finding:
        wire = Wire("http://127.0.0.1:1")

        def reaches(house: House) -> Caller:
            token = SIGNER.issue(time.time(), lifetime=lifetime)
            return (
                WiredCaller(house, wire, token) if wired else SocketCaller(house.url, token=token)
            )

        def after(house: House) -> Caller:
            return SocketCaller(house.url, token=SIGNER.issue(time.time()))

        async def leave(_scene: Scene) -> None:
            await wire.close()

        async def strike(scene: Scene) -> None:
            scene.kept["wire"] = wire
            await act.strike(scene)

        exposure = Exposure(port=0, secret=SECRET)
        acted = dataclasses.replace(act, strike=strike, reaches=reaches, next=after, leave=leave)
        try:
            return await hold(lab, name, acted, Plan(exposure=exposure))
        finally:
            await wire.close()

    return Row(GROUP, fault, WHEN[act.at], run)


async def _refused(scene: Scene, token: str, status: int) -> None:
    """Call once more, with a token that is no good."""
    async with aiohttp.ClientSession() as http:
        url = f"{scene.house.url}/api/ws?rate=16000&token={token}"
        async with http.get(url) as answer:
            text = await answer.text()
    if answer.status != status:
        scene.wrong.append(f"it was answered {answer.status}, not {status}")
    if token in text:
        scene.wrong.append("the answer repeats the token")
