"""What type checkers say of users' agents: the examples pass, wrong code does not.

What `@agent.tool` is given they do not compare with the agent's deps: no type says "a function whose
first parameter is this kind of call, or no call at all". A union of `Concatenate[Call[Deps], P]` and
of whatever is no call (by a protocol that `Call` breaks) was tried: both checkers refuse the wrong
call then, but also tools whose parameters are keyword-only, mypy those whose first one may be None,
and the first parameter loses its name for whoever calls the tool. So the agent itself refuses it
when it is defined (tests/agent/test_makers.py). Everything else that takes the call is compared.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from mypy import api as mypy

from tests.checkers import by_line, run_pyright

ROOT = Path(__file__).parents[1]
ROOMS = ("agent", "tools", "pipelines", "phone")

# `#!` marks a line that both checkers refuse; in brackets, mypy's code and pyright's rules.
WRONG = '''
from datetime import date as Date
from collections.abc import AsyncIterator
from typing import assert_type

from vivavoce.agent import (
    Agent,
    Call,
    HandOff,
    Limits,
    Refuse,
    Reply,
    Turns,
    choice,
    date,
    digits,
    yes_no,
)
from vivavoce.agent.testing import call_tool, expect, say, simulate


class Book:
    def free(self, day: Date) -> list[str]:
        return [day.isoformat()]


class Bank:
    balance = 3


class Form:
    name: str | None = None


def instructions(call: Call[Book, Form]) -> str:
    return f"You book tables. The name: {call.state.name}. {call.deps.free(Date.today())}"


def of_a_bank(call: Call[Bank, Form]) -> str:
    return f"There are {call.deps.balance} euros."


agent: Agent[Book, Form] = Agent(instructions, deps=Book, state=Form, languages=["en", "fr"])
other = Agent("You take orders.")
typed = Agent("You take orders.", deps=Book, state=Form)
assert_type(typed, Agent[Book, Form])


@agent.tool(filler="Let me look.", timeout=8)
async def free(call: Call[Book, Form], day: Date) -> list[str]:
    """Find.

    Args:
        day: Which day.
    """
    assert_type(call.deps, Book)
    assert_type(call.state, Form)
    assert_type(await call.ask("Which?", choice(["a", "b"])), str)
    assert_type(await call.ask("Number?", digits(4)), str)
    assert_type(await call.ask("Sure?", yes_no()), bool)
    assert_type(await call.ask("When?", date()), Date)
    assert_type(await call.ask("Which?", choice({1: "one", 2: "two"})), int)
    assert_type(await call.say("One moment."), Reply)
    assert_type(heard(call, " A table "), str)
    call.deps.close()  #! [attr-defined] [reportAttributeAccessIssue]
    call.state.name = 3  #! [assignment] [reportAttributeAccessIssue]
    await call.say(3)  #! [arg-type] [reportArgumentType]
    await call.say("Hi", interruptible="no")  #! [arg-type] [reportArgumentType]
    await call.ask("Sure?", yes_no)  #! [arg-type] [reportArgumentType]
    sure: str = await call.ask("Sure?", yes_no())  #! [arg-type] [reportArgumentType reportAssignmentType]
    await call.hang_up(after=3)  #! [call-arg] [reportCallIssue]
    return call.deps.free(day)


@agent.tool
async def to_another(call: Call[Book, Form]) -> HandOff:
    """Hand over."""
    return HandOff(other, note="A question.")


@agent.lifespan
async def life(call: Call[Book, Form]) -> AsyncIterator[None]:
    yield


@agent.reply
async def answer(call: Call[Book, Form], heard: str) -> str:
    return heard


@agent.check_reply
def check(call: Call[Book, Form], clause: str) -> Refuse | None:
    return Refuse("No.") if "secret" in clause else None


@agent.check_heard(timeout=2)
def heard(call: Call[Book, Form], words: str) -> str:
    return words.strip()


async def use() -> None:
    async with simulate(agent, [call_tool("free", day=Date.today()), say("Two.")]) as caller:
        await caller.says("A table")
        assert_type(caller.call.deps, Book)
        assert_type(caller.heard, str)
        expect(caller).tool("free").no_failures()
        await caller.says(3)  #! [arg-type] [reportArgumentType]


HandOff("billing")  #! [arg-type] [reportArgumentType]
HandOff(Book())  #! [arg-type] [reportArgumentType]
HandOff(other, keep_history="no")  #! [arg-type] [reportArgumentType]
say(3)  #! [arg-type] [reportArgumentType]
call_tool(3)  #! [arg-type] [reportArgumentType]
simulate("agent")  #! [arg-type] [reportArgumentType]
simulate(agent, deps=Bank())  #! [arg-type misc] [reportArgumentType]
digits("4")  #! [arg-type] [reportArgumentType]
Agent(3)  #! [arg-type] [reportArgumentType]
Agent("Hi", voices="x")  #! [call-arg] [reportCallIssue]
Agent("Hi", turns=Limits())  #! [arg-type] [reportArgumentType]
Turns(min_silence="fast")  #! [arg-type] [reportArgumentType]
Turns(vad="webrct")  #! [arg-type] [reportArgumentType]
wrong: Agent[Book, Form] = Agent(of_a_bank, deps=Book, state=Form)  #! [arg-type] [reportArgumentType]
wrong = Agent("Hi", deps=Bank, state=Form)  #! [arg-type] [reportArgumentType reportAssignmentType]
agent.tool(timeout="8")  #! [call-overload] [reportCallIssue reportArgumentType]
agent.tool(retry=3)  #! [call-overload] [reportCallIssue reportArgumentType]


@agent.reply  #! [arg-type] [reportArgumentType]
async def of_another(call: Call[Bank, Form], heard: str) -> str:
    return heard


@agent.reply  #! [arg-type] [reportArgumentType]
async def a_number(call: Call[Book, Form], heard: str) -> int:
    return len(heard)


@agent.lifespan  #! [arg-type] [reportArgumentType]
async def no_yield(call: Call[Book, Form]) -> None:
    return None
'''
MARKED = re.compile(r"#! \[([\w -]+)\] \[([\w ]+)\]")


def expected(which: int) -> dict[int, set[str]]:
    return {
        number: set(found[which].split())
        for number, line in enumerate(WRONG.splitlines(), 1)
        if (found := MARKED.search(line))
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's project: the examples, wrong code, and vivavoce as if it were installed."""
    folder = tmp_path_factory.mktemp("project")
    links = folder / "links" / "vivavoce"
    links.mkdir(parents=True)
    for room in ROOMS:
        (links / room).symlink_to(ROOT / room)
    (folder / "code" / "examples").mkdir(parents=True)
    for path in (ROOT / "examples").glob("*.py"):
        shutil.copy(path, folder / "code" / "examples")
    (folder / "code" / "wrong.py").write_text(WRONG)
    return folder


# Each checker runs once, over right and wrong code: what it reads of libraries costs most.


@pytest.fixture(scope="module")
def by_mypy(project: Path) -> list[str]:
    """What mypy says, line by line."""
    config = project / "mypy.ini"
    config.write_text(
        f"[mypy]\nstrict = true\nmypy_path = {project / 'links'}\nfollow_imports = silent\n"
        "namespace_packages = true\nexplicit_package_bases = true\n"
    )
    files = sorted((project / "code").rglob("*.py"))
    said, failed, _ = mypy.run(
        [
            *("--config-file", str(config), "--cache-dir", str(project / "cache")),
            *("--no-error-summary", "--hide-error-context", *map(str, files)),
        ]
    )
    assert not failed, failed
    return said.splitlines()


@pytest.fixture(scope="module")
def by_pyright(project: Path) -> list[dict[str, Any]]:
    """The errors that pyright finds."""
    return run_pyright(project, "code")


def in_wrong(error: dict[str, Any]) -> bool:
    return Path(error["file"]).name == "wrong.py"


def test_mypy_passes_the_examples(by_mypy):
    assert [line for line in by_mypy if "wrong.py:" not in line] == []


def test_pyright_passes_the_examples(by_pyright):
    assert [error for error in by_pyright if not in_wrong(error)] == []


def test_mypy_refuses_wrong_code(by_mypy):
    said = [line for line in by_mypy if "wrong.py:" in line]
    found: dict[int, set[str]] = {}
    for line in said:
        if ": error:" in line:
            number = int(line.split(":")[1])
            found.setdefault(number, set()).add(line.rpartition("[")[2].rstrip("]"))
    wanted = expected(1)
    assert found.keys() == wanted.keys(), said
    assert all(found[number] <= wanted[number] for number in wanted), said


def test_pyright_refuses_wrong_code(by_pyright):
    errors = [error for error in by_pyright if in_wrong(error)]
    found, wanted = by_line(errors), expected(2)
    assert found.keys() == wanted.keys(), json.dumps(errors, indent=1)
    # What else follows from a mistake, its versions disagree on.
    assert all(found[number] & wanted[number] for number in wanted), found
