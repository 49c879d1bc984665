"""The benchmark of capacity: its judgements, its callers on a real server, its page."""

import asyncio

import aiohttp
import numpy as np
import pytest

from benchmarks.capacity import page
from benchmarks.capacity.clients import LINES, Ear, RefusedError, Talker, Turn, Words
from benchmarks.capacity.crowd import told
from benchmarks.capacity.knee import fit, over, summary
from benchmarks.capacity.stalls import Watch
from tests.web.calls import host, serving
from vivavoce.phone.media.codec import Opus
from vivavoce.pipelines.benching.clip import make_clip
from vivavoce.pipelines.benching.take import RATE
from vivavoce.web.limits import Limits


def row(late=5.0, v2v=450.0, lost=0, **more):
    return {"lost": lost, "late_ms": {"p99": late}, "v2v_ms": {"p95": v2v}, **more}


def test_the_knee():
    assert over(row(), row()) == ""
    assert "late" in over(row(late=20.0), row())
    assert "no sound" in over(row(late=None), row())
    assert over(row(v2v=494), row()) == ""
    assert "496" in over(row(v2v=496), row())
    assert "answered" in over(row(v2v=None), row())
    assert "without an answer" in over(row(lost=1), row())
    assert "closed" in over(row(gone=["closed"]), row())


def test_what_a_process_costs_is_told_from_what_a_call_costs():
    cost = fit([1, 10, 20, 30], [0.05, 0.23, 0.43, 0.63])
    assert cost["fixed"] == pytest.approx(0.03, abs=1e-4)
    assert cost["per_call"] == pytest.approx(0.02, abs=1e-5)
    assert max(map(abs, cost["off"].values())) < 0.001
    assert cost["flat_from"] == 10  # 2.3, 2.15 and 2.1 %; with one call it is 5


def test_a_cost_that_grows_is_not_even():
    cost = fit([10, 20, 30, 40], [0.1, 0.4, 1.2, 2.8])
    assert cost["flat_from"] is None
    assert max(map(abs, cost["off"].values())) > 0.15


def steps(*rows):
    return [
        {"calls": n, "cpu": 0.03 + 0.02 * n, "memory_mb": 180 + 2 * n, "over": over}
        for n, over in rows
    ]


def test_what_an_engine_carries_ends_at_the_first_row_that_is_too_much():
    found = summary(steps((1, ""), (10, ""), (20, ""), (30, "late"), (40, "")))
    assert found["carries"] == 20
    assert found["why"] == "late"
    assert found["mb_per_added_call"] == 2.0
    assert found["cost"]["per_call"] == pytest.approx(0.02, abs=1e-5)
    assert summary(steps((1, "late")))["carries"] == 0
    assert summary([])["cost"] is None


@pytest.fixture(scope="module")
def clip():
    time = np.arange(RATE) / RATE
    sound = (np.sin(2 * np.pi * 200 * time) * np.sin(np.pi * time) * 6_000).astype(np.int16)
    return make_clip("hum", "turn", sound, "hum")


@pytest.mark.parametrize("line", LINES)
async def test_a_caller_talks_with_our_server_and_hears_it(line, clip):
    calling, codec = LINES[line]
    greeter = host("Good evening and welcome to this house, which has been here for long.")
    async with serving(greeter) as server, aiohttp.ClientSession() as http:
        talker = Talker(Words.make(clip, 3, codec))
        await calling(http, server.url, talker)
        (live,) = server.desk.calls.values()

        def done():
            conversation = live.conversation
            heard = sum(packet.audible for packet in talker._take.packets)
            return heard > 5 and conversation is not None and conversation.call.usage.heard > 0.5

        try:
            await until(done)
        finally:
            await talker.close()
        found = told([Turn(talker._take, talker._caller, 0.0)])
        assert found["packets"] > 5  # of its greeting
        assert found["turns"] == 1


async def until(done):
    async with asyncio.timeout(60):
        while not done():  # noqa: ASYNC110 (others' events)
            await asyncio.sleep(0.02)


async def test_a_caller_who_is_refused_is_told_so(clip):
    async with serving(limits=Limits(calls=1)) as server, aiohttp.ClientSession() as http:
        talkers = [Talker(Words.make(clip, 1, LINES[line][1])) for line in LINES]
        first = next(iter(LINES.values()))
        await first[0](http, server.url, talkers[0])
        try:
            for (calling, _), talker in zip(LINES.values(), talkers, strict=True):
                with pytest.raises(RefusedError) as refused:
                    await calling(http, server.url, talker)
                assert refused.value.status == 503
        finally:
            await talkers[0].close()


def test_an_ear_knows_speech_from_silence_and_both_from_an_end():
    opus, ear = Opus(48_000), Ear()
    tone = (np.sin(2 * np.pi * 220 * np.arange(48_000) / 48_000) * 5_000).astype(np.int16)
    blocks = [*tone.reshape(-1, 960), *np.zeros((20, 960), np.int16)]
    judged = [ear.judge(opus.encode(block)) for block in blocks]
    assert all(peak > 3_000 and on for peak, on in judged[5:45])
    assert all(peak < 96 and not on for peak, on in judged[-10:])
    assert ear.judge(b"\xff\xff\xff") == (0, False)


async def test_a_stall_is_seen_with_what_made_it():
    watch = Watch()
    watch.start()
    try:
        await asyncio.sleep(0.05)
        watch.clear()
        block_the_loop()
        await until(lambda: watch.report()["stalls"])
    finally:
        watch.close()
        watch.close()
    found = watch.report()
    assert found["longest_ms"] > 80
    assert any("block_the_loop" in seen for seen, _ in found["stalls"][0]["seen"])


def block_the_loop():
    end = asyncio.get_running_loop().time() + 0.1
    while asyncio.get_running_loop().time() < end:
        pass


def test_the_page_shows_what_was_measured():
    shown = page.PAGE.read_text(encoding="utf-8")
    assert page.figures(page.read()) in shown, "python -m benchmarks.capacity --update-docs"


def test_what_is_measured_again_takes_the_place_of_what_was_before(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "RESULTS", tmp_path / "capacity.json")
    assert page.read() == {}
    page.keep({"engines": {"ours": {"carries": 1}}}, {"at": "1"}, {})
    page.keep({"engines": {"other": {"carries": 2}}, "gate": {}}, {"at": "2"}, {})
    kept = page.read()
    assert kept["engines"] == {"ours": {"carries": 1}, "other": {"carries": 2}}
    assert kept["measured"]["engines"] == {"at": "2"}


def test_verdicts_say_what_is_not_met():
    engines = {
        "ours": {**summary(steps((1, ""), (15, ""), (30, ""))), "rows": []},
        page.STOCK: {"carries": 13, "rows": []},
    }
    told = page.verdicts({"engines": engines})
    assert [line.endswith("NOT MET") for line in told] == [False, True, False, False]
    assert "2.3 ×" in told[1]
    row = {"late_ms": {"p99": 12.0}, "v2v_ms": {"p95": 500.0}, "cpu": 0.8}
    gate = {"offered": 45, "taken": 40, "refused": {"503": 5}, "kept": True, "row": row}
    assert page.verdicts({"gate": {"webrtc": gate}})[0].endswith(": met")
    gate["refused"] = {"500": 5}
    assert page.verdicts({"gate": {"webrtc": gate}})[0].endswith("NOT MET")
