from __future__ import annotations

import asyncio
import os
import threading

import numpy as np
import pytest

from tests.disk import a_disk_that_takes
from vivavoce.pipelines.audio.wav import AudioFileError, WavReader
from vivavoce.pipelines.recorder import Recorder

RATE = 24_000
BLOCK = 0.02


def read(path) -> np.ndarray:
    """Read a stereo file as it is: (frames, 2), int16."""
    import wave

    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)


def blocks(samples: np.ndarray, rate: int) -> list[np.ndarray]:
    size = round(rate * BLOCK)
    return [samples[at : at + size] for at in range(0, len(samples), size)]


def click(at: float, seconds: float, rate: int) -> np.ndarray:
    """Silence with a short burst that a resampler keeps in place, centred at `at`."""
    time = np.arange(round(seconds * rate)) / rate
    return (12_000 * np.exp(-(((time - at) / 0.002) ** 2))).astype(np.int16)


def record(path, left, left_rate, right):
    recorder = Recorder(path, RATE, BLOCK, pytest.fail)
    for caller, agent in zip(blocks(left, left_rate), blocks(right, RATE), strict=True):
        recorder.caller(caller, left_rate)
        recorder.agent(agent)
    recorder.close()
    return read(path)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_both_sides_stand_on_one_sample_clock(tmp_path, rate):
    left, right = click(0.5, 2, rate), click(1.5, 2, RATE)
    both = record(tmp_path / "call.wav", left, rate, right)
    caller = np.argmax(both[:, 0]) / RATE
    agent = np.argmax(both[:, 1]) / RATE
    assert caller == pytest.approx(0.5, abs=1.01 / min(rate, RATE))
    # What is played at the end of a block is heard with the next one.
    assert agent == pytest.approx(1.5 + BLOCK, abs=1 / RATE)


@pytest.mark.parametrize("only", ["caller", "agent"])
def test_after_an_interruption_both_sides_are_together_again(tmp_path, only):
    recorder = Recorder(tmp_path / "call.wav", RATE, BLOCK, pytest.fail)
    recorder.rejoin()
    for _ in range(25):
        recorder.caller(np.zeros(960, np.int16), 48_000)
        recorder.agent(np.zeros(480, np.int16))
    for _ in range(50):  # a second in which there is one side alone, at another rate
        if only == "caller":
            recorder.caller(np.zeros(320, np.int16), 16_000)
        else:
            recorder.agent(np.zeros(480, np.int16))
    recorder.rejoin()
    left, right = click(0.5, 1, 16_000), click(0.5, 1, RATE)
    for caller, agent in zip(blocks(left, 16_000), blocks(right, RATE), strict=True):
        recorder.caller(caller, 16_000)
        recorder.agent(agent)
    recorder.close()
    both = read(tmp_path / "call.wav")
    caller, agent = (np.argmax(both[:, side]) / RATE for side in (0, 1))
    assert agent - caller == pytest.approx(BLOCK, abs=0.003)
    assert caller == pytest.approx(2.0, abs=0.005)


def test_the_agents_side_is_kept_bit_for_bit(tmp_path):
    generator = np.random.default_rng(7)
    right = generator.integers(-20_000, 20_000, 2 * RATE).astype(np.int16)
    both = record(tmp_path / "call.wav", np.zeros(32_000, np.int16), 16_000, right)
    lead = round(BLOCK * RATE)
    assert np.array_equal(both[lead : lead + len(right), 1], right)
    assert not both[:lead, 1].any()


def test_nothing_drifts_in_ten_minutes(tmp_path):
    recorder = Recorder(tmp_path / "call.wav", RATE, BLOCK, pytest.fail)
    silence, pulse = np.zeros(320, np.int16), np.full(480, 5_000, np.int16)
    for number in range(30_000):
        recorder.caller(silence, 16_000)
        recorder.agent(pulse if number == 29_000 else silence[:1].repeat(480))
    recorder.close()
    both = read(tmp_path / "call.wav")
    assert np.flatnonzero(both[:, 1])[0] == 480 + 29_000 * 480
    assert abs(len(both) - 30_001 * 480) <= 480


def test_the_file_is_readable_while_it_grows(tmp_path):
    path = tmp_path / "call.wav"
    recorder = Recorder(path, RATE, BLOCK, pytest.fail)
    for _ in range(200):
        recorder.caller(np.full(320, 1_000, np.int16), 16_000)
        recorder.agent(np.full(480, 2_000, np.int16))
    with WavReader(path, RATE) as reader:
        assert reader.duration > 2.0
    recorder.close()


def test_a_call_in_which_nothing_was_said_leaves_a_file_that_can_be_read(tmp_path):
    path = tmp_path / "call.wav"
    recorder = Recorder(path, RATE, BLOCK, pytest.fail)
    recorder.close()
    assert read(path).shape == (0, 2)


def test_a_side_that_is_longer_is_kept_to_its_end(tmp_path):
    path = tmp_path / "call.wav"
    recorder = Recorder(path, RATE, BLOCK, pytest.fail)
    recorder.caller(np.full(320, 1_000, np.int16), 16_000)
    for value in (2_000, 3_000):
        recorder.agent(np.full(480, value, np.int16))
    recorder.close()
    both = read(path)
    assert len(both) == 3 * 480
    assert np.array_equal(both[480:, 1], np.repeat([2_000, 3_000], 480))


def test_closing_twice_is_closing_once(tmp_path):
    path = tmp_path / "call.wav"
    recorder = Recorder(path, RATE, BLOCK, pytest.fail)
    recorder.caller(np.full(320, 1_000, np.int16), 16_000)
    recorder.agent(np.zeros(480, np.int16))
    recorder.close()
    size = path.stat().st_size
    recorder.close()
    assert path.stat().st_size == size


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path):
    why = []
    path = tmp_path / "call.wav"
    left, right = click(0.5, 3, RATE), click(0.7, 3, RATE)
    with a_disk_that_takes(200_000):
        recorder = Recorder(path, RATE, BLOCK, why.append)
        for caller, agent in zip(blocks(left, RATE), blocks(right, RATE), strict=True):
            recorder.caller(caller, RATE)
            recorder.agent(agent)
        recorder.rejoin()
        recorder.close()
        recorder.close()
    assert "cannot be written" in recorder.lost
    assert why == [f"the recording ends here: {recorder.lost}"]
    kept = read(path)  # a whole file, up to there
    assert 1.9 < len(kept) / RATE < 2.1
    assert abs(int(kept[:, 0].argmax()) - 0.5 * RATE) < 10


def test_a_file_that_cannot_be_begun(tmp_path):
    why = []
    path = tmp_path / "nowhere" / "call.wav"
    with pytest.raises(AudioFileError):
        Recorder(path, RATE, BLOCK, why.append, required=True)
    recorder = Recorder(path, RATE, BLOCK, why.append)
    recorder.caller(np.zeros(480, np.int16), RATE)
    recorder.agent(np.zeros(480, np.int16))
    recorder.rejoin()
    recorder.close()
    assert len(why) == 1


async def test_the_loop_does_not_wait_for_the_disk(tmp_path, monkeypatch):
    began, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(number):
        began.set()
        assert go_on.wait(20)
        fsync(number)

    monkeypatch.setattr(os, "fsync", slow)
    recorder = Recorder(tmp_path / "call.wav", RATE, BLOCK, pytest.fail)
    recorder.caller(click(0.1, 0.2, RATE), RATE)
    recorder.agent(click(0.1, 0.2, RATE))
    finishing = asyncio.create_task(recorder.finish())
    assert await asyncio.to_thread(began.wait, 20)
    assert not finishing.done()  # and we are here all the same
    go_on.set()
    await finishing
    await recorder.finish()
    assert len(read(tmp_path / "call.wav")) == round(0.2 * RATE) + round(BLOCK * RATE)


def test_a_recording_that_another_process_began_goes_on(tmp_path):
    path = tmp_path / "call.wav"
    lost = Recorder(path, RATE, BLOCK, pytest.fail)
    first = np.full(round(0.9 * RATE), 1000, np.int16)
    for block in blocks(first, RATE):
        lost.caller(block, RATE)
        lost.agent(block)
    # It was killed: its header knows less than there is, and its last write was not whole.
    assert lost._writer is not None
    lost._writer._file.close()
    known = len(path.read_bytes())
    with path.open("ab") as file:
        file.write(b"\x01")
    back = Recorder(path, RATE, BLOCK, pytest.fail, since=2.5)
    for block in blocks(np.full(RATE, 2000, np.int16), RATE):
        back.caller(block, RATE)
        back.agent(block)
    back.close()
    sound = read(path)
    before = (known - 44) // 4
    assert before > 0.8 * RATE
    assert (sound[: before - RATE // 10, 0] == 1000).all()
    assert not sound[before : round(2.5 * RATE)].any()  # nobody was there
    assert len(sound) == pytest.approx(3.5 * RATE, abs=2 * BLOCK * RATE)
    assert abs(int(sound[round(3.0 * RATE), 0]) - 2000) < 5


def test_a_recording_of_another_kind_is_not_gone_on_with(tmp_path):
    path, told = tmp_path / "call.wav", []
    Recorder(path, 16_000, BLOCK, pytest.fail).close()
    before = path.read_bytes()
    back = Recorder(path, RATE, BLOCK, told.append, since=1.0)
    back.caller(np.zeros(480, np.int16), RATE)
    back.close()
    assert "another kind" in told[0]
    assert path.read_bytes() == before
    Recorder(tmp_path / "nothing.wav", RATE, BLOCK, told.append, since=1.0).close()
    assert len(told) == 2
