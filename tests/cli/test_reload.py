"""Reloading: an agent's own modules, whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from vivavoce.cli.load import LoadError
from vivavoce.cli.reload import Reloaded, Reloader

AGENT = """
from vivavoce.agent import Agent
from wording_of_reload import TEXT

agent = Agent(TEXT, name="host")
other = Agent("Bills.", name="bills")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "host.py").write_text(AGENT)
    (tmp_path / "wording_of_reload.py").write_text('TEXT = "One."\n')
    before, path = set(sys.modules), sys.path.copy()
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def told(reloader: Reloader) -> str:
    instructions = reloader.agent._instructions
    assert isinstance(instructions, str)
    return instructions


def test_the_agent_and_its_neighbours_are_loaded_again(folder: Path) -> None:
    reloader = Reloader(str(folder / "host.py"))
    assert told(reloader) == "One."
    assert reloader.files == {folder / "host.py", folder / "wording_of_reload.py"}
    first = reloader.agent
    # The same length within the same second: what is compiled already must not be believed.
    (folder / "wording_of_reload.py").write_text('TEXT = "Two."\n')
    change = reloader.reload([folder / "wording_of_reload.py"])
    assert change == Reloaded(reloader.agent, "", ("wording_of_reload.py",))
    assert told(reloader) == "Two."
    assert reloader.agent is not first


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("TEXT = (", "wording_of_reload"),
        ("raise RuntimeError('no words')", "no words"),
        ("", "TEXT"),
    ],
)
def test_what_is_broken_changes_nothing(folder: Path, broken: str, said: str) -> None:
    reloader = Reloader(str(folder / "host.py"))
    first, modules = reloader.agent, dict(sys.modules)
    (folder / "wording_of_reload.py").write_text(broken)
    change = reloader.reload()
    assert said in change.error
    assert "\n" not in change.error
    assert change.agent is reloader.agent is first
    assert dict(sys.modules) == modules
    assert sys.modules["wording_of_reload"].TEXT == "One."
    (folder / "wording_of_reload.py").write_text('TEXT = "Three."\n')
    assert reloader.reload().error == ""
    assert told(reloader) == "Three."


def test_what_concerns_the_agent(folder: Path) -> None:
    reloader = Reloader(str(folder / "host.py"))
    stranger = folder / "stranger.py"
    assert reloader.concerns([stranger, folder / "host.py"])
    assert not reloader.concerns([stranger])
    assert not reloader.concerns([folder / "notes.txt"])
    (folder / "host.py").write_text("import missing_neighbour\n" + AGENT)
    assert reloader.reload().error
    # What is missing has no file yet.
    assert reloader.concerns([folder / "missing_neighbour.py"])


def test_a_call_that_was_handed_over_goes_on_with_the_same_agent(folder: Path) -> None:
    reloader = Reloader(f"{folder / 'host.py'}:agent")
    bills = next(module.other for module in reloader._modules.values() if hasattr(module, "other"))
    reloader.reload()
    successor = reloader.successor(bills)
    assert successor is not None
    assert successor is not bills
    assert successor.name == "bills"
    (folder / "host.py").write_text(AGENT.replace('name="bills"', 'name="accounts"'))
    reloader.reload()
    assert reloader.successor(bills) is None


def test_modules_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = folder / "shop_of_reload"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "desk.py").write_text(AGENT)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    reloader = Reloader("shop_of_reload.desk:agent")
    assert package / "desk.py" in reloader.files
    (package / "desk.py").write_text(AGENT.replace('"host"', '"desk"'))
    reloader.reload()
    assert reloader.agent.name == "desk"


def test_there_must_be_an_agent_to_begin_with(folder: Path) -> None:
    with pytest.raises(LoadError, match="no such file"):
        Reloader(str(folder / "nobody.py"))


def test_nothing_installed_is_loaded_again(folder: Path) -> None:
    import vivavoce.agent
    from vivavoce.agent import Agent

    reloader = Reloader(str(folder / "host.py"))
    reloader.reload()
    assert sys.modules["vivavoce.agent"] is vivavoce.agent
    assert isinstance(reloader.agent, Agent)


async def test_a_saved_file_is_seen(folder: Path) -> None:
    pytest.importorskip("watchfiles")
    reloader = Reloader(str(folder / "host.py"))
    seen: list[Reloaded] = []
    begun = asyncio.Event()

    async def watch() -> None:
        async with aclosing(reloader.changes()) as changes:
            async for change in changes:
                seen.append(change)
                begun.set()

    watching = asyncio.create_task(watch())
    try:
        async with asyncio.timeout(40):
            number = 0
            # The watch begins at some time of its own.
            while not begun.is_set() and not watching.done():
                number += 1
                (folder / "notes.txt").write_text(str(number))
                temporary = folder / "wording.tmp"
                temporary.write_text(f'TEXT = "Take {number}."\n')
                os.replace(temporary, folder / "wording_of_reload.py")  # noqa: PTH105 (as editors do)
                await asyncio.wait({watching}, timeout=0.5)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    assert seen[0].error == ""
    assert seen[0].files == ("wording_of_reload.py",)
    assert told(reloader).startswith("Take ")
