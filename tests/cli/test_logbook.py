"""The logbook of a telephone: what it shows, and what it leaves of a call."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from vivavoce.agent import Agent, Call, Reply
from vivavoce.agent.events import AgentSaid, CallEnded, CallStarted
from vivavoce.cli.logbook import Logbook
from vivavoce.phone.board import Direction
from vivavoce.web.records import RecordsError


@dataclass
class Spoken:
    """A conversation that is over, as far as a logbook looks at it."""

    agent: Agent
    call: Call

    def now(self) -> float:
        return 4.0


def spoken() -> Spoken:
    agent = Agent(name="desk")
    call = Call(agent, "c1")
    reply = Reply("Good day.", "Good day.", started=1.0, ended=2.0, closed=True)
    call.transcript.add(reply)
    for event in (CallStarted(0.0, "c1"), AgentSaid(2.0, reply), CallEnded(4.0, "hung up")):
        call.emit(event)
    return Spoken(agent, call)


def line(way: str) -> Any:
    return SimpleNamespace(
        direction=Direction(way), caller="+33 1", number="+44 2", trunk="carrier"
    )


async def kept(folder: Path | None, way: str = "in", *, as_json: bool = False) -> str:
    """Have a call go through a logbook; return what was shown."""
    shown = io.StringIO()
    book = Logbook(Console(file=shown, width=80), {"thinking": "m"}, folder, as_json=as_json)
    conversation, leg = spoken(), line(way)
    book.began(conversation, leg)  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        await asyncio.gather(*book._tasks._tasks)
    assert not book.over.is_set()
    book.ended(conversation, leg)  # type: ignore[arg-type]
    assert book.over.is_set()
    await book.close()
    await book.close()
    return shown.getvalue()


@pytest.mark.parametrize(
    ("way", "caller", "called"), [("in", "+33 1", "+44 2"), ("out", "+44 2", "+33 1")]
)
async def test_the_record_says_whose_data_these_are(tmp_path, way, caller, called):
    await kept(tmp_path, way)
    entry = json.loads((tmp_path / "c1.json").read_text())
    # Of a call that we made, who was called is the one at the other end.
    assert (entry["caller"], entry["called"]) == (caller, called)
    assert entry["kind"] == f"phone {way}"
    assert entry["phone"] == {
        "direction": way,
        "trunk": "carrier",
        "caller": "+33 1",
        "number": "+44 2",
    }
    assert (entry["agent"], entry["models"], entry["seconds"]) == ("desk", {"thinking": "m"}, 4.0)


async def test_people_see_who_calls_what_is_said_and_why_it_ended():
    shown = await kept(None)
    assert "← +33 1" in shown
    assert "Good day." in shown
    assert "+33 1: hung up" in shown


async def test_as_json_it_is_a_line_for_each_event_and_the_record(capsys):
    assert not await kept(None, as_json=True)
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert [row["event"] for row in rows[-2:]] == ["call_ended", "record"]
    assert {row["call"] for row in rows} == {"c1"}


async def test_two_places_for_records_are_one_too_many(tmp_path):
    store: Any = SimpleNamespace(folder=tmp_path)
    with pytest.raises(RecordsError, match="one of both"):
        Logbook(Console(), {}, tmp_path, as_json=False, records=store)
