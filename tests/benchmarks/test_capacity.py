"""The benchmark of capacity: its judgements, its callers on a real server, its page."""

import asyncio
import contextlib
import json
import random
import time

import aiohttp
import numpy as np
import pytest
from rich.console import Console

from benchmarks.capacity import climb, overrun, page
from benchmarks.capacity.__main__ import parsed
from benchmarks.capacity.clients import LINES, Ear, RefusedError, Talker, Words
from benchmarks.capacity.cost import fit, growth
from benchmarks.capacity.crowd import Crowd
from benchmarks.capacity.machine import Clocks
from benchmarks.capacity.stalls import Watch, own
from benchmarks.capacity.window import Turn, Window, heard
from tests.web.calls import host, serving
from vivavoce.phone.media.codec import Opus
from vivavoce.pipelines.benching.callers import TurnCaller
from vivavoce.pipelines.benching.clip import make_clip
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.pipelines.benching.take import RATE, Packet, Take
from vivavoce.web.limits import Limits


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


def test_memory_is_told_from_two_rows_and_cost_from_three():
    rows = [{"calls": n, "cpu": 0.03 + 0.02 * n, "memory_mb": 180 + 2 * n} for n in (1, 10, 20)]
    assert growth(rows)["mb_per_added_call"] == 2.0
    assert growth(rows)["cost"]["per_call"] == pytest.approx(0.02, abs=1e-5)
    assert growth(rows[:2])["cost"] is None
    assert growth(rows[:1])["mb_per_added_call"] is None


SPEAKERS = {}  # making one takes as long as a test


def speaker(clip):
    if clip.name not in SPEAKERS:
        SPEAKERS[clip.name] = TurnCaller(clip)
    return SPEAKERS[clip.name]


def turn(clip, v2v, late=0.0, own_late=0.0):
    """A turn that was answered so late (ms), with one packet of thirty late."""
    caller, take = speaker(clip), Take()
    for n in range(30):
        at = caller.voiced_end + v2v / 1000 + n * 0.02 + (late if n == 20 else 0.0)
        take.packets.append(Packet(at, 0.02, 5_000))
    take.late = own_late
    return Turn(take, caller, 0.0)


def test_windows_add_up(clip):
    one = Window(3, [turn(clip, 450)], 10, 2, 180, gone=["early"])
    both = one + Window(4, [turn(clip, 500, late=0.03)], 30, 8, 190, others=2, stolen=1)
    row = both.row()
    assert (row["calls"], row["turns"], row["cpu"], row["memory_mb"]) == (4, 2, 0.25, 190)
    assert row["v2v"] == [450.0, 500.0]
    assert row["late_turns"] == [[30, 0], [30, 1]]
    assert (row["others"], row["stolen"], row["gone"]) == (0.05, 0.025, [])


def test_one_late_caller_makes_no_row_doubtful(clip):
    turns = [turn(clip, 450, own_late=0.1), *(turn(clip, 450) for _ in range(39))]
    row = Window(10, turns, 25, 1, 180).row()
    assert (row["caller_late_ms"], row["caller_late_most_ms"]) == (0.0, 100.0)
    assert climb.doubts(row) == []
    row = Window(10, turns[:1], 25, 1, 180, others=5, stolen=2).row()
    assert len(climb.doubts(row)) == 3


class Still(Crowd):
    """People of whom it is known what they hear."""

    def __init__(self, clip, calls, v2v, random):
        super().__init__([])
        self._clip, self._calls, self._v2v, self._random = clip, calls, v2v, random

    @property
    def calls(self):
        return self._calls

    @property
    def gone(self):
        return []

    async def window(self, seconds, *, least=0, most=0.0, enough=0):
        turns = [
            turn(self._clip, self._v2v + self._random.uniform(-8, 8))
            for _ in range(least or self._calls * 3)
        ]
        used = (0.03 + 0.02 * self._calls) * 10
        return Window(self._calls, turns, 10, used, 180 + self._calls)


class Known:
    """An engine whose answers are slower with each call behind the tenth."""

    name = "known"

    def __init__(self, clip, most=1_000):
        self.about = {"what": "known"}
        self.ended, self.asked = 0, []
        self._clip, self._random, self._most = clip, random.Random(3), most

    def alone(self):
        return self._people(1)

    def people(self, calls):
        self.asked.append(calls)
        if calls > self._most:
            raise ChildError("there is no room")
        return self._people(calls)

    @contextlib.asynccontextmanager
    async def session(self):
        yield
        self.ended += 1

    @contextlib.asynccontextmanager
    async def _people(self, calls):
        yield Still(self._clip, calls, 450 + 5 * max(0, calls - 10), self._random)


QUIET = Console(quiet=True)
STEPS = (1, 10, 15, 20, 30, 40, 50)


async def test_a_climb_ends_behind_two_levels_that_are_too_many(clip):
    known = Known(clip)
    found = await climb.climb(known, STEPS, climb.Pace(), climb.Spare(60), QUIET)
    assert set(known.asked) == {1, 10, 15, 20, 30}
    assert (found["at_least"], found["carries"], found["at_most"]) == (15, 15, 15)
    assert found["why"].startswith("a turn in twenty was answered")
    assert found["alone"]["before"]["turns"] == 15
    assert found["alone"]["after"]["turns"] == 8
    assert found["alone"]["turns"] >= 25
    assert found["cost"]["per_call"] == pytest.approx(0.02, abs=1e-4)
    assert found["mb_per_added_call"] == 1.0
    assert known.ended == 1
    json.dumps(found)


async def test_without_spare_time_nothing_is_made_sure_of(clip):
    known = Known(clip)
    pace = climb.Pace(before=3, after=2)  # too little to be sure of anything
    usual = await climb.climb(known, (1, 10), pace, climb.Spare(600), QUIET)
    hasty = await climb.climb(known, (1, 10), pace, climb.Spare(0), QUIET)
    assert usual["rows"][1]["turns"] > hasty["rows"][1]["turns"]
    assert (hasty["at_least"], hasty["carries"], hasty["at_most"]) == (0, 10, 10)


async def test_what_there_is_no_room_for_ends_a_climb(clip):
    found = await climb.climb(Known(clip, most=10), STEPS, climb.Pace(), climb.Spare(60), QUIET)
    assert found["carries"] == 10
    assert found["why"] == ""


def refused(**given):
    told = {"offered": 60, "taken": 20, "refused": {"503": 40}, "rude": 0, "failed": []}
    return {**told, **given}


@pytest.mark.parametrize(
    ("told", "kept", "polite", "roomy"),
    [
        (refused(), True, True, True),
        (refused(taken=17, refused={"503": 43}), True, True, False),
        (refused(rude=1), True, False, True),
        (refused(refused={"503": 39, "500": 1}), True, False, True),
        (refused(refused={"503": 39}, failed=["TimeoutError"]), True, False, True),
        (refused(offered=20, refused={}), True, False, True),  # it was never full
    ],
)
def test_a_full_server_is_judged(clip, told, kept, polite, roomy):
    row = Window(20, [turn(clip, 450)] * 60, 60, 30, 200).row()
    found = overrun.judge(told, row, 20)
    assert (found["kept"], found["polite"], found["roomy"]) == (kept, polite, roomy)
    assert found["sure"]
    assert overrun.judge(told, row, 0)["roomy"] is None


def test_a_full_server_whose_calls_suffer_is_not_good(clip):
    late = Window(20, [turn(clip, 450, late=0.05)] * 60, 60, 30, 200).row()
    assert not overrun.judge(refused(), late, 20)["kept"]
    gone = Window(20, [turn(clip, 450)] * 60, 60, 30, 200, gone=["closed"]).row()
    assert not overrun.judge(refused(), gone, 20)["kept"]
    assert overrun.Trial.of(15).calls == 45
    assert overrun.Trial.of(0).calls == overrun.FEWEST
    assert overrun.Trial.of(15, 8).calls == 8


def test_a_command_line_that_makes_no_sense_is_told_so(capsys):
    for wrong in (["pipes"], ["--only", "nobody"], ["--calls", "5,1"], ["--calls", "x"]):
        with pytest.raises(SystemExit):
            parsed(wrong)
    assert "rising, as in 1,5,10" in capsys.readouterr().err
    assert parsed(["pipe", "--engines", "ours", "--quick"]).only == "ours"


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
        found = heard([Turn(talker._take, talker._caller, 0.0)])
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
                assert int(refused.value.again) > 0
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
    assert any("block_the_loop" in seen for one in found["stalls"] for seen, _ in one["seen"])


def block_the_loop():
    """Use 100 ms of CPU: on a busy machine that takes longer."""
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass


async def test_a_loop_that_works_and_one_that_sleeps_have_themselves_to_blame():
    watch = Watch()
    watch.start()
    asyncio.get_running_loop().slow_callback_duration = 10  # these are meant
    try:
        for stand_still in (block_the_loop, lambda: time.sleep(0.1)):
            watch.clear()
            stand_still()
            await until(lambda: watch.report()["longest_ms"] > 80)
            assert watch.report()["own_longest_ms"] > 80
    finally:
        watch.close()


@pytest.mark.parametrize(
    ("waited", "threads", "stolen", "ours"),
    [
        (0.0, 0.0, 0.0, 0.1),  # it worked, or it waited for a disk
        (0.08, 0.0, 0.0, 0.02),  # other processes ran
        (0.08, 0.08, 0.0, 0.1),  # our own threads did
        (0.0, 0.0, 0.06, 0.04),  # the host had the core
        (0.05, 0.0, 0.06, 0.04),  # it is not counted twice
        (0.5, 0.0, 0.0, 0.0),
    ],
)
def test_what_the_machine_did_is_not_our_own(waited, threads, stolen, ours):
    assert own(0.1, waited, threads, stolen) == pytest.approx(ours)


def test_the_core_is_watched():
    before = Clocks.read()
    assert before.shares(Clocks(before.busy + 6, before.stolen + 1), 10, 2) == (0.4, 0.1)


def test_the_page_shows_what_was_measured():
    shown = page.PAGE.read_text(encoding="utf-8")
    assert page.figures(page.read()) in shown, "python -m benchmarks.capacity --update-docs"


def test_what_is_measured_again_takes_the_place_of_what_was_before(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "RESULTS", tmp_path / "capacity.json")
    assert page.read() == {}
    page.keep({"engines": {"ours": {"carries": 1}}}, {"at": "1"}, {})
    page.keep({"engines": {"other": {"v2v": [1.5, -2, None], "none": []}}}, {"at": "2"}, {})
    kept = page.read()
    assert kept["engines"]["ours"] == {"carries": 1, "machine": {"at": "1"}}
    assert kept["engines"]["other"]["v2v"] == [1.5, -2, None]
    assert kept["engines"]["other"]["machine"] == {"at": "2"}
    assert "[ 1.5, -2, null ]" in page.RESULTS.read_text()


def engine(carries, **given):
    cost = {"fixed": 0.03, "per_call": 0.02, "off": {"1": 0.0}, "flat_from": 10}
    found = {"carries": carries, "at_least": carries, "at_most": carries, "cost": cost,
             "mb_per_added_call": 2.0, "rows": []}  # fmt: skip
    return {**found, **given}


def test_verdicts_say_what_is_not_met(clip):
    engines = {"ours": engine(30, at_least=20), page.STOCK: engine(10, at_most=13)}
    told = page.verdicts({"engines": engines})
    assert [line.endswith("NOT MET") for line in told] == [False, True, False, False]
    assert "20 for certain" in told[0]
    assert "2.3 × stock pipecat's 13" in told[1]
    row = Window(20, [turn(clip, 450)] * 60, 60, 30, 200).row()
    gate = {**refused(), "carries": 20, "row": row, **overrun.judge(refused(), row, 20)}
    assert all(line.endswith(": met") for line in page.verdicts({"gate": {"webrtc": gate}}))
    rude = refused(rude=3)
    gate |= overrun.judge(rude, row, 30)
    assert all(line.endswith("NOT MET") for line in page.verdicts({"gate": {"webrtc": gate}}))
    alone = {"before": {"v2v_ms": {"p50": 400.0}}, "after": {"v2v_ms": {"p50": 500.0}}}
    unsure = {**row, "others": 0.5, "verdict": {"doubt": "too few"}}
    doubtful = engine(0, rows=[unsure], alone=alone)
    assert page.caveats({"webrtc": {"ours": doubtful}}) == [
        "webrtc, ours: one call's p50 was 400 ms before and 500 ms after",
        "webrtc, ours, 20 calls: too few",
        "webrtc, ours, 20 calls: something else had 50% of the core",
    ]
