"""Sessions of one line on virtual time: what is said in one language is heard in the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from vivavoce.agent import Interpreter
from vivavoce.agent.events import CallerPartial, SegmentChanged
from vivavoce.agent.line import LineError
from vivavoce.agent.testing import SimulationError, fail, interpret, say, wait
from vivavoce.agent.testing.interpreted import model_of
from vivavoce.pipelines.frames import CallerTurnFrame
from vivavoce.pipelines.interpret.seat import Seat
from vivavoce.pipelines.simulation.engine import hush
from vivavoce.pipelines.simulation.interpreted import InterpretedEngine
from vivavoce.pipelines.simulation.line import SimulatedLine
from vivavoce.pipelines.simulation.track import RATE, Track

TALK = (
    "Good morning everybody, and thank you for coming. Today I would like to speak about bread,"
    " which is the oldest food that people make with their hands. There are three kinds of flour"
    " that we use, and each of them wants another amount of water."
)


def upper(text: str) -> str:
    return " ".join(f"le-{word}" for word in text.split())


@asynccontextmanager
async def held_by(
    interpreter: Interpreter, translate: Any = upper
) -> AsyncGenerator[InterpretedEngine]:
    hush()
    engine = InterpretedEngine(interpreter, model_of(translate))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


async def test_it_speaks_while_the_speaker_does() -> None:
    async with interpret(Interpreter("en", "fr"), upper) as session:
        await session.begins(TALK)
        ended = session.call.now
        assert session.segments[0].spoken_from is not None
        assert session.segments[0].spoken_from < ended / 3
        await session.listens()
        assert " ".join(segment.text for segment in session.segments) == TALK
        assert session.heard == upper(TALK)
        assert session.lag < 3.0
        states = {segment.state for segment in session.segments}
    assert states == {"spoken"}
    for segment in session.segments:
        assert segment.started <= segment.ended <= segment.cut
        assert segment.translated is not None
        assert segment.spoken_from is not None
        assert segment.cut < segment.translated < segment.spoken_from
        assert segment.latency is not None
        assert sum(segment.latency.stages.values()) == segment.latency.total
    usage = session.call.usage
    assert usage.characters == sum(len(segment.translation) for segment in session.segments)
    assert usage.requests >= len(session.segments)
    assert usage.completion_tokens > 0
    assert usage.heard > ended
    assert usage.said > 5


async def test_the_next_segment_follows_without_a_gap() -> None:
    async with interpret(Interpreter("en", "fr"), upper) as session:
        await session.says(TALK)
    gaps = [
        later.spoken_from - now.spoken_to
        for now, later in pairwise(session.segments)
        if now.spoken_to and later.spoken_from
    ]
    assert min(gaps) >= 0
    # Where the next one was ready, it began at once.
    assert sum(gap < 0.03 for gap in gaps) >= len(gaps) / 2


async def test_consecutive_waits_for_the_end_of_the_turn() -> None:
    interpreter = Interpreter("en", "fr", policy="consecutive")
    async with interpret(interpreter, upper) as session:
        await session.begins(TALK)
        assert not session.segments or session.segments[0].spoken_from is None
        await session.listens()
        first = session.segments[0]
        assert first.spoken_from is not None
        assert first.spoken_from > 15
        assert session.written == upper(TALK)


async def test_a_long_turn_is_spoken_while_it_is_still_being_translated() -> None:
    talk = " ".join(TALK.replace(".", ",").rstrip(",") for _ in range(2)) + "."
    interpreter = Interpreter("en", "fr", policy="consecutive")
    async with interpret(interpreter, upper) as session:
        await session.says(talk)
        assert session.heard == session.written == upper(talk)
        long = max(session.segments, key=lambda segment: len(segment.text))
        assert long.spoken_from is not None
        assert long.translated is not None
        assert long.spoken_from < long.translated
        assert long.latency is not None
        assert sum(long.latency.stages.values()) == long.latency.total


async def test_a_long_translation_that_breaks_off_is_not_begun_again() -> None:
    talk = " ".join(TALK.replace(".", ",").rstrip(",") for _ in range(2)) + "."
    asked: list[str] = []

    def translate(text: str) -> Any:
        asked.append(text)
        return say(upper(text)[:600]) + fail("broken")

    async with interpret(Interpreter("en", "fr", policy="consecutive"), translate) as session:
        await session.says(talk)
        assert len(asked) == len(session.segments)
        assert upper(talk).startswith(session.heard[:500])
        assert session.segments[0].state == "spoken"
        assert "broke off" in session.segments[0].why
        assert session.failures


async def test_captions_are_silent() -> None:
    async with interpret(Interpreter("en", "fr", policy="captions"), upper) as session:
        await session.says(TALK)
        assert session.heard == ""
        assert session.written == upper(TALK)
        assert {segment.state for segment in session.segments} == {"written"}
        assert session.call.usage.characters == 0


async def test_what_fails_once_is_tried_again() -> None:
    tried: list[str] = []

    def translate(text: str) -> Any:
        tried.append(text)
        return fail("broken") if tried.count(text) == 1 else upper(text)

    async with interpret(Interpreter("en", "fr"), translate) as session:
        await session.says("Good morning everybody.")
        assert session.heard == upper("Good morning everybody.")
        assert not session.failures


async def test_what_cannot_be_translated_is_noted_and_the_rest_goes_on() -> None:
    def translate(text: str) -> Any:
        return fail("refused") if "three" in text else upper(text)

    async with interpret(Interpreter("en", "fr"), translate) as session:
        await session.says(TALK)
        bad = [segment for segment in session.segments if segment.state == "failed"]
        assert len(bad) == 1
        assert "does not accept" in bad[0].why
        assert bad[0].spoken_from is None
        assert len(session.failures) == 1
        rest = [segment for segment in session.segments if segment not in bad]
        assert {segment.state for segment in rest} == {"spoken"}


async def test_a_slow_translation_holds_the_order() -> None:
    def translate(text: str) -> Any:
        return wait(2.0) + say(upper(text)) if "everybody" in text else upper(text)

    async with interpret(Interpreter("en", "fr"), translate) as session:
        await session.says(TALK)
    starts = [segment.spoken_from for segment in session.segments]
    assert all(
        now is not None and later is not None and now < later for now, later in pairwise(starts)
    )
    assert max(segment.speed for segment in session.segments) > 1.05  # it catches up


async def test_a_long_translation_is_asked_to_be_brief() -> None:
    async with interpret(Interpreter("en", "fr"), lambda text: f"{upper(text)} {upper(text)}") as s:
        await s.says(TALK + " " + TALK)
        assert max(segment.condensed for segment in s.segments) == 2
        asked = [messages[0]["content"] for messages in s.requests]
        assert any("Be brief:" in text for text in asked)
        assert "Be brief:" not in asked[0]


async def test_both_ways_at_one_microphone() -> None:
    interpreter = Interpreter("fr", "en", both_ways=True)
    async with interpret(interpreter, upper) as session:
        await session.says("Bonjour, je voudrais une table pour quatre personnes s'il vous plaît.")
        await session.says("Good evening, I would like to know when you are coming to us.")
        ways = [(segment.source, segment.target) for segment in session.segments]
        assert ways[0] == ("fr", "en")
        assert ways[-1] == ("en", "fr")
        assert len(set(ways)) == 2
        assert session.heard


async def test_a_cough_is_nothing() -> None:
    async with interpret(Interpreter("en", "fr"), upper) as session:
        await session.coughs()
        await session.silent(3)
        await session.says("Good morning everybody.")
        assert session.heard == upper("Good morning everybody.")
        await session.coughs(0.2)
    assert not session.failures


async def test_several_targets_are_heard_in_the_first_and_read_in_all() -> None:
    async with interpret(Interpreter("en", ["fr", "es"]), upper) as session:
        await session.says("Good morning everybody.")
        states = {segment.target: segment.state for segment in session.segments}
    assert states == {"fr": "spoken", "es": "written"}


async def test_events_tell_how_far_a_segment_is() -> None:
    async with held_by(Interpreter("en", "fr")) as held:
        seen: list[str] = []

        async def follow() -> None:
            async for event in held.call:
                if isinstance(event, SegmentChanged) and event.segment.number == 1:
                    seen.append(event.segment.state)
                elif isinstance(event, CallerPartial):
                    seen.append("partial")

        following = asyncio.create_task(follow())
        await held.speak("Good morning everybody.")
        await held.settle(30)
        await held.stop()
        await following
        states = list(dict.fromkeys(seen))
        assert states == ["partial", "waiting", "translating", "queued", "speaking", "spoken"]


async def test_what_was_typed_is_translated() -> None:
    async with held_by(Interpreter("en", "fr")) as held:
        await held.speak("Good morning.")
        await held.settle(30)
        frame = CallerTurnFrame(text="My name is Ann.", user_id="caller", timestamp="")
        await held.line.input().push_frame(frame)
        await held.speak("Thank you.")
        await held.settle(30)
        await held.stop()
        text = " ".join(segment.text for segment in held.call.transcript.segments)
        assert text == "Good morning. My name is Ann. Thank you."


async def test_an_announcement_is_said_over_it() -> None:
    async with held_by(Interpreter("en", "fr")) as held:
        reply = await held.call.say("Cette séance est enregistrée.")
        assert reply.heard == "Cette séance est enregistrée."
        reply = await held.call.play(np.full(8_000, 3_000, np.int16), rate=16_000, text="gong")
        assert reply.started is not None
        await held.call.interrupt()
        with pytest.raises(LineError, match="key tones"):
            await held.call.send_dtmf("1")
        with pytest.raises(LineError, match="on hold"):
            await held.call.hold()
        await held.stop()
        assert held.call.reason == "the speaker hung up"


async def test_hanging_up_settles_what_was_not_spoken() -> None:
    async with held_by(Interpreter("en", "fr"), lambda text: wait(1.0) + say(upper(text))) as held:
        await held.speak(TALK)
        await held.session.hang_up("that is enough", after_speech=False)
        await held.stop()
        segments = held.call.transcript.segments
        assert held.call.reason == "that is enough"
        assert all(segment.settled for segment in segments)
        assert {"spoken", "failed"} >= {segment.state for segment in segments} - {"written"}
        assert any(segment.why == "the session ended" for segment in segments)
        assert held.session.ear is not None
        await held.session.ear.close()  # twice


async def test_hanging_up_after_speech_hears_it_out() -> None:
    async with held_by(Interpreter("en", "fr")) as held:
        await held.speak("Good morning everybody.")
        await held.session.hang_up("enough", after_speech=True)
        await held.stop()
        assert [segment.state for segment in held.call.transcript.segments] == ["spoken"]


async def test_a_session_has_a_longest_duration() -> None:
    from vivavoce.agent.options import Limits

    async with held_by(Interpreter("en", "fr", limits=Limits(call=5))) as held:
        with pytest.raises(SimulationError, match="longest duration"):
            await held.passes(10)


async def test_what_a_speaker_said_last_is_heard_by_those_who_stay() -> None:
    async with held_by(Interpreter("en", "fr")) as held:
        session = held.session
        session._drain = 10.0
        lane = session.ear.lanes["fr"] if session.ear else None
        assert lane is not None
        other = lane.outlet()
        heard = 0

        async def listener() -> None:
            nonlocal heard
            while not other.closed:
                heard += int(np.count_nonzero(other.take(320)))
                await asyncio.sleep(0.02)

        listening = asyncio.create_task(listener())
        await held.speak("Good morning everybody, my name is Ann.")
        held.line.farewell = "gone"
        assert held._running is not None
        await held._running
        await listening
        await held.stop()
        assert {each.state for each in session.call.transcript.segments} == {"spoken"}
        assert heard > RATE


async def test_a_late_listener_begins_at_the_present() -> None:
    async with held_by(Interpreter("en", ["fr", "es"], policy="captions")) as held:
        ear = held.session.ear
        assert ear is not None
        await ear.drop("es")
        held.track.say(TALK.replace(".", "").replace(",", ""), RATE)
        await held.passes(8)
        ear.lane("es")
        await held.settle(60)
        spanish = [each for each in held.call.transcript.segments if each.target == "es"]
        french = [each for each in held.call.transcript.segments if each.target == "fr"]
        text = " ".join(segment.text for segment in spanish)
        assert " ".join(segment.text for segment in french).endswith(text)
        assert spanish[0].ended > 7
        count = len(spanish)
        await ear.drop("es")
        await ear.drop("es")
        ear.lane("es")
        await held.speak("That is all.")
        await held.settle(30)
        numbers = [each.number for each in held.call.transcript.segments if each.target == "es"]
        assert numbers == list(range(1, count + 2))


async def test_a_seat_hears_another_beneath() -> None:
    async with held_by(Interpreter("en", "fr")) as held:
        session = held.session
        line = SimulatedLine(Track(), lambda _frame: None, lambda: None, virtual=True)
        other = Seat(
            Interpreter("en", "fr"),
            held.models,
            line,
            speaks=None,
            hears="fr",
            clock=session.clock,
            began=session.context.began,
            simulated=True,
        )
        other.beneath(session)
        loud = np.full(640, 10_000, np.int16)
        for _ in range(8):
            session.hear(loud)
            block = await other.play(640)
        assert block.samples[-1] == pytest.approx(10_000 * 10 ** (-12 / 20), abs=2)
        other.set_original("full")
        session.hear(loud)
        assert (await other.play(640)).samples[-1] == 10_000
        other.unhear(session)
        other.unhear(session)
        session.hear(loud)
        assert not (await other.play(640)).samples.any()
        assert other.now() == session.now()


async def test_what_nobody_hears_any_more_is_written() -> None:
    async with held_by(Interpreter("en", "fr")) as held:
        session = held.session
        assert session.ear is not None
        lane = session.ear.lanes["fr"]
        (outlet,) = lane.outlets
        await held.speak(TALK)
        session.unlisten(outlet)
        lane.leave(outlet)
        lane.leave(outlet)
        await held.settle(30)
        states = [each.state for each in held.call.transcript.segments]
        assert states[0] == "spoken"
        assert states[-1] == "written"
        # Somebody comes back, and hears what is said from then on.
        session.listen(lane.outlet())
        await held.speak("Good morning everybody.")
        await held.settle(30)
        assert held.call.transcript.segments[-1].state == "spoken"


async def test_a_hundred_listeners_cost_one_translation() -> None:
    async with held_by(Interpreter("en", "fr")) as held:
        session = held.session
        assert session.ear is not None
        others = [session.ear.lanes["fr"].outlet(limit=2.0) for _ in range(100)]
        await held.speak("Good morning everybody.")
        await held.settle(30)
        assert len(held.call.transcript.segments) == len(held.asked) == 1
        # They all hold the same, and nothing is kept that they do not hear.
        assert len({outlet.waiting for outlet in others}) == 1
        first = others[0].take(16_000)
        assert first.any()
        assert all(np.array_equal(outlet.take(16_000), first) for outlet in others[1:])


async def test_what_is_played_next_is_known() -> None:
    async with held_by(Interpreter("en", "fr", latency=20_000)) as held:
        session = held.session
        assert session.ahead(0.1)[1].size == 0
        await held.speak("Good morning everybody.")
        while not session.ahead(0.1)[1].any():
            await held.passes(0.1)
        _, ahead = session.ahead(0.04)
        samples = (await session.play(640)).samples
        assert np.array_equal(samples, ahead)
