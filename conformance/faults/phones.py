"""Rows: what befalls calls by telephone, in their signalling, in their media, and on the trunk."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from conformance.faults.caller import Caller
from conformance.faults.certificates import Authority
from conformance.faults.house import House, Plan
from conformance.faults.row import WHEN, Act, Finding, Lab, Row, Scene, hold
from conformance.faults.signals import Signals, Way
from conformance.faults.watch import ROW
from tests.phone.conftest import spray
from tests.phone.test_kamailio import kamailio
from tests.ports import HERE, free_port
from vivavoce.phone import Credentials, DialError, Exposure, PhoneLine, Station, Trunk
from vivavoce.phone.policy import Retries
from vivavoce.pipelines.audio.convert import Int16

GROUP = "a telephone call"
PORTS = range(40_000, 47_000)
SILENCE = 6.0
"""Seconds without a packet after which the server hangs up in these rows; the default is 60."""


async def nothing(_scene: Scene) -> None:
    """Break nothing: what breaks is part of the plan."""


# -- who is at the other end


class PhoneCaller(Caller):
    """Telephones, with a station of ours as the telephone, through `Signals`.

    Args:
        house: Where the agent's telephone is.
        air: What carries signalling and media.
        called: The agent calls, and this one answers.
        busy: Calls that are answered 503 first.
    """

    def __init__(self, house: House, air: Signals, *, called: bool = False, busy: int = 0) -> None:
        super().__init__()
        self.air, self._house, self._called, self._busy = air, house, called, busy
        self.line: PhoneLine | None = None
        self._there = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._hung_up = False
        trunk = Trunk("lab", HERE, port=air.port, allow=(f"{HERE}/32",), refer=("9",))
        exposure = Exposure(listen=(f"udp:{HERE}:0",), rtp=PORTS, silence_limit=600)
        self.station = Station(self._take if called else None, trunks=[trunk], exposure=exposure)

    async def __aenter__(self) -> Self:
        await self.station.open()
        try:
            if self._called:
                self.air.aim((HERE, self.station.local[0].port))
                retries = Retries(attempts=3, trouble=1.0)
                async with asyncio.timeout(30):
                    await self._house.telephone.dial("1", ring_time=20, retries=retries)
                    await self._there.wait()
            else:
                self.air.aim((HERE, self._house.telephone.station.local[0].port))
                self.line = await self.station.dial("1", caller="7", ring_time=20)
                self._task = asyncio.create_task(self._talk(self.line), name="caller talks")
            self.story.marks["call"] = time.monotonic()
        except BaseException:
            await self.station.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.station.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def say(self, pcm: Int16) -> bool:
        """Say something."""
        line = self.line
        assert line is not None
        # All of it at once: a thread of its own sends it, by its own clock.
        line.say(pcm if line.rate == self.rate else pcm[::2])
        await line.said(len(pcm) / self.rate + 20)
        return not line.ended

    async def hang_up(self) -> None:
        """Put the receiver down."""
        self._hung_up = True
        if self.line is not None:
            self.line.hang_up()
            await asyncio.sleep(0.3)

    async def _take(self, line: PhoneLine) -> None:
        if self._busy:
            self._busy -= 1
            line.reject(503)
            return
        if await line.answer():
            self.line = line
            self._there.set()
            await self._talk(line)

    async def _talk(self, line: PhoneLine) -> None:
        with contextlib.suppress(TimeoutError):
            while blocks := await line.listen():
                now = time.monotonic()
                for pcm, rate in blocks:
                    self.ears.feed(pcm if rate == self.rate else np.repeat(pcm, 2), now)
        if not self._hung_up:
            self.story.code = None if line.end is None else line.end.code
            self.over.set()


def theirs(scene: Scene) -> PhoneLine:
    """Return the agent's end of the call."""
    line: PhoneLine = scene.house.telephone.station.lines[0]
    return line


# -- rows


def rows() -> Iterator[Row]:
    """Return all of them."""
    yield from _signalling()
    yield from _media()
    yield from _trunks()
    yield from _registrars()


def _row(
    fault: str,
    act: Act,
    *,
    more: Callable[[], dict[str, Any]] = dict,
    needs: str = "",
    called: bool = False,
    busy: int = 0,
    lost: tuple[Way, str, int] | None = None,
    around: Callable[[Path], Any] | None = None,
) -> Row:
    name = f"{GROUP}: {fault}"

    async def run(lab: Lab) -> Finding:
        with tempfile.TemporaryDirectory(prefix="vv-phone-") as folder:
            air = Signals()
            await air.open()
            if lost is not None:
                air.lose(*lost)

            def reaches(house: House) -> Caller:
                return PhoneCaller(house, air, called=called, busy=busy)

            def phone() -> dict[str, Any]:
                listen = (f"udp:{HERE}:0",)
                trunk = Trunk("lab", HERE, port=air.port, allow=(f"{HERE}/32",))
                given = {"trunks": [trunk], **more()}
                exposure = {"listen": listen, "rtp": PORTS, "silence_limit": SILENCE}
                given["exposure"] = Exposure(**{**exposure, **given.get("exposure", {})})
                return given

            async def leave(_scene: Scene) -> None:
                air.found()

            acted = dataclasses.replace(act, reaches=reaches, next=reaches, leave=leave)
            try:
                async with contextlib.AsyncExitStack() as stack:
                    if around is not None:
                        ROW.set("")  # what stands beside the server is none of its tasks
                        await stack.enter_async_context(around(Path(folder)))
                    return await hold(lab, name, acted, Plan(phone=phone))
            finally:
                air.close()

    return Row(GROUP, fault, WHEN[act.at], run, weight=2, needs=needs)


def _signalling() -> Iterator[Row]:
    early = Act(nothing, at="house")
    yield _row("the ACK of its INVITE is lost three times", early, lost=("in", "ACK", 3))
    yield _row("the answer to its INVITE is lost twice", early, lost=("out", "200 INVITE", 2))

    async def found(scene: Scene) -> None:
        scene.caller.air.found()

    async def no_bye(scene: Scene) -> None:
        scene.caller.air.lose("in", "BYE", 1_000)

    bye = Act(no_bye, at="end")
    yield _row("its BYE never arrives", bye)

    async def server_hangs_up(scene: Scene) -> None:
        scene.caller.air.lose("out", "BYE", 1_000)
        theirs(scene).hang_up("the agent ended it")

    unheard = Act(server_hangs_up, at="end")
    yield _row("the agent hangs up, and its BYE never arrives", unheard)

    async def held(scene: Scene) -> None:
        air, line = scene.caller.air, scene.caller.line
        air.lose("in", "INVITE", 2)
        if not await line.hold():
            scene.wrong.append("the caller could not hold the call")
        await asyncio.sleep(1.0)
        air.lose("out", "200 INVITE", 2)
        if not await line.resume():
            scene.wrong.append("the caller could not take it back")

    yield _row("put on hold and taken back, with re-INVITEs and their answers lost", Act(held))

    async def codecs(scene: Scene) -> None:
        scene.caller.air.spoil = True
        await scene.caller.line.hold()
        scene.caller.air.spoil = False

    yield _row("a re-INVITE with no codec that we have", Act(codecs))

    async def refuses(scene: Scene) -> None:
        line: PhoneLine = scene.caller.line

        def referred(_uri: object) -> None:
            line.report_transfer(486)

        with line.refers(referred):
            outcome = await theirs(scene).transfer("9", within=20)
        if outcome.name != "FAILED":
            scene.wrong.append(f"the transfer came out as {outcome.name}")

    yield _row("it is to be transferred, and the other one is busy (REFER)", Act(refuses))

    async def no_signalling(scene: Scene) -> None:
        scene.caller.air.lose("in", "", 100_000)
        scene.caller.air.lose("out", "", 100_000)

    yield _row("no signalling passes for a turn", Act(no_signalling, lift=found))

    async def noise(scene: Scene) -> None:
        chance = np.random.default_rng(7)
        places = [theirs(scene)._endpoint.address, scene.caller.air.target]  # type: ignore[union-attr]  # noqa: SLF001
        loop = asyncio.get_running_loop()
        stranger, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.9", 0)
        )
        try:
            for number in range(1_000):
                stranger.sendto(chance.bytes(int(chance.integers(1, 1_400))), places[number % 2])
                if number % 20 == 0:
                    await asyncio.sleep(0.01)
        finally:
            stranger.close()

    yield _row("1,000 packets of noise, to its signalling and its media", Act(noise))


def _media() -> Iterator[Row]:
    async def stop(scene: Scene) -> None:
        scene.caller.air.hears = False

    gone = Act(stop, at="after 2", own=True, unanswered=(3,))
    yield _row(f"its media stop (hung up after {SILENCE:g} s here)", gone)

    async def stranger(scene: Scene) -> None:
        before = theirs(scene).statistics()
        scene.task = asyncio.create_task(spray(theirs(scene), 300.0, 600), name="stranger")
        assert before is not None

    yield _row("a stranger sends 600 packets of sound to its port", Act(stranger, at="saying 2"))

    async def moves(scene: Scene) -> None:
        await scene.caller.air.rebind()

    yield _row("its media come from another port (NAT rebinding)", Act(moves, damaged=True))

    async def bad(scene: Scene) -> None:
        scene.caller.air.loss = 0.1

    async def good(scene: Scene) -> None:
        scene.caller.air.loss = 0.0

    yield _row("10 % of its media are lost", Act(bad, lift=good, damaged=True))


def _trunks() -> Iterator[Row]:
    fault = "the agent calls: the trunk answers 503, then takes it"
    yield _row(fault, Act(nothing, at="start"), called=True, busy=1)

    stations: list[Station] = []
    port = free_port()

    def secure() -> dict[str, Any]:
        trunks = [
            Trunk("lab", HERE, port=None, allow=(f"{HERE}/32",)),
            Trunk("carrier", HERE, port=port, transport="tls"),
        ]
        listen = (f"udp:{HERE}:0", f"tls:{HERE}:0")
        exposure = {"listen": listen, "server_tls": Authority.shared().server()}
        return {"trunks": trunks, "exposure": exposure}

    async def callee(*, expired: bool) -> Station:
        async def take(line: PhoneLine) -> None:
            if await line.answer():
                await line.over(20)

        made = Station(
            take,
            trunks=[Trunk("us", HERE, transport="tls", allow=(f"{HERE}/32",))],
            exposure=Exposure(
                listen=(f"tls:{HERE}:{port}",), rtp=PORTS, media_thread=False,
                server_tls=Authority.shared().server(expired=expired),
            ),
        )  # fmt: skip
        await made.open()
        stations.append(made)
        return made

    async def expired(scene: Scene) -> None:
        await callee(expired=True)
        try:
            line = await scene.house.telephone.station.dial("5", trunk="carrier", ring_time=8)
        except DialError as error:
            if "certificate" not in str(error).lower():
                scene.wrong.append(f"nobody is told that it is the certificate: {error}")
        else:
            line.hang_up()
            scene.wrong.append("a carrier with an expired certificate was called")

    async def renewed(scene: Scene) -> None:
        await stations.pop().close()
        there = await callee(expired=False)
        try:
            line = await scene.house.telephone.station.dial("5", trunk="carrier", ring_time=8)
            line.hang_up()
            await line.over(5)
        except DialError as error:
            scene.wrong.append(f"with a good certificate the carrier is not reached: {error}")
        stations.remove(there)
        await there.close()

    yield _row(
        "another carrier's TLS certificate has expired", Act(expired, lift=renewed), more=secure
    )


def _registrars() -> Iterator[Row]:
    def registering(port: int, password: str = "right") -> Callable[[], dict[str, Any]]:
        def more() -> dict[str, Any]:
            pbx = Trunk(
                "pbx", HERE, port=port, user="bot", register=True, expires=60,
                credentials=Credentials("bot", password),
            )  # fmt: skip
            return {"trunks": [Trunk("lab", HERE, allow=(f"{HERE}/32",)), pbx]}

        return more

    port = free_port()

    async def there(scene: Scene) -> None:
        if not await scene.house.telephone.station.registration("pbx"):
            scene.wrong.append("it is not registered")

    async def still(scene: Scene) -> None:
        if not scene.house.telephone.station.registered["pbx"]:
            scene.wrong.append("it is not registered any more")

    nonce = Act(there, lift=still, until="after 3")
    yield _row(
        "the registrar (Kamailio) changes its nonce at each refresh", nonce, needs="kamailio",
        more=registering(port), around=lambda folder: kamailio(folder, port),
    )  # fmt: skip

    async def refused(scene: Scene) -> None:
        if await scene.house.telephone.station.registration("pbx"):
            scene.wrong.append("it is registered with a wrong password")

    second = free_port()
    yield _row(
        "the registrar (Kamailio) refuses our password", Act(refused), needs="kamailio",
        more=registering(second, "wrong"), around=lambda folder: kamailio(folder, second),
    )  # fmt: skip
    third = free_port()
    pbx = Pbx(third)

    async def gone(scene: Scene) -> None:
        await there(scene)
        await pbx.stop()

    async def back(scene: Scene) -> None:
        station = scene.house.telephone.station
        if not await _until(lambda: not station.registered["pbx"], 70):
            scene.wrong.append("nobody noticed that the registrar is gone")
        await pbx.start()
        if not await _until(lambda: station.registered["pbx"], 60):
            scene.wrong.append("it did not register again")

    yield _row(
        "the registrar (Kamailio) is gone, and comes back", Act(gone, lift=back, until="end"),
        needs="kamailio", more=registering(third), around=pbx.run,
    )  # fmt: skip


class Pbx:
    """A Kamailio that is started and stopped.

    Args:
        port: Where it listens.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._folder = Path()
        self._stack = contextlib.AsyncExitStack()

    @contextlib.asynccontextmanager
    async def run(self, folder: Path) -> AsyncIterator[None]:
        """Run it; it is stopped in the end, whatever came between."""
        self._folder = folder
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Start it."""
        row = ROW.set("")
        try:
            await self._stack.enter_async_context(kamailio(self._folder, self._port))
        finally:
            ROW.reset(row)

    async def stop(self) -> None:
        """Stop it; idempotent."""
        await self._stack.aclose()


async def _until(condition: Callable[[], bool], within: float) -> bool:
    due = time.monotonic() + within
    while not (found := condition()) and time.monotonic() < due:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    return found
