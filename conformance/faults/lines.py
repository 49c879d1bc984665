"""Rows: what happens between a caller and the server, over sockets and over WebRTC."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from conformance.faults.caller import Caller, SocketCaller
from conformance.faults.house import House, Plan
from conformance.faults.providers import row
from conformance.faults.row import WHEN, Act, Finding, Lab, Row, Scene, hold
from conformance.faults.wire import Wire
from tests.web.calls import Browser, get
from tests.web.relay import Relay, Relayed
from tests.web.test_turn import SECRET, behind, coturn
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.web.turn import IceServers

SOCKET, BROWSER = "a caller's socket", "a browser's connection"


async def nothing(_scene: Scene) -> None:
    """Break nothing: the line is bad from the start."""


def rows() -> Iterator[Row]:
    """Return all of them."""
    yield from _sockets()
    yield from _browsers()


# -- websockets


def _sockets() -> Iterator[Row]:
    def wired(fault: str, act: Callable[[Wire], Act], **more: Any) -> Row:
        name = f"{SOCKET}: {fault}"
        made = act(Wire("http://127.0.0.1:1"))
        return Row(SOCKET, fault, WHEN[made.at], partial(_wired, name=name, act=act), **more)

    def down(seconds: float) -> Callable[[Wire], Act]:
        def act(wire: Wire) -> Act:
            async def strike(scene: Scene) -> None:
                async def pause() -> None:
                    await wire.turn("down")
                    await asyncio.sleep(seconds)
                    scene.mark("lift")
                    await wire.turn("up")

                scene.task = asyncio.create_task(pause(), name="down")

            lost = seconds > 20
            return Act(strike, at="after 2", own=lost, unanswered=(3,) if lost else ())

        return act

    yield wired("nothing passes for 3 s", down(3))
    yield wired("nothing passes for 30 s", down(30))

    def reset(wire: Wire) -> Act:
        async def strike(_scene: Scene) -> None:
            wire.reset()

        return Act(strike, at="reply 2")

    yield wired("reset; the client comes back", reset)

    def half_open(wire: Wire) -> Act:
        async def strike(_scene: Scene) -> None:
            await wire.turn("down")

        return Act(strike, at="after 2", own=True, unanswered=(3,))

    yield wired("half open: the caller is gone and nobody says so", half_open)

    def late(wire: Wire) -> Act:
        async def strike(_scene: Scene) -> None:
            wire.delay = 0.3

        async def lift(_scene: Scene) -> None:
            wire.delay = 0.0

        return Act(strike, lift=lift)

    yield wired("300 ms late, each way", late)

    async def stop_reading(scene: Scene) -> None:
        async def pause() -> None:
            scene.caller.reading.clear()
            await asyncio.sleep(5)
            scene.caller.reading.set()

        scene.task = asyncio.create_task(pause(), name="reads nothing")

    yield row(SOCKET, "it reads nothing for 5 s", Act(stop_reading, at="said 2"))

    async def mute(scene: Scene) -> None:
        scene.caller.silent = True

    ended = Act(mute, at="after 2", own=True, unanswered=(3,))
    yield row(SOCKET, "its microphone's track ends", ended)

    async def flood(scene: Scene) -> None:
        for number in range(2_000):
            await scene.caller.socket.send_str(f'{{"type": "client-message", "id": "{number}"}}')

    yield row(SOCKET, "2,000 messages at once", Act(flood))

    async def nonsense(scene: Scene) -> None:
        for data in ("{", "[1]", '{"type": 7}', "\u0000"):
            await scene.caller.socket.send_str(data)
        await scene.caller.socket.send_bytes(b"\x01")

    yield row(SOCKET, "messages that are no JSON, half a sample", Act(nonsense))

    async def huge(scene: Scene) -> None:
        with contextlib.suppress(ConnectionError):  # it is closed before all of it is there
            async with asyncio.timeout(20):
                await scene.caller.socket.send_bytes(bytes(32 << 20))

    yield row(SOCKET, "a message of 32 MiB", Act(huge, own=True, unanswered=(2, 3)))


async def _wired(lab: Lab, name: str, act: Callable[[Wire], Act]) -> Finding:
    wire = Wire("http://127.0.0.1:1")
    made = act(wire)

    def reaches(house: House) -> Caller:
        return WiredCaller(house, wire)

    async def leave(_scene: Scene) -> None:
        await wire.close()  # what hangs in it is its own, and no task of the server's

    acted = dataclasses.replace(made, reaches=reaches, leave=leave)
    try:
        return await hold(lab, name, acted)
    finally:
        await wire.close()


class WiredCaller(SocketCaller):
    """Calls over a wire, and comes back when its line is lost, as the page does.

    Args:
        house: The server.
        wire: What is between.
        token: Lets the caller in; "" where nobody asks.
    """

    def __init__(self, house: House, wire: Wire, token: str = "") -> None:
        super().__init__("", resume=True)
        self._house, self._wire = house, wire
        self.patience, self.token = 12.0, token

    async def __aenter__(self) -> Self:
        self._wire.aim(self._house.url)
        await self._wire.__aenter__()
        self.url = self._wire.url
        return await super().__aenter__()


# -- WebRTC


class BrowserCaller(Caller):
    """Calls over WebRTC, with aiortc's client, through a bad network."""

    rate = 48_000

    def __init__(self, house: House, air: Relay) -> None:
        super().__init__()
        self.browser: Browser = Relayed(house.url, air)
        self.air = air
        self._task: asyncio.Task[None] | None = None
        self._taken = 0

    async def __aenter__(self) -> Self:
        await self._connect()
        self._task = asyncio.create_task(self._listen(), name="browser listens")
        return self

    async def _connect(self) -> None:
        await self.browser.call()

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.browser.close()

    async def say(self, pcm: Int16) -> bool:
        """Say something."""
        self.browser.mic.say(pcm)
        while not self.browser.mic.said:
            if self.over.is_set():
                return False
            await asyncio.sleep(0.02)
        return True

    async def hang_up(self) -> None:
        """Say that it is over; where the channel is gone, only close."""
        if self.browser.channel.readyState == "open":
            self.browser.send("disconnect-bot")
            await asyncio.sleep(0.3)
        await self.browser.close()

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            heard = self.browser.heard
            if self._taken < len(heard):
                pcm = np.concatenate(heard[self._taken :])[::3]
                self._taken = len(heard)
                self.ears.feed(pcm, time.monotonic())
            state = self.browser.pc.connectionState
            if state == "connected":  # a call begins when its caller is reached
                self.story.marks.setdefault("call", time.monotonic())
            if self.browser.events("call_ended") or state in {"failed", "closed"}:
                self.over.set()


class RelayedCaller(BrowserCaller):
    """Calls over WebRTC through a TURN server, and reaches nothing but that."""

    def __init__(self, house: House) -> None:
        super().__init__(house, Relay())

    async def _connect(self) -> None:
        given = (await get(f"{self.browser.url}/api/ice"))[1]["iceServers"]
        await self.browser.close()
        self.browser = behind(given, self.browser.url)
        async with asyncio.timeout(30):
            await self.browser.call()


def _browsers() -> Iterator[Row]:
    def badly(fault: str, **how: Any) -> Row:
        async def strike(scene: Scene) -> None:
            for name, value in how.items():
                setattr(scene.caller.air, name, value)

        async def lift(scene: Scene) -> None:
            for name in how:
                setattr(scene.caller.air, name, getattr(Relay(), name))

        return _aired(fault, Act(strike, at="before 2", lift=lift, damaged=True))

    yield badly("5 % of the packets are lost", loss=0.05)
    yield badly("20 % of the packets are lost", loss=0.2)
    yield badly("every packet is 200 ms late", delay=0.2)
    yield badly("up to 80 ms of jitter", jitter=0.08)
    yield badly("every fifth packet comes behind the next", swap=0.2)
    yield badly("every third packet comes twice", double=0.33)
    yield badly("packets of more than 600 bytes vanish", longest=600)
    yield _aired(
        "packets of more than 1,200 bytes vanish (path MTU)",
        Act(nothing, at="start"),
        longest=1_200,
    )

    def down(seconds: float, *, ends: bool) -> Act:
        async def strike(scene: Scene) -> None:
            async def pause() -> None:
                scene.caller.air.up = False
                await asyncio.sleep(seconds)
                scene.mark("lift")
                scene.caller.air.up = True

            scene.task = asyncio.create_task(pause(), name="down")

        return Act(strike, at="after 2", own=True, unanswered=(3,) if ends else ())

    yield _aired("nothing passes for 3 s", down(3, ends=False))
    yield _aired("nothing passes any more", down(600, ends=True))

    async def rebind(scene: Scene) -> None:
        await scene.caller.air.rebind()

    # Until its page restarts ICE, which this caller does not.
    lost = Act(rebind, at="after 2", own=True, unanswered=(3,))
    yield _aired("the router gives it another port (NAT rebinding)", lost)

    async def close_channel(scene: Scene) -> None:
        scene.caller.browser.channel.close()

    yield _aired("its data channel is closed", Act(close_channel))

    async def stop_track(scene: Scene) -> None:
        scene.caller.browser.mic.stop()

    ended = Act(stop_track, at="after 2", own=True, unanswered=(3,))
    yield _aired("its microphone's track ends", ended)

    yield _relayed("its TURN server is gone", lost_too=True)
    yield _relayed("its TURN server is gone, and it restarts ICE without it", lost_too=False)


def _relayed(fault: str, *, lost_too: bool) -> Row:
    """Return a row in which a TURN server ends; the page finds another way, or does not."""

    async def run(lab: Lab) -> Finding:
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vv-turn-"))
            server = await stack.enter_async_context(contextlib.AsyncExitStack())
            turn = await server.enter_async_context(coturn(Path(folder)))

            async def strike(scene: Scene) -> None:
                await server.aclose()
                if not lost_too:
                    await asyncio.sleep(1.0)
                    await scene.caller.browser.restart_ice()
                    scene.mark("lift")

            act = Act(
                strike, at="after 2", own=lost_too, unanswered=(3,) if lost_too else (),
                reaches=RelayedCaller,
            )  # fmt: skip
            plan = Plan(servers=IceServers((turn,), secret=SECRET))
            return await hold(lab, f"{BROWSER}: {fault}", act, plan)

    return Row(BROWSER, fault, WHEN["after 2"], run, weight=4, needs="turnserver")


def _aired(fault: str, act: Act, *, longest: int = 65_535) -> Row:
    name = f"{BROWSER}: {fault}"

    async def run(lab: Lab) -> Finding:
        air = Relay(seed=7, longest=longest)

        def reaches(house: House) -> Caller:
            return BrowserCaller(house, air)

        acted = dataclasses.replace(act, reaches=reaches)
        return await hold(lab, name, acted, Plan())

    # Both ends' encoders and encryption are in this process.
    return Row(BROWSER, fault, WHEN[act.at], run, weight=4)
