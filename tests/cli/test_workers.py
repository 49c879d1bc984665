"""`serve --workers`: real processes, which are killed, drained and renewed while calls go on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.cli.commands import start
from tests.cli.inside import run_inside
from tests.cli.test_dev import Session
from tests.web.calls import get, settled
from tests.web.test_socket import Client, connected
from vivavoce.cli.phone_setup import read_phone
from vivavoce.cli.processes import Processes
from vivavoce.cli.serve import ServeError
from vivavoce.cli.workers import WorkerSpec, read_workers, shifted
from vivavoce.phone.exposure import PhoneError
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.cluster.control import Control
from vivavoce.web.cluster.fleet import Fleet
from vivavoce.web.cluster.front import Front
from vivavoce.web.cluster.names import worker_of_id
from vivavoce.web.cluster.proof import Seal
from vivavoce.web.cluster.scaling import Scale
from vivavoce.web.exposure import Exposure
from vivavoce.web.limits import Limits
from vivavoce.web.store import Store
from vivavoce.web.store_sqlite import SqliteDatabase

KEY = "the cluster's key, of forty characters, or so"
AGENT = """
from vivavoce.agent import Agent

agent = Agent(name="host", greeting=None)


@agent.reply
async def answer(call, heard):
    return "WORD " + heard
"""
LIMITS = """
[limits]
per_address = 50
starts = 1000
requests = 1000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host.py").write_text(AGENT.replace("WORD", "first"))
    (tmp_path / "web.toml").write_text(LIMITS)
    return tmp_path


def spec_of(folder: Path, sandbox: Sandbox, **more) -> WorkerSpec:
    given = {"models": "sandbox", "sandbox_url": sandbox.url, "sandbox_key": sandbox.key}
    where = {"agents": (str(folder / "host.py"),), "setup": str(folder / "web.toml")}
    environment = {"VIVAVOCE_LOAD__LAG": "0"}  # a busy machine is no reason to refuse here
    return WorkerSpec(**where, key=KEY, settings=given, environment=environment, **more)


async def begun(client: Client) -> dict[str, str]:
    ready = {"label": "rtvi-ai", "type": "client-ready", "id": "0", "data": {"version": "1.2.0"}}
    await client.socket.send_str(json.dumps(ready))
    about = await client.event("call")
    await client.event("snapshot")
    return about


async def answers(client: Client, text: str) -> None:
    """Type something, and wait until the whole answer was heard."""
    data = {"content": text, "options": {"run_immediately": True}}
    await client.socket.send_str(
        json.dumps({"label": "rtvi-ai", "type": "send-text", "id": "1", "data": data})
    )
    await client.until(
        lambda: any(text in each["reply"]["heard"] for each in client.events("agent_said")), 60
    )


async def until(condition, within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def kept(folder: Path, call: str) -> tuple[bool, str]:
    """Return whether a call's record says that it goes on, and why it ended, as far as it matters."""
    async with Store(SqliteDatabase(folder / "calls.sqlite3"), upkeep=False) as store:
        record = await store.get(call)
    assert record is not None
    reason = record.get("ended") or ""
    return bool(record.get("live")), "shutting down" if "shutting down" in reason else reason


async def test_one_that_is_killed_ends_its_calls_alone_and_a_drain_ends_none(
    folder: Path, sandbox: Sandbox
) -> None:
    before = asyncio.all_tasks()
    limits = Limits(per_address=50, starts=1_000, requests=1_000.0)
    async with (
        Control(Seal(KEY)) as control,
        Front(Exposure(port=0), limits, KEY) as front,
        contextlib.AsyncExitStack() as stack,
    ):
        processes = Processes(spec_of(folder, sandbox, records=str(folder / "calls")))
        fleet = Fleet(processes, control, Scale(2, 2), changed=front.meet, drain=60.0)
        await stack.enter_async_context(fleet)
        await until(lambda: len(front.placement.states()) == 2)
        clients: dict[str, list[tuple[Client, dict[str, str]]]] = {}
        for _ in range(4):
            client = await stack.enter_async_context(connected(front, "/api/ws"))
            about = await begun(client)
            clients.setdefault(worker_of_id(about["call"]), []).append((client, about))
        assert sorted(map(len, clients.values())) == [2, 2]
        victim, other = clients

        os.kill(processes.pid(victim), signal.SIGKILL)
        for client, _ in clients[victim]:
            await until(lambda client=client: client.socket.closed)
            assert client.socket.close_code == 1006  # nobody said goodbye: it may come back
        await answers(clients[other][0][0], "still there")
        await until(lambda: len(fleet.taking) == 2)  # it is replaced
        assert victim not in {each.name for each in fleet.members}
        await until(lambda: len(front.placement.states()) == 2)
        lost = clients[victim][0][1]
        status, _ = await get(f"{front.url}/api/calls/{lost['call']}?token={lost['resume']}")
        assert status in {404, 410}  # nothing is kept of it here

        # All are drained: no call is lost, nothing new begins, and who has no calls ends.
        ending = asyncio.create_task(fleet.finish(60.0))
        await until(lambda: [each.name for each in fleet.members] == [other])
        await answers(clients[other][1][0], "after the drain")
        for _, about in clients[other]:
            path = f"{front.url}/api/calls/{about['call']}?token={about['resume']}"
            assert (await get(path))[0] == 200
        assert (await get(f"{front.url}/readyz"))[0] == 503
        assert not ending.done()
        (leaving, left), (staying, about) = clients[other]
        assert not leaving.socket.closed
        await leaving.close()  # hangs up

        # Whoever ends all does not wait any longer: nobody is left whom the call could be left to.
        assert await kept(folder / "calls", about["call"]) == (True, "")
        ending.cancel()
        await asyncio.wait_for(fleet.close(), 60)
        assert fleet.members == ()
        assert "shutting down" in (await staying.event("call_ended"))["reason"]
        assert (await kept(folder / "calls", about["call"])) == (False, "shutting down")
        assert not (await kept(folder / "calls", left["call"]))[0]
    await settled(before)


# -- the command


@pytest.fixture
def session(folder: Path, sandbox: Sandbox) -> Iterator[Session]:
    process = start(
        folder,
        *("serve", "host.py", "--workers", "1", "--port", "0", "--drain", "60"),
        *("--setup", "web.toml"),
        VIVAVOCE_SANDBOX_URL=sandbox.url,
        VIVAVOCE_SANDBOX_KEY=sandbox.key,
    )
    made = Session(process)
    yield made
    made.close()


class Where:
    def __init__(self, url: str) -> None:
        self.url = url


async def test_new_code_takes_new_calls_old_calls_end_in_peace_and_nothing_outlives_the_front(
    session: Session, folder: Path
) -> None:
    line = await asyncio.to_thread(session.until, "by 1 worker", 90)
    found = re.search(r"http://[\d.:]+", line)
    assert found is not None
    front = Where(found[0])
    async with connected(front, "/api/ws") as old:
        about = await begun(old)
        await answers(old, "one")
        (folder / "host.py").write_text(AGENT.replace("WORD", "second"))
        session.process.send_signal(signal.SIGHUP)
        await asyncio.to_thread(session.until, "all workers are new", 90)
        async with connected(front, "/api/ws") as new:
            assert worker_of_id((await begun(new))["call"]) != worker_of_id(about["call"])
            await answers(new, "two")
            assert new.events("agent_said")[-1]["reply"]["heard"] == "second two"
            await answers(old, "three")
            assert old.events("agent_said")[-1]["reply"]["heard"] == "first three"
        # It is to end: no new calls, and those that there are go on.
        session.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(session.until, "calls go on", 60)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(front, "/api/ws"):
                pass
        assert refused.value.status == 503
        await answers(old, "four")
        children = psutil.Process(session.process.pid).children(recursive=True)
        assert children
        session.process.kill()
        await until(lambda: old.socket.closed)
    _gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 30)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workers", "3-2"], "give a number"),
        (["--workers", "1", "--host", "0.0.0.0"], "anybody could call"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(folder: Path, words: list[str], said: str) -> None:
    done = run_inside(folder, "serve", "host.py", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# -- what needs no process


def test_workers_are_counted():
    assert read_workers("4") == Scale(4, 4)
    assert read_workers("2-8") == Scale(2, 8)
    for wrong in ("", "0", "-1", "4-2", "many"):
        with pytest.raises(ServeError, match="--workers"):
            read_workers(wrong)


def test_a_spec_is_written_and_read_and_shows_no_secret():
    given = {"sandbox_key": "hidden"}
    spec = WorkerSpec(("a.py", "b.py:x"), KEY, settings=given, environment={"X": "hidden"})
    assert WorkerSpec.from_json(spec.to_json()) == spec
    assert "hidden" not in repr(spec)
    assert KEY not in repr(spec)


def test_telephones_of_several_listen_side_by_side(tmp_path: Path):
    path = tmp_path / "phone.toml"
    text = '[phone]\nlisten = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:0"]\n'
    path.write_text(text)
    one = read_phone(path, {})
    moved = shifted(one, 3)
    assert moved.exposure is not None
    assert tuple(moved.exposure.listen) == ("udp:127.0.0.1:5063", "tcp:127.0.0.1:0")
    assert shifted(replace(one, exposure=None), 3).exposure is None
    trunk = '[[trunk]]\nname = "t"\nhost = "sip.example.com"\nuser = "u"\npassword = "p"\n'
    path.write_text(text + trunk + "register = true\n")
    with pytest.raises(PhoneError, match="ring all workers"):
        shifted(read_phone(path, {}), 0)
    path.write_text('[audiosocket]\nlisten = "127.0.0.1:9092"\n')
    with pytest.raises(PhoneError, match="one process"):
        shifted(read_phone(path, {}), 0)
