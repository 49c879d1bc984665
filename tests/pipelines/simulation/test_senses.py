from __future__ import annotations

import asyncio

import numpy as np
import pytest

from vivavoce.pipelines.audio.vad import VoiceActivity, VoiceStarted, VoiceStopped
from vivavoce.pipelines.simulation.senses import LevelVad, TrackHearing
from vivavoce.pipelines.simulation.track import RATE, Track
from vivavoce.pipelines.simulation.warp import virtual_time


def activity(track: Track, sizes) -> list[VoiceStarted | VoiceStopped]:
    vad, voice = LevelVad(), VoiceActivity(RATE)
    return [
        event
        for size in sizes
        for window in vad.feed(track.take(size))
        for event in voice.feed(window)
    ]


@pytest.mark.parametrize("size", [160, 320, 500, 1600, 8000])
def test_the_voice_detector_hears_a_line_where_it_is(size):
    track = Track()
    track.say("A table for four", 3200)
    end = track.end
    started, stopped = activity(track, [size] * (4 * RATE // size))
    assert isinstance(started, VoiceStarted)
    assert isinstance(stopped, VoiceStopped)
    assert started.at_sample == pytest.approx(3200, abs=480)
    assert stopped.at_sample == pytest.approx(end, abs=480)


def test_noise_is_no_voice_and_a_cough_is_one():
    track = Track()
    track.noise(100, 2.0)
    assert activity(track, [320] * 100) == []
    track.sound(0.3, 2 * RATE)
    assert len(activity(track, [320] * 100)) == 2


def test_silence_is_one_window():
    (window,) = LevelVad().feed(np.zeros(8000, np.int16))
    assert (window.start, window.size, window.probability) == (0, 8000, 0.0)


class Listener:
    def __init__(self):
        self.told = []

    def on_partial(self, segment, text):
        self.told.append(("partial", segment, text))

    def on_final(self, segment, text):
        self.told.append(("final", segment, text))


async def test_words_are_understood_as_they_are_said():
    track, listener = Track(), Listener()
    hearing = TrackHearing(track)
    await hearing.open(listener)
    track.say("two tables please", 0)
    with virtual_time():
        for _ in range(150):
            hearing.send(track.take(320).tobytes())
        partials = [text for kind, _, text in listener.told if kind == "partial"]
        assert partials == ["two", "two tables", "two tables please"]
        assert hearing.flush() == 0
        assert hearing.flush() == 1
        await asyncio.sleep(1)
    assert listener.told[-2:] == [("final", 0, "two tables please"), ("final", 1, "")]
    await hearing.close()


async def test_a_closed_transcriber_tells_nothing():
    track, listener = Track(), Listener()
    hearing = TrackHearing(track)
    await hearing.open(listener)
    track.say("two", 0)
    hearing.send(track.take(RATE).tobytes())
    told = list(listener.told)
    with virtual_time():
        hearing.flush()
        await hearing.close()
        await hearing.close()
        hearing.send(track.take(RATE).tobytes())
        await asyncio.sleep(1)
    assert listener.told == told
