"""Meeting notes: it listens, knows who speaks from what they say, and keeps the follow-ups.

It is silent until somebody says "Scribe, …". People say who they are ("Anna here").
"""

import re
from dataclasses import dataclass, field
from datetime import date

from vivavoce.agent import Agent, Call, Limits, Silence

CALLED = re.compile(r"\W*(?:hey |okay |ok )?scribe\b", re.IGNORECASE)
HELLO = re.compile(r"\b(?:[Tt]his is|[Ii]t's|I'm) ([A-Z]\w+)\b|\b([A-Z]\w+) (?:here|speaking)\b")


@dataclass
class FollowUp:
    """Something that somebody has promised to do."""

    who: str
    what: str
    due: date | None


@dataclass
class Minutes:
    """What remains of a meeting."""

    follow_ups: list[FollowUp] = field(default_factory=list[FollowUp])
    text: str = ""


def so_far(call: Call[Minutes]) -> list[str]:
    """Return what was said, line by line, with who said it."""
    lines: list[str] = []
    speaker = "Somebody"
    for utterance in call.transcript.caller:
        if found := HELLO.search(utterance.text):
            speaker = found[1] or found[2]
        if not CALLED.match(utterance.text):
            lines.append(f"{speaker}: {utterance.text}")
    return lines


agent = Agent(
    name="notes",
    deps=Minutes,
    silence=Silence(ask_after=None),  # nobody owes it an answer
    limits=Limits(call=4 * 3600),
)

writer: Agent[Minutes] = Agent(
    "You keep the minutes of a meeting. Today is {today}. Note every promise with follow_up, once,"
    " then answer what you were asked in at most two sentences.",
    name="writer",
    deps=Minutes,
)


@writer.tool
async def follow_up(call: Call[Minutes], who: str, what: str, due: date | None = None) -> None:
    """Note what somebody has promised to do.

    Args:
        who: Who has promised it.
        what: What they will do, in a few words.
        due: Until when, if they have said so.
    """
    call.deps.follow_ups.append(FollowUp(who, what, due))


@agent.reply
async def listen(call: Call[Minutes], heard: str) -> str:
    if not CALLED.match(heard):
        return ""
    meeting = "\n".join(so_far(call))
    return await call.consult(writer, f"{meeting}\n\nYou are asked: {heard}")
