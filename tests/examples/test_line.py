"""The line: commands in noise, talk that is none, and alarms that nobody cuts off."""

import pytest

from vivavoce.agent.testing import expect, simulate


async def test_commands_lead_through_the_work(example):
    line = example("line")
    async with simulate(line.agent) as caller:
        for said, answered in [
            ("Next step", f"Step 2. {line.STEPS[1]}"),
            ("Say it again", f"Step 2. {line.STEPS[1]}"),
            ("Go back", f"Step 1. {line.STEPS[0]}"),
            ("Scrap it", f"Part 1 is scrapped. Take a new one. {line.STEPS[0]}"),
        ]:
            await caller.says(said)
            assert caller.heard == answered
        for _ in line.STEPS:
            await caller.says("Next step")
        assert caller.heard.startswith("The part is finished.")
    assert (caller.call.state.step, caller.call.state.scrap) == (0, 1)
    expect(caller).no_failures()


async def test_noise_does_not_stop_it(example):
    async with simulate(example("line").agent) as caller:
        await caller.noise(-45, seconds=60)
        await caller.says("Next step")
        await caller.coughs(0.3, after=0.4)  # a hammer
        await caller.listens()
        assert caller.heard == "Step 2. Fasten the left bolt, twelve newton metres."
        assert not caller.transcript.replies[-1].interrupted


async def test_one_word_from_the_next_station_does_not_stop_it(example):
    async with simulate(example("line").agent) as caller:
        await caller.says("Next step")
        await caller.backchannels("hello", after=0.4)
        await caller.listens()
        assert caller.heard == "Step 2. Fasten the left bolt, twelve newton metres."


async def test_two_words_do(example):
    async with simulate(example("line").agent) as caller:
        await caller.says("Next step")
        await caller.interrupts("next step please", after=0.6)
        await caller.listens()
        assert caller.call.state.step == 2
    expect(caller).interrupted()


async def test_talk_between_people_is_not_answered(example):
    async with simulate(example("line").agent) as caller:
        await caller.listens()
        await caller.says("Shall we have lunch together?")
        assert len([reply for reply in caller.transcript.replies if reply.heard]) == 1
    assert caller.call.state.step == 0


async def test_an_alarm_cuts_in_and_cannot_be_cut(example):
    async with simulate(example("line").agent) as caller:
        await caller.says("Next step")
        await caller.silent(0.5)
        caller.call.deps.alarms.put_nowait("Somebody is behind the light curtain. Stop.")
        await caller.silent(1)
        await caller.interrupts("next step please", after=0.6)
        await caller.silent(10)
    cut, alarm = [reply for reply in caller.transcript.replies if reply.heard][1:3]
    assert cut.interrupted
    assert alarm.heard == "Attention! Somebody is behind the light curtain. Stop."
    assert not alarm.interrupted


async def test_silence_is_normal(example):
    async with simulate(example("line").agent) as caller:
        await caller.silent(600)
        await caller.says("Next step")
        assert caller.heard.startswith("Step 2.")


@pytest.mark.needs_flite
async def test_by_voice_in_noise(example):
    line = example("line")
    async with simulate(line.agent, audio=True) as caller:
        await caller.listens()
        await caller.noise(-45, seconds=120)
        await caller.says("Next step, please.")
        assert caller.heard == f"Step 2. {line.STEPS[1]}"
        await caller.coughs(0.4, after=0.6)
        await caller.listens()
        assert caller.heard == f"Step 2. {line.STEPS[1]}"
        caller.call.deps.alarms.put_nowait("Somebody is behind the light curtain.")
        await caller.silent(8)
        assert caller.heard == "Attention! Somebody is behind the light curtain."
    expect(caller).no_failures()
