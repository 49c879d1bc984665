"""A station of an assembly line: short commands in noise, and alarms that nothing cuts off."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from vivavoce.agent import Agent, Call, Silence, Turns

STEPS = (
    "Put the bracket on the two pins.",
    "Fasten the left bolt, twelve newton metres.",
    "Fasten the right bolt, twelve newton metres.",
    "Press the green button, and stand clear.",
)


@dataclass
class Station:
    """What the machine tells; its controller puts alarms here."""

    alarms: asyncio.Queue[str] = field(default_factory=asyncio.Queue[str])


@dataclass
class Work:
    """Where the worker is."""

    step: int = 0
    scrap: int = 0


agent: Agent[Station, Work] = Agent(
    name="line",
    greeting="Station four. Step one. " + STEPS[0],
    deps=Station,
    state=Work,
    turns=Turns(
        vad="silero",  # "webrtc" is lighter, and takes an impact wrench for a voice
        min_words=2,  # what cuts a reply is "next step", not a shout from the next station
        interrupt_after=0.2,  # clanging is shorter
        min_silence=0.2,  # commands are short, and so is the wait for more
        unsure_silence=0.3,
        max_silence=0.8,
    ),
    silence=Silence(ask_after=None),  # hands are busy: silence is normal
)


@agent.reply
async def obey(call: Call[Station, Work], heard: str) -> str:
    work, said = call.state, set(heard.lower().replace(",", " ").replace(".", " ").split())
    if said & {"next", "done"}:
        work.step += 1
    elif said & {"back", "previous"}:
        work.step = max(0, work.step - 1)
    elif said & {"scrap", "reject"}:
        work.step, work.scrap = 0, work.scrap + 1
        return f"Part {work.scrap} is scrapped. Take a new one. {STEPS[0]}"
    elif not said & {"repeat", "again", "step", "what"}:
        return ""  # talk between people
    if work.step == len(STEPS):
        work.step = 0
        return f"The part is finished. Next one. {STEPS[0]}"
    return f"Step {work.step + 1}. {STEPS[work.step]}"


@agent.lifespan
async def alarms(call: Call[Station, Work]) -> AsyncIterator[None]:
    """Tell alarms as long as the call lasts, over whatever is being said."""

    async def warn() -> None:
        while alarm := await call.deps.alarms.get():
            await call.interrupt()
            await call.say(f"Attention! {alarm}", interruptible=False)

    async with asyncio.TaskGroup() as tasks:
        warning = tasks.create_task(warn())
        yield
        warning.cancel()
