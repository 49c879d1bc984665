"""A conversation in the terminal as a script: who, and what they say, as it is written."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from vivavoce.agent import Agent, Call, Reply, ToolUse, Utterance
from vivavoce.agent.events import AgentSaid, CallerSaid, Event, Failed, HandedOff, ToolEnded
from vivavoce.agent.transcript import Failure, HandOver, News
from vivavoce.cli.reload import Reloaded

_LABEL = 8
_SHORT = 160
"""Characters of arguments and results that are shown."""


class ScriptView:
    """Prints a call line by line; a reply grows while the model writes it.

    Args:
        console: Where to.
        echo: Print what the caller says as well, because it does not stand there already.
    """

    def __init__(self, console: Console, *, echo: bool) -> None:
        self._console = console
        self._echo = echo
        self._open: Reply | None = None
        self._written: list[Reply] = []

    def write(self, reply: Reply, text: str) -> None:
        """Print a piece of a reply."""
        text = clean(text)
        if self._open is not reply:
            if not text.strip():
                return
            self._break()
            self._label("agent", "green")
            self._open = reply
            self._written.append(reply)
            text = text.lstrip()
        self._print(text)

    def event(self, event: Event) -> None:
        """Print what happened."""
        match event:
            case CallerSaid() if self._echo:
                self._line("caller", "cyan", clean(event.utterance.text))
            case AgentSaid():
                self._said(event.reply)
            case ToolEnded():
                self._tool(event.use)
            case Failed():
                self.trouble(event.failure.message)
            case HandedOff():
                self._handed(event.handoff)
            case _:
                pass

    def note(self, text: str) -> None:
        """Print something that neither side said."""
        self._break()
        self._console.print(Text(clean(text), style="dim"), soft_wrap=True, highlight=False)

    def trouble(self, text: str) -> None:
        """Print what went wrong."""
        self._line("trouble", "red", clean(text))

    def reloaded(self, change: Reloaded) -> None:
        """Print what became of a change."""
        self._break()
        if change.error:
            self._line("reload", "red", f"{clean(change.error)} — the agent before stays")
        else:
            what = ", ".join(change.files) or "the agent"
            self._line("reload", "yellow", f"{what}: from the next reply on")

    def table(self, rows: Mapping[str, str]) -> None:
        """Print names and what they mean."""
        self._break()
        width = max(len(name) for name in rows) + 2
        for name, meaning in rows.items():
            self._console.print(
                Text.assemble((name.ljust(width), "bold"), meaning), soft_wrap=True, highlight=False
            )

    def tools(self, agent: Agent[Any]) -> None:
        """Print what an agent can do."""
        rows = {
            definition["function"]["name"]
            + "("
            + ", ".join(definition["function"].get("parameters", {}).get("properties", {}))
            + ")": _first_line(definition["function"].get("description", ""))
            for definition in agent.tools.definitions
        }
        if rows:
            self.table(rows)
        else:
            self.note(f"{agent.name} has no tools")

    def transcript(self, call: Call[Any]) -> None:
        """Print the call so far."""
        self._break()
        for entry in call.transcript:
            match entry:
                case Utterance():
                    self._line("caller", "cyan", clean(entry.text))
                case Reply():
                    self._line("agent", "green", clean(entry.said))
                case ToolUse():
                    self._tool(entry)
                case Failure():
                    self.trouble(entry.message)
                case HandOver():
                    self._handed(entry)
                case News():
                    self.note(entry.text)

    def _said(self, reply: Reply) -> None:
        if any(reply is each for each in self._written):
            self._written = [each for each in self._written if each is not reply]
            if self._open is reply:
                if reply.interrupted:
                    self._print(" — (cut)", "yellow")
                self._break()
        elif said := clean(reply.said).strip():
            self._line("agent", "green", said)

    def _tool(self, use: ToolUse) -> None:
        text = f"{use.name}({_short(use.arguments)}) → {_short(use.result or '…')}"
        self._line("tool", "magenta", text if use.ok else f"{text}  failed")

    def _handed(self, handover: HandOver) -> None:
        self.note(f"{handover.previous} hands over to {handover.agent}")

    def _line(self, who: str, colour: str, text: str) -> None:
        self._break()
        self._label(who, colour)
        self._print(f"{text}\n")

    def _label(self, who: str, colour: str) -> None:
        self._print(who.ljust(_LABEL), colour)

    def _print(self, text: str, style: str = "") -> None:
        # No markup: a model's text may hold brackets.
        self._console.print(Text(text, style=style), end="", soft_wrap=True, highlight=False)

    def _break(self) -> None:
        """End the line of a reply that is being written."""
        if self._open is not None:
            self._open = None
            self._console.print()


def clean(text: str) -> str:
    """Return a text on one line, without what a terminal would obey."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "" for c in text.replace("\r\n", " ")
    )


def _short(text: str) -> str:
    text = clean(" ".join(text.split()))
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _first_line(text: str) -> str:
    lines = inspect.cleandoc(text).splitlines()
    return lines[0] if lines else ""
