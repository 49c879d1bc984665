"""The caller: what a test says and does in a simulated call, and what it can look at."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.events import Event
from vivavoce.agent.ledger import Latency
from vivavoce.agent.line import KEYS
from vivavoce.agent.testing.draw import draw
from vivavoce.agent.testing.engine import PATIENCE, Engine, SimulationError, open_engine
from vivavoce.agent.testing.steps import Replies
from vivavoce.agent.transcript import Entry, Reply, ToolUse, Transcript, Utterance

Deps = TypeVar("Deps")


class Drawn(Protocol):
    """A simulation that a report can show."""

    def draw(self, width: int = 78) -> str:
        """Return it as a text in two columns."""


RECENT: deque[Drawn] = deque(maxlen=8)
"""The last calls that were simulated, for whoever reports a failure."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model called.

    Attributes:
        name: The tool's name.
        arguments: What the model wrote, read as JSON; empty where it is none.
        use: The transcript's entry: result, duration, whether it went well.
    """

    name: str
    arguments: dict[str, Any]
    use: ToolUse

    @property
    def result(self) -> str | None:
        """What the model was told; None while it runs."""
        return self.use.result


@dataclass(slots=True)
class Turn:
    """What the caller said, and all that came of it.

    Attributes:
        said: The caller's utterance.
        replies: The agent's replies to it of which anything was heard, or is being.
        tools: The tools that ran for it.
    """

    said: Utterance
    replies: list[Reply] = field(default_factory=list)
    tools: list[ToolCall] = field(default_factory=list)

    @property
    def heard(self) -> str:
        """What the caller hears of the replies."""
        return " ".join(text for reply in self.replies if (text := heard(reply)))

    @property
    def latency(self) -> Latency:
        """The delay until the first of the replies was heard.

        Raises:
            SimulationError: If none was.
        """
        for reply in self.replies:
            if reply.latency is not None:
                return reply.latency
        raise SimulationError(f'"{self.said.text}" was not answered: there is no latency')


class Caller(Generic[Deps]):
    """The human end of a simulated call.

    Time is virtual: it passes only while one of the methods is awaited, as far as that takes.
    A method that says or presses something first lets the agent finish, as people do;
    `interrupts`, `backchannels` and `coughs` do not.
    """

    def __init__(self, engine: Engine, call: Call[Deps]) -> None:
        self._engine = engine
        self._call = call

    def __repr__(self) -> str:
        return f"<Caller of {self._call!r}>"

    # What the caller does.

    async def says(self, text: str, *, within: float = PATIENCE) -> None:
        """Say something, once the agent has finished, and wait for the answer.

        Returns when the answer has begun and all of it is written: so it may still be cut by
        `interrupts`. `heard` is what will have been heard of it if it is not.

        Args:
            text: What is said. An ellipsis is a pause in the middle of it.
            within: Longest wait for the answer (s of the call).

        Raises:
            SimulationError: If the agent does not answer.
        """
        await self._engine.listen()
        await self._engine.speak(text)
        await self._engine.answer(within)

    async def listens(self, *, within: float = PATIENCE) -> None:
        """Wait until the agent has finished, and answered whatever was said last."""
        await self._engine.listen(within)

    async def interrupts(
        self, text: str, *, after: float | None = None, at_word: int | None = None
    ) -> None:
        """Say something while the agent speaks.

        Returns when it is said and the agent has fallen silent, before it answers: `heard` is
        what was heard of the reply that was cut. Go on with `listens` for the answer.

        Args:
            text: What is said.
            after: When, in seconds since the reply was first heard; at once if nothing is given.
            at_word: Or when: so that the agent is silent behind this word of the reply (from 1).

        Raises:
            SimulationError: If the agent does not speak.
        """
        _one_moment(after, at_word)
        await self._engine.cut_in(text, after=after, at_word=at_word)

    async def backchannels(
        self, text: str = "mm-hm", *, after: float | None = None, at_word: int | None = None
    ) -> None:
        """Show that one listens, while the agent speaks; see `interrupts` for the moment."""
        _one_moment(after, at_word)
        await self._engine.cut_in(text, after=after, at_word=at_word)

    async def coughs(
        self, seconds: float = 0.4, *, after: float | None = None, at_word: int | None = None
    ) -> None:
        """Make a sound without words: while the agent speaks if a moment is given, else now."""
        _one_moment(after, at_word)
        if after is None and at_word is None:
            await self._engine.sound(seconds)
            await self._engine.decided()
        else:
            await self._engine.cut_in(None, after=after, at_word=at_word, sound=seconds)

    async def silent(self, seconds: float) -> None:
        """Say nothing for a while."""
        if not seconds >= 0:
            raise ValueError(f"silent({seconds}): give the seconds, 0 or more")
        await self._engine.passes(seconds)

    async def presses(self, keys: str, *, within: float = PATIENCE) -> None:
        """Press keys of the telephone, once the agent has finished, and wait for the answer.

        Args:
            keys: Digits, `*`, `#`, A to D.
            within: Longest wait for the answer, if there is any (s of the call).
        """
        if not keys or not KEYS.issuperset(keys):
            raise ValueError(f'presses({keys!r}): give digits, "*", "#" or A to D')
        await self._engine.listen()
        await self._engine.press(keys)
        await self._engine.answer(within)

    async def noise(self, level: float = -50.0, seconds: float = 60.0) -> None:
        """Have noise in the background from now on.

        Args:
            level: How loud (dBFS).
            seconds: For how long.
        """
        self._engine.noise(level, seconds)

    async def hangs_up(self, *, after: float | None = None) -> None:
        """End the call.

        Args:
            after: None: when the agent has finished. Else so many seconds from now.
        """
        if after is None:
            await self._engine.listen()
        else:
            await self._engine.passes(after)
        await self._engine.hang_up("the caller hung up")

    # What a test looks at.

    @property
    def call(self) -> Call[Deps]:
        """The call, as tools hold it; await its methods as ever."""
        return self._call

    @property
    def transcript(self) -> Transcript:
        """What was said, heard and done so far."""
        return self._call.transcript

    @property
    def heard(self) -> str:
        """What reaches the caller's ear of the agent's last reply.

        Of one that is over, what was heard; of one that is being said, all of it.
        """
        for reply in reversed(self.transcript.replies):
            if reply.started is not None:
                return heard(reply)
        return ""

    @property
    def turns(self) -> list[Turn]:
        """The call by what the caller said, in order; the greeting is of no turn."""
        turns: list[Turn] = []
        for entry in self.transcript:
            if isinstance(entry, Utterance):
                turns.append(Turn(entry))
            elif turns and isinstance(entry, Reply) and entry.started is not None:
                turns[-1].replies.append(entry)
            elif turns and isinstance(entry, ToolUse):
                turns[-1].tools.append(tool_call(entry))
        return turns

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tools that the model called, in order."""
        return [tool_call(use) for use in self.transcript.tools]

    @property
    def events(self) -> list[Event]:
        """What has happened so far, in order."""
        return list(self._call.past)

    @property
    def requests(self) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
        """What the scripted model was sent each time: its messages and its tools."""
        return self._engine.asked

    def draw(self, width: int = 78) -> str:
        """Return the conversation as a text in two columns."""
        return draw(self.transcript, width=width)


@asynccontextmanager
async def simulate(
    agent: Agent[Deps],
    replies: Replies | None = None,
    *,
    deps: Deps | None = None,
    audio: bool = False,
    models: object | None = None,
    history: Iterable[Entry] = (),
    call_id: str = "simulated",
) -> AsyncGenerator[Caller[Deps]]:
    """Call an agent in a test: the real pipeline, a scripted model, a virtual clock.

    The whole of it runs on the test's own event loop, whose time jumps from timer to timer while
    this block lasts: a call of minutes takes fractions of a second.

    Args:
        agent: Who is called; it may be the very object that answers in production.
        replies: What its model answers: steps in order, each for one request, or a function of
            the messages and the tools. None where the agent answers by a function, or greets.
        deps: What its tools need, instead of what the agent makes for each call.
        audio: Speak and listen with real models instead of scripted ones: those of the sandbox,
            which is started when it is first needed. Time is then skipped where no model works.
            Without `replies` the sandbox's model answers, too.
        models: An open `vivavoce.pipelines.models.connect.Models` to use for `audio` instead;
            without `audio` and `replies`, its model thinks and everything else is simulated.
        history: What was said and done before, in order: the call goes on from there.
        call_id: Names the call.

    Yields:
        The caller, when the greeting has begun to be heard, if there is one.

    Raises:
        SimulationError: If the call does not go as the test wants it to.
        ScriptError: If `replies` holds what is no step.
    """
    engine = open_engine(agent, replies, deps=deps, audio=audio, models=models, call_id=call_id)
    await engine.start()
    caller: Caller[Deps] = Caller(engine, engine.call)
    RECENT.append(caller)
    try:
        if before := list(history):
            await engine.listen()
            caller.transcript.entries = before
        yield caller
    finally:
        await engine.stop()


def heard(reply: Reply) -> str:
    """Return what reaches the caller's ear of a reply, as `Caller.heard`."""
    return reply.heard if reply.closed else reply.generated.strip()


def tool_call(use: ToolUse) -> ToolCall:
    """Return a transcript's entry with its arguments read."""
    try:
        arguments = json.loads(use.arguments or "{}")
    except ValueError:
        arguments = {}
    return ToolCall(use.name, arguments if isinstance(arguments, dict) else {}, use)


def _one_moment(after: float | None, at_word: int | None) -> None:
    if after is not None and at_word is not None:
        raise ValueError("give after= or at_word=, not both")
    if after is not None and not after >= 0:
        raise ValueError(f"after={after}: give seconds, 0 or more")
    if at_word is not None and at_word < 1:
        raise ValueError(f"at_word={at_word}: words count from 1")
