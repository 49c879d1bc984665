"""The recording of a call whose caller is joined with somebody: both people, or nothing of it."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.phone.agents import phone
from tests.phone.conftest import Bot, local_trunk, only
from tests.phone.peers import right, tone
from tests.phone.test_transfer import CALLER, HUMAN, Person, caller_on, ended
from vivavoce.agent import Agent
from vivavoce.phone.joined import SLACK, Both
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.recorder import Recorder


def sides(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides of a recording, at 8 kHz."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        left, other = (resample(pcm[:, each].copy(), file.getframerate(), 8_000) for each in (0, 1))
    return left, other


@pytest.mark.parametrize(("theirs", "file"), [(8_000, 24_000), (16_000, 24_000), (8_000, 8_000)])
def test_both_sides_stay_together_whatever_one_of_them_lacks(tmp_path, theirs, file):
    """A second in which nothing comes of the other one is a second of silence, and no more."""
    recorder = Recorder(tmp_path / "a.wav", file, 0.02, pytest.fail)
    both = Both(recorder, file)
    block = theirs // 50
    here, there = tone(6.0, 1000, theirs), tone(6.0, 500, theirs)
    for index in range(300):
        part = slice(index * block, (index + 1) * block)
        both.said(here[part], theirs)
        lacks = 100 <= index < 150
        both.played(there[part] if not lacks else np.zeros(0, np.int16), theirs)
    recorder.close()
    left, other = sides(tmp_path / "a.wav")
    assert len(left) / 8_000 == pytest.approx(6.0, abs=0.05)
    assert right(left[8_000:40_000], 1000) > 0.95
    assert right(other[2_400:14_400], 500) > 0.95
    quiet = other[round((2.0 + 0.06) * 8_000) : round((3.0 - SLACK) * 8_000)]
    assert abs(quiet.astype(int)).max() < 100
    begun = 3.0 + 0.02  # what came after it stands where it was heard
    assert right(other[round(begun * 8_000) : round(5.8 * 8_000)], 500) > 0.95


async def joined(models, station, folder, human: Bot, **options):
    """Let a caller be joined with somebody; return the call and what was recorded, by side."""
    caller = Bot(CALLER)
    there = await station(human.take)
    trunk = local_trunk(port=there.local[0].port, transport=None)
    mode = options.pop("mode", "bridge")
    brief = {"briefing": "Mary calls."} if mode == "warm" else {}
    async with phone(Agent(), models, trunks=[trunk], recordings=folder, **options) as seen:
        line, talking = await caller_on(station, seen, caller)
        await caller.until(lambda: seen.begun and caller.heard)
        if options.get("consent"):
            line.press("1")
            await caller.until(lambda: seen.call.consent)
            await caller.hears(len(caller.heard) * 0.02 + 0.3)
        going = seen.call.transfer("100", mode=mode, announcement="", **brief)
        await asyncio.wait_for(going, 40)
        await human.hears_tone(CALLER, 1.0)
        await caller.hears_tone(HUMAN, 1.0)
        line.hang_up()
        await talking
        await ended(seen)
    return seen.call, *sides(folder / f"{seen.call.id}.wav")


def last(sound: np.ndarray) -> np.ndarray:
    """What was said when both were joined: a second of it, not its very end."""
    return sound[-9_600:-1_600]


async def test_the_recording_goes_on_with_both_where_it_is_said_to(models, station, tmp_path):
    call, caller, other = await joined(models, station, tmp_path, Bot(HUMAN), record_joined=True)
    assert only(last(caller), CALLER, HUMAN)
    assert only(last(other), HUMAN, CALLER)
    (transfer,) = call.transfers
    assert transfer.to_dict()["recorded"] is True
    assert transfer.ended - transfer.joined > 0.7  # by the call's clock, not the sound's


@pytest.mark.parametrize("options", [{}, {"record_joined": False}, {"consent": "May we record?"}])
async def test_it_ends_where_nobody_asked_the_other_one(models, station, tmp_path, options):
    call, _, other = await joined(models, station, tmp_path, Bot(HUMAN), **options)
    (transfer,) = call.transfers
    assert not transfer.recorded
    assert "recorded" not in transfer.to_dict()
    assert len(other) / 8_000 < transfer.joined + 0.3
    assert right(other, HUMAN) < 0.1


class Asked(Person):
    """Takes the call, and then answers whether it may be recorded."""

    def __init__(self, frequency: float, agrees: str) -> None:
        super().__init__(frequency, keys="1")
        self.agrees = agrees
        self.asked = False

    async def talk(self, line) -> None:
        if not self.asked:
            self.asked = True
            self._then = asyncio.create_task(self._agree(line))
        await super().talk(line)

    async def _agree(self, line) -> None:
        await self.until(lambda: self.told.size, 30)
        await self.until(lambda: any(abs(pcm.astype(int)).max() > 500 for pcm in self.heard), 30)
        line.press(self.agrees)


@pytest.mark.parametrize(("answer", "agrees"), [("1", True), ("2", False)])
async def test_in_a_warm_transfer_the_other_one_is_asked(models, station, tmp_path, answer, agrees):
    human = Asked(HUMAN, answer)
    options = {"mode": "warm", "consent": {"en": "May we record?"}}
    call, caller, other = await joined(models, station, tmp_path, human, **options)
    (transfer,) = call.transfers
    assert transfer.recorded is agrees
    questions = [each["generated"] for each in transfer.briefing if "generated" in each]
    assert questions[-1] == "May we record?"
    assert bool(right(last(other), HUMAN) > 0.9) is agrees
    assert bool(right(last(caller), CALLER) > 0.9) is agrees or not agrees
