"""The fault table: how it measures, what is kept of it, and a few of its rows, really run."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import logging
import wave
from pathlib import Path

import numpy as np
import pytest

from conformance.faults import table
from conformance.faults.caller import Said, Story
from conformance.faults.ears import NOTES, UNKNOWN, Ears, Heard, longest_silence, pitches
from conformance.faults.kept import judge, likeness
from conformance.faults.page import page
from conformance.faults.providers import one
from conformance.faults.row import Act, Finding, Lab, Row, hearing, hold, judged, misspoken
from conformance.faults.script import ANSWERS, GREETING, KNOWN, QUESTIONS
from conformance.faults.signals import Signals
from conformance.faults.watch import Line, Log, Owners, moved, parse, shortened, told
from conformance.faults.wire import Wire
from tests.web.relay import Side

PAGE = Path(__file__).parent.parent / "docs" / "faults.md"


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (6_000 * np.sin(np.arange(round(seconds * 16_000)) * 2 * np.pi * hertz / 16_000)).astype(
        np.int16
    )


# -- what was heard


def test_sentences_are_told_by_their_sound_also_when_cut_and_side_by_side():
    ears = Ears(KNOWN)
    ears.feed(tone(KNOWN[GREETING], 1.0), 10.0)
    ears.feed(np.zeros(16_000, np.int16), 11.0)
    for at, text in ((12.0, ANSWERS[0]), (12.4, ANSWERS[1])):
        ears.feed(tone(KNOWN[text], 0.4), at)
    ears.feed(np.concatenate([tone(440, 0.25), tone(330, 0.25)]), 14.0)
    ears.feed(tone(213, 0.5), 16.0)
    heard = ears.sentences()
    assert [each.text for each in heard] == [GREETING, ANSWERS[0], ANSWERS[1], NOTES, UNKNOWN]
    assert heard[0].started == pytest.approx(10.0, abs=0.05)
    assert heard[0].sound == pytest.approx(1.0, abs=0.1)
    assert ears.sentences(13.0)[0].text == NOTES


def test_what_comes_late_is_heard_when_it_comes():
    ears = Ears(KNOWN)
    ears.feed(tone(KNOWN[GREETING], 0.5), 1.0)
    ears.feed(tone(KNOWN[GREETING], 0.5), 4.0)
    assert [round(each.started) for each in ears.sentences()] == [1, 4]


def test_texts_that_sound_alike_are_refused():
    with pytest.raises(ValueError, match="sounds like"):
        pitches(["one", "one "])


def test_the_longest_silence_is_nobodys():
    assert longest_silence(0, 10, [(1, 3), (2, 4), (7, 8)]) == 3
    assert longest_silence(0, 10, []) == 10


# -- what was kept


def said(text: str, start: float, *, ended: bool = True) -> Said:
    return Said(text, 1, start, start + 2 if ended else None)


def record(*entries: tuple[str, float], failed: tuple[float, ...] = (), **more) -> dict:
    transcript = [
        {"kind": "caller", "text": text, "started": at, "ended": at + 2} for text, at in entries
    ]
    latency = {"total_us": 5, "stages_us": {"thinking": 2, "speech": 3}}
    transcript.append({"kind": "agent", "heard": "x", "latency": latency})
    failure = {"stage": "hearing", "error": "timeout", "message": "no"}
    events = [{"event": "failed", "at": at, "failure": failure} for at in failed]
    return {"ended": "the caller hung up", "transcript": transcript, "events": events, **more}


def test_each_utterance_is_in_the_transcript_explained_or_lost():
    table_, park = QUESTIONS[1], QUESTIONS[2]
    calls = [said(table_, 100), said(table_, 110), said(park, 120)]
    kept = judge(record((table_, 10.5), (park, 20.4)), calls, 100.0)
    assert (kept.finished, kept.there, kept.lost) == (3, 2, [table_])
    kept = judge(record((table_, 10.5), (park, 20.4), failed=(3.0,)), calls, 100.0)
    assert (kept.there, kept.lost, kept.explained) == (2, [], ["hearing/timeout"])
    # A failure long before or after explains nothing, nor do the words of another moment.
    assert judge(record((park, 20.4), failed=(70.0,)), calls[:1], 100.0).lost == [table_]
    assert judge(record((table_, 90.0)), calls[:1], 100.0).lost == [table_]
    # Who was cut off by the line had not finished.
    assert judge(record(), [said(park, 1, ended=False)], 0.0).finished == 0
    assert judge(None, calls, 100.0).lost == [table_, table_, park]


def test_words_are_found_in_entries_that_follow_one_another_and_by_their_letters():
    table_, park = QUESTIONS[1], QUESTIONS[2]
    split = record(("I would like a table", 1.0), ("for two people.", 3.2))
    assert judge(split, [said(table_, 1)], 0.0).there == 1
    # A recogniser of damaged sound writes other words of the same letters.
    assert judge(record(("Where can I part of my? power?", 1.0)), [said(park, 1)], 0.0).there == 1
    assert judge(record(("Where? my part my car.", 1.0)), [said(park, 1)], 0.0).there == 1
    # But no other question stands for it, and an entry stands for one thing that was said.
    for text in (*QUESTIONS[:2], "Wait. my part might are."):
        assert judge(record((text, 1.0)), [said(park, 1)], 0.0).lost == [park]
    twice = [said(park, 1), said(park, 5)]
    assert judge(record(("Where can I part my car?", 5.0)), twice, 0.0).lost == [park]
    for text, other in itertools.combinations(QUESTIONS, 2):
        assert likeness(text, other) < 0.4


def test_where_the_sound_is_damaged_an_entry_of_that_time_is_all_there_can_be():
    park = QUESTIONS[2]
    strange = record(("Wait. my part might are.", 1.0), ("Well.", 30.0))
    kept = judge(strange, [said(park, 1)], 0.0, damaged=True)
    assert (kept.lost, kept.explained) == ([], ["understood as “Wait. my part might are.”"])
    # Of one entry, one; and none of another time.
    assert judge(strange, [said(park, 1), said(park, 6)], 0.0, damaged=True).lost == [park]


def test_a_ledger_that_does_not_sum_and_a_recording_that_does_not_play(tmp_path):
    broken = record((QUESTIONS[0], 1.0))
    broken["transcript"][-1]["latency"]["total_us"] = 6
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    kept = judge(broken, [said(QUESTIONS[0], 1)], 0.0, path)
    assert (kept.exact, kept.turns, kept.recorded) == (0, 1, None)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(32_000))
    kept = judge(record((QUESTIONS[0], 1.0)), [said(QUESTIONS[0], 1)], 0.0, path)
    assert (kept.exact, kept.recorded) == (1, 1.0)


def test_what_should_not_be_is_named():
    async def nothing(_scene) -> None: ...

    story = Story(said=[said(QUESTIONS[0], 1)], dropped=True, code=1006, turns=1)
    live = judge(record(live=True), story.said, 0.0)
    wrong = judged(story, live, Act(nothing))
    assert any(each.startswith("lost: ") for each in wrong)
    for part in ("dropped (close code 1006)", "goes on", "does not play", "never answered"):
        assert any(part in each for each in wrong), part
    own = judged(story, judge(record((QUESTIONS[0], 1.0)), story.said, 0.0), Act(nothing, own=True))
    assert own == ["the recording does not play"]


# -- what was seen


def test_counters_that_moved_are_told_by_stage_and_class():
    before = parse('vivavoce_errors_total{class="busy",stage="thinking"} 1.0\n')
    after = parse(
        'vivavoce_errors_total{class="busy",stage="thinking"} 3.0\n'
        'vivavoce_calls_ended_total{kind="websocket",reason="caller"} 1.0\n'
        'vivavoce_calls_active{kind="websocket"} 1.0\n'
    )
    assert moved(before, after) == {"errors thinking/busy": 2.0}


def test_lines_of_the_log_are_told_without_what_differs_in_each_run():
    text = "call 20261121T120000-a1b2c3d4: http://127.0.0.1:4711/v1 gave nothing within 2.5 s"
    assert shortened(text) == "call …: http://…/v1 gave nothing within … s"
    lines = [Line(logging.ERROR, text, trace=False)] * 2
    assert told(lines).startswith("2 × error “call …")
    assert told([]) == "log silent"
    assert misspoken(lines, ["nothing within"], ()) != []
    assert misspoken([Line(logging.ERROR, "boom", trace=True)], [], ()) == [
        "a stack trace in the log: boom"
    ]
    assert misspoken([Line(logging.ERROR, "boom", trace=True)], [], ("boom",)) == []
    assert misspoken(lines * 4, [], ()) != []  # eight times the same


def test_the_caller_is_told_of_in_words():
    story = Story(said=[said(QUESTIONS[0], 1), said(QUESTIONS[0], 9)], turns=1, silence=7.25)
    story.said[0].sorry = story.said[1].answered = True
    story.marks["lift"] = 10.0
    story.heard = [Heard(ANSWERS[0], 12.0, 13.0, 1.0)]
    assert hearing(story) == (
        "1 of 1 answered (turn 1: an apology, answered when asked again); longest silence 7.2 s; "
        "an answer 2.0 s after it was over; the call went on"
    )


def test_a_caller_whom_the_machine_was_too_slow_for_is_known_by_it():
    story = Story(said=[said(QUESTIONS[0], 1), said(QUESTIONS[1], 5)])
    story.said[0].length, story.said[1].length = 2.0, 1.0
    assert story.slowness == 2.0
    assert Story().slowness == 1.0


# -- what is kept of the table


def test_no_row_stands_twice_and_one_is_found_by_its_name():
    rows = table.all_rows()
    names = [row.name for row in rows]
    assert len(names) == len(set(names)) >= 60
    assert table.chosen("thinking: 503")
    assert {row.group for row in table.chosen("speech:*")} == {"speech"}
    assert not table.chosen("no such row")


def test_the_page_is_made_of_the_results_and_in_nearly_all_of_them_nothing_is_lost():
    kept = table.load()
    # A row that came out wrong stands there as such.
    assert PAGE.read_text() == page(kept), "run `python -m conformance.faults --update-docs`"
    rows = {f"{row['group']}: {row['fault']}": row for row in kept["rows"]}
    assert rows.keys() <= {row.name for row in table.all_rows()}
    good = {name: row for name, row in rows.items() if not row["wrong"]}
    assert len(good) >= 60
    assert len(good) > 0.94 * len(rows)
    for name, row in good.items():
        assert row["heard"], name
        assert row["seen"], name
        assert not row["figures"]["lost"], name


def test_rows_are_kept_in_the_place_of_older_ones(tmp_path):
    path = tmp_path / "faults.json"
    first, second = table.all_rows()[:2]
    table.keep([second, first], [Finding("a", "b", "c", []), Finding("d", "e", "f", [])], 2, path)
    table.keep([first], [Finding("g", "h", "i|", ["it broke"])], 1, path)
    kept = table.load(path)
    assert [row["heard"] for row in kept["rows"]] == ["g", "a"]
    text = page(kept)
    assert "in 1 of them nothing was lost" in text
    assert "i\\|. **Wrong: it broke**" in text


async def test_heavy_rows_run_alone_or_nearly_and_a_slow_one_once_more():
    running: set[str] = set()
    most: list[int] = []
    tried: list[str] = []

    def row(name: str, weight: int) -> Row:
        async def work(_lab: Lab) -> Finding:
            running.add(name)
            tried.append(name)
            most.append(len(running))
            await asyncio.sleep(0.01)
            running.remove(name)
            slow = name == "heavy" and tried.count(name) == 1
            return Finding("a", "b", "c", ["it failed"] if slow else [], {"slow": True})

        return Row("group", name, "then", work, weight=weight)

    rows = [row("heavy", 4), row("one", 1), row("other", 1), row("third", 3)]
    lab, told_ = Lab(None, Log(), Owners()), []  # type: ignore[arg-type]
    await table.run_all(rows, lab, lambda row, _: told_.append(row.fault), at_once=4)
    assert max(most) == 2
    assert tried == ["heavy", "one", "other", "third", "heavy"]
    assert sorted(told_) == ["heavy", "one", "other", "third"]


async def test_a_row_that_breaks_is_wrong_and_so_is_a_task_that_is_left():
    owners, log = Owners(), Log()
    loop = asyncio.get_running_loop()
    owners.install()
    left: list[asyncio.Task[None]] = []

    async def leaves(_lab: Lab) -> Finding:
        left.append(asyncio.create_task(asyncio.sleep(60), name="forgotten"))
        raise RuntimeError("no such thing")

    try:
        row = Row("a", "b", "c", leaves)
        finding = await table.run(row, Lab(None, log, owners))  # type: ignore[arg-type]
        assert finding.wrong == ["the row broke: RuntimeError: no such thing"]
        assert owners.left(row.name) == ["forgotten"]
    finally:
        loop.set_task_factory(None)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


# -- the wire


async def test_a_wire_carries_holds_back_and_refuses():
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Wire(f"http://127.0.0.1:{port}") as wire, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"one")
        assert await reader.read(3) == b"one"
        await wire.turn("down")
        writer.write(b"two")
        waiting = asyncio.create_task(reader.read(3))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await wire.turn("up")
        assert await waiting == b"two"
        await wire.turn("refused")
        assert await reader.read(3) == b""
        writer.close()
        with pytest.raises(OSError, match=r"refused|Connect"):
            await asyncio.open_connection("127.0.0.1", wire.port)
        await wire.turn("up")
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"three")
        assert await reader.read(5) == b"three"
        writer.close()


# -- the network between two telephones


async def test_it_stands_for_both_sides_and_loses_what_it_is_told():
    came: dict[str, list[bytes]] = {"there": [], "here": [], "media": []}
    loop = asyncio.get_running_loop()

    async def socket(name: str):
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Side(lambda data, _: came[name].append(data)), local_addr=("127.0.0.1", 0)
        )
        return transport, transport.get_extra_info("sockname")[1]

    async def until(name: str, count: int = 1) -> bytes:
        async with asyncio.timeout(20):
            while len(came[name]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return came[name][-1]

    (there, port), (here, mine), (media, place) = [await socket(n) for n in came]
    air = Signals()
    await air.open()
    air.aim(("127.0.0.1", port))
    near = ("127.0.0.1", air.port)
    try:
        body = f"v=0\r\nm=audio {place} RTP/AVP 9 0 101\r\n"
        invite = f"INVITE sip:1@127.0.0.1:{air.port} SIP/2.0\r\nContact: <sip:127.0.0.1:{mine}>"
        here.sendto(f"{invite}\r\nCSeq: 1 INVITE\r\n\r\n{body}".encode(), near)
        got = (await until("there")).decode()
        assert f"sip:1@127.0.0.1:{port} " in got
        assert str(mine) not in got
        # Media for whoever offered come through it, too.
        far = int(got.partition("m=audio ")[2].split()[0])
        assert far != place
        there.sendto(b"sound", ("127.0.0.1", far))
        assert await until("media") == b"sound"
        air.lose("in", "BYE", 1)
        air.spoil = True
        for text in ("BYE", "INVITE"):
            here.sendto(f"{text} sip:x SIP/2.0\r\nCSeq: 2 {text}\r\n\r\n{body}".encode(), near)
        got = (await until("there", 2)).decode()
        assert got.startswith("INVITE")
        assert got.endswith("RTP/AVP 3 3 117\r\n")
        assert len(got.partition("\r\n\r\n")[2]) == len(body)
    finally:
        air.close()
        for each in (there, here, media):
            each.close()
        await asyncio.sleep(0)


# -- a row, with one question instead of three

TELLING: dict[str, Act] = {
    "the chat model fails": one("think", kind="status", status=500),
}


def first(act: Act) -> Act:
    return dataclasses.replace(act, at="before 1", until="after 1")


async def test_a_whole_call_with_a_fault(sandbox):
    log, owners = Log(), Owners()
    logging.getLogger().addHandler(log)
    loop = asyncio.get_running_loop()
    loop.set_debug(False)  # it would cost more than the calls
    owners.install()
    try:
        lab = Lab(sandbox, log, owners, turns=1)
        rows = [
            Row("test", name, "", lambda lab, name=name, act=act: hold(lab, name, first(act)))
            for name, act in TELLING.items()
        ]
        found: dict[str, Finding] = {}
        await table.run_all(rows, lab, lambda row, finding: found.update({row.fault: finding}), 3)
    finally:
        loop.set_task_factory(None)
        logging.getLogger().removeHandler(log)
    assert {name: finding.wrong for name, finding in found.items()} == {
        name: [] for name in TELLING
    }
    failed = found["the chat model fails"]
    assert failed.figures["apologies"] >= 1
    assert "errors thinking/broken" in failed.seen
    assert failed.figures["failures"].keys() == {"thinking/broken"}
    assert json.dumps(failed.figures)
