"""A row of the table: one fault at one moment of a call, and what came of it."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.faults.caller import Caller, SocketCaller, Story
from conformance.faults.ears import NOTES, UNKNOWN
from conformance.faults.house import Faults, House, Plan
from conformance.faults.kept import Kept, judge
from conformance.faults.script import ANSWERS, APOLOGIES, QUESTIONS
from conformance.faults.watch import (
    ROW,
    Figures,
    Health,
    Line,
    Log,
    Operator,
    Owners,
    moved,
    shortened,
    told,
)
from vivavoce.sandbox.launch import Sandbox

SLOW = 1.3
"""How many times as long as they are a caller's words may take: no fault holds them up, so that it
was the machine, and the call tells nothing of the server."""
CONCEALED = 0.5
"""Seconds of sound that may be concealed where nothing was done to it; more, and it is, too."""


@dataclass(slots=True)
class Lab:
    """What all rows share.

    Attributes:
        sandbox: The models.
        log: What is logged in this process.
        owners: Which task is whose.
        turns: Questions that callers ask; with fewer than three the next call is not tried.
    """

    sandbox: Sandbox
    log: Log
    owners: Owners
    turns: int = len(QUESTIONS)


@dataclass(slots=True)
class Finding:
    """What came of a row.

    Attributes:
        heard: What the caller heard.
        seen: What the operator saw.
        kept: What was kept.
        wrong: What should not be; empty: nothing was lost.
        figures: What was measured, for programs.
        seconds: How long it took.
    """

    heard: str
    seen: str
    kept: str
    wrong: list[str]
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One fault.

    Attributes:
        group: The heading that it stands under.
        fault: What goes wrong, in a few words.
        when: The moment, in a few words.
        run: Runs it; it raises only where the row itself is broken.
        alone: Nothing else may run meanwhile.
        weight: As how many it counts among those that run at the same time.
        needs: What it cannot do without ("root", "kamailio", …), for machines that have it not.
    """

    group: str
    fault: str
    when: str
    run: Callable[[Lab], Awaitable[Finding]]
    alone: bool = False
    weight: int = 1
    needs: str = ""

    @property
    def name(self) -> str:
        """Names it."""
        return f"{self.group}: {self.fault}"


@dataclass(slots=True)
class Scene:
    """A call that goes on in a row.

    Attributes:
        house: The server.
        caller: Who calls.
        health: How the server was, by moment.
        task: What goes on beside the call; ended with it.
        kept: What an act has to remember.
        wrong: What it found that should not be.
    """

    house: House
    caller: Any
    health: dict[str, Health] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def mark(self, name: str) -> None:
        """Note when something was done."""
        self.caller.story.marks[name] = time.monotonic()


Do = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to a call, and when.

    Attributes:
        strike: Breaks something.
        at: The moment, as `Caller.converse` names them.
        lift: Makes it well again; None: it stays broken, or mends itself.
        until: The moment of that.
        own: The line is the caller's own: the call may end with it.
        reaches: What the caller is; a websocket unless given.
        allowed: Parts of lines in the log with a stack trace that are right there.
        again: Whether the next call is tried.
        next: Who makes that; by a websocket unless given.
        unanswered: Turns that need not be answered, as what broke stays broken.
        silent: There need be no recording: its place is what broke.
        wordless: That a voice without words was noted accounts for an utterance.
        damaged: The caller's sound comes spoiled: whatever was understood of it is all there is.
        leave: Tidies up behind the call.
    """

    strike: Do
    at: str = "before 2"
    lift: Do | None = None
    until: str = "after 2"
    own: bool = False
    reaches: Callable[[House], Caller] | None = None
    allowed: tuple[str, ...] = ()
    again: bool = True
    next: Callable[[House], Caller] | None = None
    unanswered: tuple[int, ...] = ()
    silent: bool = False
    wordless: bool = False
    damaged: bool = False
    leave: Do | None = None


WHEN = {
    "house": "before the call",
    "start": "from the start",
    "before 2": "before turn 2",
    "saying 2": "while the caller speaks, turn 2",
    "said 2": "as turn 2 ends",
    "reply 2": "within the reply to turn 2",
    "after 2": "after turn 2",
    "after 3": "after turn 3",
    "end": "at the end of the call",
}


def provider(faults: Faults, *, which: int = 0) -> Act:
    """Return the act of a provider that fails for one turn."""

    async def strike(scene: Scene) -> None:
        await scene.house.strike(faults, which=which)

    async def lift(scene: Scene) -> None:
        await scene.house.strike({}, which=which)

    return Act(strike, lift=lift)


async def hold(lab: Lab, name: str, act: Act, plan: Plan | None = None) -> Finding:
    """Hold a call, do what the act says, and find out what came of it."""
    ROW.set(name)
    with tempfile.TemporaryDirectory(prefix="vv-fault-") as folder:
        house = House(lab.sandbox, Path(folder), plan or Plan())
        finding = await _held(lab, act, house)
        # The house is closed: nothing of the row may run any more.
        await asyncio.sleep(0.1)
        for _ in range(60):
            if not (left := lab.owners.left(name)):
                break
            await asyncio.sleep(0.05)
        if left:
            finding.wrong.append(f"tasks are left: {', '.join(left[:4])}")
        lines = lab.log.take(name)
        finding.wrong += misspoken(lines, house.keys, act.allowed)
        finding.seen = f"{finding.seen}; {told(lines)}"
        finding.figures["log"] = [
            shortened(e.text)[:300] for e in lines if e.level >= logging.WARNING
        ]
        return finding


async def _held(lab: Lab, act: Act, house: House) -> Finding:
    async with house.open():
        operator = Operator(house.url, house.scrape_key)
        before = await operator.figures()
        scene = Scene(house, None)
        if act.at == "house":
            await act.strike(scene)
        made = act.reaches(house) if act.reaches is not None else SocketCaller(house.url)
        async with made as caller:
            scene.caller = caller
            caller.questions = QUESTIONS[: lab.turns]

            async def hook(moment: str) -> None:
                if moment == act.at:
                    scene.mark("strike")
                    await act.strike(scene)
                    scene.mark("struck")
                if moment == act.until:
                    scene.health["during"] = await operator.health()
                    if act.lift is not None:
                        await act.lift(scene)
                        scene.mark("lift")

            try:
                story = await caller.converse(hook)
                await hook("end")
                await caller.hang_up()
            finally:
                if scene.task is not None:
                    scene.task.cancel()
                    await asyncio.gather(scene.task, return_exceptions=True)
        quiet = await house.idle()
        after = await operator.figures()
        scene.health["after"] = await operator.health()
        records = await house.records()
        call = records[0]["call"] if records else ""
        recording = house.recording(call)
        for _ in range(40):  # it is kept a moment after its record
            if (recording := house.recording(call)).parent.name == "recordings":
                break
            await asyncio.sleep(0.05)
        began = story.marks.get("call", story.said[0].started if story.said else 0.0)
        record = records[0] if records else None
        # Where the server had to conceal what did not come, the sound is known to be damaged.
        concealed = sum(by for name, by in moved(before, after).items() if "concealed" in name)
        damaged = act.damaged or concealed > 0
        kept = judge(record, story.said, began, recording, wordless=act.wordless, damaged=damaged)
        if act.own:
            into_nothing(kept, story)
        trace = house.trace(call)
        wrong = [*judged(story, kept, act), *scene.wrong]
        if act.leave is not None:
            await act.leave(scene)
        if not quiet:
            wrong.append(f"{len(house.server.desk.calls)} calls are left")
        if act.again and lab.turns == len(QUESTIONS) and (why := await next_call(house, act)):
            wrong.append(f"the next call is not clean: {why}")
    figures = measured(story, kept)
    figures["slow"] |= concealed > CONCEALED and not (act.damaged or act.own)
    seen = seeing(before, after, scene.health, trace)
    return Finding(hearing(story), seen, str(kept), wrong, figures)


def into_nothing(kept: Kept, story: Story) -> None:
    """Account for what a caller said while their own line was down: nobody else can know of it."""
    since = story.marks.get("strike", float("inf"))
    late = [each.text for each in story.said if (each.ended or 0.0) > since]
    for text in [text for text in kept.lost if text in late]:
        kept.lost.remove(text)
        kept.explained.append("said into the caller's own broken line")


async def next_call(house: House, act: Act) -> str:
    """Hold a short call; return what was wrong with it, "" for nothing."""
    try:
        async with act.next(house) if act.next is not None else SocketCaller(house.url) as caller:
            caller.questions, caller.tries, caller.patience = caller.questions[:1], 3, 15.0

            async def nothing(_moment: str) -> None: ...

            story = await caller.converse(nothing)
            await caller.hang_up()
    except Exception as error:  # noqa: BLE001 (that it fails is what is asked)
        return f"{type(error).__name__}: {error}"
    if not await house.idle():
        return "it did not end"
    if not story.greeted:
        return "no greeting was heard"
    return "" if story.answered(1) else "its question was not answered"


def judged(story: Story, kept: Kept, act: Act) -> list[str]:
    """Return what should not be."""
    wrong = [f"lost: “{text}”" for text in kept.lost]
    if story.dropped and not act.own:
        wrong.append(f"the call dropped (close code {story.code})")
    if not kept.found:
        wrong.append("there is no record")
    if kept.live:
        wrong.append("the record says that the call goes on")
    if kept.exact != kept.turns:
        wrong.append(f"{kept.turns - kept.exact} turns of the ledger do not sum")
    if kept.recorded is None and not act.silent:
        wrong.append("the recording does not play")
    turns = range(1, story.turns + 1)
    unanswered = [n for n in turns if not story.answered(n) and n not in act.unanswered]
    if unanswered and not act.own:
        wrong.append(f"turn {', '.join(map(str, unanswered))} was never answered")
    return wrong


def misspoken(lines: list[Line], secrets: list[str], allowed: tuple[str, ...]) -> list[str]:
    """Return what the log should not hold: secrets, and traces of the stack."""
    found: list[str] = []
    for line in lines:
        text = shortened(line.text)
        if any(secret in line.text for secret in secrets):
            found.append(f"a secret in the log: {text[:60]}")
        if line.trace and not any(part in line.text for part in allowed):
            found.append(f"a stack trace in the log: {text[:200]}")
    found = list(dict.fromkeys(found))
    warnings: dict[str, int] = {}
    for line in lines:
        if line.level >= logging.WARNING:
            text = shortened(line.text)
            warnings[text] = warnings.get(text, 0) + 1
    found += [f"logged {n} times: {text[:80]}" for text, n in warnings.items() if n > 6]
    return found


def hearing(story: Story) -> str:
    """Return what the caller heard, in words."""
    parts = []
    for turn in sorted({each.turn for each in story.said}):
        tries = [each for each in story.said if each.turn == turn]
        if all(each.answered and not each.sorry for each in tries[:1]):
            continue
        told_ = "an apology" if any(each.sorry for each in tries) else "silence"
        if story.answered(turn):
            # Which try was answered is measured; that it was asked again is the caller's doing.
            count = next(n for n, each in enumerate(tries) if each.answered)
            parts.append(f"turn {turn}: {told_}, answered when asked {_again(count)}")
        else:
            parts.append(f"turn {turn}: {told_}, no answer")
    count = sum(story.answered(turn) for turn in range(1, story.turns + 1))
    first = f"{count} of {story.turns} answered" + (f" ({'; '.join(parts)})" if parts else "")
    parts = [first, f"longest silence {story.silence:.1f} s"]
    slow = max((each.waited or 0.0 for each in story.said), default=0.0)
    if slow > 2.5:
        parts.append(f"slowest answer after {slow:.1f} s")
    if (back := story.recovery) is not None:
        parts.append(f"an answer {back:.1f} s after it was over")
    if story.back:
        parts.append(f"the line came back {story.back} ×, within {story.away:.1f} s")
    strange = sum(each.sound for each in story.heard if each.text == UNKNOWN)
    if strange > 0.3:
        parts.append(f"{strange:.1f} s of strange sound")
    parts.append(f"the call ended ({story.code})" if story.dropped else "the call went on")
    return "; ".join(parts)


def _again(count: int) -> str:
    return {0: "once", 1: "again"}.get(count, f"{count} more times")


def seeing(before: Figures, after: Figures, health: dict[str, Health], trace: str) -> str:
    """Return what the operator saw, in words."""
    counters = ", ".join(f"{name} +{by:g}" for name, by in moved(before, after).items())
    parts = [counters or "no counter of trouble moved"]
    if "during" in health:
        parts.append(f"{health['during']}; after: {health['after']}")
    else:
        parts.append(str(health["after"]))
    return "; ".join([*parts, trace])


def measured(story: Story, kept: Kept) -> dict[str, Any]:
    """Return the figures of a row."""
    strike = story.marks.get("strike", 0.0)
    began = story.marks.get("call", 0.0)
    before = [each for each in story.said if each.ended is not None and each.ended < strike]
    return {
        "spoilt": not all(each.answered for each in before),
        "slow": story.slowness > SLOW,
        "answered": [turn for turn in (1, 2, 3) if story.answered(turn)],
        "asked": len(story.said),
        "apologies": sum(each.text in (*APOLOGIES, NOTES) for each in story.heard),
        "silence_s": round(story.silence, 1),
        "waited_s": [None if e.waited is None else round(e.waited, 2) for e in story.said],
        "recovery_s": None if story.recovery is None else round(story.recovery, 1),
        "dropped": story.dropped,
        "replies": sum(each.text in ANSWERS for each in story.heard),
        "utterances": kept.finished,
        "in_transcript": kept.there,
        "explained": kept.explained,
        "lost": kept.lost,
        "spoken": kept.spoken,
        "said": [
            (e.text, round(e.started - began, 2), e.ended and round(e.ended - began, 2))
            for e in story.said
        ],
        "ledger": [kept.exact, kept.turns],
        "recording_s": None if kept.recorded is None else round(kept.recorded, 1),
        "failures": kept.failures,
    }
