"""Real sockets on loopback: two user agents, and sipp as the first real peer."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.phone.scenarios import ANSWERED, BYE, sdp, send
from tests.phone.sip.network import media
from vivavoce.phone.sip.decisions import (
    Address,
    Answered,
    Decision,
    Dtmf,
    Ended,
    Incoming,
    MediaChanged,
    Resolve,
)
from vivavoce.phone.sip.resolve import Records
from vivavoce.phone.sip.transaction import State
from vivavoce.phone.sip.transport import Transports
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.ua import UserAgent

HERE = "127.0.0.1"


class Bot:
    """A user agent on real sockets that answers what comes in."""

    def __init__(self) -> None:
        self.news: list[Decision] = []
        self.changed = asyncio.Event()
        self.wire = Transports(self.take, look_up=self.look_up)
        self.ua: UserAgent

    async def look_up(self, asked: Resolve) -> Records:
        return Records(addresses={asked.host: (HERE,)})

    def take(self, news: Decision) -> None:
        self.news.append(news)
        self.changed.set()
        if isinstance(news, Incoming):
            self.wire.do(self.ua.ring(news.call, monotonic()))
            self.wire.do(self.ua.answer(news.call, media(40000, HERE), monotonic()))

    def of(self, kind):
        return [news for news in self.news if isinstance(news, kind)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(8):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def bot(*kinds: str, trunk: Trunk | None = None) -> AsyncIterator[Bot]:
    it = Bot()
    await it.wire.open([Address(kind, HERE, 0) for kind in kinds])
    it.ua = UserAgent(it.wire.local, [trunk or Trunk("lab", HERE, transport=kinds[0])])
    it.wire.attach(it.ua)
    try:
        yield it
    finally:
        await it.wire.close()
        await it.wire.close()


@pytest.mark.parametrize("kind", ["udp", "tcp"])
@pytest.mark.parametrize("host", [HERE, "bot.test"])
async def test_two_of_ours(kind, host):
    async with bot(kind) as callee:
        port = callee.wire.local[0].port
        async with bot(kind, trunk=Trunk("bot", host, port=port, transport=kind)) as caller:
            call, decisions = caller.ua.dial("bot", "1", media(41000, HERE), monotonic())
            caller.wire.do(decisions)
            await caller.until(lambda: bool(caller.of(Answered)))
            caller.wire.do(caller.ua.send_dtmf_info(call, "5", monotonic()))
            await callee.until(lambda: bool(callee.of(Dtmf)))
            theirs = callee.of(Incoming)[0].call
            callee.wire.do(callee.ua.hang_up(theirs, monotonic()))
            await caller.until(lambda: bool(caller.of(Ended)))
            assert (caller.of(Ended)[0].code, caller.of(Ended)[0].remote) == (200, True)


async def test_nobody_listens_on_tcp():
    trunk = Trunk("bot", HERE, port=9, transport="tcp")
    async with bot("tcp", trunk=trunk) as caller:
        _, decisions = caller.ua.dial("bot", "1", media(), monotonic())
        caller.wire.do(decisions)
        await caller.until(lambda: bool(caller.of(Ended)))
        (ended,) = caller.of(Ended)
        assert (ended.code, ended.reason) == (503, f"no connection to {HERE}:9: Connection refused")


async def gone(reader: asyncio.StreamReader) -> bool:
    """Whether the far end closes the connection, without a word."""
    try:
        async with asyncio.timeout(5):
            return await reader.read() == b""
    except ConnectionError:
        return True


async def test_a_stranger_is_disconnected():
    async with bot("tcp", trunk=Trunk("lab", "192.0.2.1", transport="tcp")) as callee:
        reader, writer = await asyncio.open_connection(HERE, callee.wire.local[0].port)
        assert await gone(reader)
        writer.close()


async def test_a_stream_of_nonsense_is_disconnected():
    async with bot("tcp") as callee:
        reader, writer = await asyncio.open_connection(HERE, callee.wire.local[0].port)
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(5):
            assert await reader.read(10) == b"\r\n"
        writer.write(b"x" * 40000)
        assert await gone(reader)
        writer.close()


# -- sipp


def checked(direction: str) -> str:
    return (
        f'<recv response="100" optional="true"/><recv response="200"><action>'
        f'<ereg regexp="a={direction}" search_in="body" check_it="true" assign_to="d"/>'
        f'<strcmp assign_to="e" variable="d" value="a={direction}"/></action></recv>'
    )


SCENARIOS = {
    "a call": send("INVITE", 1, sdp(), to="") + ANSWERED + send("ACK", 1) + BYE,
    "late offer": send("INVITE", 1, to="") + ANSWERED + send("ACK", 1, sdp()) + BYE,
    "hold and resume": (
        send("INVITE", 1, sdp(), to="") + ANSWERED + send("ACK", 1)
        + send("INVITE", 2, sdp("sendonly", 2)) + checked("recvonly") + send("ACK", 2)
        + send("INVITE", 3, sdp("sendrecv", 3)) + checked("sendrecv") + send("ACK", 3) + BYE
    ),
    "UPDATE, INFO and REFER": (
        send("INVITE", 1, sdp(), to="") + ANSWERED + send("ACK", 1)
        + send("UPDATE", 2, sdp("sendonly", 2)) + checked("recvonly")
        + send("INFO", 3, "Signal=7\nDuration=160\n", "application/dtmf-relay")
        + '<recv response="200"/>'
        + send("REFER", 4).replace("Max-", "Refer-To: &lt;sip:premium@203.0.113.9&gt;\nMax-")
        .replace("&lt;", "<").replace("&gt;", ">")
        + '<recv response="603"/>' + BYE
    ),
    "OPTIONS": send("OPTIONS", 1, to="") + '<recv response="200"/>',
}  # fmt: skip


def traces(folder: Path) -> str:
    return "\n".join(path.read_text() for path in folder.glob("*.log"))


@pytest.mark.skipif(shutil.which("sipp") is None, reason="needs Debian's sip-tester")
@pytest.mark.parametrize("transport", ["u1", "t1"])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_sipp_calls_in(name: str, transport: str, tmp_path: Path):
    used = '<Reference variables="d,e"/>' if 'assign_to="d"' in SCENARIOS[name] else ""
    scenario = tmp_path / "s.xml"
    scenario.write_text(
        '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="t">\n'
        f"{SCENARIOS[name]}{used}\n</scenario>\n"
    )
    kind = "udp" if transport == "u1" else "tcp"
    async with bot(kind) as callee:
        process = await asyncio.create_subprocess_exec(
            "sipp", f"{HERE}:{callee.wire.local[0].port}", "-sf", str(scenario), "-s", "bot",
            "-i", HERE, "-t", transport, "-m", "1", "-nostdin", "-recv_timeout", "5000",
            "-trace_err", "-trace_msg",
            cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(20):
                code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert code == 0, traces(tmp_path)
        if name != "OPTIONS":
            assert [e.code for e in callee.of(Ended)] == [200]
            assert len(callee.of(Answered)) == 1
        if name == "hold and resume":
            assert [m.plan.sends for m in callee.of(MediaChanged)] == [False, True]
        if name.startswith("UPDATE"):
            assert [d.digit for d in callee.of(Dtmf)] == ["7"]


def _said_goodbye(caller: Bot) -> bool:
    """Whether our BYE has its final response; over TCP its transaction is forgotten then."""
    byes = [t for t in caller.ua._exchange.clients.values() if t.request.method == "BYE"]
    return all(bye.state is State.COMPLETED and not bye.silent for bye in byes)


@pytest.mark.skipif(shutil.which("sipp") is None, reason="needs Debian's sip-tester")
@pytest.mark.parametrize("kind", ["udp", "tcp"])
async def test_sipp_is_called(kind: str, tmp_path: Path, unused_tcp_port: int):
    process = await asyncio.create_subprocess_exec(
        "sipp", "-sn", "uas", "-i", HERE, "-p", str(unused_tcp_port), "-mi", HERE, "-m", "1",
        "-t", "u1" if kind == "udp" else "t1", "-nostdin",
        cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        trunk = Trunk("sipp", HERE, port=unused_tcp_port, transport=kind)
        async with bot(kind, trunk=trunk) as caller:
            for _ in range(50):  # until it listens
                call, decisions = caller.ua.dial("sipp", "1", media(41000, HERE), monotonic())
                caller.wire.do(decisions)
                await caller.until(lambda: bool(caller.of(Answered) or caller.of(Ended)))
                if caller.of(Answered):
                    break
                caller.news.clear()
                await asyncio.sleep(0.1)
            caller.wire.do(caller.ua.hang_up(call, monotonic()))
            for _ in range(200):  # sipp would linger for four seconds after its 200 to the BYE
                if _said_goodbye(caller):
                    break
                await asyncio.sleep(0.02)
            assert _said_goodbye(caller)
            assert caller.of(Answered)[0].plan.codec.name == "PCMU"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
