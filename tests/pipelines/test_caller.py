from __future__ import annotations

import numpy as np
import pytest

from vivavoce.pipelines.audio.wav import AudioFileError, WavWriter
from vivavoce.pipelines.caller import (
    BLOCK,
    PATIENCE,
    RATE,
    RUN_OUT,
    FileCaller,
    Line,
    ScriptedCaller,
)

SIZE = round(RATE * BLOCK)
SILENCE = np.zeros(SIZE, np.int16)
SPEECH = np.full(SIZE, 5_000, np.int16)


def blocks(seconds: float) -> int:
    return round(seconds / BLOCK)


# -- a file


@pytest.fixture
def file(tmp_path):
    def write(samples: np.ndarray, rate: int = RATE):
        path = tmp_path / "caller.wav"
        with WavWriter(path, rate) as writer:
            writer.write(samples)
        return path

    return write


def test_a_file_is_said_whole_in_blocks_and_the_last_is_filled_up(file):
    said = np.arange(1, SIZE * 10 + 51, dtype=np.int16)
    caller = FileCaller(file(said))
    got = [caller.next(SILENCE, settled=False) for _ in range(11)]
    caller.close()
    assert {len(block) for block in got} == {SIZE}
    joined = np.concatenate(got)
    assert np.array_equal(joined[: len(said)], said)
    assert not joined[len(said) :].any()


def test_after_the_file_it_stays_until_there_has_been_peace(file):
    caller = FileCaller(file(SPEECH))
    assert caller.next(SILENCE, settled=True).any()
    for _ in range(blocks(2.0)):
        assert not caller.next(SILENCE, settled=False).any()
    # Peace that is broken begins anew.
    for settled in [True] * (blocks(RUN_OUT) - 2) + [False] + [True] * (blocks(RUN_OUT) - 2):
        assert caller.next(SILENCE, settled=settled) is not None
    assert any(caller.next(SILENCE, settled=True) is None for _ in range(4))
    assert caller.farewell == "the recording ended"
    caller.close()
    caller.close()


def test_after_the_file_patience_ends(file):
    caller = FileCaller(file(SPEECH))
    count = 0
    while caller.next(SILENCE, settled=False) is not None:
        count += 1
    assert count == pytest.approx(1 + PATIENCE / BLOCK, abs=2)
    caller.close()


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_file_of_any_rate_takes_as_long_as_it_is(file, rate):
    said = (8_000 * np.sin(np.arange(rate) * 2 * np.pi * 440 / rate)).astype(np.int16)
    caller = FileCaller(file(said, rate))
    loud = [caller.next(SILENCE, settled=False).any() for _ in range(blocks(1.5))]
    caller.close()
    assert sum(loud) == pytest.approx(blocks(1.0), abs=1)


def test_a_file_without_samples_is_told_so(file):
    with pytest.raises(AudioFileError, match="holds no audio"):
        FileCaller(file(np.zeros(0, np.int16)))


@pytest.mark.parametrize("content", [None, b"", b"no WAV at all"])
def test_what_is_no_sound_file_is_told_in_one_line(tmp_path, content):
    path = tmp_path / "caller.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioFileError) as caught:
        FileCaller(path)
    assert "\n" not in str(caught.value)


# -- a script


def line(value: int, count: int = 5, into: float | None = None) -> Line:
    return Line(np.full(SIZE * count, value, np.int16), into)


def say(caller: ScriptedCaller, heard: np.ndarray, seconds: float) -> list[int | None]:
    """Play something to the caller; return what it says, one value per block."""
    said: list[int | None] = []
    for _ in range(blocks(seconds)):
        block = caller.next(heard, settled=True)
        said.append(None if block is None else int(block[0]))
        if block is None:
            break
        assert len(block) == SIZE
    return said


def test_it_waits_for_the_agent_to_finish_then_says_its_line_once():
    caller = ScriptedCaller([line(7)], pause=0.5)
    assert set(say(caller, SPEECH, 1.0)) == {0}
    assert set(say(caller, SILENCE, 0.48)) == {0}
    assert say(caller, SILENCE, 0.2) == [7] * 5 + [0] * 5


def test_it_does_not_speak_into_a_short_pause():
    caller = ScriptedCaller([line(7)], pause=0.5)
    for _ in range(4):
        assert set(say(caller, SPEECH, 0.5) + say(caller, SILENCE, 0.4)) == {0}


def test_it_cuts_in_when_the_agent_has_been_speaking_for_a_while():
    caller = ScriptedCaller([line(7, into=0.6)])
    assert set(say(caller, SPEECH, 0.58)) == {0}
    assert say(caller, SPEECH, 0.1) == [7] * 5


def test_it_takes_its_line_when_the_agent_never_speaks():
    caller = ScriptedCaller([line(7)], patience=2.0)
    assert set(say(caller, SILENCE, 1.98)) == {0}
    assert 7 in say(caller, SILENCE, 0.2)


def test_its_own_words_and_what_it_hears_meanwhile_are_no_answer():
    caller = ScriptedCaller([line(7, count=50), line(8)], pause=0.3, patience=5.0)
    say(caller, SPEECH, 0.5)
    assert 7 in say(caller, SILENCE, 0.4)
    say(caller, SPEECH, 0.8)  # the tail of what it cut
    assert 8 not in say(caller, SILENCE, 3.0)
    say(caller, SPEECH, 0.5)
    assert 8 in say(caller, SILENCE, 0.5)


def test_it_hangs_up_when_it_was_answered_to_its_last_line():
    caller = ScriptedCaller([line(7)], pause=0.3)
    say(caller, SPEECH, 0.5)
    say(caller, SILENCE, 0.5)
    say(caller, SPEECH, 1.0)
    said = say(caller, SILENCE, 3.0)
    assert said[-1] is None
    assert len(said) == pytest.approx(blocks(1.5), abs=2)
    assert caller.farewell == "the caller hung up"
    caller.close()


def test_it_hangs_up_when_nobody_answers():
    caller = ScriptedCaller([], patience=1.0)
    assert say(caller, SILENCE, 2.0)[-1] is None
