"""The stretch that is copied: the right one, and none where there is none.

Recordings made on the spot; six hundred more in `benchmarks/interpret/samples.py`.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from benchmarks.interpret.samples import Case, cases, find, judge
from tests.speech import has_espeak
from vivavoce.pipelines.interpret.demands import Demands
from vivavoce.pipelines.interpret.quality import RATE
from vivavoce.pipelines.interpret.speaker_sample import Picked, Refused, SampleFinder

pytestmark = pytest.mark.skipif(not has_espeak(), reason="needs espeakng-loader")

KINDS = (
    "clean",
    "telephone",
    "two, long turns",
    "two at once, then one",
    "white noise, 0-10 dB",
    "music alone",
    "echo",
    "too short",
    "two in turns of 1.2-2 s",
    "two at once",
)


@pytest.fixture(scope="module")
def made() -> dict[str, Case]:
    """Return one recording of each kind."""
    found = chain.from_iterable(cases(5, (kind,), 0.01, flite=False) for kind in KINDS)
    return {case.kind: case for case in found}


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_stretch_or_the_true_reason(made: dict[str, Case], kind: str) -> None:
    case = made[kind]
    verdict, *_ = find(case.sound, np.random.default_rng(1))
    assert judge(case, verdict), verdict
    if isinstance(verdict, Picked):
        assert 3 <= verdict.seconds <= 14
        assert verdict.seconds == pytest.approx(
            sum(end - start for start, end in verdict.pieces), abs=0.01
        )
        assert 0 < verdict.score <= 1
        assert "pcm" not in repr(verdict)
        assert (verdict.report.bandwidth < 3_700) == (kind == "telephone")
    else:
        assert verdict.reason


def feed(finder: SampleFinder, pcm: np.ndarray, block: int) -> Picked | Refused:
    for start in range(0, len(pcm), block):
        finder.feed(pcm[start : start + block], 0.9)
    return finder.finish()


def test_what_is_found_is_what_was_said(made: dict[str, Case]) -> None:
    pcm = (made["clean"].sound * 32_767).astype(np.int16)
    for block in (512, 40_000):
        verdict = feed(SampleFinder(), pcm, block)
        assert isinstance(verdict, Picked)
        (piece,) = verdict.pieces
        first = round(piece[0] * RATE)
        np.testing.assert_array_equal(verdict.pcm, pcm[first : first + len(verdict.pcm)])


def test_long_pauses_are_left_out(made: dict[str, Case]) -> None:
    pcm = (made["clean"].sound * 32_767).astype(np.int16)[: 4 * RATE]
    finder = SampleFinder()
    for _ in range(2):
        for start in range(0, len(pcm), 512):
            finder.feed(pcm[start : start + 512], 0.9)
        for _ in range(120):
            finder.feed(np.zeros(512, np.int16), 0.0)
    verdict = finder.finish()
    assert isinstance(verdict, Picked)
    assert len(verdict.pieces) == 2
    gap = verdict.pieces[1][0] - verdict.pieces[0][1]
    assert 2.5 < gap < 4
    assert verdict.end - verdict.start - verdict.seconds == pytest.approx(gap, abs=0.05)


def test_it_gets_better_and_never_worse(made: dict[str, Case]) -> None:
    pcm = (made["clean"].sound * 32_767).astype(np.int16)
    finder = SampleFinder()
    marks = []
    for start in range(0, len(pcm), 512):
        verdict = finder.feed(pcm[start : start + 512], 0.9)
        marks.append(verdict.score if isinstance(verdict, Picked) else 0.0)
    assert marks == sorted(marks)
    assert 0 < marks[len(marks) // 2] < marks[-1]
    before = finder.verdict
    noise = np.random.default_rng(2).normal(size=8 * RATE) * 2_000
    feed(finder, noise.astype(np.int16), 512)
    assert finder.verdict is before


def test_a_long_session_is_not_remembered(made: dict[str, Case]) -> None:
    pcm = (made["white noise, 0-10 dB"].sound * 32_767).astype(np.int16)
    finder = SampleFinder(Demands())
    for _ in range(3):
        feed(finder, pcm, 8_000)
    assert isinstance(finder.verdict, Refused)
    assert finder.heard == pytest.approx(3 * len(pcm) / RATE, abs=2)
    kept = sum(value.nbytes for value in vars(finder).values() if isinstance(value, np.ndarray))
    assert kept < 2_000_000


@pytest.mark.parametrize(
    "wrong", [np.zeros(320, np.float32), np.zeros((320, 2), np.int16)], ids=["float", "stereo"]
)
def test_what_is_no_such_sound_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(TypeError, match="mono int16 samples"):
        SampleFinder().feed(wrong, 1.0)


def test_without_sound_it_says_so() -> None:
    verdict = SampleFinder().finish()
    assert isinstance(verdict, Refused)
    assert verdict.reason == "nothing was heard so far"
