"""The harness end to end, on our own engine: a process, pipes, real time, the sandbox."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.latency import roster
from benchmarks.latency.backend import Backend
from benchmarks.latency.engine import Engine
from tests.speech import speak
from vivavoce.pipelines.benching.callers import TurnCaller
from vivavoce.pipelines.benching.clip import make_clip
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.pipelines.benching.take import answer

PYTHONS = {"": Path(sys.executable)}
LINES = ("What time do you open?", "Please book a table for four.")


async def test_two_turns_are_played_answered_and_measured(sandbox):
    clips = [make_clip(f"line {n}", "turn", speak(text), text) for n, text in enumerate(LINES)]
    backend = Backend.make(sandbox)
    engine = roster.make(roster.ROSTER[0], PYTHONS, sandbox.url, [backend.key])
    await engine.start()
    try:
        assert engine.ready["rate"] > 0
        assert "vivavoce" in engine.ready["versions"]
        for number, clip in enumerate(clips):
            backend.script([clip])
            engine.turns[0].clear()
            caller = TurnCaller(clip, number)
            take = await engine.play(caller)
            found = answer(take, caller.voiced_end)
            assert not found.lost
            assert not found.premature
            # The backends alone take 60 + 200 + 90 ms; the rest depends on the machine.
            assert 0.35 < found.v2v < 15
            assert backend.spent()["chat/completions"] >= 1
            said = [told["text"] for told in engine.turns[0] if "text" in told]
            assert said == [LINES[number]]
            ledgers = [told["latency"] for told in engine.turns[0] if "latency" in told]
            assert len(ledgers) == 1
            # What leaves the engine cannot have been heard before, and comes soon: another process
            # reads it, when the machine lets it.
            assert -0.1 < found.v2v - ledgers[0]["total_us"] / 1e6 < 2
        assert engine.cpu() > 0
        assert engine.memory() > 10
    finally:
        await engine.close()
    await engine.close()
    with pytest.raises(ChildError):
        await _start(Engine("gone", sys.executable, "nobody", {}))


async def _start(engine: Engine) -> None:
    try:
        await engine.start()
    finally:
        await engine.close()


def test_engines_are_chosen_by_name():
    assert [entry.name for entry in roster.choose("livekit, ours")] == ["ours", "livekit"]
    assert len(roster.choose(None)) == len(roster.ROSTER)
    for wrong in ("nobody", "", "ours,nobody"):
        with pytest.raises(roster.RosterError, match="there are ours"):
            roster.choose(wrong)


def test_every_peer_is_pinned():
    for entry in roster.ROSTER:
        if entry.peer:
            pins = (roster.PEERS / f"{entry.peer}.txt").read_text(encoding="utf-8").splitlines()
            assert all("==" in line for line in pins if line and not line.startswith("#"))
