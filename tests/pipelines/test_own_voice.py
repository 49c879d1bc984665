"""Our own voice is known where it comes back, and a caller's is not taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.speech import speak
from vivavoce.agent.transcript import Reply, Transcript
from vivavoce.pipelines.audio.ring import Ring
from vivavoce.pipelines.own_voice import OFTEN, OwnVoice

RATE = 16_000
OURS = "Our menu changes with the season. Tonight the soup is $5.50, and the salad is free."
THEIRS = "Sorry, could you tell me whether there is anything else that I could have?"


class Loudspeaker:
    """Plays a text, and is asked for the last of it."""

    rate = RATE

    def __init__(self) -> None:
        self.pcm = speak(OURS, RATE)
        self.at = 2 * RATE
        self.asked = 0

    def recent(self, seconds: float) -> np.ndarray:
        self.asked += 1
        return self.pcm[max(0, self.at - round(seconds * RATE)) : self.at]


@pytest.fixture
def loudspeaker() -> Loudspeaker:
    return Loudspeaker()


@pytest.fixture
def own(loudspeaker: Loudspeaker) -> OwnVoice:
    return OwnVoice(RATE, loudspeaker)


def ring_of(pcm: np.ndarray) -> Ring:
    ring = Ring(RATE)
    ring.push(pcm)
    return ring


def echo(loudspeaker: Loudspeaker) -> Ring:
    late = loudspeaker.at - RATE // 8
    return ring_of((loudspeaker.pcm[late - RATE // 2 : late] * 0.3).astype(np.int16))


def test_what_comes_back_later_and_quieter_is_ours(own: OwnVoice, loudspeaker: Loudspeaker) -> None:
    assert own.heard(echo(loudspeaker), RATE)


def test_a_caller_who_speaks_meanwhile_is_not(own: OwnVoice) -> None:
    assert not own.heard(ring_of(speak(THEIRS, RATE, voice="slt")[: RATE // 2]), RATE)


def test_nor_is_anything_while_nothing_is_played(own: OwnVoice, loudspeaker: Loudspeaker) -> None:
    heard = echo(loudspeaker)
    loudspeaker.pcm = np.zeros_like(loudspeaker.pcm)
    assert not own.heard(heard, RATE)


def test_it_is_compared_twenty_times_a_second(own: OwnVoice, loudspeaker: Loudspeaker) -> None:
    heard = echo(loudspeaker)
    for block in range(51):
        assert own.heard(heard, block * RATE // 50)
    assert loudspeaker.asked == pytest.approx(1 / OFTEN, abs=4)


def test_words_are_ours_only_behind_our_voice(own: OwnVoice, loudspeaker: Loudspeaker) -> None:
    transcript = Transcript()
    transcript.add(Reply(generated=OURS))
    words = "tonight the soup is five dollars and fifty cents"
    assert not own.repeats(words, transcript, "en")
    own.heard(echo(loudspeaker), RATE)
    assert own.repeats(words, transcript, "en")
    assert own.repeats("the soup is $5.50", transcript, "en")
    assert not own.repeats("do you have anything else", transcript, "en")
    own.forget()
    assert not own.repeats(words, transcript, "en")


def test_what_was_said_long_ago_does_not_come_back(own: OwnVoice, loudspeaker: Loudspeaker) -> None:
    transcript = Transcript()
    for text in (OURS, "You are welcome.", "Goodbye!"):
        transcript.add(Reply(generated=text))
    own.heard(echo(loudspeaker), RATE)
    assert not own.repeats("our menu changes with the season", transcript, "en")
