"""The detectors: windows, numbers, state, and what they take for a voice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speech import speak
from vivavoce.pipelines.audio.vad import SileroVad, Vad, VoiceActivity, WebRtcVad

TEXT = "I would like to book a table for two people."


def noise(level_dbfs, seconds=3.0, rate=16_000, seed=1):
    random = np.random.default_rng(seed)
    sound = random.standard_normal(int(rate * seconds)) * 32768 * 10 ** (level_dbfs / 20)
    return np.clip(sound, -32768, 32767).astype(np.int16)


def speech(rate=16_000):
    gap = np.zeros(rate // 2, np.int16)
    return np.concatenate((gap, speak(TEXT, rate=rate), gap))


def share(windows):
    return np.mean([window.probability >= 0.5 for window in windows])


DETECTORS = {
    "silero": SileroVad,
    "silero 8 kHz": lambda: SileroVad(8_000),
    "webrtc": WebRtcVad,
    "webrtc 48 kHz": lambda: WebRtcVad(48_000, mode=0),
}


@pytest.mark.parametrize("detector", DETECTORS)
def test_windows_follow_each_other_and_carry_levels(detector):
    vad: Vad = DETECTORS[detector]()
    level = -20.0
    windows = vad.feed(noise(level, seconds=1.0, rate=vad.rate))
    assert [window.start for window in windows] == [i * vad.window for i in range(len(windows))]
    assert len(windows) == vad.rate // vad.window
    for window in windows:
        assert window.size == vad.window
        assert 0.0 <= window.probability <= 1.0
        assert all(found == pytest.approx(level, abs=3.0) for found in window.levels)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 2_000), max_size=30), st.sampled_from([SileroVad, WebRtcVad]))
def test_blocks_make_no_difference(sizes, detector):
    audio = np.resize(speech(), sum(sizes))
    vad = detector()
    parts = np.split(audio, np.cumsum(sizes))
    assert [window for part in parts for window in vad.feed(part)] == detector().feed(audio)


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_reset_stream_is_a_new_one(detector):
    vad: Vad = DETECTORS[detector]()
    audio = noise(-30.0, seconds=0.5, rate=vad.rate)
    first = list(vad.feed(audio))
    vad.feed(audio[:100])
    vad.reset()
    assert list(vad.feed(audio)) == first


@pytest.mark.parametrize("rate", [16_000, 8_000])
def test_silero_tells_speech_from_silence_and_noise(rate):
    vad = SileroVad(rate)
    windows = vad.feed(speech(rate))
    spoken = [w for w in windows if rate * 0.6 < w.start < windows[-1].start - rate * 0.8]
    assert share(spoken) > 0.85
    assert share([w for w in windows if w.end < rate * 0.5]) == 0.0
    for level in (-60.0, -40.0, -20.0):
        vad.reset()
        assert share(vad.feed(noise(level, rate=rate))) == 0.0


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")
def test_silero_agrees_with_pipecats_reading_of_the_model():
    from pipecat.audio.vad.silero import SileroOnnxModel

    from vivavoce.pipelines.audio.weights import SILERO, locate

    theirs = SileroOnnxModel(str(locate(SILERO)))
    audio = speech()[: 512 * 60]  # less than 2 s: before any reset of ours
    expected = [
        float(theirs(audio[at : at + 512].astype(np.float32) / 32768, 16_000)[0, 0])
        for at in range(0, audio.size, 512)
    ]
    ours = SileroVad(skip_silence=False)
    ours._stream.memory = np.zeros_like(ours._stream.memory)  # as theirs begins
    found = [window.probability for window in ours.feed(audio)]
    assert max(expected) > 0.9
    assert np.allclose(found, expected, atol=1e-5)


def music(rate, seconds=30):
    """Plucked chords: what hold music does to the model's memory."""
    random, half = np.random.default_rng(0), np.arange(rate // 2) / rate
    chords = []
    for _ in range(seconds * 2):
        notes = random.choice([220, 262, 330, 392, 440, 523, 659], 3, replace=False)
        tones = [np.sin(2 * np.pi * n * h * half) / h for n in notes for h in (1, 2, 3)]
        chords.append(np.exp(-3 * half) * np.sum(tones, axis=0))
    sound = np.concatenate(chords)
    return (sound / np.abs(sound).max() * 9_000).astype(np.int16)


@pytest.mark.parametrize("rate", [16_000, 8_000])
@pytest.mark.parametrize("before", ["silence", "music"])
def test_silero_hears_speech_at_once_after_long_silence_and_music(rate, before):
    vad = SileroVad(rate)
    vad.feed(np.zeros(rate * 60, np.int16) if before == "silence" else music(rate))
    spoken = speak(TEXT, rate=rate)
    fresh, after = SileroVad(rate).feed(spoken), vad.feed(spoken)
    # Without the resets, music costs 0.3 s and a tenth of the speech.
    assert share(after) >= share(fresh) - 0.07
    first, late = (next(w.start for w in ws if w.probability >= 0.5) for ws in (fresh, after))
    late -= after[0].start
    assert late - first <= rate * 0.1


def test_silero_streams_share_the_weights_and_not_the_memory():
    one, other = SileroVad(), SileroVad()
    assert one._network is other._network
    silence = np.zeros(512 * 20, np.int16)
    expected = SileroVad().feed(silence)
    one.feed(speech())
    assert other.feed(silence) == expected


def test_the_level_gate_keeps_steady_noise_from_being_a_voice():
    for level in (-50.0, -40.0, -30.0, -20.0):
        sound = noise(level, seconds=5.0)
        gated = WebRtcVad().feed(sound)
        assert share(gated) <= 0.1, level
        activity = VoiceActivity()
        assert [event for window in gated for event in activity.feed(window)] == [], level
    # Without it most of the noise passes for a voice.
    assert share(WebRtcVad(gate=-100.0, faintest=-100.0).feed(noise(-20.0))) > 0.3


def test_webrtc_hears_speech():
    windows = WebRtcVad().feed(speech())
    spoken = [w for w in windows if 16_000 * 0.6 < w.start < windows[-1].start - 16_000 * 0.8]
    assert share(spoken) > 0.75
    assert share([w for w in windows if w.end < 8_000]) == 0.0


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="8000 or 16000 Hz, not 44100: use a Resampler"):
        SileroVad(44_100)
    with pytest.raises(ValueError, match="48000 Hz, not 44100"):
        WebRtcVad(44_100)
    with pytest.raises(ValueError, match="modes 0 to 3"):
        WebRtcVad(mode=4)
    for vad in (SileroVad(), WebRtcVad()):
        with pytest.raises(TypeError, match="int16"):
            vad.feed(np.zeros(512, np.float32))
        with pytest.raises(TypeError, match="one-dimensional"):
            vad.feed(np.zeros((512, 1), np.int16))


def test_warming_up_loads_the_model():
    SileroVad.warm()
