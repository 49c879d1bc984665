"""`serve --cluster`: a real Ray on loopback, whose keeper is killed while a call goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from benchmarks.cluster.nodes import Nodes
from tests.cli.commands import run, start
from tests.cli.test_dev import Session
from tests.cli.test_workers import answers, begun, kept, until
from tests.web.test_socket import Client
from vivavoce.cli.clustered import Cluster, environment, plan_of
from vivavoce.cli.main import main
from vivavoce.cli.parcel import ParcelError, unpack
from vivavoce.cli.serve import ServeError
from vivavoce.cli.workers import WorkerSpec
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.cluster.proof import KEY
from vivavoce.web.cluster.scaling import Scale

AGENT = """
from vivavoce.agent import Agent

agent = Agent(name="host", greeting=None)


@agent.reply
async def answer(call, heard):
    return "word " + heard
"""
SECRET = "a secret of forty characters, as there are"


def spec_of(**more) -> WorkerSpec:
    return WorkerSpec(("host.py",), SECRET, **more)


def test_a_plan_for_one_machine_sends_nothing(tmp_path: Path) -> None:
    plan = plan_of(spec_of(records="calls"), Cluster(), 5.0, tmp_path, near=True)
    assert (plan.parcel, plan.folder) == (b"", str(tmp_path))
    assert (plan.least, plan.most, plan.drain) == (1, None, 5.0)
    given = WorkerSpec.from_json(plan.given)
    assert given.quiet, "what Ray keeps of its output says nothing of calls"
    assert SECRET not in repr(plan)


def test_a_plan_for_several_machines_sends_the_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "host.py").write_text(AGENT)
    cluster = Cluster("10.0.0.5:6379", Scale(2, 8))
    (tmp_path / "web.toml").write_text("")
    spec = spec_of(setup=str(tmp_path / "web.toml"))
    plan = plan_of(spec, cluster, 5.0, tmp_path, near=False)
    assert WorkerSpec.from_json(plan.given).setup == "web.toml"
    assert (plan.folder, plan.least, plan.most) == ("", 2, 8)
    unpack(plan.parcel, tmp_path / "there")
    assert (tmp_path / "there" / "host.py").read_text() == AGENT
    with pytest.raises(ServeError, match="PostgreSQL"):
        plan_of(spec_of(out="calls"), cluster, 5.0, tmp_path, near=False)
    with pytest.raises(ServeError, match="--json"):
        plan_of(spec_of(as_json=True), cluster, 5.0, tmp_path, near=True)
    elsewhere = WorkerSpec(("../host.py",), SECRET)
    with pytest.raises(ParcelError, match="a folder above it"):
        plan_of(elsewhere, cluster, 5.0, tmp_path, near=False)


def test_workers_get_our_variables_and_no_others() -> None:
    given = {"VIVAVOCE_WEB_SECRET": "a", "MISTRAL_API_KEY": "b", "HOME": "/root", KEY: "c"}
    assert environment(given) == {"VIVAVOCE_WEB_SECRET": "a", "MISTRAL_API_KEY": "b"}


def test_without_ray_it_is_told_what_to_install(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.chdir(tmp_path)
    for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "0")  # it sets them for itself
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr("sys.argv", ["vivavoce", "cluster", "status", "--ray", "local"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "pip install 'vivavoce[cluster]'" in capsys.readouterr().err


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'vivavoce[cluster]'")
    with Nodes() as made:
        yield made


def named(nodes: Nodes, name: str) -> list[psutil.Process]:
    found = []
    for each in nodes.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.cmdline() and each.cmdline()[0].startswith(f"ray::{name}"):
                found.append(each)
    return found


def logs_of(nodes: Nodes) -> str:
    """Return all that Ray has written down."""
    for each in nodes.processes():
        for word in each.cmdline():
            if word.startswith("--session-dir="):
                folder = Path(word.partition("=")[2]) / "logs"
                files = [path for path in folder.rglob("*") if path.is_file()]
                return "\n".join(path.read_text("utf-8", "replace") for path in files)
    raise AssertionError("no session's folder")


@pytest.mark.timeout(240)
async def test_calls_go_on_while_the_keeper_is_killed(
    nodes: Nodes, tmp_path: Path, sandbox: Sandbox
) -> None:
    (tmp_path / "host.py").write_text(AGENT)
    given = {
        **nodes.environment,
        "VIVAVOCE_SANDBOX_URL": sandbox.url,
        "VIVAVOCE_SANDBOX_KEY": sandbox.key,
        KEY: SECRET,
    }
    words = ["serve", "host.py", "--ray", nodes.address, "--port", "0", "--drain", "0"]
    words += ["--records", "calls"]
    session = Session(start(tmp_path, *words, **given))
    try:
        line = await asyncio.to_thread(session.until, "host.py at http", 120)
        url = next(word for word in line.split() if word.startswith("http")).rstrip(",")
        (worker,) = named(nodes, "CallWorker")
        address = f"{url.replace('http', 'ws', 1)}/api/ws?rate=8000"
        async with aiohttp.ClientSession() as http, http.ws_connect(address) as socket:
            client = Client(socket)
            about = await begun(client)
            await answers(client, "heliotrope")

            (keeper,) = named(nodes, "Keeper")
            keeper.kill()
            await answers(client, "again")
            await until(lambda: [each for each in named(nodes, "Keeper") if each != keeper])
            words = ["cluster", "status", "--ray", nodes.address, "--json"]
            done = await asyncio.to_thread(run, tmp_path, *words, **given)
            (row,) = json.loads(done.stdout)["workers"]
            assert row["name"] == about["call"].rpartition("-")[2], "another keeper has found it"
            assert (row["answers"], row["calls"], row["draining"]) == (True, 1, False)
            assert named(nodes, "CallWorker") == [worker]

            session.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(session.process.wait, 90) == 0
            await client.close()
        assert not named(nodes, "CallWorker"), "the workers end with the last front"
        assert await kept(tmp_path / "calls", about["call"]) == (False, "shutting down")
        written = await asyncio.to_thread(logs_of, nodes)
        assert "Keeper" in written, "these are its logs"
        assert SECRET not in written
        assert sandbox.key not in written
        assert "heliotrope" not in written, "what callers say stands in no log"
    finally:
        session.close()
