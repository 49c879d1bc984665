"""Who calls in a soak: people who talk, cut in, lose their line, come back, or do not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp

from vivavoce.pipelines.benching.callers import CuttingCaller, TurnCaller
from vivavoce.pipelines.benching.clip import Clip
from vivavoce.pipelines.benching.line import Line, LineError
from vivavoce.pipelines.benching.take import answer

HABITS: dict[str, float] = {
    "talks": 0.50,
    "cuts in": 0.20,
    "comes back": 0.10,
    "is lost": 0.05,
    "reads slowly": 0.05,
    "hangs up at once": 0.05,
    "is interpreted": 0.05,
}
"""What callers do, and how many of them."""
GREETING = 2.5
"""Seconds in which the agent greets: most callers hear it out."""
AWAY = (0.3, 6.0)
"""Seconds for which a caller is away who comes back."""
STUCK = (2.0, 6.0)
"""Seconds for which a caller reads nothing."""
INTO = (0.2, 1.2)
"""Seconds of an answer that are heard before it is cut."""


@dataclass(slots=True)
class Visit:
    """One call, as its caller has it.

    Attributes:
        habit: Of `HABITS`.
        call: Its id; "" where it did not begin.
        turns: Turns that were spoken.
        answered: Turns that were answered.
        resumed: How often its caller came back.
        refused: The status with which it was refused; 0 where it was not.
        trouble: What went wrong on the line and was not meant to.
    """

    habit: str
    call: str = ""
    turns: int = 0
    answered: int = 0
    resumed: int = 0
    refused: int = 0
    trouble: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


class Caller:
    """Calls again and again.

    Args:
        http: Who connects.
        url: The server's.
        clips: What is said.
        seed: Of what it does when.
        visits: Where its calls are entered.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        clips: Sequence[Clip],
        seed: int,
        visits: list[Visit],
    ) -> None:
        self._http, self._url, self._clips = http, url, clips
        self._dice = random.Random(seed)
        self._visits = visits

    async def live(self, over: Callable[[], bool]) -> None:
        """Call until it is over; a call that goes on then ends after its turn."""
        await asyncio.sleep(self._dice.uniform(0, 8))
        while not over():
            habit = self._dice.choices(list(HABITS), list(HABITS.values()))[0]
            visit = Visit(habit)
            self._visits.append(visit)
            try:
                await self._visit(visit, over)
            except LineError as error:
                visit.refused = error.status
                if not error.status:
                    visit.trouble.append(str(error))
                await asyncio.sleep(5)  # as the refusal asks for
            await asyncio.sleep(self._dice.uniform(0.5, 5))

    async def _visit(self, visit: Visit, over: Callable[[], bool], most: int = 6) -> None:
        dice = self._dice
        query = {"agent": "booth"} if visit.habit == "is interpreted" else {}
        line = Line(self._http, self._url, **query)
        await line.open()
        visit.call = line.call
        try:
            if visit.habit != "is interpreted" and dice.random() < 0.8:
                await asyncio.sleep(GREETING)
            turns = dice.randint(2, most)
            odd = dice.randrange(turns)
            for turn in range(turns):
                if over():
                    return
                if turn != odd or visit.habit in {"talks", "is interpreted"}:
                    await self._turn(visit, line)
                elif visit.habit == "cuts in":
                    await self._turn(visit, line, cut=True)
                elif visit.habit == "reads slowly":
                    await self._slowly(visit, line)
                else:
                    await self._broken(line, lost=visit.habit != "hangs up at once")
                    if visit.habit != "comes back":
                        return
                    await asyncio.sleep(dice.uniform(*AWAY))
                    back = Line(self._http, self._url, resume=line.resume)
                    await line.close()
                    line = back
                    await line.open()
                    visit.resumed += 1
        finally:
            await line.close()

    async def _turn(self, visit: Visit, line: Line, *, cut: bool = False) -> None:
        dice = self._dice
        clip, seed = dice.choice(self._clips), dice.randrange(1000)
        caller: TurnCaller | CuttingCaller = TurnCaller(clip, seed)
        if cut:
            caller = CuttingCaller(clip, dice.choice(self._clips), dice.uniform(*INTO), seed)
        take = await line.play(caller)
        visit.turns += 1
        ended = caller.voiced_end if isinstance(caller, TurnCaller) else caller.turn_end
        visit.answered += not answer(take, ended).lost

    async def _slowly(self, visit: Visit, line: Line) -> None:
        """Speak while nothing is read, and read on later."""
        clip = self._dice.choice(self._clips)
        talking = asyncio.create_task(line.play(TurnCaller(clip, 3)), name="slow reader")
        try:
            await asyncio.sleep(2.0)
            line.pause()
            await asyncio.sleep(self._dice.uniform(*STUCK))
            line.go_on()
            await talking
            visit.turns += 1
        finally:
            line.go_on()
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)

    async def _broken(self, line: Line, *, lost: bool) -> None:
        """Lose the line in the middle of a word, or stop in the middle of one."""
        clip = self._dice.choice(self._clips)
        talking = asyncio.create_task(line.play(TurnCaller(clip, 5)), name="lost caller")
        try:
            await asyncio.sleep(self._dice.uniform(0.6, 3.5))
        finally:
            if lost:
                line.drop()
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)

    async def rehearse(self) -> None:
        """Do everything once, one after the other."""
        for habit in HABITS:
            visit = Visit(habit)
            self._visits.append(visit)
            await self._visit(visit, lambda: False, most=2)
