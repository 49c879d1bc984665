"""What type checkers say of users' code: right code passes, wrong code does not."""

import re
from pathlib import Path

import pytest
from mypy import api as mypy

from tests.checkers import by_line, run_pyright

ROOT = Path(__file__).parents[2]

# `#!` marks a line that both checkers refuse; in brackets, mypy's code and pyright's rule.
SNIPPET = """
from collections.abc import AsyncIterator, Coroutine
from typing import Annotated, Any, assert_type

from vivavoce.tools import (
    Confirmations,
    Executions,
    Outcome,
    Progress,
    Request,
    Result,
    Retry,
    Secret,
    Tool,
    Toolbox,
    run,
    run_named,
    tool,
)


@tool
def plain(day: str, people: int = 2) -> list[str]:
    '''Find.

    Args:
        day: Which day.
        people: How many.
    '''
    return [day] * people


@tool(filler=["Let me look.", "One moment."], timeout=8, idempotent=True, retries=2)
async def slow(day: str) -> int:
    '''Find.

    Args:
        day: Which day.
    '''
    if not day:
        raise Retry("Busy.", after=0.5)
    return len(day)


@tool(confirm="Shall I book it?", interruptible=False, cancellable=None, max_result=2_000)
def book(card: Annotated[str, Secret()]) -> None:
    '''Book.

    Args:
        card: The card.
    '''


@tool(background=True)
async def search(what: str) -> AsyncIterator[Progress | Result[list[str]]]:
    '''Search.

    Args:
        what: For what.
    '''
    yield Progress("One so far.")
    yield Result([what])


class Diary:
    def free(self, day: str) -> bool:
        '''Tell whether a day is free.

        Args:
            day: Which day.
        '''
        return bool(day)


assert_type(plain("x", people=3), list[str])
coming: Coroutine[Any, Any, int] = slow("x")
assert_type(search("x"), AsyncIterator[Progress | Result[list[str]]])
assert_type(tool(Diary().free)("x"), bool)
assert_type(tool(Diary().free, name="is_free", timeout=3)("x"), bool)
assert_type(Toolbox([plain, slow, book, search])["plain"], Tool[..., Any])


async def news(text: str) -> None:
    print(text)


async def use(box: Toolbox) -> None:
    assert_type(await slow("x"), int)
    assert_type(await run(plain, None, "{}", on_progress=news), Outcome)
    asked = Confirmations()
    assert_type(await run_named(box, "plain", None, {}, confirmations=asked, spoken=1), Outcome)
    executions = Executions()
    for execution in executions.receive([Request("", "plain", "{}")], box):
        if executions.start(execution):
            executions.finish(execution, await run_named(box, execution.name, None, "{}"))
        print(execution.result)


plain(3)  #! [arg-type] [reportArgumentType]
plain()  #! [call-arg] [reportCallIssue]
other = slow(day="x", people=1)  #! [call-arg] [reportCallIssue reportUnknownVariableType]
plain.timeout = 3  #! [misc] [reportAttributeAccessIssue]
tool(plain, timeout="8")  #! [call-overload] [reportCallIssue reportArgumentType]
tool(plain, retry=3)  #! [call-overload] [reportCallIssue]
tool(filler=3)  #! [call-overload] [reportCallIssue reportArgumentType]
Toolbox([Diary().free])  #! [list-item] [reportArgumentType]
Retry("Busy.", 3)  #! [call-arg] [reportCallIssue]
Progress(3)  #! [arg-type] [reportArgumentType]
"""
MARKED = re.compile(r"#! \[([\w -]+)\] \[([\w ]+)\]")


def expected(which):
    return {
        number: set(found[which].split())
        for number, line in enumerate(SNIPPET.splitlines(), 1)
        if (found := MARKED.search(line))
    }


@pytest.fixture
def snippet(tmp_path):
    (tmp_path / "snippet.py").write_text(SNIPPET)
    # As an installed package would be found.
    links = tmp_path / "links" / "vivavoce"
    links.mkdir(parents=True)
    (links / "tools").symlink_to(ROOT / "tools")
    return tmp_path


def test_mypy(snippet):
    config = snippet / "mypy.ini"
    config.write_text(
        f"[mypy]\nstrict = true\nmypy_path = {snippet / 'links'}\n"
        "namespace_packages = true\nexplicit_package_bases = true\n"
    )
    said, failed, _ = mypy.run(
        [
            *("--config-file", str(config), "--cache-dir", str(snippet / "cache")),
            *("--no-error-summary", "--hide-error-context", str(snippet / "snippet.py")),
        ]
    )
    assert not failed, failed
    found: dict[int, set[str]] = {}
    for line in said.splitlines():
        if ": error:" in line:
            number = int(line.split(":")[1])
            found.setdefault(number, set()).add(line.rpartition("[")[2].rstrip("]"))
    assert found == expected(1), said


def test_pyright(snippet):
    errors = run_pyright(snippet, "snippet.py")
    found, wanted = by_line(errors), expected(2)
    assert found.keys() == wanted.keys(), errors
    # Which of the rules, its versions disagree on.
    assert all(found[number] <= wanted[number] for number in wanted), found
