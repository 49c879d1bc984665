from __future__ import annotations

import numpy as np

from tests.speech import speak
from vivavoce.pipelines.interpret.guard import RATE, Guard

BLOCK = RATE // 50
OURS = "Good evening to all of you, we are happy that so many people have come to see us."
THEIRS = "Once upon a time there was an old king, and he had three daughters and a horse."


def hold(guard: Guard, played: np.ndarray, heard: np.ndarray) -> tuple[int, int]:
    """Play and hear at once; return the voiced blocks that came through, and all of them."""
    through = voiced = 0
    for at in range(0, min(len(played), len(heard)) - BLOCK, BLOCK):
        pcm = heard[at : at + BLOCK]
        loud = bool(np.abs(pcm.astype(int)).max() > 300)
        out = guard.filter(pcm, speaking=True)
        guard.played(played[at : at + BLOCK])
        voiced += loud
        through += loud and bool(out.any())
    return through, voiced


def echo(samples: np.ndarray, delay: float, gain: float) -> np.ndarray:
    late = np.concatenate([np.zeros(round(RATE * delay)), samples * gain])
    return late.astype(np.int16)


def test_our_own_voice_is_not_transcribed() -> None:
    guard = Guard(RATE)
    ours = speak(OURS, RATE)
    through, voiced = hold(guard, ours, echo(ours, 0.12, 0.3))
    assert voiced > 80
    assert through < 0.4 * voiced  # until it is recognised
    guard.said(OURS)
    assert guard.repeats("we are happy that so many people")
    assert not guard.repeats("I would rather have a glass of water, please, if there is one")


def test_a_speaker_over_the_translation_is_heard() -> None:
    guard = Guard(RATE)
    through, voiced = hold(guard, speak(OURS, RATE), speak(THEIRS, RATE))
    assert through > 0.95 * voiced
    guard.said(OURS)
    assert not guard.repeats("so many people have come to see us")  # there was no echo of it


def test_a_line_without_an_echo_is_compared_seldom() -> None:
    guard = Guard(RATE)
    compared = 0
    alike = guard._alike

    def count() -> bool:
        nonlocal compared
        compared += 1
        return alike()

    guard._alike = count  # type: ignore[method-assign]
    theirs, ours = speak(THEIRS, RATE), speak(OURS, RATE)
    for _ in range(6):
        hold(guard, ours, theirs)
    assert compared < 60 * 6 * len(theirs) / RATE / 20


def test_silence_is_let_through_as_it_is() -> None:
    guard = Guard(24_000)
    pcm = np.arange(BLOCK).astype(np.int16)
    assert np.array_equal(guard.filter(pcm, speaking=True), pcm)
