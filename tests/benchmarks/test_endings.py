"""Ends of turns, offline: the clock of the samples, what each method goes by, and the table."""

from __future__ import annotations

import asyncio
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from rich.console import Console

from benchmarks.latency.wire import BLOCK, RATE
from benchmarks.turns import errors
from benchmarks.turns.calls import side_by_side
from benchmarks.turns.endings import Ended, Heard, Ours, Remembered, TimeOut, Trial, judge
from benchmarks.turns.endings_pipecat import SmartTurnAlone
from benchmarks.turns.endings_v3 import StandIn, ended
from benchmarks.turns.picture import draw
from tests.speech import speak
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.benching.callers import room
from vivavoce.pipelines.benching.clip import make_clip
from vivavoce.sandbox.turns import stands

OPEN = "I would like to | book a table for four."
CLOSED = "I would like a table. | We are four people."


def heard(text: str, seconds: float) -> Heard:
    clip = make_clip(text, "turn", speak(re.sub(r" \|", "", text)), text)
    return Heard.make(clip.paused(clip.pauses[0], seconds, room(seconds, 1)), 3)


def test_words_and_blocks_are_on_the_clock_of_the_samples():
    one = heard(OPEN, 0.7)
    gap = one.end - (one.clip.voiced_end + 1 - one.clip.gap[0]) / RATE
    assert one.words(0, gap + 0.01) == "I would like to"
    assert one.words(gap + 0.01, one.end + 0.01) == "book a table for four."
    blocks = list(one.blocks())
    assert blocks[0][0] == BLOCK / RATE
    played = np.concatenate([block for _now, block in blocks])
    # A rest that fills no block never arrives.
    assert len(one.audio) - BLOCK < len(played) <= len(one.audio)
    assert np.array_equal(played, one.audio[: len(played)])


def test_an_end_before_the_last_voiced_sample_cuts_the_caller_off():
    one = heard(OPEN, 0.7)
    cut = judge(one, [Ended(one.end - 1.0, "a"), Ended(one.end + 0.5, "b")])
    assert (cut.cut, cut.waited, cut.why) == (pytest.approx(1000), None, "a")
    assert (cut.pause, cut.before) == (0.7, "I would like to")
    kept = judge(one, [Ended(one.end + 0.5, "b")])
    assert (kept.cut, kept.waited, kept.why) == (None, pytest.approx(500), "b")
    never = judge(one, [])
    assert (never.cut, never.waited, never.why) == (None, None, "never")


def test_a_time_out_cuts_pauses_that_are_longer_and_waits_for_no_more_than_it_is():
    short, long = heard(OPEN, 0.3), heard(OPEN, 1.0)
    assert judge(long, TimeOut(0.5).ends(long)).cut == pytest.approx(
        (long.end - TimeOut(0.5).ends(long)[0].at) * 1000, abs=1
    )
    found = judge(short, TimeOut(0.5).ends(short))
    assert found.cut is None
    # Our detector's opinion of where the voice ended is not the label's.
    assert found.waited == pytest.approx(500, abs=60)


def test_ours_waits_for_what_cannot_stand_and_hardly_for_what_can():
    method = Ours(Remembered(SmartTurn()))
    unfinished = heard(OPEN, 1.0)
    found = judge(unfinished, method.ends(unfinished))
    assert found.cut is None
    assert found.waited < 1000
    # Turns of one call: its clock goes on, and nothing of the turn before is left.
    again = judge(unfinished, method.ends(unfinished))
    assert again.cut is None
    assert again.waited == pytest.approx(found.waited, abs=30)
    assert method.cost.questions >= 2
    # What sounds and reads as finished is believed: the price of not waiting.
    finished = heard(CLOSED, 1.2)
    assert judge(finished, Ours(lambda _audio: 1.0).ends(finished)).cut is not None


@pytest.mark.parametrize(
    ("writing", "text"), [("true", "Well, yes."), ("bare", "Well yes"), ("full", "Well yes.")]
)
def test_a_transcriber_writes_as_it_is_told(writing, text):
    method = Ours(None, writing)
    assert method._write("Well, yes.") == text
    assert not method._write("")


def events(one: Heard, rule) -> list[tuple[float, str]]:
    ear = StandIn(one, rule)
    return [(now, kind) for now, block in one.blocks() for kind in ear.feed(now, block)]


def test_turn_events_come_when_they_say_and_heed_the_words():
    # "I'd like to" cannot stand: nothing is told before the caller goes on.
    found = events(heard(OPEN, 0.9), stands)
    assert [kind for _now, kind in found] == ["start", "eager_end", "end"]
    one = heard(OPEN, 0.9)
    assert found[1][0] - one.end == pytest.approx(0.32, abs=0.06)
    assert found[2][0] - one.end == pytest.approx(0.58, abs=0.06)
    # What can stand seems to be over, and goes on.
    kinds = [kind for _now, kind in events(heard(CLOSED, 0.5), ended)]
    assert kinds == ["start", "eager_end", "resume", "eager_end", "end"]
    assert ended("Four people") is False
    assert ended("Four people.") is True
    assert ended("to") is False


def test_ours_is_no_slower_with_turn_events():
    one = heard(OPEN, 0.9)
    local = judge(one, Ours(lambda _audio: 0.0).ends(one))
    told = judge(one, Ours(lambda _audio: 0.0, events=lambda h: StandIn(h, ended)).ends(one))
    assert local.cut is None
    assert told.cut is None
    assert told.waited <= local.waited


async def test_smart_turn_alone_asks_once_per_stop_and_waits_for_three_seconds():
    one, asked = heard(OPEN, 1.0), []

    def never(audio):
        asked.append(len(audio) / RATE)
        return 0.0

    found = judge(one, await SmartTurnAlone(never).ends(one))
    assert found.cut is None
    assert found.waited == pytest.approx(3_200, abs=150)
    # Once in the pause, once behind the end; the second time it hears all of the turn.
    assert len(asked) == 2
    assert asked[1] > asked[0] + 1.0
    assert judge(one, await SmartTurnAlone(lambda _audio: 1.0).ends(one)).cut is not None


def test_the_model_is_asked_once_about_the_same_audio():
    class Model:
        asked = 0

        def probability(self, audio):
            self.asked += 1
            return float(len(audio))

    model = Model()
    known = Remembered(model)
    assert [known(np.ones(n, np.int16)) for n in (3, 3, 4)] == [3, 3, 4]
    assert model.asked == 2


def rows():
    good = [Trial("a", "one", 0.3, None, 260.0 + n, "semantic: x") for n in range(9)]
    ours = errors.Row("ours", "it", [*good, Trial("b", "two", 1.2, 900.0, None, "timeout: y")])
    gone = errors.Row("livekit", "theirs", gone="pip cannot install it")
    return [ours, gone]


def test_the_table_tells_errors_and_who_did_not_run():
    out = io.StringIO()
    table, figures = errors.show(rows())
    Console(file=out, width=180).print(table)
    assert "10.0%" in out.getvalue()
    assert "did not run: pip cannot install it" in re.sub(r"\s+│\s+", " ", out.getvalue())
    assert figures["ours"]["cut"] == 1
    assert figures["ours"]["wait_p50_ms"] == 264.0
    assert figures["livekit"]["gone"]
    assert figures["met"] is False
    assert errors.cut_lines(rows()) == ["ours, b: 1.2 s behind “two”: timeout: y"]
    assert errors.told(rows())["ours"][0]["waited"] == 260.0
    root = ET.fromstring(draw(rows(), "a < b"))
    assert len(root.findall(".//{http://www.w3.org/2000/svg}circle")) == 1


async def test_jobs_side_by_side_keep_their_order_and_fail_together():
    running = most = 0

    async def job(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01 * (3 - number % 3))
        running -= 1
        return number * number

    assert await side_by_side(7, 3, job) == [n * n for n in range(7)]
    assert most == 3
    ended = []

    async def fails(number: int) -> None:
        try:
            await asyncio.sleep(0.01 if number == 1 else 60)
        except asyncio.CancelledError:
            ended.append(number)
            raise
        raise ValueError(number)

    with pytest.raises(ExceptionGroup):
        await side_by_side(3, 3, fails)
    assert sorted(ended) == [0, 2]
