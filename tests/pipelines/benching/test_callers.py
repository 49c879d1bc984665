"""Callers say their words to the sample, listen, and give up in the end."""

from __future__ import annotations

import numpy as np
import pytest

from vivavoce.pipelines.benching.callers import (
    PATIENCE,
    PEACE,
    CuttingCaller,
    PatientCaller,
    TurnCaller,
    order,
    room,
)
from vivavoce.pipelines.benching.clip import make_clip
from vivavoce.pipelines.benching.take import BLOCK, RATE, Packet, Take


def clip(seconds=1.0, name="x"):
    time = np.arange(round(seconds * RATE)) / RATE
    tone = (np.sin(2 * np.pi * 300 * time) * 8_000).astype(np.int16)
    silence = np.zeros(RATE // 2, np.int16)
    return make_clip(name, "cut", np.concatenate([silence, tone, silence]), "good morning")


def talk(caller, take, sound=lambda now: False, limit=3_000):
    """Let it talk; the agent sounds where told. Returns all that was said."""
    said = []
    for number in range(limit):
        now = number * BLOCK / RATE
        if sound(now):
            take.packets.append(Packet(now, 0.02, 4_000))
        if (block := caller.block(number, take)) is None:
            return np.concatenate(said)
        assert len(block) == BLOCK
        said.append(block)
    raise AssertionError("it never left")


@pytest.mark.parametrize("seed", range(4))
def test_the_last_voiced_sample_is_where_the_label_says(seed):
    caller = TurnCaller(clip(), seed)
    said = talk(caller, Take())
    loud = np.flatnonzero(np.abs(said.astype(int)) > 500) / RATE
    assert loud[0] == pytest.approx(caller.begin, abs=0.011)
    assert loud[-1] == pytest.approx(caller.voiced_end, abs=0.011)


def test_phases_differ_so_that_no_window_lines_up():
    begins = {TurnCaller(clip(), seed).begin % 0.02 for seed in range(20)}
    assert len(begins) > 10


def test_a_greeting_is_heard_out():
    seconds = len(talk(PatientCaller(first=2.0), Take(), lambda now: 1.0 < now < 4.0)) / RATE
    assert seconds == pytest.approx(4.0 + PEACE, abs=0.1)
    assert len(talk(PatientCaller(first=2.0), Take())) / RATE == pytest.approx(2.0, abs=0.1)


def test_a_turn_without_an_answer_is_given_up():
    caller = TurnCaller(clip())
    seconds = len(talk(caller, Take())) / RATE
    assert seconds == pytest.approx(caller.voiced_end + PATIENCE, abs=0.05)


def test_a_turn_is_over_when_the_answer_is():
    caller = TurnCaller(clip())
    seconds = len(talk(caller, Take(), lambda now: 2 <= now < 4)) / RATE
    assert seconds == pytest.approx(4 + PEACE, abs=0.05)


def test_an_interruption_begins_so_far_into_the_answer():
    caller = CuttingCaller(clip(), clip(0.5), into=1.5)
    said = talk(caller, Take(), lambda now: 2 <= now < 4)
    assert caller.cut_at == pytest.approx(3.5, abs=0.03)
    loud = np.flatnonzero(np.abs(said.astype(int)) > 500) / RATE
    assert loud[loud > 2][0] == pytest.approx(caller.cut_at, abs=0.011)
    assert loud[-1] == pytest.approx(caller.cut_end, abs=0.011)


def test_without_an_answer_nobody_is_interrupted():
    caller = CuttingCaller(clip(), clip(), into=1.0)
    talk(caller, Take())
    assert caller.cut_at is None


def test_the_room_is_never_silent_and_never_speech():
    noise = room(1.0, 3)
    assert np.any(noise)
    assert np.abs(noise).max() < 30
    assert np.array_equal(noise, room(1.0, 3))


def test_every_clip_is_used_before_one_is_used_again():
    found = order(25, 10, 1)
    assert sorted(found[:10]) == sorted(found[10:20]) == list(range(10))
    assert found == order(25, 10, 1)
    assert found != order(25, 10, 2)
