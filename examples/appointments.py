"""A practice's telephone: it reminds patients, moves appointments, and talks to voicemail.

`vivavoce phone examples/appointments.py --dial +33612345678` reminds; without `--dial` it answers.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from vivavoce.agent import Agent, Call
from vivavoce.agent.control import end_call
from vivavoce.tools import ToolError

OURS = "+33123456789"
FIRST = {"+33612345678": datetime.fromisoformat("2027-03-04 09:30")}
BEEP = 1.5  # seconds from the end of an announcement to the end of its tone


@dataclass
class Diary:
    """Appointments by telephone number, as a practice's software would have them."""

    booked: dict[str, datetime] = field(default_factory=FIRST.copy)
    confirmed: set[str] = field(default_factory=set[str])


def patient(call: Call[Diary]) -> str:
    """Return the other side's number, whoever has dialled."""
    return call.caller if call.called == OURS else call.called


def appointment(call: Call[Diary]) -> str:
    at = call.deps.booked.get(patient(call))
    return f"{at:%A, %B %-d at %-I:%M %p}" if at else "not in the diary"


def greeting(call: Call[Diary]) -> str:
    # On a call of ours the other side speaks first: so we hear whether it is a machine.
    return "Doctor Weber's practice, this is an automatic assistant." if call.called == OURS else ""


def instructions(call: Call[Diary]) -> str:
    who = "The patient has called." if call.called == OURS else "You have called: remind them."
    return (
        "You are the automatic assistant of Doctor Weber's practice; say so. If an announcement"
        f" answers, leave a message at once. {who} The appointment is {appointment(call)}."
    )


agent = Agent(instructions, name="appointments", greeting=greeting, deps=Diary, tools=[end_call])


@agent.tool
async def confirm_appointment(call: Call[Diary]) -> str:
    """Note that the patient will come."""
    if patient(call) not in call.deps.booked:
        raise ToolError("This number has no appointment: offer to make one.")
    call.deps.confirmed.add(patient(call))
    return f"Noted. The appointment is on {appointment(call)}."


@agent.tool(confirm=True, interruptible=False)
async def move_appointment(call: Call[Diary], to: datetime) -> str:
    """Move the appointment.

    Args:
        to: The new day and time, without a time zone.
    """
    call.deps.booked[patient(call)] = to
    return f"The appointment is on {appointment(call)} now."


@agent.tool(interruptible=False, timeout=60)
async def leave_message(call: Call[Diary]) -> None:
    """Leave a message: call this as soon as a recorded announcement is heard, never for humans."""
    await asyncio.sleep(BEEP)
    text = f"Doctor Weber's practice. Your appointment is on {appointment(call)}."
    await call.say(text, interruptible=False)
    await call.hang_up("left a message on voicemail", after_speech=False)
