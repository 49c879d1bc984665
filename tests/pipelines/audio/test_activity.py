"""Voice activity: when speech begins and ends, from made-up windows and from real detectors."""

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speech import speak
from vivavoce.pipelines.audio.activity import (
    NoiseFloor,
    VoiceActivity,
    VoiceSettings,
    VoiceStarted,
    VoiceStopped,
    VoiceWindow,
)
from vivavoce.pipelines.audio.vad import SileroVad, WebRtcVad

RATE, SIZE = 16_000, 512
LOUD, QUIET = -20.0, -70.0
LEAD = RATE  # silence in front of an utterance in the tests with speech

TEXTS = (
    "A table for four tomorrow.",
    "What is the weather in Paris today?",
    "Yes.",
    "Please cancel my order.",
    "No, thank you, that is all.",
)


def windows(*probabilities, level=None, start=0):
    """Windows in a row; loud where the probability is high, unless a level is given."""
    for index, probability in enumerate(probabilities):
        heard = (LOUD if probability >= 0.5 else QUIET) if level is None else level
        yield VoiceWindow(start + index * SIZE, SIZE, probability, (heard,) * 4)


def run(activity, *parts):
    return [event for window in parts for event in activity.feed(window)]


def settled(**settings):
    """A state machine that has heard half a second of quiet, and its next sample."""
    activity = VoiceActivity(RATE, VoiceSettings(**settings))
    assert run(activity, *windows(*[0.01] * 16)) == []
    return activity, 16 * SIZE


def test_a_voice_starts_and_stops():
    activity, at = settled(min_silence=0.2)
    events = run(activity, *windows(*[0.9] * 10, *[0.05] * 10, start=at))
    voiced_to = at + 10 * SIZE
    # 0.2 s of silence are complete within the seventh window.
    assert events == [
        VoiceStarted(at, at + 2 * SIZE),
        VoiceStopped(voiced_to, voiced_to + 7 * SIZE),
    ]
    assert not activity.speaking
    assert activity.last_voiced == voiced_to


def test_one_window_is_no_voice():
    activity, at = settled()
    assert run(activity, *windows(0.9, 0.05, 0.05, 0.9, 0.05, start=at)) == []
    assert not activity.speaking


def test_between_the_thresholds_nothing_changes():
    activity, at = settled(start=0.6, stop=0.3, min_silence=0.1)
    assert run(activity, *windows(*[0.45] * 20, level=LOUD, start=at)) == []
    at += 20 * SIZE
    assert len(run(activity, *windows(0.9, 0.9, level=LOUD, start=at))) == 1
    at += 2 * SIZE
    assert run(activity, *windows(*[0.45] * 20, level=LOUD, start=at)) == []
    assert activity.speaking


def test_a_short_pause_belongs_to_the_utterance():
    activity, at = settled(min_silence=0.3)
    events = run(activity, *windows(*[0.9] * 5, *[0.02] * 6, *[0.9] * 5, start=at))
    assert [type(event) for event in events] == [VoiceStarted]
    assert activity.silence == 0


def test_the_last_voiced_sample_is_known_before_the_stop():
    activity, at = settled(min_silence=0.5)
    run(activity, *windows(*[0.9] * 5, 0.02, 0.02, start=at))
    assert activity.speaking
    assert activity.last_voiced == at + 5 * SIZE
    assert activity.silence == 2 * SIZE


def test_a_probability_that_lags_behind_the_voice_is_not_believed():
    activity, at = settled(min_silence=0.1)
    ending = VoiceWindow(at + 5 * SIZE, SIZE, 0.9, (LOUD, LOUD, QUIET, QUIET))
    run(activity, *windows(*[0.9] * 5, start=at), ending)
    assert activity.last_voiced == at + 5 * SIZE + SIZE // 2
    # Silero still says 0.8 for three windows of silence.
    events = run(activity, *windows(0.8, 0.8, 0.8, level=QUIET, start=at + 6 * SIZE))
    assert [event.at_sample for event in events] == [at + 5 * SIZE + SIZE // 2]


def test_the_background_behind_the_voice_is_no_voice():
    activity = VoiceActivity(RATE, VoiceSettings(min_silence=0.1))
    run(activity, *windows(*[0.05] * 20, level=-45.0))
    run(activity, *windows(*[0.9] * 6, level=LOUD, start=20 * SIZE))
    # The noise goes on, a little louder, and the probability is still to fall.
    events = run(activity, *windows(*[0.8] * 4, level=-43.0, start=26 * SIZE))
    assert [event.at_sample for event in events] == [26 * SIZE]


def test_speech_in_noise_that_hides_its_level_is_believed_after_a_while():
    activity = VoiceActivity()
    run(activity, *windows(*[0.05] * 40, level=-30.0))
    events = run(activity, *windows(*[0.95] * 20, level=-29.0, start=40 * SIZE))
    assert [type(event) for event in events] == [VoiceStarted]
    assert 0.2 * RATE < events[0].detected_at - 40 * SIZE < 0.4 * RATE


def test_a_soft_beginning_is_found_again():
    activity, at = settled()
    soft = [VoiceWindow(at, SIZE, 0.2, (QUIET, QUIET, -40.0, -35.0))]
    (started,) = run(activity, *soft, *windows(0.9, 0.9, start=at + SIZE))
    assert started == VoiceStarted(at + SIZE // 2, at + 3 * SIZE)


def test_a_start_is_never_before_the_end_of_the_utterance_before():
    activity, at = settled(min_silence=0.03)
    sound = [0.9, 0.9, 0.9, 0.02, 0.02, 0.9, 0.9, 0.9]
    events = run(activity, *windows(*sound, start=at))
    assert [type(event) for event in events] == [VoiceStarted, VoiceStopped, VoiceStarted]
    assert events[2].at_sample >= events[1].at_sample


def test_a_gap_in_the_stream_is_silence():
    activity, at = settled(min_silence=0.2)
    run(activity, *windows(*[0.9] * 4, start=at))
    events = run(activity, *windows(0.01, start=at + RATE))
    assert events == [VoiceStopped(at + 4 * SIZE, at + RATE + SIZE)]


def test_going_back_in_time_is_refused():
    activity, _ = settled()
    with pytest.raises(ValueError, match="in order"):
        activity.feed(next(windows(0.5)))


def test_reset_forgets():
    activity, at = settled()
    run(activity, *windows(*[0.9] * 4, start=at))
    activity.reset()
    assert not activity.speaking
    assert (activity.last_voiced, activity.silence) == (0, 0)
    assert run(activity, *windows(0.01)) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start": 0.3, "stop": 0.5}, "0 < stop <= start <= 1"),
        ({"start": 1.5}, "0 < stop <= start <= 1"),
        ({"stop": 0.0}, "0 < stop <= start <= 1"),
        ({"min_silence": -0.1}, "min_silence is a time in seconds"),
        ({"min_speech": 60}, "min_speech is a time in seconds"),
        ({"min_silence": 200}, "from 0 to 10, not 200"),  # milliseconds, by mistake
    ],
)
def test_settings_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        VoiceSettings(**values)


WINDOW = st.tuples(st.floats(0, 1), st.tuples(*[st.floats(-120, 0)] * 4), st.integers(0, 600))


@settings(max_examples=200, deadline=None)
@given(st.lists(WINDOW, max_size=80), st.sampled_from([0.0, 0.03, 0.06, 0.2]))
def test_starts_and_stops_alternate_and_are_in_order(stream, time):
    activity = VoiceActivity(RATE, VoiceSettings(min_speech=time, min_silence=time))
    now, last = 0, None
    for probability, levels, gap in stream:
        window = VoiceWindow(now + gap, SIZE, probability, levels)
        now = window.end
        for event in activity.feed(window):
            assert isinstance(event, VoiceStarted) is not isinstance(last, VoiceStarted)
            assert event.at_sample <= event.detected_at == now
            assert last is None or event.at_sample >= last.at_sample
            last = event
        assert activity.speaking is isinstance(last, VoiceStarted)
        assert 0 <= activity.last_voiced <= now


def test_the_floor_is_the_background_even_while_somebody_speaks():
    floor = NoiseFloor(RATE)
    for index in range(200):
        # Speech that pauses for one hop in every half second.
        floor.add((-50.0,) * 4 if index % 15 == 0 else (LOUD,) * 4, SIZE)
    assert floor.level == pytest.approx(-48.5)
    for _ in range(80):
        floor.add((-35.0,) * 4, SIZE)
    assert floor.level == pytest.approx(-33.5)


# --- with real speech and real detectors ---


def voiced(pcm, below=40.0):
    """First voiced sample and the one after the last, by energy in frames of 5 ms."""
    frames = pcm[: pcm.size // 80 * 80].reshape(-1, 80).astype(float)
    level = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-9)
    loud = np.nonzero(level > level.max() - below)[0]
    return int(loud[0]) * 80, int(loud[-1] + 1) * 80


def errors(vad, sounds, noise_db=None):
    """Start and stop errors (ms) for (samples, first voiced, after last voiced)."""
    random = np.random.default_rng(42)
    starts, stops = [], []
    for pcm, first, last in sounds:
        stream = np.concatenate((np.zeros(LEAD), pcm, np.zeros(RATE)))
        if noise_db is not None:
            power = np.sqrt(np.square(pcm[first:last].astype(float)).mean())
            stream += random.standard_normal(stream.size) * power * 10 ** (-noise_db / 20)
        vad.reset()
        activity = VoiceActivity(RATE, VoiceSettings(min_silence=0.5))
        heard = vad.feed(np.clip(stream, -32768, 32767).astype(np.int16))
        events = run(activity, *heard)
        assert [type(event) for event in events[:1]] == [VoiceStarted]
        assert [type(event) for event in events[-1:]] == [VoiceStopped]
        starts.append((events[0].at_sample - LEAD - first) / 16)
        stops.append((events[-1].at_sample - LEAD - last) / 16)
    return starts, stops


def spoken(voices=("rms", "slt")):
    for voice in voices:
        for text in TEXTS:
            pcm = speak(text, voice=voice)
            yield pcm, *voiced(pcm)


def cut():
    """Utterances cut off in the middle of a sound: the last voiced sample is known exactly."""
    for pcm, first, last in spoken():
        frames = np.abs(pcm[:last].astype(int))
        # The last sample at half of the peak: within a vowel.
        end = int(np.nonzero(frames > frames.max() // 2)[0][-1])
        yield pcm[:end], first, end


def median_error(values):
    return statistics.median(map(abs, values))


@pytest.mark.parametrize("detector", [SileroVad, WebRtcVad])
def test_starts_and_stops_of_clear_speech_are_where_its_energy_is(detector):
    starts, stops = errors(detector(), list(spoken()))
    assert median_error(starts) <= 20
    assert median_error(stops) <= 15
    assert max(map(abs, stops)) <= 60


@pytest.mark.parametrize("detector", [SileroVad, WebRtcVad])
def test_the_end_of_a_voice_cut_off_is_found_to_the_hop(detector):
    _, stops = errors(detector(), list(cut()))
    assert median_error(stops) <= 8
    assert max(map(abs, stops)) <= 12


@pytest.mark.parametrize("noise_db", [30, 20])
def test_noise_moves_the_end_little(noise_db):
    _, stops = errors(SileroVad(), list(cut()), noise_db=noise_db)
    assert median_error(stops) <= 10


def test_a_quiet_speaker_is_heard_as_well():
    sounds = [(pcm // 12, first, last) for pcm, first, last in cut()]  # about -37 dBFS peaks
    _, stops = errors(SileroVad(), sounds)
    assert median_error(stops) <= 10


def test_a_stop_need_not_wait_for_the_next_window():
    activity, at = settled(min_silence=0.06)
    assert len(run(activity, *windows(*[0.9] * 10, 0.05, start=at))) == 1
    voiced_to = at + 10 * SIZE
    # 32 ms are silent so far; 28 more make a stop, and 20 do not.
    assert not activity.may_stop(320)
    assert activity.may_stop(448)
    assert activity.glance([QUIET] * 3, 320) is None
    assert activity.glance([QUIET] * 4, 448) == VoiceStopped(voiced_to, voiced_to + SIZE + 448)
    assert not activity.speaking
    assert run(activity, *windows(0.05, 0.05, 0.05, start=at + 11 * SIZE)) == []


def test_sound_behind_the_last_window_is_no_silence():
    activity, at = settled(min_silence=0.06)
    run(activity, *windows(*[0.9] * 10, 0.05, start=at))
    assert activity.glance([QUIET, QUIET, LOUD, QUIET], 448) is None
    assert activity.speaking


def test_a_window_voiced_to_its_end_is_followed_by_no_silence_yet():
    activity, at = settled(min_silence=0.02)
    run(activity, *windows(*[0.9] * 10, start=at))
    assert not activity.may_stop(448)
    assert activity.glance([QUIET] * 4, 448) is None


def test_while_the_detector_is_sure_a_glance_waits_longer_too():
    activity, at = settled(min_silence=0.03, max_doubt=0.15)
    run(activity, *windows(*[0.9] * 10, start=at))
    run(activity, *windows(0.9, level=QUIET, start=at + 10 * SIZE))
    assert activity.glance([QUIET] * 4, 448) is None
