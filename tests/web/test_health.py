from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.web.calls import humming, sandboxed
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.observing.probe import Probe
from vivavoce.pipelines.observing.pulse import Pulse
from vivavoce.web.health import Check, Health, HealthLimits, told
from vivavoce.web.store_settings import StoreSettings


class Watch:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_turns_is_alive_and_says_how_late_it_was():
    watch = Watch()
    pulse = Pulse(watch)
    health = Health(pulse=pulse, limits=HealthLimits(stall=2.0), now=watch)
    pulse.add(0.3)
    watch.now += 4
    status, answer = health.alive()
    assert (status, answer["status"], answer["uptime_s"]) == (200, "ok", 4.0)
    assert answer["loop_lag_ms"]["max_10s"] == 300.0
    pulse.add(3.0)
    assert health.alive()[0] == 503
    watch.now += 60
    assert health.alive()[0] == 200


def test_what_is_not_well_is_named_and_why_only_where_that_may_be_known():
    checks = {"busy": Check(True), "thinking": Check(False, "m at http://gpu fails (503)")}
    status, answer = told(checks)
    assert (status, answer["status"], answer["failing"]) == (503, "not ready", ["thinking"])
    assert "gpu" in answer["checks"]["thinking"]["why"]
    _, answer = told(checks, detailed=False)
    assert "gpu" not in str(answer)
    assert told({"busy": Check(True)})[0] == 200


async def test_draining_and_busy_servers_are_not_sent_calls():
    state = {"draining": False, "busy": False}
    health = Health(draining=lambda: state["draining"], busy=lambda: state["busy"])
    assert told(await health.ready())[0] == 200
    state["busy"] = True
    assert told(await health.ready())[1]["failing"] == ["busy"]
    state["draining"] = True
    assert told(await health.ready())[1]["failing"] == ["draining", "busy"]


async def test_a_full_disk_is_told_before_it_is_full(tmp_path):
    free = shutil.disk_usage(tmp_path).free / 1e6
    later = tmp_path / "not" / "there" / "yet"
    well = Health(limits=HealthLimits(disk=1.0), places=[later])
    assert (await well.ready())["disk"].ok
    assert well.free() == {("yet",): pytest.approx(free * 1e6, rel=0.2)}
    full = Health(limits=HealthLimits(disk=free * 100), places=[later])
    check = (await full.ready())["disk"]
    assert not check.ok
    assert "MB are free" in check.why


async def test_records_that_cannot_be_written_are_found(tmp_path):
    store = StoreSettings(where=str(tmp_path / "kept")).make(upkeep=False)
    assert store is not None
    health = Health(records=store, hold=0.0)
    assert not (await health.ready())["records"].ok  # it is not open
    async with store:
        assert (await health.ready())["records"].ok
        shutil.rmtree(tmp_path / "kept" / "spool")
        assert "spool" in (await health.ready())["records"].why
    store.written = 0


@pytest.mark.parametrize("name", ["stall", "disk", "within"])
def test_limits_are_more_than_nothing(name):
    with pytest.raises(ValueError, match=name):
        HealthLimits(**{name: 0})


# Whether the models are there.


def elsewhere(*endpoints: Endpoint) -> Models:
    where = {stage: list(endpoints) for stage in ("hear", "think", "speak")}
    return Models.connect(**where, timeouts=Timeouts())


async def test_models_that_answer_are_reached_and_not_asked_again_at_once(profile):
    key, watch = profile(), Watch()
    async with sandboxed(key) as models:
        probe = Probe(models, now=watch)
        assert {stage: reach.ok for stage, reach in (await probe.look()).items()} == {
            "hearing": True,
            "thinking": True,
            "speaking": True,
        }
        models.thinking = humming().thinking  # one without a breaker
        models.endpoints["thinking"] = (Endpoint("http://127.0.0.1:9", "k", "gone"),)
        assert (await probe.look())["hearing"].ok
        watch.now += 60
        reached = await probe.look()
        assert not reached["thinking"].ok
        assert "gone at http://127.0.0.1:9 cannot be reached" in reached["thinking"].why
        assert reached["speaking"].ok


async def test_a_stage_stands_as_long_as_one_of_its_providers_does(profile):
    key = profile()
    gone = Endpoint("http://127.0.0.1:9", "k", "gone")
    here = Endpoint(key.url, key.key, "mistral-small-latest")
    async with elsewhere(gone, here) as models:
        assert all(reach.ok for reach in (await Probe(models).look()).values())
        line = models.thinking._succession  # type: ignore[attr-defined]
        line.failed(1, ModelError("thinking", "broken", "it broke off"))
        reached = await Probe(models).look()
        assert reached["speaking"].ok
        assert "rests after failures" in reached["thinking"].why


async def test_a_key_that_is_refused_serves_nobody(profile):
    key = profile()
    async with elsewhere(Endpoint(key.url, "wrong", "mistral-small-latest")) as models:
        assert "refuses the key" in (await Probe(models).look())["thinking"].why


async def test_clients_of_your_own_are_taken_on_trust():
    async with humming() as models:
        assert all(reach.ok for reach in (await Probe(models).look()).values())


async def test_a_server_that_does_not_answer_holds_nobody_up():
    async def never(_reader: object, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, elsewhere(Endpoint(f"http://127.0.0.1:{port}", "k", "m")) as models:
        reached = await Probe(models, looking=0.1).look()
        assert "TimeoutError" in reached["hearing"].why
    await asyncio.sleep(0.7)


def test_a_folder_that_is_nowhere_has_the_disk_above_it():
    health = Health(places=[Path("records")])
    assert health.free()[("records",)] > 0


async def test_who_asks_often_costs_little(tmp_path):
    asked, watch = 0, Watch()

    class Counted:
        waiting = 0

        async def check(self) -> None:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0.01)

    health = Health(records=Counted(), places=[tmp_path], now=watch)  # type: ignore[arg-type]
    await asyncio.gather(*(health.ready() for _ in range(20)))
    assert asked == 1
    watch.now += 1.1
    await health.ready()
    assert asked == 2
