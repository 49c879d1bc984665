"""What many listeners hear is made once, and nobody is far behind."""

from __future__ import annotations

import numpy as np

from vivavoce.phone.media.codec import Opus
from vivavoce.pipelines.interpret.outlet import Beneath, Outlet
from vivavoce.pipelines.interpret.programme import BLOCK, KEPT, Follower, Programme

RATE = 24_000
SIZE = round(RATE * BLOCK)


class Speech:
    """A source that speaks a ramp. Implements `Source`."""

    rate = RATE

    def __init__(self) -> None:
        self.outlets: list[Outlet] = []
        self.drawn = 0

    def outlet(self) -> Outlet:
        self.outlets.append(Outlet(self))
        return self.outlets[-1]

    def peek(self, count: int) -> np.ndarray:
        return np.zeros(0, np.int16)

    def draw(self, count: int) -> None:
        samples = ((np.arange(count) + self.drawn) % 1_000).astype(np.int16)
        self.drawn += count
        for outlet in self.outlets:
            outlet.put(samples)


def programme(encode=None) -> tuple[Programme, Speech]:
    speech = Speech()
    made = Programme(RATE, encode)
    made.outlets.append(speech.outlet())
    return made, speech


def test_all_hear_the_same_whatever_the_pieces_they_take():
    made, speech = programme()
    one, two = Follower(made), Follower(made)
    first = np.concatenate([one.take(SIZE) for _ in range(10)])
    second = np.concatenate([two.take(count) for count in (100, 700, 1_300, 2_700)])
    assert (first == second[: len(first)]).all()
    assert (first[:5] == [0, 1, 2, 3, 4]).all()
    assert speech.drawn == made.made * SIZE  # once for both


def test_who_comes_late_begins_at_the_present():
    made, _ = programme()
    one = Follower(made)
    for _ in range(100):
        one.take(SIZE)
    late = Follower(made)
    assert late.behind == 0.0
    assert (late.take(SIZE) == one.take(SIZE)).all()
    assert late.skipped == 0


def test_nobody_is_far_behind():
    made, _ = programme()
    fast, slow = Follower(made), Follower(made)
    for _ in range(500):
        fast.take(SIZE)
    slow.take(SIZE)
    assert slow.skipped == 500 - KEPT
    assert slow.behind <= KEPT * BLOCK


def test_it_is_encoded_once_for_all_and_a_late_decoder_follows():
    encoder = Opus(RATE)
    tone = Programme(RATE, encoder.encode)
    voice = Beneath(RATE, "full")
    tone.originals.append(voice)
    listeners = [Follower(tone) for _ in range(50)]
    late, heard = Opus(RATE), []
    wave = (np.sin(2 * np.pi * 400 * np.arange(RATE * 2) / RATE) * 8_000).astype(np.int16)
    for number in range(100):
        voice.feed(wave[number * SIZE : (number + 1) * SIZE], RATE)
        packets = {each.packet() for each in listeners}
        assert len(packets) == 1
        if number >= 50:  # a decoder that heard nothing before
            heard.append(late.decode(packets.pop()))
    assert tone.encoded == 100
    sound = np.concatenate(heard)[SIZE * 5 :].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    peak = np.argmax(spectrum) * RATE / len(sound)
    assert abs(peak - 400) < 5
    assert np.sqrt(np.mean(sound**2)) > 3_000


def test_with_nothing_in_it_it_is_silent_and_who_leaves_is_counted_out():
    empty = Programme(RATE)
    one = Follower(empty)
    assert not one.take(SIZE * 3).any()
    assert not empty.encodes
    assert empty.listeners == 1
    one.close()
    one.close()
    assert empty.listeners == 0


def test_the_original_is_ducked_beneath_the_translation():
    made, _ = programme()
    voice = Beneath(RATE, "ducked")
    made.originals.append(voice)
    voice.feed(np.full(SIZE * 3, 10_000, np.int16), RATE)
    one = Follower(made)
    one.take(SIZE)
    sound = one.take(SIZE).astype(int) - (np.arange(SIZE, 2 * SIZE) % 1_000)
    assert 1_000 < sound.mean() < 1_500  # -18 dB
