"""`vivavoce chat`: a conversation in text, through the pipeline that carries spoken ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from vivavoce.agent import Agent, Call
from vivavoce.agent.record import record
from vivavoce.agent.settings import Settings
from vivavoce.cli.lines import InputError, Lines
from vivavoce.cli.models import endpoints, open_sandbox, timeouts
from vivavoce.cli.reload import Reloader
from vivavoce.cli.script import ScriptView, clean
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.models.connect import Models, connect_thinking, names
from vivavoce.pipelines.models.http import Http
from vivavoce.pipelines.text import TextTransport, text_models

FAILED, WRONG, INTERRUPTED = 1, 2, 130
"""Exit codes: something failed in a call; the input was wrong; Ctrl-C."""

COMMANDS = {
    "/help": "show these commands",
    "/tools": "show what the agent can do",
    "/transcript": "show the call so far",
    "/json": "show the call's record so far, as JSON",
    "/hangup": "end the call; the next line begins a new one",
    "/quit": "end the call and leave",
}


@asynccontextmanager
async def open_text_models(settings: Settings) -> AsyncGenerator[Models]:
    """Give the models of text calls: only thinking has one.

    Raises:
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    # A sandbox is started for the chat model alone, wherever the others are.
    alone = settings.model_copy(update={"hear": settings.think, "speak": settings.think})
    async with open_sandbox(alone) as (url, key):
        think = endpoints(alone, url, key)["think"]
        http = Http(timeouts(settings))
        thinking = connect_thinking(http, think)
        async with text_models(thinking, name=names(think), http=http) as models:
            yield models


class Chat:
    """Holds text calls with an agent until the lines end.

    Args:
        agent: Who answers.
        models: With what.
        console: Where it is shown.
        as_json: Show an event a line and each call's record as JSON instead.
        reloader: Watched while calls go on; its agent takes over at the next reply.
    """

    def __init__(
        self,
        agent: Agent[Any],
        models: Models,
        console: Console,
        *,
        as_json: bool = False,
        reloader: Reloader | None = None,
    ) -> None:
        self._agent = agent
        self._models = models
        self._console = console
        self._json = as_json
        self._reloader = reloader
        self._lines = Lines("you     ")
        self._view = ScriptView(console, echo=not self._lines.typed)
        self._conversation: Conversation | None = None
        self._transport: TextTransport | None = None
        self._began = datetime.now(UTC)
        self._stop = asyncio.Event()
        self._answering = False
        self._left = False
        self._failed = False

    async def run(self) -> int:
        """Hold the calls; return the exit code.

        Ctrl-C cuts a reply that is being made, and otherwise leaves.
        """
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(signal.SIGINT, self._pressed)
            loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        watching = asyncio.create_task(self._watch(), name="reload") if self._reloader else None
        try:
            while not self._left and not self._stop.is_set():
                await self._call()
        except InputError as error:
            print(f"vivavoce: {error}", file=sys.stderr)
            return WRONG
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            self._lines.close()
            with contextlib.suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(signal.SIGINT)
                loop.remove_signal_handler(signal.SIGTERM)
        if self._stop.is_set():
            return INTERRUPTED
        return FAILED if self._failed else 0

    async def _call(self) -> None:
        """Hold one call, from its first line to its end."""
        transport = TextTransport(None if self._json else self._view.write)
        conversation = Conversation(self._agent, self._models, transport)
        transport.follow(conversation.call)
        self._conversation, self._transport = conversation, transport
        self._began = datetime.now(UTC)
        showing = asyncio.create_task(self._show(conversation.call), name="show")
        running = asyncio.create_task(conversation.run(), name="call")
        try:
            await transport.quiet()
            await self._talk(running)
        finally:
            await conversation.hang_up("the caller hung up", after_speech=False)
            await asyncio.gather(running, return_exceptions=True)
            await showing
            self._conversation = self._transport = None
            self._failed = self._failed or bool(conversation.call.transcript.failures)
        running.result()
        entry = self._record(conversation)
        if self._json:
            _print_json({"event": "record", **entry})
        else:
            self._view.note(f"{conversation.call.reason}, after {entry['seconds']:.1f} s")

    async def _talk(self, running: asyncio.Task[Call[Any]]) -> None:
        """Take lines until the call is over or somebody leaves."""
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            while True:
                asking = asyncio.create_task(self._lines.next(), name="line")
                await asyncio.wait({asking, running, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not asking.done():
                    # The line that is being typed belongs to the next call, or to nobody.
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)
                    self._left = self._left or not self._lines.typed
                    return
                line = asking.result()
                if line is None:
                    self._left = True
                    return
                if not await self._line(line.strip()):
                    return
        finally:
            stopped.cancel()
            await asyncio.gather(stopped, return_exceptions=True)

    async def _line(self, line: str) -> bool:
        """Carry a line out; return whether the call goes on."""
        assert self._conversation is not None
        assert self._transport is not None
        if line.startswith("/") and not line.startswith("//"):
            return self._command(line.split(maxsplit=1)[0].lower())
        if line := clean(line.removeprefix("/")).strip():
            self._answering = True
            try:
                await self._transport.say(line)
                # Whoever shows the call has been told of all that by now, and shows it first.
                await asyncio.sleep(0)
            finally:
                self._answering = False
        return not self._conversation.call.ended and not self._transport.over

    def _command(self, command: str) -> bool:
        assert self._conversation is not None
        match command:
            case "/quit" | "/exit" | "/q":
                self._left = True
                return False
            case "/hangup":
                return False
            case "/help":
                self._view.table(COMMANDS)
            case "/tools":
                self._view.tools(self._agent)
            case "/transcript":
                self._view.transcript(self._conversation.call)
            case "/json":
                print(json.dumps(self._record(self._conversation), ensure_ascii=False, indent=2))
            case _:
                message = f"there is no command {command}; {', '.join(COMMANDS)}"
                if not self._lines.typed:
                    raise InputError(f"line {self._lines.number}: {message}")
                self._view.trouble(message)
        return True

    def _record(self, conversation: Conversation) -> dict[str, Any]:
        return record(
            conversation.call,
            agent=self._agent.name,
            began=self._began,
            seconds=conversation.now(),
            models=self._models.names,
        )

    async def _show(self, call: Call[Any]) -> None:
        async for event in call:
            if self._json:
                _print_json(event.to_dict())
            else:
                self._view.event(event)

    async def _watch(self) -> None:
        assert self._reloader is not None
        async with aclosing(self._reloader.changes()) as changes:
            async for change in changes:
                self._view.reloaded(change)
                if change.error or not isinstance(change.agent, Agent):
                    continue
                self._agent = change.agent
                if (conversation := self._conversation) is not None:
                    successor = self._reloader.successor(conversation.agent)
                    conversation.use(successor or conversation.agent)

    def _pressed(self) -> None:
        """Ctrl-C: cut the reply, or leave."""
        if self._answering and self._conversation is not None:
            self._answering = False
            call = self._conversation.call
            asyncio.get_running_loop().create_task(call.interrupt()).add_done_callback(
                lambda task: task.cancelled() or task.exception()
            )
        else:
            self._stop.set()


def _print_json(row: dict[str, Any]) -> None:
    print(json.dumps(row, ensure_ascii=False), flush=True)


async def chat(
    agent: Agent[Any],
    settings: Settings,
    console: Console,
    *,
    as_json: bool = False,
    reloader: Reloader | None = None,
) -> int:
    """Hold text calls with an agent at this terminal, or with the lines of a pipe.

    Returns:
        The exit code: 0; 1 if a model, tool or function failed in a call; 2 if a line could not
        be taken; 130 after Ctrl-C.

    Raises:
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
    """
    async with open_text_models(settings) as models:
        return await Chat(agent, models, console, as_json=as_json, reloader=reloader).run()
