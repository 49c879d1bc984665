"""A server as an operator runs it: its log for machines, its metrics and its health."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import urllib.request
from pathlib import Path

import aiohttp
import pytest

from tests.cli.commands import start
from tests.cli.inside import run_inside
from tests.cli.test_dev import Session
from tests.pipelines.observing.collector import Collector, attributes
from vivavoce.cli.serve import ServeError, read_setup
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
AGENT = """
import logging

from vivavoce.agent import Agent

agent = Agent("You answer.", name="host", greeting="Good evening!")
log = logging.getLogger("vivavoce")


@agent.reply
async def answer(call, heard):
    log.info("they said %r and called from %s", heard, call.caller)
    raise LookupError(f"no table for {heard}")
    yield ""
"""
SECRETS = ("Dupont", "06 12 34 56 78", "+33612345678", "203.0.113.9", SECRET)


async def _talk(url: str, token: str) -> None:
    async with aiohttp.ClientSession() as http:
        socket = await http.ws_connect(
            f"{url}/api/ws?rate=16000", headers={"Authorization": f"Bearer {token}"}
        )
        text = "Mrs Dupont here, call me at 06 12 34 56 78"
        said = {"type": "send-text", "id": "2", "data": {"content": text}}
        await socket.send_str(json.dumps({"type": "client-ready", "id": "1"}))
        await socket.send_str(json.dumps(said))
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT and "LookupError" in message.data:
                break
        await socket.close()


def _get(url: str, key: str = "") -> tuple[int, str]:
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(asked, timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_its_log_tells_of_calls_and_of_nobody_in_them(tmp_path: Path, sandbox: Sandbox):
    (tmp_path / "host.py").write_text(AGENT)
    signer = Signer(SECRET)
    with Collector() as collector:
        process = start(
            tmp_path,
            *("serve", "host.py", "--port", "0", "--log-format", "json", "--records", "kept"),
            VIVAVOCE_SANDBOX_URL=sandbox.url,
            VIVAVOCE_SANDBOX_KEY=sandbox.key,
            VIVAVOCE_WEB_SECRET=SECRET,
            VIVAVOCE_LOG="debug",
            VIVAVOCE_TRACES__URL=collector.url,
        )
        session = Session(process)
        try:
            url = session.until("host at http").split()[-1]
            assert _get(f"{url}/metrics")[0] == 401
            asyncio.run(_talk(url, signer.issue(1e10, caller="+33612345678")))
            ended = 'vivavoce_calls_ended_total{kind="websocket",reason="caller"} 1.0'
            for _ in range(200):
                status, text = _get(f"{url}/metrics", signer.scrape_key)
                assert status == 200
                if ended in text:
                    break
                time.sleep(0.05)
            assert ended in text
            assert 'vivavoce_errors_total{class="other",stage="thinking"} 1.0' in text
            assert _get(f"{url}/healthz")[0] == 200
            status, told = _get(f"{url}/readyz", signer.scrape_key)
            assert status == 200, told
            assert {
                "hearing",
                "thinking",
                "speaking",
                "records",
                "disk",
                "busy",
                "draining",
            } <= set(json.loads(told)["checks"])
            process.send_signal(signal.SIGINT)
            process.wait(30)
            assert process.stderr is not None
            errors = process.stderr.read()
            with pytest.raises(AssertionError):  # there are no more lines
                session.until("Dupont", seconds=5)
            shown = "".join(session.seen)
        finally:
            session.close()
    lines = [json.loads(line) for line in errors.splitlines()]
    ours = [line for line in lines if "they said" in line["message"]]
    assert len(ours) == 1
    assert ours[0]["call"]
    failed = [line for line in lines if "LookupError" in line["message"]]
    assert failed
    assert failed[0]["call"] == ours[0]["call"]
    for secret in (*SECRETS, signer.scrape_key, sandbox.key):
        assert secret not in errors + shown, secret
        assert secret.encode() not in b"".join(collector.bodies)
    (root,) = [span for span in collector.spans if not span.parent_span_id]
    assert root.trace_id.hex() == ours[0]["trace_id"]
    assert attributes(root)["gen_ai.conversation.id"] == ours[0]["call"]
    assert [event.name for event in root.events] == ["exception"]


def test_the_price_list_and_the_key_of_the_metrics(tmp_path: Path):
    told = run_inside(tmp_path, "prices").stdout
    assert "voxtral-mini-tts-2603" in told
    assert "16/M characters" in told
    rows = json.loads(run_inside(tmp_path, "prices", "--json").stdout)
    assert all(row["on"] and row["source"] for row in rows)
    done = run_inside(tmp_path, "token", "--metrics", VIVAVOCE_WEB_SECRET=SECRET)
    assert done.stdout.strip() == Signer(SECRET).scrape_key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[health]\ndisk = 0", "disk is more than 0"),
        ("[health]\nmemory = 1", "no 'memory'"),
        ("[prices.mine]\nminute = 'cheap'", "mine.minute"),
    ],
)
def test_what_is_set_wrongly_is_told(tmp_path: Path, text: str, said: str):
    path = tmp_path / "web.toml"
    path.write_text(text)
    with pytest.raises(ServeError, match=said):
        read_setup(path, {})


def test_prices_of_your_own_stand_beside_the_list(tmp_path: Path):
    path = tmp_path / "web.toml"
    path.write_text("[prices.mine]\ncharacters = 2.5\n[health]\ndisk = 2000\n")
    setup = read_setup(path, {})
    assert setup.prices is not None
    assert setup.prices["mine"].characters == 2.5
    assert "mistral-small-latest" in setup.prices
    assert setup.health.disk == 2000
