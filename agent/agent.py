"""The agent: one importable object that answers calls of every kind."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar, cast, overload

from vivavoce.agent.call import Call
from vivavoce.agent.options import Limits, Silence, Turns
from vivavoce.tools import Tool, Toolbox
from vivavoce.tools import tool as make_tool

Deps = TypeVar("Deps")
Function = TypeVar("Function", bound=Callable[..., Any])

Instructions = str | Callable[[Call[Deps]], str]
Answerer = Callable[[Call[Deps], str], str | Awaitable[str] | AsyncIterator[str]]

_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Za-z0-9]{2,8})?")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TEXT = re.compile(r"\s*\S.*", re.DOTALL)


class AgentError(ValueError):
    """An agent is defined wrongly; the message says what to change."""


class Agent(Generic[Deps]):
    """A voice agent: what it is told, how it sounds, what it can do.

    The same object answers a browser, a phone, a microphone, a file and a test; it holds nothing
    of a single call.

    Args:
        instructions: What the model is told, as text or as a function of the call (made anew for
            each reply).
        name: Names the agent in logs and records.
        voice: A voice of the speech model (a preset's slug or a voice's id); None leaves it to
            the server.
        language: What the agent speaks, as "en" or "fr-CA".
        greeting: Said when the line opens; None waits for the caller.
        tools: Functions or `Tool`s the model may call; more with `@agent.tool`.
        deps: Makes what tools need (`call.deps`), anew for each call.
        turns: Who has the floor.
        silence: What is done when nobody says anything.
        limits: What bounds a call.

    Raises:
        AgentError: If something is defined wrongly.
        vivavoce.tools.DefinitionError: If a tool is.
    """

    def __init__(
        self,
        instructions: Instructions[Deps] = "",
        *,
        name: str = "agent",
        voice: str | None = None,
        language: str = "en",
        greeting: str | None = None,
        tools: Iterable[Tool[..., Any] | Callable[..., Any]] = (),
        deps: Callable[[], Deps] | None = None,
        turns: Turns | None = None,
        silence: Silence | None = None,
        limits: Limits | None = None,
    ) -> None:
        if not (isinstance(instructions, str) or callable(instructions)):
            raise AgentError(
                "Agent(instructions): give a text, or a function that takes the call and returns"
                f" one, not {type(instructions).__name__}"
            )
        if not _fits(_NAME, name):
            raise AgentError(
                f"Agent(name={name!r}): use 1 to 64 letters, digits, dots, dashes or underscores"
            )
        if not _fits(_LANGUAGE, language):
            raise AgentError(
                f'Agent(language={language!r}): use a code such as "en", "fr" or "pt-BR"'
            )
        if deps is not None and not callable(deps):
            raise AgentError("Agent(deps): give a function or class that makes them for each call")
        for option, text in (("voice", voice), ("greeting", greeting)):
            if text is not None and not _fits(_TEXT, text):
                raise AgentError(f"Agent({option}={text!r}): give a text, or leave it out")
        if not isinstance(turns, Turns | None):
            raise AgentError(f"Agent(turns={turns!r}): give Turns(...)")
        if not isinstance(silence, Silence | None):
            raise AgentError(f"Agent(silence={silence!r}): give Silence(...)")
        if not isinstance(limits, Limits | None):
            raise AgentError(f"Agent(limits={limits!r}): give Limits(...)")
        self.name = name
        self.voice = voice
        self.language = language
        self.greeting = greeting
        self.turns = turns or Turns()
        self.silence = silence or Silence()
        self.limits = limits or Limits()
        self.tools = Toolbox()
        self._instructions = instructions
        self._deps = deps
        self._answerer: Answerer[Deps] | None = None
        for tool in tools:
            self.tools.add(tool if isinstance(tool, Tool) else make_tool(tool, context_type=Call))

    def __repr__(self) -> str:
        return f"<Agent {self.name}>"

    @overload
    def tool(self, function: Function) -> Function: ...

    @overload
    def tool(
        self,
        *,
        name: str | None = ...,
        timeout: float = ...,
        filler: str | None = ...,
        interruptible: bool = ...,
    ) -> Callable[[Function], Function]: ...

    def tool(
        self,
        function: Function | None = None,
        *,
        name: str | None = None,
        timeout: float = 15.0,
        filler: str | None = None,
        interruptible: bool = True,
    ) -> Function | Callable[[Function], Function]:
        """Let the model call a function; usable as `@agent.tool` or `@agent.tool(filler=...)`.

        The function is typed and documented: its signature is the schema, its docstring the
        description, what it returns is the result. It may be async or not, and may take the call
        as its first parameter.

        Args:
            function: The function.
            name: What the model calls it by; the function's name if None.
            timeout: Longest run (s).
            filler: Said while it runs, if that takes noticeably long ("Let me look.").
            interruptible: Whether it is cancelled when the caller cuts in. A tool that changes
                something should not be.
        """

        def register(function: Function) -> Function:
            self.tools.add(
                make_tool(
                    function,
                    context_type=Call,
                    name=name,
                    timeout=timeout,
                    filler=filler,
                    interruptible=interruptible,
                )
            )
            return function

        return register if function is None else register(function)

    def reply(self, function: Answerer[Deps]) -> Answerer[Deps]:
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

    @property
    def answerer(self) -> Answerer[Deps] | None:
        """The function that answers instead of a model, if there is one."""
        return self._answerer

    def instructions_for(self, call: Call[Deps]) -> str:
        """Return what the model is told in this call."""
        if callable(self._instructions):
            return str(self._instructions(call))
        return self._instructions

    def new_deps(self) -> Deps:
        """Make what the tools of one call need."""
        return cast("Deps", None) if self._deps is None else self._deps()

    async def answer(self, call: Call[Deps], heard: str) -> AsyncGenerator[str]:
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


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
