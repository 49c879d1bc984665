"""The process that is measured: asked, failing, and never left behind."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from vivavoce.pipelines.benching.child import Child
from vivavoce.pipelines.benching.process import ChildError

SOURCE = """
import asyncio
from vivavoce.pipelines.benching.child import Questions
questions = Questions()
print("this goes to the log")
options = questions.options()
async def double(given):
    return {"twice": given["number"] * 2}
async def fail(given):
    raise ValueError("no")
async def leave(given):
    raise SystemExit(3)
asyncio.run(questions.serve({"given": options}, {"double": double, "fail": fail, "leave": leave}))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "asked.py").write_text(SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "asked"


async def test_it_is_asked_and_ended(module: str):
    child = Child(module, {"name": "Ada"}, name="a child")
    await child.start()
    pid = child.pid
    try:
        assert child.ready == {"given": {"name": "Ada"}}
        assert await child.ask("double", number=21) == {"twice": 42}
        with pytest.raises(ChildError, match="a child: ValueError: no"):
            await child.ask("fail")
        with pytest.raises(ChildError, match="no such question"):
            await child.ask("nothing")
        assert await child.ask("double", number=1) == {"twice": 2}
        assert "this goes to the log" in child.log
    finally:
        await child.close()
    await child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ChildError, match="not running"):
        await child.ask("double", number=1)


async def test_one_that_ends_says_so(module: str):
    child = Child(module, {}, name="a child")
    await child.start()
    try:
        with pytest.raises(ChildError, match="a child ended"):
            await child.ask("leave")
    finally:
        await child.close()


async def test_one_that_does_not_start_leaves_nothing():
    child = Child("no.such.module", {}, name="a child")
    with pytest.raises(ChildError, match="ended") as failure:
        await child.start()
    assert child.pid == 0
    assert sys.executable  # what its log said is in the message, where it had time to say it
    assert json.dumps(str(failure.value))
