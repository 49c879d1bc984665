from __future__ import annotations

import numpy as np
import pytest

from vivavoce.pipelines.models.watch import BLANK, RATE, RUT, SETTLE_AFTER, SETTLE_LATEST, Watch

STEP = 0.08


def sound(level: float, seconds: float = STEP) -> bytes:
    """Noise of an RMS level (dBFS)."""
    noise = np.random.default_rng(1).normal(0, 10 ** (level / 20) * 32_768, round(seconds * RATE))
    return np.clip(noise, -32_768, 32_767).astype(np.int16).tobytes()


VOICE, HUSH, HISS = sound(-25), sound(-70), sound(-40)


class Line:
    """A watch, and audio in real time or faster."""

    def __init__(self, **options):
        self.watch = Watch(**options)
        self.now = 100.0
        self.watch.connected(self.now)

    def hear(self, pcm: bytes, seconds: float, *, speed: float = 1.0) -> None:
        for _ in range(round(seconds / STEP)):
            self.now += STEP / speed
            self.watch.audio(pcm, self.now)

    @property
    def verdict(self):
        return self.watch.verdict(self.now)


@pytest.fixture
def line():
    made = Line()
    made.hear(HUSH, 1)
    return made


# -- ruts


def test_a_voice_without_a_word_is_a_rut(line):
    line.hear(VOICE, RUT - 1)
    assert line.verdict is None
    line.hear(VOICE, 1.2)
    assert line.verdict == "rut"


def test_pauses_do_not_make_it_less_of_one(line):
    for _ in range(6):
        line.hear(VOICE, RUT / 5)
        line.hear(HUSH, 1)
    assert line.verdict == "rut"


def test_a_word_is_enough(line):
    line.hear(VOICE, RUT - 1)
    line.watch.words()
    line.hear(VOICE, RUT - 1)
    assert line.verdict is None


@pytest.mark.parametrize("noise", [HUSH, HISS])
def test_what_does_not_stand_out_is_no_voice(line, noise):
    line.hear(noise, 30)  # the background becomes that, by and by
    line.watch.words()
    line.hear(noise, 60)
    assert line.verdict is None


def test_audio_that_comes_at_once_gives_the_server_its_time(line):
    line.hear(VOICE, 30, speed=1000)
    assert line.verdict is None
    line.now += 30
    assert line.verdict == "rut"


def test_who_was_accused_in_vain_is_trusted_longer(line):
    line.hear(VOICE, RUT + 1)
    line.watch.in_vain()
    line.watch.connected(line.now)
    line.hear(VOICE, RUT + 1)
    assert line.verdict is None
    line.hear(HUSH, 0.2)
    line.hear(VOICE, RUT)
    assert line.verdict == "rut"
    line.watch.words()
    line.hear(HUSH, 0.2)
    line.hear(VOICE, RUT + 1)
    assert line.verdict == "rut"


# -- finals without words


def test_a_long_utterance_has_words_and_a_cough_need_not(line):
    line.hear(VOICE, BLANK / 2)
    line.watch.asked()
    assert not line.watch.blank
    line.watch.settled()
    line.hear(VOICE, BLANK + 0.2)
    line.watch.asked()
    line.hear(HUSH, 1)
    assert line.watch.blank
    line.watch.settled()
    assert not line.watch.blank


# -- silence of the server's


def test_a_server_that_sends_something_for_every_step_has_stopped():
    line = Line(steady=True)
    line.hear(HUSH, 4)
    line.watch.message(line.now)
    line.hear(HUSH, 4)
    assert line.verdict is None
    line.hear(HUSH, 2)
    assert line.verdict == "silent"


def test_it_may_be_silent_when_nothing_is_sent():
    line = Line(steady=True)
    line.hear(HUSH, 1)
    line.now += 60
    assert line.verdict is None


def test_one_that_writes_words_only_may_be_silent(line):
    line.hear(HUSH, 60)
    assert line.verdict is None


# -- settling


def test_the_words_so_far_are_asked_for_in_a_pause(line):
    line.hear(VOICE, SETTLE_AFTER + 1)
    assert not line.watch.ripe
    line.hear(HUSH, 0.4)
    assert line.watch.ripe
    line.watch.asked()
    line.watch.settled()
    assert not line.watch.ripe


def test_without_a_pause_they_are_asked_for_before_audio_is_given_up(line):
    line.hear(VOICE, SETTLE_LATEST + 1)
    assert line.watch.ripe


def test_silence_needs_no_settling(line):
    line.hear(HUSH, 600)
    assert not line.watch.ripe


def test_a_generation_that_grows_old_is_ended_in_a_pause():
    line = Line(lifetime=60)
    line.hear(HUSH, 61)
    assert line.watch.ripe
    line.watch.settled()
    line.hear(HUSH, 30)
    assert not line.watch.ripe
