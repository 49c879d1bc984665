"""`vivavoce dev`: the agent changes, the call goes on."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import run, start
from vivavoce.sandbox.launch import Sandbox

AGENT = """
from vivavoce.agent import Agent

agent = Agent(name="host", greeting="Good evening!")


@agent.reply
async def answer(call, heard):
    said = [utterance.text for utterance in call.transcript.caller]
    return f"WORD, after {len(said)}"
"""


class Session:
    """A process whose lines are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.seen: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, text: str, seconds: float = 60) -> str:
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"no {text!r} in {self.seen}"
            self.seen.append(line)
            if text in line:
                return line

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._thread.join(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host.py").write_text(AGENT.replace("WORD", "old"))
    return tmp_path


@pytest.fixture
def session(folder: Path, sandbox: Sandbox) -> Iterator[Session]:
    process = start(
        folder,
        "dev",
        "host.py",
        "--chat",
        VIVAVOCE_SANDBOX_URL=sandbox.url,
        VIVAVOCE_SANDBOX_KEY=sandbox.key,
    )
    made = Session(process)
    yield made
    made.close()


def test_the_next_reply_is_the_new_agents_and_the_history_is_kept(
    session: Session, folder: Path
) -> None:
    session.until("save one and the next reply")
    session.until("Good evening!")
    session.say("one")
    session.until("old, after 1")
    (folder / "host.py").write_text(AGENT.replace("WORD", "new"))
    session.until("reload  host.py: from the next reply on")
    session.say("two")
    session.until("new, after 2")

    (folder / "host.py").write_text(AGENT.replace("WORD", "broken").replace("return", "retrun"))
    assert "line 10" in session.until("the agent before stays")
    session.say("three")
    session.until("new, after 3")

    (folder / "host.py").write_text(AGENT.replace("WORD", "mended"))
    session.until("host.py: from the next reply on")
    session.say("four")
    session.until("mended, after 4")
    assert session.process.stdin is not None
    session.process.stdin.close()
    assert session.process.wait(30) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.py"], "no such file"),
        (["host.py:nobody"], "nothing called nobody"),
        (["broken.py"], "broken.py, line 1"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(folder: Path, words: list[str], said: str) -> None:
    (folder / "broken.py").write_text("(")
    done = run(folder, "dev", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
