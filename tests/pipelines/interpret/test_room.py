"""Rooms and lectures on virtual time: each hears the others in their own language."""

from __future__ import annotations

from tests.pipelines.interpret.company import company
from vivavoce.agent import Interpreter

HELLO = "Good morning, I have a table for four people tonight."


async def test_two_people_hear_each_other_translated():
    async with company(Interpreter("en", "fr", both_ways=True, original="off")) as held:
        ann, luc = held.comes("en", "Ann"), held.comes("fr", "Luc")
        await held.passes(1.0)
        ann.says(HELLO)
        await held.until(lambda: luc.segments and all(each.settled for each in luc.segments))
        await held.passes(1.0)
        assert " ".join(each.text for each in luc.segments) == HELLO
        assert {each.speaker for each in luc.segments} == {"Ann"}
        assert {each.state for each in luc.segments} == {"spoken"}
        assert luc.tone("fr") > 0.5
        assert ann.tone("en") < 0.01  # she hears nothing of her own
        luc.says("Une table pour quatre personnes.")
        await held.until(lambda: any(each.target == "en" and each.settled for each in ann.segments))
        await held.passes(2.0)
        assert ann.tone("en") > 0.3
        assert held.models.thinking.asked.keys() == {("en", "fr"), ("fr", "en")}
        assert held.room.record()["room"]["participants"][0]["name"] == "Ann"


async def test_three_people_with_three_languages_are_three_transcriptions():
    async with company(Interpreter("en", ["fr", "es"], original="off")) as held:
        ann, luc, eva = held.comes("en", "Ann"), held.comes("fr", "Luc"), held.comes("es", "Eva")
        bob = held.comes("en", "Bob")
        await held.passes(1.0)
        ann.says(HELLO)
        await held.until(lambda: luc.segments and eva.segments and ann.segments)
        await held.until(lambda: all(each.settled for each in ann.segments))
        await held.passes(1.0)
        assert {each.target for each in ann.segments} == {"fr", "es"}
        assert {each.target for each in luc.segments} == {"fr"}
        assert {each.target for each in eva.segments} == {"es"}
        assert luc.tone("fr") > 0.5 > 0.01 > luc.tone("es")
        assert eva.tone("es") > 0.5
        # Who speaks the same language hears her as she is.
        assert sum(abs(block.astype(int)).sum() for block in bob.heard) > 1_000_000
        assert max(bob.tone("fr"), bob.tone("es")) < 0.01
        assert held.models.thinking.asked.keys() == {("en", "fr"), ("en", "es")}


async def test_what_somebody_said_last_is_still_heard_by_the_others():
    async with company(Interpreter("en", "fr", both_ways=True, original="off")) as held:
        ann, luc = held.comes("en", "Ann"), held.comes("fr", "Luc")
        await held.passes(1.0)
        ann.says(HELLO)
        await held.passes(3.5)  # the last word is just said
        await held.leaves(ann)
        assert [each.name for each in held.room.seating] == ["Luc"]
        await held.until(lambda: luc.segments and all(each.settled for each in luc.segments))
        assert " ".join(each.text for each in luc.segments) == HELLO
        assert {each.state for each in luc.segments} == {"spoken"}
        assert ann.made.call.ended
        await held.passes(1.0)
        assert held.comes("en", "Ann").person.name == "Ann"  # she may come back


async def test_a_lecture_is_heard_and_translated_once_whatever_the_number_of_listeners():
    interpreter = Interpreter("en", ["fr", "es"], original="off")
    async with company(interpreter, kind="lecture", people=13) as held:
        speaker = held.comes("en", "Ann")
        listeners = [held.comes(("fr", "es")[n % 2], speaks=False) for n in range(12)]
        await held.passes(1.0)
        speaker.says(HELLO)
        await held.until(lambda: speaker.segments)
        await held.until(lambda: all(each.settled for each in speaker.segments))
        await held.passes(1.0)
        count = len(speaker.segments) // 2
        assert held.models.thinking.asked == {("en", "fr"): count, ("en", "es"): count}
        assert {k: len(v) for k, v in held.models.speaking.said.items()} == {
            "fr": count,
            "es": count,
        }
        for number, each in enumerate(listeners):
            mine, other = ("fr", "es") if number % 2 == 0 else ("es", "fr")
            assert [one.target for one in each.segments] == [mine] * count
        for each, mine, other in ((listeners[0], "fr", "es"), (listeners[11], "es", "fr")):
            assert each.tone(mine) > 0.5 > 0.01 > each.tone(other)
        assert held.room.state()["listeners"] == {"fr": 6, "es": 6}
        assert len(held.room.state()["participants"]) == 13
        usage = held.room.record()["usage"]
        assert usage["requests"] == 2 * count


async def test_a_listener_comes_late_changes_the_language_and_reads():
    interpreter = Interpreter("en", ["fr", "es"], original="off")
    async with company(interpreter, kind="lecture") as held:
        speaker = held.comes("en", "Ann")
        early = held.comes("fr", speaks=False)
        await held.passes(1.0)
        speaker.says(HELLO)
        await held.until(lambda: early.segments and all(each.settled for each in early.segments))
        late = held.comes("fr", speaks=False)
        await held.passes(2.0)
        assert late.segments == []  # the present, and not the past
        assert late.tone("fr") < 0.01
        held.room.choose(late.person.id, language="es")
        held.room.choose(early.person.id, hears="captions")
        await held.passes(1.0)
        at = len(early.heard) * 0.02
        speaker.says("And now we come to the second part of it.")
        await held.until(lambda: late.segments and all(each.settled for each in late.segments))
        await held.passes(1.0)
        assert {each.target for each in late.segments} == {"es"}
        assert late.tone("es") > 0.3
        assert early.tone("fr", since=at) < 0.01
        assert early.segments[-1].target == "fr"
        assert early.segments[-1].state == "written"  # nobody hears it: it is not spoken
        held.room.choose(late.person.id, language="en")
        await held.passes(1.0)
        assert [each.target for each in speaker.made.ear.lanes.values()] == ["fr"]
        asked = dict(held.models.thinking.asked)
        at = len(late.heard) * 0.02
        speaker.says("This is the third part.")
        await held.passes(6.0)
        assert held.models.thinking.asked["en", "es"] == asked["en", "es"]
        block = late.heard[round(at / 0.02) : round(at / 0.02) + 50]
        assert max(abs(each.astype(int)).max() for each in block) > 1_000  # the original


async def test_who_is_there_and_who_speaks_is_told():
    async with company(Interpreter("en", "fr", both_ways=True, original="off")) as held:
        told = []
        held.room.on_change.append(lambda: told.append(held.room.state()))
        ann, luc = held.comes("en", "Ann"), held.comes("fr", "Luc")
        await held.until(lambda: told and len(told[-1]["participants"]) == 2)
        ann.says(HELLO)
        await held.until(lambda: told[-1]["participants"][0]["speaking"])
        await held.until(lambda: not told[-1]["participants"][0]["speaking"])
        luc.there = False
        await held.until(lambda: not told[-1]["participants"][1]["there"])
        luc.there = True
        await held.until(lambda: told[-1]["participants"][1]["there"])
        await held.leaves(luc)
        await held.until(lambda: len(told[-1]["participants"]) == 1)
        assert len(told) < 20
        await held.room.hang_up("it is over")
        await held.until(lambda: told[-1]["over"])
        assert (told[-1]["over"], told[-1]["over_code"]) == ("it is over", "")


async def test_the_record_has_everything_in_the_order_of_time():
    async with company(Interpreter("en", "fr", both_ways=True, original="off")) as held:
        ann, luc = held.comes("en", "Ann"), held.comes("fr", "Luc")
        await held.passes(1.0)
        ann.says(HELLO)
        await held.passes(0.5)
        luc.says("Oui, bien sûr, nous avons une table.")
        await held.passes(12.0)
        await held.leaves(ann)
        await held.leaves(luc)
        assert await held.room.wait(60.0)
        record = held.room.record()
        assert record["ended"] == "everybody has left"
        rows = record["transcript"]
        assert [row["started"] for row in rows] == sorted(row["started"] for row in rows)
        assert {row["speaker"] for row in rows} == {"Ann", "Luc"}
        assert {row["state"] for row in rows} == {"spoken"}
        people = record["room"]["participants"]
        assert [each["name"] for each in people] == ["Ann", "Luc"]
        assert all(each["left"] > each["joined"] for each in people)
        assert record["usage"]["heard"] > 10
        assert set(record["room"]["calls"]) == {ann.person.id, luc.person.id}
