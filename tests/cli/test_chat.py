"""`vivavoce chat`: as a process with pipes and at a terminal of its own, on the sandbox."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import COMMAND, environment, run
from tests.cli.inside import run_inside
from vivavoce.sandbox.launch import Sandbox

AGENT = '''
from vivavoce.agent import Agent

agent = Agent("You keep the book.", name="host", greeting="Good evening!")


@agent.tool
async def free_tables(people: int) -> str:
    """Find the free tables.

    Args:
        people: How many will come.
    """
    return f"Two tables for {people} are free."


echo = Agent(name="echo")


@echo.reply
async def answer(call, heard: str):
    if heard == "fail":
        raise ValueError("the book is lost")
    if heard == "bye":
        await call.hang_up("all is said")
    if heard == "slow":
        import asyncio
        yield "Well. "
        await asyncio.sleep(60)
    yield "You said: " + heard
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host.py").write_text(AGENT)
    return tmp_path


@pytest.fixture
def settings(sandbox: Sandbox) -> dict[str, str]:
    return {"VIVAVOCE_SANDBOX_URL": sandbox.url, "VIVAVOCE_SANDBOX_KEY": sandbox.key}


def test_a_pipe_is_a_conversation(folder: Path, settings: dict[str, str]) -> None:
    done = run(folder, "chat", "host.py", given="I need a table for 4 people.\n", **settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:4] == [
        "agent   Good evening!",
        "caller  I need a table for 4 people.",
        'tool    free_tables({"people":4}) → Two tables for 4 are free.',
        "agent   Two tables for 4 are free.",
    ]
    assert "the caller hung up" in done.stdout
    assert done.stderr == ""


def test_it_starts_a_sandbox_of_its_own(folder: Path) -> None:
    done = run(folder, "chat", "host.py:echo", given="hello\n")
    assert done.returncode == 0, done.stderr
    assert "agent   You said: hello" in done.stdout


def test_json_is_an_event_a_line_and_the_record_last(
    folder: Path, settings: dict[str, str]
) -> None:
    done = run_inside(
        folder, "chat", "host.py:echo", "--json", given="hello\n\nagain\n", **settings
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert (rows[0]["event"], rows[-2]["event"]) == ("call_started", "call_ended")
    record = rows[-1]
    assert record["event"] == "record"
    said = [(e["kind"], e.get("heard") or e["text"]) for e in record["transcript"]]
    assert said == [
        ("caller", "hello"),
        ("agent", "You said: hello"),
        ("caller", "again"),
        ("agent", "You said: again"),
    ]


def test_commands(folder: Path, settings: dict[str, str]) -> None:
    given = "/help\n/tools\nhello\n/transcript\n/json\n//odd\n/quit\nnot said any more\n"
    done = run_inside(folder, "chat", "host.py", given=given, **settings)
    assert done.returncode == 0, done.stderr
    for expected in ("/hangup", "free_tables(people)  Find the free tables.", "caller  /odd"):
        assert expected in done.stdout
    assert done.stdout.count("caller  hello") == 2
    assert '"transcript": [' in done.stdout
    assert "not said" not in done.stdout


def test_hanging_up_begins_a_new_call(folder: Path, settings: dict[str, str]) -> None:
    given = "one\n/hangup\ntwo\n"
    done = run_inside(folder, "chat", "host.py:echo", "--json", given=given, **settings)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    records = [row for row in rows if row["event"] == "record"]
    assert [[e["text"] for e in r["transcript"] if e["kind"] == "caller"] for r in records] == [
        ["one"],
        ["two"],
    ]


def test_an_agent_that_hangs_up_ends_it(folder: Path, settings: dict[str, str]) -> None:
    done = run_inside(folder, "chat", "host.py:echo", given="bye\nhello?\n", **settings)
    assert "agent   You said: bye" in done.stdout
    assert "all is said" in done.stdout


def test_a_failure_in_the_call_is_exit_code_1(folder: Path, settings: dict[str, str]) -> None:
    done = run_inside(folder, "chat", "host.py:echo", given="fail\nhello\n", **settings)
    assert done.returncode == 1
    assert "the book is lost" in done.stdout
    assert "agent   You said: hello" in done.stdout, "the call goes on"
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["nothing.py"], "", "no such file"),
        (["host.py:nobody"], "", "nothing called nobody"),
        (["host.py", "--models", "moon"], "", "models"),
        (["host.py", "--models", "mistral"], "", "MISTRAL_API_KEY"),
        (["host.py"], "hello\n/dance\n", "line 2: there is no command /dance"),
        (["host.py"], b"caf\xe9\n", "line 1 is not UTF-8"),
        (["host.py"], "x" * 30_000, "line 1 is longer than 20000 bytes"),
        ([], "", "AGENT"),
    ],
)
def test_a_mistake_is_exit_code_2(
    folder: Path, settings: dict[str, str], words: list[str], given: Any, said: str
) -> None:
    done = run_inside(folder, "chat", *words, given=given, **settings)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if words:
        assert len(done.stderr.strip().splitlines()) == 1


def test_what_a_terminal_would_obey_is_not_shown(folder: Path, settings: dict[str, str]) -> None:
    done = run_inside(folder, "chat", "host.py:echo", given="a\x1b[31mb\x07c\n", **settings)
    assert "caller  a[31mbc" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


class Terminal:
    """A chat at a terminal."""

    def __init__(self, folder: Path, settings: dict[str, str], *words: str) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=folder,
            env=environment(TERM="dumb", **settings),
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def until(self, text: str, seconds: float = 40) -> None:
        """Wait for what is shown after what was waited for last."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} in {self.shown!r}"
            if select.select([self._ours], [], [], left)[0]:
                try:
                    self.shown += os.read(self._ours, 4096).decode(errors="replace")
                except OSError:
                    break
        assert text in self.shown
        self.shown = self.shown.split(text, 1)[1]

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._ours)


@pytest.fixture
def terminal(folder: Path, settings: dict[str, str]) -> Iterator[Terminal]:
    made = Terminal(folder, settings, "chat", "host.py:echo")
    yield made
    made.close()


def test_at_a_terminal_one_types_behind_a_prompt(terminal: Terminal) -> None:
    terminal.until("you     ")
    terminal.type("hello\n")
    terminal.until("You said: hello")
    terminal.until("you     ")
    terminal.type("/dance\n")
    terminal.until("there is no command /dance")
    terminal.until("you     ")
    terminal.type("/quit\n")
    assert terminal.process.wait(30) == 0


def test_ctrl_c_cuts_a_reply_and_then_leaves(terminal: Terminal) -> None:
    terminal.until("you     ")
    terminal.type("slow\n")
    terminal.until("Well.")
    terminal.process.send_signal(signal.SIGINT)
    terminal.until("you     ")
    terminal.type("hello\n")
    terminal.until("You said: hello")
    terminal.until("you     ")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(30) == 130
    assert terminal.process.stderr is not None
    assert b"Traceback" not in terminal.process.stderr.read()
