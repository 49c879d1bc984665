"""Personas: callers whom a model plays, judged by a model, many calls at once."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vivavoce.agent.agent import Agent
from vivavoce.agent.testing.caller import Caller, heard, simulate
from vivavoce.agent.testing.engine import SimulationError, ask_model
from vivavoce.agent.testing.report import Rehearsal, Report, Verdict
from vivavoce.agent.testing.steps import Replies
from vivavoce.agent.transcript import Reply, ToolUse, Utterance

Deps = TypeVar("Deps")

Talker = Callable[[list[dict[str, Any]]], str | Awaitable[str]]
"""A model as a function: takes chat messages, returns the text of the answer."""

DONE = "[hangs up]"
"""What a persona's model writes when its caller is done, behind their last words or alone."""

_PLAY = """\
You play a person on the phone, so that the voice agent at the other end can be tested.
Who you are and what you want: {goal}
How you speak: {style}
Answer with nothing but what this person says next, in one or two short spoken sentences, without
quotes or stage directions. Do not do the agent's work, and do not help it. Give details only when
they are asked for. When you have what you want, or see that you cannot get it, say goodbye and
write {done} behind it. This is rehearsal number {number}: make it a little different from others.
"""
_JUDGE = """\
You judge a phone call between a caller and a voice agent. "heard" is what reached the caller's
ear; tool calls are what the agent really did. Judge by what is written there alone.
Judge each of these criteria by itself:
{criteria}
Answer with nothing but JSON: {{"verdicts": [{{"number": 1, "passed": true, "why": "..."}}, ...]}}
"""
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody who calls.

    Attributes:
        goal: Who they are and what they want ("You want a table for four on Friday. ...").
        style: How they speak ("in a hurry, in half sentences").
        name: For reports; made of the goal if empty.
        turns: After so many lines they hang up, whatever they have reached.
    """

    goal: str
    style: str = "like anybody"
    name: str = ""
    turns: int = 12

    def __post_init__(self) -> None:
        if not self.goal.strip():
            raise ValueError("Persona(goal): say who calls and what they want")
        if self.turns < 1:
            raise ValueError(f"Persona(turns={self.turns}): give 1 or more")

    @property
    def title(self) -> str:
        """How reports call it."""
        return self.name or self.goal.strip().splitlines()[0][:60]


@dataclass(frozen=True, slots=True)
class Judge:
    """What a call is judged by; see `judge`."""

    criteria: tuple[str, ...]

    async def verdicts(self, caller: Caller[Any], talk: Talker) -> list[Verdict]:
        """Have a model judge a call.

        Args:
            caller: Of the call.
            talk: The model.

        Returns:
            One verdict for each criterion, in order. What the model leaves unanswered has failed.
        """
        numbered = "\n".join(f"{n}. {each}" for n, each in enumerate(self.criteria, 1))
        messages = [
            {"role": "system", "content": _JUDGE.format(criteria=numbered)},
            {"role": "user", "content": account(caller)},
        ]
        found: dict[int, Verdict] = {}
        for _ in range(2):
            answer = await _ask(talk, messages)
            found = self._read(answer)
            if found:
                break
            messages += [
                {"role": "assistant", "content": answer or "..."},
                {"role": "user", "content": "That is not the JSON asked for. Only the JSON."},
            ]
        return [
            found.get(number, Verdict(criterion, passed=False, why="the judge did not say"))
            for number, criterion in enumerate(self.criteria, 1)
        ]

    def _read(self, answer: str) -> dict[int, Verdict]:
        match = _OBJECT.search(answer)
        try:
            rows = json.loads(match[0])["verdicts"] if match else []
            return {
                int(row["number"]): Verdict(
                    self.criteria[int(row["number"]) - 1],
                    passed=row["passed"] is True,
                    why=str(row.get("why", "")),
                )
                for row in rows
                if 1 <= int(row["number"]) <= len(self.criteria)
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}


def judge(*criteria: str) -> Judge:
    """Make a judge: `judge("The table was booked for four", "Nothing was promised twice")`.

    Args:
        criteria: What must be true of a call, each judged by itself.

    Raises:
        ValueError: If there are none.
    """
    if not criteria or not all(each.strip() for each in criteria):
        raise ValueError("judge(): give what must be true of the call, one text for each")
    return Judge(criteria)


async def rehearse(
    agent: Agent[Deps],
    personas: Sequence[Persona],
    *,
    criteria: Judge,
    calls: int = 1,
    at_once: int = 4,
    models: object | None = None,
    replies: Callable[[], Replies] | None = None,
    caller_model: Talker | None = None,
    judge_model: Talker | None = None,
    deps: Callable[[], Deps] | None = None,
) -> Report:
    """Have personas call an agent, and the calls judged.

    The calls are simulated as by `simulate`, without audio; what real models take passes as it
    does. A call that breaks off counts as failed, and the others go on.

    Args:
        agent: Who is called.
        personas: Who calls.
        criteria: What the calls are judged by.
        calls: How often each persona calls.
        at_once: How many calls go on at the same time.
        models: An open `Models`, whose chat model plays the agent's mind, the callers and the
            judge, where nothing else is given.
        replies: Makes a scripted mind of the agent's, anew for each call.
        caller_model: Plays the callers instead.
        judge_model: Judges instead.
        deps: Makes what the tools need, instead of the agent's.

    Raises:
        ValueError: If a model is missing, or a number is out of range.
    """
    if not personas or calls < 1 or at_once < 1:
        raise ValueError("rehearse(): give at least one persona, one call, and one at once")
    plays, judges = caller_model, judge_model
    if models is not None:
        plays = plays or _of(models)
        judges = judges or _of(models)
    if plays is None or judges is None:
        raise ValueError("rehearse(): give models=, or both caller_model= and judge_model=")
    talk, decide = plays, judges
    slots = asyncio.Semaphore(at_once)

    async def one(persona: Persona, number: int) -> Rehearsal:
        async with slots:
            return await _call(
                agent,
                persona,
                number,
                criteria=criteria,
                models=models,
                replies=None if replies is None else replies(),
                talk=talk,
                decide=decide,
                deps=None if deps is None else deps(),
            )

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(one(persona, number), name=f"{persona.title} {number}")
            for persona in personas
            for number in range(1, calls + 1)
        ]
    return Report(agent.name, tuple(task.result() for task in tasks))


async def _call(
    agent: Agent[Deps],
    persona: Persona,
    number: int,
    *,
    criteria: Judge,
    models: object | None,
    replies: Replies | None,
    talk: Talker,
    decide: Talker,
    deps: Deps | None,
) -> Rehearsal:
    caller: Caller[Deps] | None = None
    error = ""
    verdicts: list[Verdict] = []
    try:
        async with simulate(
            agent, replies, models=models, deps=deps, call_id=f"rehearsal-{number}"
        ) as caller:
            await _play(caller, persona, number, talk)
        verdicts = await criteria.verdicts(caller, decide)
    except Exception as failure:  # noqa: BLE001 (one call of many: it is reported)
        error = f"{type(failure).__name__}: {failure}"
    return Rehearsal(
        persona=persona.title,
        number=number,
        verdicts=tuple(verdicts),
        seconds=caller.call.now if caller else 0.0,
        turns=len(caller.turns) if caller else 0,
        drawing=caller.draw() if caller else "",
        error=error,
    )


async def _play(caller: Caller[Any], persona: Persona, number: int, talk: Talker) -> None:
    """Have a persona hold its conversation."""
    part = _PLAY.format(goal=persona.goal, style=persona.style, done=DONE, number=number)
    await caller.listens()
    for _ in range(persona.turns):
        said = await _ask(talk, [{"role": "system", "content": part}, *_seen(caller)])
        line = " ".join(said.replace(DONE, " ").split()).strip('"')
        if any(char.isalnum() for char in line):
            await caller.says(line)
        elif DONE not in said:
            raise SimulationError(f"the caller's model said nothing: {said!r}")
        if DONE in said or caller.call.ended:
            break
    await caller.hangs_up()


def _seen(caller: Caller[Any]) -> list[dict[str, Any]]:
    """Return the conversation as the caller's model sees it: the agent is its user."""
    messages: list[dict[str, Any]] = []
    for entry in caller.transcript:
        if isinstance(entry, Utterance):
            role, text = "assistant", entry.text
        elif isinstance(entry, Reply):
            role, text = "user", heard(entry)
        else:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f" {text}"
        elif text:
            messages.append({"role": role, "content": text})
    if not messages or messages[-1]["role"] == "assistant":
        messages.append({"role": "user", "content": "(The line is open; nobody speaks.)"})
    if messages[0]["role"] == "assistant":
        messages.insert(0, {"role": "user", "content": "(The agent has picked up.)"})
    return messages


def account(caller: Caller[Any]) -> str:
    """Return what happened in a call as a text for a judge."""
    lines = []
    for entry in caller.transcript:
        match entry:
            case Utterance():
                lines.append(f"caller: {entry.text}")
            case Reply():
                lines.append(f"heard: {heard(entry)}" + (" (cut)" if entry.interrupted else ""))
            case ToolUse():
                lines.append(f"tool call: {entry.name}({entry.arguments}) -> {entry.result}")
            case _:
                pass
    lines.append(f"end: {caller.call.reason}")
    return "\n".join(lines)


async def _ask(talk: Talker, messages: list[dict[str, Any]]) -> str:
    answer = talk(messages)
    return str(await answer if inspect.isawaitable(answer) else answer)


def _of(models: object) -> Talker:
    return lambda messages: ask_model(models, messages)
