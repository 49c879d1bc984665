"""`vivavoce replay` as a process, with the sandbox's model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.cli.inside import run_inside

AGENT = '''
from vivavoce.agent import Agent

agent = Agent("You take reservations. We are open from six to eleven.", greeting="Good evening!")


@agent.tool
def book_table({parameter}: int) -> str:
    """Book a table.

    Args:
        {parameter}: How many people will come.
    """
    return f"Booked: a table for {{{parameter}}}."
'''


def entry(kind: str, **given) -> dict:
    common = {"started": 1.0, "ended": 2.0}
    match kind:
        case "agent":
            return (
                {"kind": kind, "interrupted": False, "generated": given["heard"]} | common | given
            )
        case "tool":
            return {"kind": kind, "id": "abcdefghi", "ok": True, "seconds": 0.1} | common | given
        case _:
            return {"kind": kind} | common | given


RECORD = {
    "transcript": [
        entry("agent", heard="Good evening!"),
        entry("caller", text="When are you open?"),
        entry("agent", heard="We are open from six to eleven."),
        entry("caller", text="I would like to book a table for four people."),
        entry("tool", name="book_table", arguments='{"people": 4}', result="Booked."),
        entry("agent", heard="Booked: a table for 4."),
    ]
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.py").write_text(AGENT.format(parameter="people"))
    (tmp_path / "other.py").write_text(AGENT.format(parameter="guests"))
    (tmp_path / "call.json").write_text(json.dumps(RECORD))
    return tmp_path


@pytest.fixture
def there(sandbox) -> dict[str, str]:
    return {
        "VIVAVOCE_MODELS": "sandbox",
        "VIVAVOCE_SANDBOX_URL": sandbox.url,
        "VIVAVOCE_SANDBOX_KEY": sandbox.key,
    }


def test_the_same_tools_are_fine(folder, there):
    done = run(folder, "replay", "call.json", **there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '= book_table({"people": 4})' in done.stdout
    assert "2 turns, the same tools" in done.stdout


def test_other_tools_are_a_failure(folder, there):
    done = run_inside(folder, "replay", "call.json", "other.py", "--from-turn", "2", **there)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "When are you open?" not in done.stdout
    assert '- book_table({"people": 4})' in done.stdout
    assert "1 of 1 turns called other tools" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing.json",), "No such file"),
        (("agent.py",), "not a call's record"),
        (("call.json", "--from-turn", "3"), "the record has 2"),
        (("call.json", "nobody.py"), "no such file"),
    ],
)
def test_mistakes_are_one_line(folder, there, words, message):
    done = run_inside(folder, "replay", *words, **there)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
