"""Appointments: reminders, answers, and messages on voicemail."""

from datetime import datetime

from vivavoce.agent.testing import call_tool, expect, say, simulate

PATIENT = "+33612345678"
MESSAGE = [call_tool("leave_message"), "I have left a message."]  # what it adds, nobody hears
ANNOUNCEMENT = "You have reached Ann Weaver. Please leave a message after the tone."


def we_dialled(caller, number=PATIENT):
    caller.call.called = number


async def test_a_machine_gets_a_message_that_is_whole(example):
    async with simulate(example("appointments").agent, MESSAGE) as caller:
        we_dialled(caller)
        assert caller.heard == ""  # whoever answers speaks first
        await caller.says(ANNOUNCEMENT)
        await caller.listens()
    expect(caller).ended("left a message on voicemail").no_failures()
    (message,) = [reply for reply in caller.transcript.replies if reply.heard]
    assert "Your appointment is on Thursday, March 4 at 9:30 AM." in message.heard
    assert not message.interrupted
    # Not into the announcement's tone.
    (announcement,) = caller.transcript.caller
    assert message.started - announcement.ended >= 1.5
    assert caller.call.deps.confirmed == set()


async def test_nothing_cuts_the_message(example, talk_over):
    async with simulate(example("appointments").agent, MESSAGE) as caller:
        we_dialled(caller)
        await talk_over(caller, ANNOUNCEMENT, "To listen to your message press one")
    (message,) = [reply for reply in caller.transcript.replies if reply.heard]
    assert "March 4 at 9:30 AM." in message.heard


async def test_a_human_is_reminded_and_comes(example):
    replies = [
        say("Doctor Weber's automatic assistant. Will you come on Thursday at half past nine?"),
        call_tool("confirm_appointment"),
        say("Thank you, see you on Thursday."),
    ]
    async with simulate(example("appointments").agent, replies) as caller:
        we_dialled(caller)
        await caller.says("Hello, Ann Weaver speaking")
        await caller.says("Yes, I will come")
    assert caller.call.deps.confirmed == {PATIENT}
    messages, _ = caller.requests[0]
    assert "Thursday, March 4 at 9:30 AM" in messages[0]["content"]


async def test_an_appointment_moves_when_the_patient_agrees(example):
    move = call_tool("move_appointment", to="2027-03-05T11:00")
    replies = [move, "Friday at eleven, shall I?", move, "Done."]
    async with simulate(example("appointments").agent, replies) as caller:
        we_dialled(caller)
        await caller.says("Hello, could I come on Friday at eleven instead?")
        assert caller.call.deps.booked[PATIENT].day == 4
        await caller.says("Yes please")
        assert caller.call.deps.booked[PATIENT] == datetime.fromisoformat("2027-03-05 11:00")
    assert caller.tool_calls[-1].result == "The appointment is on Friday, March 5 at 11:00 AM now."


async def test_it_answers_patients_by_their_number(example):
    appointments = example("appointments")
    call = type("Ringing", (), {"caller": PATIENT, "called": appointments.OURS})()
    assert "this is an automatic assistant" in appointments.greeting(call)
    assert appointments.patient(call) == PATIENT


async def test_a_stranger_has_no_appointment(example):
    replies = [call_tool("confirm_appointment"), "I have none in the diary. Would you like one?"]
    async with simulate(example("appointments").agent, replies) as caller:
        we_dialled(caller, "+33600000000")
        await caller.says("I only want to confirm")
    assert "has no appointment" in (caller.tool_calls[0].result or "")
    assert caller.call.deps.confirmed == set()
