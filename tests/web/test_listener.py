"""What waits for a listener: bounded, in step, and never in the way."""

from __future__ import annotations

import numpy as np

from vivavoce.web.listener import BLOCK, RATE, SOUNDS, TEXTS, Listener, Stereo

SECOND = RATE


def pairs(blocks):
    return np.frombuffer(b"".join(blocks), "<i2").reshape(-1, 2)


def test_both_sides_stand_in_step():
    stereo, blocks = Stereo(), []
    for _ in range(50):
        blocks += stereo.feed(0, np.full(320, 100, np.int16), RATE)
        blocks += stereo.feed(1, np.full(320, 200, np.int16), RATE)
    assert {len(each) for each in blocks} == {round(BLOCK * RATE) * 4}
    found = pairs(blocks)
    assert len(found) == SECOND
    assert (found == [100, 200]).all()


def test_the_side_that_does_not_come_is_silent():
    stereo, blocks = Stereo(), []
    for _ in range(100):
        blocks += stereo.feed(1, np.full(480, 200, np.int16), 24_000)
    found = pairs(blocks)
    assert len(found) >= 1.8 * SECOND
    assert not found[:, 0].any()
    assert np.median(found[:, 1]) == 200
    # The caller is back, and is heard beside the agent at once.
    later = []
    for _ in range(25):
        later += stereo.feed(0, np.full(320, 100, np.int16), RATE)
        later += stereo.feed(1, np.full(480, 200, np.int16), 24_000)
    assert np.median(pairs(later)[SECOND // 4 :, 0]) == 100


def test_another_rate_is_taken_as_it_comes():
    stereo, blocks = Stereo(), []
    tone = np.sin(2 * np.pi * 300 * np.arange(48_000) / 48_000) * 8_000
    for rate in (48_000, 8_000):
        said = tone[:: 48_000 // rate].astype(np.int16)
        for block in said.reshape(50, -1):
            blocks += stereo.feed(0, block, rate)
            blocks += stereo.feed(1, np.zeros(320, np.int16), RATE)
    found = pairs(blocks)
    assert abs(len(found) - 2 * SECOND) <= BLOCK * SECOND
    for half in (found[:SECOND, 0], found[SECOND:, 0]):
        spectrum = np.abs(np.fft.rfft(half[2_000:10_000].astype(float)))
        assert abs(np.argmax(spectrum) * RATE / 8_000 - 300) < 10


def drain(listener, snapshot=lambda: "all of it"):
    found = []
    while (each := listener.take(snapshot)) is not None:
        found.append(each)
    return found


def test_who_does_not_listen_hears_nothing():
    woken = []
    listener = Listener(lambda: woken.append(1))
    listener.caller(np.ones(16_000, np.int16), RATE)
    listener.agent(np.ones(16_000, np.int16), RATE)
    assert drain(listener) == []
    assert not woken


def test_what_is_not_taken_is_dropped_the_oldest_first():
    listener = Listener(lambda: None)
    listener.listen(True)
    for number in range(SOUNDS + 7):
        block = np.full(round(BLOCK * RATE), number, np.int16)
        listener.caller(block, RATE)
        listener.agent(block, RATE)
    found = drain(listener)
    assert len(found) == SOUNDS
    assert listener.dropped == 7
    assert pairs(found)[0, 0] == 7
    listener.listen(False)
    listener.caller(np.ones(16_000, np.int16), RATE)
    assert drain(listener) == []


def test_who_falls_behind_is_told_everything_anew():
    listener = Listener(lambda: None)
    for number in range(TEXTS + 30):
        listener.tell(str(number))
    listener.end()
    assert drain(listener) == ["all of it"]
    assert listener.dropped == TEXTS + 30
    listener.tell("more")
    assert drain(listener) == ["more"]


def test_words_come_before_sound():
    listener = Listener(lambda: None)
    listener.listen(True)
    for _ in range(3):
        listener.caller(np.ones(1_600, np.int16), RATE)
        listener.agent(np.ones(1_600, np.int16), RATE)
    listener.tell("a")
    assert drain(listener)[0] == "a"
