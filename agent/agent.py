"""The agent: one importable object that answers calls of every kind."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Any, Generic, Literal, TypeVar, Unpack, cast, overload
from weakref import WeakValueDictionary

from vivavoce.agent.call import Call
from vivavoce.agent.checks import CheckFunction, Checks, Judged
from vivavoce.agent.course import Deps, State
from vivavoce.agent.definition import AgentError, made, named, spoken, tuned, voiced
from vivavoce.agent.makers import mismatch
from vivavoce.agent.options import Limits, Listening, Silence, Speech, Turns
from vivavoce.agent.sources import Sources, ToolSource
from vivavoce.agent.voices import Speaker, Voice, voice_for
from vivavoce.agent.wording import Wording
from vivavoce.tools import Tool, Toolbox, ToolOptions
from vivavoce.tools import tool as make_tool

Function = TypeVar("Function", bound=Callable[..., Any])
Guard = TypeVar("Guard", bound=CheckFunction)

Instructions = str | Callable[[Call[Deps, State]], str | Awaitable[str]]
Greeting = str | Callable[[Call[Deps, State]], str | Awaitable[str]]
Answerer = Callable[[Call[Deps, State], str], str | Awaitable[str] | AsyncIterator[str]]
Lifespan = Callable[[Call[Deps, State]], AsyncIterator[None]]

_KNOWN: WeakValueDictionary[str, Agent[Any, Any]] = WeakValueDictionary()

CONSULT_TIMEOUT = 30.0
"""Seconds that another agent may take as a tool, unless told otherwise."""


class Agent(Generic[Deps, State]):
    """A voice agent: what it is told, how it sounds, what it can do.

    The same object answers a browser, a phone, a microphone, a file and a test; it holds nothing
    of a single call.

    Args:
        instructions: What the model is told: a text, in which `{name}` stands for a variable, or
            a function of the call, async or not. Made anew for each reply.
        name: Names the agent in logs and records.
        voice: A voice of the speech model (a preset's slug or a voice's id), or one for each
            language; None leaves it to the server.
        languages: What it speaks, as "en" or "fr-CA"; with several, the first until the caller
            speaks another one of them.
        greeting: Said when the line opens, or when it takes a call over: a text with variables,
            or a function of the call; None waits for the caller.
        on_resume: Said when a caller comes back to a call whose server was lost, likewise; None
            says nothing, and answers what was left unanswered. `call.resumed` tells more.
        tools: Functions, `Tool`s, `Toolbox`es and MCP servers the model may call; more with
            `@agent.tool`.
        deps: Makes what tools need (`call.deps`), anew for each call.
        state: Makes what is kept of a call across its turns (`call.state`), such as a dataclass.
        variables: What `{name}` stands for in instructions and greeting; a function among them
            is called each time, with the call if it takes one. Beside them there are {agent},
            {language}, {caller}, {called}, {today}, {time}, {state.x}, {deps.x} and {memory.x}.
        hear: Who understands the caller: a "transcriber", or the chat model itself ("llm"), which
            then has to be one that takes audio, such as Voxtral Small. A transcriber, where there
            is one, goes on writing the transcript beside it.
        turns: Who has the floor.
        listening: What the transcriber is told.
        speech: How it is spoken.
        silence: What is done when nobody says anything.
        limits: What bounds a call.

    Raises:
        AgentError: If something is defined wrongly.
        vivavoce.tools.DefinitionError: If a tool is.
    """

    def __init__(
        self,
        instructions: Instructions[Deps, State] = "",
        *,
        name: str = "agent",
        voice: Voice | None = None,
        languages: str | Sequence[str] = "en",
        greeting: Greeting[Deps, State] | None = None,
        on_resume: Greeting[Deps, State] | None = None,
        tools: Iterable[Tool[..., Any] | Toolbox | ToolSource | Callable[..., Any]] = (),
        deps: Callable[[], Deps] | None = None,
        state: Callable[[], State] | None = None,
        variables: Mapping[str, Any] | None = None,
        hear: Literal["transcriber", "llm"] = "transcriber",
        turns: Turns | None = None,
        listening: Listening | None = None,
        speech: Speech | None = None,
        silence: Silence | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = named(name)
        self.languages = spoken(languages)
        self.voice = voiced(voice)
        if hear not in {"transcriber", "llm"}:
            raise AgentError(f"Agent(hear={hear!r}): choose 'transcriber' or 'llm'")
        self.hear = hear
        self.turns = tuned("turns", turns, Turns)
        self.listening = tuned("listening", listening, Listening)
        self.speech = tuned("speech", speech, Speech)
        self.silence = tuned("silence", silence, Silence)
        self.limits = tuned("limits", limits, Limits)
        self.tools = Toolbox()
        self._wording = Wording(self.name, variables)
        self._instructions = self._wording.check("instructions", instructions, blank=True)
        self._greeting, self._on_resume = (
            None if given is None else self._wording.check(option, given)
            for option, given in (("greeting", greeting), ("on_resume", on_resume))
        )
        self._deps = made("deps", deps)
        self._state = made("state", state)
        self._answerer: Answerer[Deps, State] | None = None
        self._lifespan: Lifespan[Deps, State] | None = None
        self._heard_checks = Checks("check_heard")
        self._reply_checks = Checks("check_reply")
        self._sources = Sources()
        for given in tools:
            if isinstance(given, Toolbox):
                for tool in given:
                    self._add(tool)
            elif isinstance(given, Tool):
                self._add(given)
            elif isinstance(given, ToolSource):
                self._sources.add(given)
            else:
                self._add(make_tool(given, context_type=Call))
        _KNOWN[name] = self

    def __repr__(self) -> str:
        return f"<Agent {self.name}>"

    # What an agent is given.

    @overload
    def tool(self, function: Function, /) -> Function: ...

    @overload
    def tool(self, **options: Unpack[ToolOptions]) -> Callable[[Function], Function]: ...

    def tool(self, function: Any = None, **options: Any) -> Any:
        """Let the model call a function; usable as `@agent.tool` or `@agent.tool(filler=...)`.

        The function is typed and documented: its signature is the schema, its docstring the
        description, what it returns is the result. It may be async or not, and may take the call
        as its first parameter: `Call[Book]` for an agent whose deps are a `Book`. Type checkers do
        not hold the two against each other (no type says "this kind of call first, or none at
        all" and keeps the names of parameters), so it is done here.

        Args:
            function: The function.
            **options: What `vivavoce.tools.ToolOptions` names.

        Raises:
            AgentError: If it takes the call of an agent with other deps, or another state.
            vivavoce.tools.DefinitionError: If it cannot be used as it is.
        """

        def register(function: Function) -> Function:
            self._add(make_tool(function, context_type=Call, **options))
            return function

        return register if function is None else register(function)

    def _add(self, tool: Tool[..., Any]) -> None:
        if problem := mismatch(tool, self._deps, self._state):
            raise AgentError(problem)
        self.tools.add(tool)

    def reply(self, function: Answerer[Deps, State]) -> Answerer[Deps, State]:
        """Answer with a function instead of a model: `@agent.reply`.

        It takes the call and what the caller said, and returns the text to say, whole or as an
        async iterator of pieces.

        Raises:
            AgentError: If it is no function.
        """
        if not callable(function):
            raise AgentError("@agent.reply: decorate a function")
        self._answerer = function
        return function

    def lifespan(self, function: Lifespan[Deps, State]) -> Lifespan[Deps, State]:
        """Do something before a call is answered and after it has ended: `@agent.lifespan`.

        The function takes the call and yields once, as those of `contextlib.asynccontextmanager`
        do. What stands before the `yield` runs before the greeting, what stands behind it after
        the last word, when the transcript is complete. Each part may take `Limits.lifespan`
        seconds.

        Raises:
            AgentError: If it is no async function with a `yield`, or there is one already.
        """
        if not inspect.isasyncgenfunction(function):
            raise AgentError("@agent.lifespan: decorate an `async def` that takes the call and"
                             " has one `yield`")  # fmt: skip
        if self._lifespan is not None:
            raise AgentError("@agent.lifespan: there is one already; do all of it in that one")
        self._lifespan = function
        return function

    @overload
    def check_heard(self, function: Guard, /) -> Guard: ...

    @overload
    def check_heard(
        self, *, timeout: float = 1.0, otherwise: str | None = None
    ) -> Callable[[Guard], Guard]: ...

    def check_heard(
        self, function: Any = None, *, timeout: float = 1.0, otherwise: str | None = None
    ) -> Any:
        """Judge what was heard before it is thought about: `@agent.check_heard`.

        The function takes the call and the caller's words. It returns None to let them pass, a
        text that the model is told in their place, or `Refuse("words")` to answer with these
        words instead. It may run on a guess that the caller has finished, and must not act.

        Args:
            function: The function, async or not.
            timeout: Seconds that it may take.
            otherwise: Said when it refuses without words, fails or takes too long; None is a
                sentence in the call's language.

        Raises:
            AgentError: If it does not take a call and a text.
        """
        return self._heard_checks.register(function, timeout, otherwise)

    @overload
    def check_reply(self, function: Guard, /) -> Guard: ...

    @overload
    def check_reply(
        self, *, timeout: float = 1.0, otherwise: str | None = None
    ) -> Callable[[Guard], Guard]: ...

    def check_reply(
        self, function: Any = None, *, timeout: float = 1.0, otherwise: str | None = None
    ) -> Any:
        """Judge each clause of a reply before it is said: `@agent.check_reply`.

        As `check_heard`; a clause that is refused ends the reply with the words said instead.
        What your own code says (`call.say`, greetings, fillers) is not judged.
        """
        return self._reply_checks.register(function, timeout, otherwise)

    def as_tool(
        self, name: str, description: str, *, timeout: float = CONSULT_TIMEOUT
    ) -> Tool[..., Any]:
        """Return this agent as a tool of another one.

        The other model writes a request in words; this agent's model answers it in text, with its
        own tools, bounded by its `Limits`. The caller hears nothing of it.

        Args:
            name: What the other model calls.
            description: What it is told that the agent can do.
            timeout: Longest run (s).
        """

        async def consult(call: Call, request: str) -> str:
            """Consult another agent.

            Args:
                request: What is to be found out or done, with all that it needs to know.
            """
            return await call.consult(self, request)

        return make_tool(
            consult, context_type=Call, name=name, description=description, timeout=timeout
        )

    # What a call asks of it.

    @property
    def answerer(self) -> Answerer[Deps, State] | None:
        """The function that answers instead of a model, if there is one."""
        return self._answerer

    @property
    def greets(self) -> bool:
        """Whether it has a greeting."""
        return self._greeting is not None

    @property
    def judges_replies(self) -> bool:
        """Whether there are checks on replies."""
        return bool(self._reply_checks)

    def voice_for(self, language: str) -> str | Speaker | None:
        """Return the voice that speaks a language; None leaves it to the server."""
        return voice_for(self.voice, language)

    async def instructions_for(self, call: Call[Deps, State]) -> str:
        """Return what the model is told in this call.

        Raises:
            AgentError: If the function that makes them returns no text.
            Exception: What it raises.
        """
        return await self._wording.instructions(self._instructions, call, self.languages)

    async def greeting_for(self, call: Call[Deps, State]) -> str:
        """Return what is said first in this call; empty if nothing is.

        Raises:
            AgentError: If the function that makes it returns no text.
            Exception: What it raises.
        """
        if self._greeting is None:
            return ""
        return await self._wording.text("greeting", self._greeting, call)

    async def resuming_for(self, call: Call[Deps, State]) -> str:
        """Return what is said when this call goes on after its server was lost; empty if nothing.

        Raises:
            AgentError: If the function that makes it returns no text.
            Exception: What it raises.
        """
        if self._on_resume is None:
            return ""
        return await self._wording.text("on_resume", self._on_resume, call)

    def new_deps(self) -> Deps:
        """Make what the tools of one call need."""
        return cast("Deps", None) if self._deps is None else self._deps()

    def new_state(self) -> State:
        """Make what is kept of one call."""
        return cast("State", None) if self._state is None else self._state()

    def fits_state(self, state: object) -> bool:
        """Whether a state that another agent began can be gone on with."""
        if self._state is None:
            return True
        return isinstance(self._state, type) and isinstance(state, self._state)

    def living(self, call: Call[Deps, State]) -> contextlib.AbstractAsyncContextManager[None]:
        """Return the lifespan of a call, to be entered before its greeting."""
        if self._lifespan is None:
            return contextlib.nullcontext()
        return contextlib.asynccontextmanager(self._lifespan)(call)

    def serving(self) -> contextlib.AbstractAsyncContextManager[list[Exception]]:
        """Return a context in which the sources of tools are open; several calls share them.

        It gives what could not be opened; the call goes on without.
        """
        return self._sources.serving(self.tools)

    async def judge_heard(self, call: Call[Deps, State], text: str) -> Judged:
        """Have the checks judge what was heard."""
        return await self._heard_checks.judge(call, text)

    async def judge_reply(self, call: Call[Deps, State], clause: str) -> Judged:
        """Have the checks judge a clause before it is said."""
        return await self._reply_checks.judge(call, clause)

    async def answer(self, call: Call[Deps, State], heard: str) -> AsyncGenerator[str]:
        """Iterate over what the answering function says."""
        if self._answerer is None:
            return
        answer = self._answerer(call, heard)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, str):
            yield answer
        elif isinstance(answer, AsyncIterator):
            try:
                async for piece in answer:
                    yield piece
            finally:
                # A reply that is cut ends the function now, not when it is collected.
                if isinstance(answer, AsyncGenerator):
                    await answer.aclose()
        else:
            raise AgentError(
                "@agent.reply: return the text to say, or an async iterator of its pieces, not"
                f" {type(answer).__name__}"
            )


def known(name: str) -> Agent[Any, Any] | None:
    """Return the agent of a name that was made last; None where there is none.

    A call that goes on after its server was lost finds by it who had taken it over before, who may
    stand nowhere but in a tool that hands over to them.
    """
    return _KNOWN.get(name)
