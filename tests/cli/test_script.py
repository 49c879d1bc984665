"""A conversation as a script: who, and what they say."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from vivavoce.agent import Agent, Call, Reply, ToolUse, Utterance
from vivavoce.agent.events import AgentSaid, CallerSaid, Failed, HandedOff, ToolEnded
from vivavoce.agent.transcript import Failure, HandOver
from vivavoce.cli.reload import Reloaded
from vivavoce.cli.script import ScriptView, clean


class Page:
    def __init__(self, *, echo: bool = True) -> None:
        self._file = io.StringIO()
        self.view = ScriptView(Console(file=self._file, width=80), echo=echo)

    @property
    def lines(self) -> list[str]:
        return self._file.getvalue().splitlines()


def test_a_reply_grows_and_is_not_printed_twice() -> None:
    page, reply = Page(), Reply()
    page.view.event(CallerSaid(0, Utterance("Hello?", 0, 1)))
    for piece in ("Good ", "[evening]", "."):
        page.view.write(reply, piece)
    reply.generated = reply.heard = "Good [evening]."
    reply.closed = True
    page.view.event(AgentSaid(2, reply))
    assert page.lines == ["caller  Hello?", "agent   Good [evening]."]


def test_what_was_not_written_by_the_model_is_printed_when_it_was_said() -> None:
    page = Page(echo=False)
    page.view.event(CallerSaid(0, Utterance("Hello?", 0, 1)))
    page.view.event(AgentSaid(2, Reply("Good evening!", "Good evening!", closed=True)))
    page.view.event(AgentSaid(2, Reply("", "", closed=True)))
    assert page.lines == ["agent   Good evening!"]


def test_a_tool_in_the_middle_of_a_reply_has_a_line_of_its_own() -> None:
    page, reply = Page(), Reply()
    page.view.write(reply, "Let me look.")
    page.view.event(ToolEnded(1, ToolUse("a", "look", "{}", 1, 0, 0.1, "two\n tables", ok=True)))
    page.view.event(ToolEnded(1, ToolUse("b", "book", "{}", 1, 0, 0.1, "no", ok=False)))
    page.view.write(reply, " Two.")
    assert page.lines == [
        "agent   Let me look.",
        "tool    look({}) → two tables",
        "tool    book({}) → no  failed",
        "agent   Two.",
    ]


def test_a_reply_that_is_cut_says_so() -> None:
    page, reply = Page(), Reply()
    page.view.write(reply, "One. Two.")
    reply.heard, reply.interrupted, reply.closed = "One.", True, True
    page.view.event(AgentSaid(2, reply))
    assert page.lines == ["agent   One. Two. — (cut)"]


def test_trouble_hand_offs_and_reloads() -> None:
    page, agent = Page(), Agent(name="host")
    page.view.event(Failed(1, Failure("thinking", "the server is gone", 1)))
    page.view.event(HandedOff(1, HandOver("bills", "host", True, "", 1)))
    page.view.reloaded(Reloaded(agent, "", ("host.py",)))
    page.view.reloaded(Reloaded(agent, "host.py, line 1: no", ("host.py",)))
    assert page.lines == [
        "trouble the server is gone",
        "host hands over to bills",
        "reload  host.py: from the next reply on",
        "reload  host.py, line 1: no — the agent before stays",
    ]


def test_the_call_so_far_and_the_tools() -> None:
    page, agent = Page(), Agent(name="host")
    page.view.tools(agent)
    call = Call(agent, "id")
    call.transcript.add(Utterance("Hello?", 0, 1))
    call.transcript.add(HandOver("bills", "host", True, "", 1))
    call.transcript.add(Reply("Good evening!", "Good", interrupted=True, closed=True))
    page.view.transcript(call)
    assert page.lines == [
        "host has no tools",
        "caller  Hello?",
        "host hands over to bills",
        "agent   Good —",
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [("a\nb\tc", "a b c"), ("\x1b[31mred", "[31mred"), ("a\u202eb", "ab"), ("é → ü", "é → ü")],
)
def test_nothing_that_a_terminal_obeys(text: str, left: str) -> None:
    assert clean(text) == left
