"""`vivavoce records`, and calls that `serve` keeps, as a user and a crash leave them."""

from __future__ import annotations

import asyncio
import json
import signal
import wave
from pathlib import Path

import aiohttp
import pytest

from tests.cli.commands import run, start
from tests.cli.inside import run_inside
from tests.cli.test_dev import Session
from tests.phone.conftest import Bot, local_trunk
from tests.web.storage import postgres, s3
from tests.web.test_socket import Client
from tests.web.test_store import call as made_call
from tests.web.test_store import record
from vivavoce.cli.phone_setup import read_phone
from vivavoce.cli.serve import read_setup
from vivavoce.phone import Exposure, Station
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.records import RecordsError
from vivavoce.web.store_settings import StoreSettings

AGENT = """
from vivavoce.agent import Agent

agent = Agent(name="host", greeting="Good evening!")


@agent.reply
async def answer(call, heard):
    return f"you said {heard}"
"""
SETUP = """
[records]
where = "kept"
days = 30
redact = ["cards", "phones"]
patterns = ["KD-[0-9]+"]
"""


def listed(folder: Path, *words: str) -> list[dict]:
    done = run_inside(folder, "records", "list", "--records", "kept", "--json", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_a_call_of_a_server_that_is_killed(tmp_path: Path, sandbox: Sandbox):
    (tmp_path / "host.py").write_text(AGENT)
    (tmp_path / "web.toml").write_text(SETUP)
    server = {"VIVAVOCE_SANDBOX_URL": sandbox.url, "VIVAVOCE_SANDBOX_KEY": sandbox.key}
    words = ("serve", "host.py", "--setup", "web.toml", "--port", "0")
    session = Session(await asyncio.to_thread(start, tmp_path, *words, **server))
    try:
        line = await asyncio.to_thread(session.until, "host at http")
        url = next(word for word in line.split() if word.startswith("http"))
        kept = await asyncio.to_thread(session.until, "kept in")
        assert "recordings in kept; deleted after 30 days" in kept
        async with aiohttp.ClientSession() as http:
            client = Client(await http.ws_connect(f"{url}/api/ws"))
            await client.socket.send_str('{"type": "client-ready", "id": "1"}')
            call = (await client.event("call"))["call"]
            await client.event("agent_said")
            for text in ("my name is Ada", "the code is KD-123"):
                said = {"type": "send-text", "id": "2", "data": {"content": text}}
                await client.socket.send_str(json.dumps(said))
                await client.until(
                    lambda text=text: any(
                        text in each["reply"]["heard"] for each in client.events("agent_said")
                    ),
                    60,
                )
            await asyncio.sleep(0.5)
            session.process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(session.process.wait, 10)
            await client.close()
    finally:
        await asyncio.to_thread(session.close)
    listing = ("records", "list", "--records", "kept", "--json")
    done = await asyncio.to_thread(run, tmp_path, *listing)
    entry = json.loads(done.stdout)
    assert (entry["call"], entry["live"]) == (call, True)
    done = await asyncio.to_thread(run, tmp_path, "records", "show", call, "--records", "kept")
    transcript = json.loads(done.stdout)["transcript"]
    assert [each.get("text") or each["heard"] for each in transcript] == [
        "Good evening!",
        "my name is Ada",
        "you said my name is Ada",
        "the code is [redacted]",
        "you said the code is [redacted]",
    ]
    # What was recorded until then can be heard.
    with wave.open(str(tmp_path / "kept" / "spool" / f"{call}.wav")) as wav:
        assert wav.getnchannels() == 2
        assert wav.getnframes() > wav.getframerate()


async def test_postgresql_and_s3_by_setting(tmp_path: Path, sandbox: Sandbox):
    boto3 = pytest.importorskip("boto3")
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"}
    (tmp_path / "host.py").write_text(AGENT)
    with postgres() as url, s3(tmp_path) as endpoint:
        bucket = boto3.resource(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="k",
            aws_secret_access_key="s",
            region_name="us-east-1",
        ).Bucket("calls")
        words = ("serve", "host.py", "--setup", "web.toml", "--port", "0")
        (tmp_path / "web.toml").write_text(
            f'[records]\nwhere = "{url}"\nrecordings = "s3://calls/eu"\n'
            f'endpoint = "{endpoint}"\nspool = "spool"\n'
        )
        server = {"VIVAVOCE_SANDBOX_URL": sandbox.url, "VIVAVOCE_SANDBOX_KEY": sandbox.key, **keys}
        done = await asyncio.to_thread(run, tmp_path, *words, **server)
        assert done.returncode == 2
        assert "s3://calls/eu: there is no such bucket" in done.stderr
        await asyncio.to_thread(bucket.create)
        session = Session(await asyncio.to_thread(start, tmp_path, *words, **server))
        try:
            line = await asyncio.to_thread(session.until, "host at http")
            place = next(word for word in line.split() if word.startswith("http"))
            async with aiohttp.ClientSession() as http:
                client = Client(await http.ws_connect(f"{place}/api/ws"))
                await client.socket.send_str('{"type": "client-ready", "id": "1"}')
                await client.event("agent_said")
                await client.socket.send_str('{"type": "disconnect-bot", "id": "2"}')
                await client.event("call_ended")
                await client.close()
            session.process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(session.process.wait, 60) == 0
        finally:
            await asyncio.to_thread(session.close)
        look = ("records", "list", "evening", "--setup", "web.toml", "--json")
        done = await asyncio.to_thread(run, tmp_path, *look, **keys)
        entry = json.loads(done.stdout)
        assert (entry["live"], entry["recorded"], entry["last"]) == (False, True, "Good evening!")
        assert [each.key for each in bucket.objects.all()] == [f"eu/{entry['call']}.wav"]
        words = ("records", "delete", "--caller", "127.0.0.1", "--yes", "--setup", "web.toml")
        done = await asyncio.to_thread(run, tmp_path, *words, **keys)
        assert "1 call deleted" in done.stdout
        assert not list(bucket.objects.all())


async def test_a_telephone_call_is_kept(tmp_path: Path, sandbox: Sandbox):
    """The command calls a number; who is called hears the greeting and hangs up."""
    (tmp_path / "host.py").write_text(AGENT)
    callee = Bot()
    exposure = Exposure(listen=("udp:127.0.0.1:0",), rtp=range(40_000, 48_000))
    async with Station(callee.take, trunks=[local_trunk()], exposure=exposure) as there:
        port = there.local[0].port
        (tmp_path / "phone.toml").write_text(
            f"[[trunk]]\nname = 'lab'\nhost = '127.0.0.1'\nport = {port}\n{SETUP}"
        )
        server = {"VIVAVOCE_SANDBOX_URL": sandbox.url, "VIVAVOCE_SANDBOX_KEY": sandbox.key}
        words = ("--listen", "127.0.0.1:0", "--setup", "phone.toml", "--dial", "100")
        process = await asyncio.to_thread(start, tmp_path, "phone", "host.py", *words, **server)
        session = Session(process)
        try:
            await asyncio.to_thread(session.until, "deleted after 30 days")
            await callee.until(lambda: any(abs(pcm).max() > 2000 for pcm in callee.heard), 60)
            callee.lines[0].hang_up()
            assert await asyncio.to_thread(process.wait, 60) == 0
        finally:
            await asyncio.to_thread(session.close)
    listing = ("records", "list", "--records", "kept", "--json", "--caller", "100")
    done = await asyncio.to_thread(run, tmp_path, *listing)
    entry = json.loads(done.stdout)
    assert (entry["kind"], entry["live"], entry["recorded"]) == ("phone out", False, True)
    with wave.open(str(tmp_path / "kept" / "recordings" / f"{entry['call']}.wav")) as wav:
        assert wav.getnchannels() == 2
        assert wav.getnframes() > 1000


def test_what_is_kept_is_found_shown_and_deleted(tmp_path: Path):
    async def fill() -> None:
        async with StoreSettings(str(tmp_path / "kept")).make() as store:
            for number in range(5):
                caller = "ada" if number % 2 else "bob [x]"
                store.put(made_call(f"c{number}", f"about {caller}", minutes=number, caller=caller))
                record(store, f"c{number}")
                await store.keep(f"c{number}")

    asyncio.run(fill())
    assert [each["call"] for each in listed(tmp_path)] == ["c4", "c3", "c2", "c1", "c0"]
    assert [each["call"] for each in listed(tmp_path, "ada", "--limit", "1")] == ["c3"]
    assert [each["call"] for each in listed(tmp_path, "--until", "2026-11-21T12:02:00")] == [
        "c1",
        "c0",
    ]
    kept = ("--records", "kept")
    done = run_inside(tmp_path, "records", "list", *kept)
    assert "bob [x]" in done.stdout
    done = run_inside(tmp_path, "records", "show", "c1", *kept, "--recording", "c1.wav")
    assert json.loads(done.stdout)["caller"] == "ada"
    with wave.open(str(tmp_path / "c1.wav")) as wav:
        assert wav.getnframes() == 8000
    assert run_inside(tmp_path, "records", "show", "nobody", *kept).returncode == 1
    done = run_inside(tmp_path, "records", "delete", "--caller", "ada", *kept)
    assert done.returncode == 1  # nobody said yes
    done = run_inside(tmp_path, "records", "delete", "--caller", "ada", *kept, given="y\n")
    assert "2 calls deleted" in done.stdout
    done = run_inside(tmp_path, "records", "delete", "c0", "--yes", *kept)
    assert "1 call deleted" in done.stdout
    assert run_inside(tmp_path, "records", "delete", "c0", "--yes", *kept).returncode == 1
    left = {path.stem for path in (tmp_path / "kept" / "recordings").iterdir()}
    assert left == {"c2", "c4"}
    # Nothing of them stays in the database's files.
    for path in (tmp_path / "kept").glob("calls.sqlite3*"):
        assert b"ada" not in path.read_bytes().lower()
    done = run_inside(tmp_path, "records", "purge", *kept, "--yes")
    assert done.returncode == 2
    assert "--days" in done.stderr
    (tmp_path / "web.toml").write_text(SETUP)
    done = run_inside(tmp_path, "records", "purge", "--setup", "web.toml", "--days", "0", "--yes")
    assert "calls deleted" in done.stdout


@pytest.mark.parametrize("read", [read_setup, read_phone])
def test_settings(tmp_path, monkeypatch, read):
    path = tmp_path / "setup.toml"
    listen = '[phone]\nlisten = ["udp:127.0.0.1:0"]\n' if read is read_phone else ""
    path.write_text(listen + SETUP)
    found = read(path, {}).records
    assert (found.where, found.days, found.patterns) == ("kept", 30, ("KD-[0-9]+",))
    assert read(path, {}, records="postgresql://me:pw@db/calls").records.told() == (
        "kept in postgresql://db/calls: transcripts, figures, events; no recordings;"
        " deleted after 30 days"
    )
    path.write_text(listen)
    assert read(path, {}).records.make() is None
    assert read(path, {}).records.told() == "nothing is kept of calls"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"days": 3}, "say where"),
        ({"where": "kept", "day": 3}, "no 'day'"),
        ({"where": "kept", "days": "3"}, "days: '3'"),
        ({"where": "kept", "days": 0}, "more than 0"),
        ({"where": "kept", "days": True}, "days: True"),
        ({"where": "kept", "redact": ["names"]}, "no 'names'; known: cards"),
        ({"where": "kept", "patterns": ["("]}, "is no pattern"),
        ({"where": "kept", "patterns": ["x*"]}, "nothingness"),
        ({"where": "mysql://x"}, "postgresql://"),
        ({"where": "postgresql://x", "recordings": "s3://b/p"}, "say spool"),
        ({"where": "kept", "recordings": "ftp://b/p"}, "s3://BUCKET/PREFIX"),
    ],
)
def test_what_is_wrong_in_them_is_told(given, said):
    with pytest.raises(RecordsError, match=said):
        StoreSettings.read(given).make()


def test_nothing_says_where(tmp_path):
    done = run_inside(tmp_path, "records", "list")
    assert done.returncode == 2
    assert "say where" in done.stderr
    done = run_inside(tmp_path, "serve", "host.py", "--records", "mysql://x", "--port", "0")
    assert done.returncode == 2
