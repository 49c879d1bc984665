from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.web.calls import host, humming, serving
from tests.web.test_socket import connected
from vivavoce.agent import Agent
from vivavoce.phone import Phone
from vivavoce.pipelines.observing.meter import end_of
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.web.exposure import Exposure, ExposureError
from vivavoce.web.health import Health
from vivavoce.web.limits import Limits
from vivavoce.web.line import LOST
from vivavoce.web.metrics import Metrics
from vivavoce.web.metrics_site import MetricsSite, look_after_phone
from vivavoce.web.tokens import Signer

SECRET = "0123456789abcdef0123456789abcdef"
SIGNER = Signer(SECRET)
GUARDED = Exposure(port=0, secret=SECRET, origins=("https://shop.example",))
OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


async def read(url: str, **headers: str) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(url, headers=headers) as response,
    ):
        return response.status, await response.text(), response.headers["Content-Type"]


def sample(text: str, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if each.name == f"vivavoce_{name}" and labels.items() <= each.labels.items():
                return float(each.value)
    return None


async def test_a_call_is_seen_while_it_goes_on_and_when_it_is_over():
    observer = Observer()
    observer.open()
    try:
        async with serving(observer=observer, limits=Limits(calls=1)) as server:
            async with connected(server, "/api/ws?rate=16000") as client:
                await client.event("call")
                await client.socket.send_str(json.dumps({"type": "client-ready", "id": "1"}))
                await client.event("agent_started")
                await client.socket.send_str(
                    json.dumps({"type": "send-text", "id": "2", "data": {"content": "hello"}})
                )
                await client.until(
                    lambda: [
                        e
                        for e in client.events("agent_said")
                        if e["reply"]["heard"] == "you said hello"
                    ]
                )
                status, text, kind = await read(f"{server.url}/metrics", **OPEN_METRICS)
                assert status == 200
                assert kind.startswith("application/openmetrics-text")
                assert sample(text, "calls_active", kind="websocket") == 1
                assert sample(text, "calls_started_total", kind="websocket") == 1
                assert sample(text, "characters_total") > 0
                assert sample(text, "calls_limit") == 1
                assert (await read(f"{server.url}/readyz"))[0] == 503  # busy
                # Another one is refused, and counted.
                with pytest.raises(aiohttp.WSServerHandshakeError):
                    async with connected(server, "/api/ws?rate=16000"):
                        pass
            for _ in range(100):
                if not server.desk.calls:
                    break
                await asyncio.sleep(0.05)
            status, text, _ = await read(f"{server.url}/metrics", **OPEN_METRICS)
            assert sample(text, "calls_active", kind="websocket") == 0
            assert sample(text, "calls_ended_total", kind="websocket", reason="caller") == 1
            assert sample(text, "calls_refused_total", kind="web", reason="busy") == 1
            assert sample(text, "ready", check="busy") == 0
            # No call, no caller and no text of theirs is a label.
            for private in ("hello", "127.0.0.1", "2026", "welcome"):
                assert private not in text, private
    finally:
        await observer.close()


async def test_only_who_has_the_key_reads_what_others_could_reach():
    async with serving(observer=Observer(), exposure=GUARDED) as server:
        url = f"{server.url}/metrics"
        assert (await read(url))[0] == 401
        for wrong in (
            SIGNER.service_key,
            SIGNER.issue(1e12),
            SIGNER.issue_operator(1e12, name="a"),
        ):
            assert (await read(url, Authorization=f"Bearer {wrong}"))[0] == 401
        key = f"Bearer {SIGNER.scrape_key}"
        assert (await read(url, Authorization=key))[0] == 200
        # The key opens nothing else, and stands in no address.
        assert (await read(f"{server.url}/api/agents", Authorization=key))[0] == 401
        assert (await read(f"{url}?token={SIGNER.scrape_key}"))[0] == 401
        assert (await read(url, Authorization=key, Origin="https://shop.example"))[0] == 401
        # Whether it is well may be asked by anybody, and by any name; why it is not, may not.
        for path in ("/healthz", "/readyz"):
            status, text, _ = await read(f"{server.url}{path}", Host="10.1.2.3:7860")
            assert status == 200, text
        _, told, _ = await read(f"{server.url}/readyz")
        assert json.loads(told)["checks"]["thinking"] == {"ok": True}


async def test_pages_of_others_read_nothing_on_loopback_either():
    async with serving(observer=Observer()) as server:
        assert (await read(f"{server.url}/metrics"))[0] == 200
        status, _, _ = await read(f"{server.url}/metrics", Origin=server.url)
        assert status == 401
        assert (await read(f"{server.url}/metrics", Host="evil.example"))[0] == 403


async def test_a_server_without_an_observer_tells_nothing():
    async with serving(host()) as server:
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await read(f"{server.url}{path}"))[0] == 404


async def test_a_server_that_ends_takes_no_more_calls_and_says_so():
    async with serving(observer=Observer()) as server:
        server.desk.turnstile.draining = True
        status, text, _ = await read(f"{server.url}/readyz")
        answer = json.loads(text)
        assert (status, answer["failing"]) == (503, ["draining"])
        assert answer["checks"]["draining"]["why"]
        assert (await read(f"{server.url}/healthz"))[0] == 200


async def test_a_telephone_has_metrics_of_its_own():
    observer = Observer()
    async with humming() as models:
        phone = Phone(Agent(), models, exposure=None, observer=observer)
        phone.station._ua = type("Ua", (), {"refused": {"busy": 2}})()
        metrics = look_after_phone(phone, models, observer)
        async with MetricsSite(metrics, "127.0.0.1:0") as site:
            url = f"http://127.0.0.1:{site.port}"
            for _ in range(2):
                _, text, _ = await read(f"{url}/metrics", **OPEN_METRICS)
                refused = sample(text, "calls_refused_total", kind="phone in", reason="busy")
                assert refused == 2
            assert (await read(f"{url}/readyz"))[0] == 200
            assert (await read(f"{url}/else"))[0] == 404
        await site.close()


def test_a_lost_connection_is_one_of_the_ends_that_are_known():
    assert end_of(LOST) == "lost"


def test_a_site_that_anybody_could_read_does_not_open():
    open_to_all = Metrics(Observer(), Health())
    with pytest.raises(ExposureError, match="VIVAVOCE_WEB_SECRET"):
        MetricsSite(open_to_all, "0.0.0.0:9464")
    with pytest.raises(ExposureError, match="ADDRESS:PORT"):
        MetricsSite(open_to_all, "9464")
    MetricsSite(Metrics(Observer(), Health(), SIGNER), "0.0.0.0:9464")
