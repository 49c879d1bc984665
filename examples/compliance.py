"""A monitor of calls between an adviser and a customer: it listens, flags, and never speaks.

Give it each side as a call of its own, as a PBX forks them (Asterisk: a snoop channel with
`spy=in`, and one with `spy=out`), to `adviser-ID` and `customer-ID`: so it knows who said what.
"""

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from vivavoce.agent import Agent, Call, LineError, Silence

RULES: dict[str, dict[str, str]] = {
    "adviser": {
        "promises a return": r"\b(?:guarantee\w*|risk.free|can(?:not|'t) lose|double your)\b",
        "presses the customer": r"\b(?:only today|last chance|right now or never)\b",
        "asks for a password": r"\byour (?:password|pin|tan)\b",
    },
    "customer": {"wants to complain": r"\b(?:complain\w*|ombudsman|my lawyer)\b"},
}
DUTY = re.compile(r"\b(?:is|being|be) recorded\b", re.IGNORECASE)


@dataclass(frozen=True)
class Flag:
    """Something that a supervisor should look at."""

    party: str
    rule: str
    words: str
    at: float


@dataclass
class Desk:
    """The supervisor's."""

    flags: list[Flag] = field(default_factory=list[Flag])


agent = Agent(
    name="compliance",
    deps=Desk,
    silence=Silence(ask_after=None, working="nothing"),
)


def party(call: Call[Desk]) -> str:
    return "customer" if "customer" in call.called else "adviser"


async def flag(call: Call[Desk], rule: str, words: str, at: float) -> None:
    found = Flag(party(call), rule, words, at)
    call.deps.flags.append(found)
    with contextlib.suppress(LineError):  # a supervisor's browser sees it at once
        await call.send({"flag": vars(found)})


@agent.reply
async def listen(call: Call[Desk], heard: str) -> str:
    at = call.transcript.caller[-1].started
    for rule, pattern in RULES[party(call)].items():
        if found := re.search(pattern, heard, re.IGNORECASE):
            await flag(call, rule, found[0], at)
    return ""


@agent.lifespan
async def duties(call: Call[Desk]) -> AsyncIterator[None]:
    """At the end, see what was owed and not said."""
    yield
    said = " ".join(utterance.text for utterance in call.transcript.caller)
    if party(call) == "adviser" and said and not DUTY.search(said):
        await flag(call, "did not say that the call is recorded", "", call.now)
