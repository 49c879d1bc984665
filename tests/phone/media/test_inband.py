"""Keys as tones: Q.24's limits, in noise, on other rates; and speech, which is no key."""

import numpy as np
import pytest

from tests.speech import speak
from vivavoce.phone.media.inband import ToneDetector
from vivavoce.pipelines.audio.convert import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw

ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
PAD = ("123A", "456B", "789C", "*0#D")
KEYS = "".join(PAD)


def tones(key, seconds=0.08, *, rate=8000, level=6000.0, twist=0.0, shift=0.0, gap=0.08):
    """One key, as float; `twist` is the column over the row (dB), `shift` a share."""
    row = next(index for index, keys in enumerate(PAD) if key in keys)
    time = np.arange(round(seconds * rate)) / rate
    low = np.sin(2 * np.pi * ROWS[row] * (1 + shift) * time)
    high = np.sin(2 * np.pi * COLUMNS[PAD[row].index(key)] * (1 + shift) * time)
    sound = level * (low * 10 ** (-twist / 40) + high * 10 ** (twist / 40))
    return np.concatenate((sound, np.zeros(round(gap * rate))))


def hear(sound, *, rate=8000, block=160, lead=0.05):
    detector = ToneDetector(rate)
    pcm = np.concatenate((np.zeros(round(lead * rate)), sound, np.zeros(rate // 10)))
    pcm = np.clip(pcm, -32768, 32767).astype(np.int16)
    heard = []
    for at in range(0, len(pcm), block):
        heard += detector.feed(pcm[at : at + block])
    return heard + detector.flush()


def keys(sound, **options):
    return "".join(digit.key for digit in hear(sound, **options))


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
def test_every_key_is_heard_once(rate):
    sound = np.concatenate([tones(key, rate=rate) for key in KEYS])
    assert keys(sound, rate=rate, block=rate // 50) == KEYS


def test_the_same_key_twice_and_how_long():
    heard = hear(np.concatenate((tones("5", 0.1), tones("5", 0.3))))
    assert [digit.key for digit in heard] == ["5", "5"]
    assert all(digit.inband for digit in heard)
    assert [digit.duration for digit in heard] == pytest.approx([0.1, 0.3], abs=0.02)


def test_a_key_ends_in_the_silence_after_it():
    detector, heard = ToneDetector(), []
    pcm = tones("9", 0.1, gap=0.1).astype(np.int16)
    for at in range(0, len(pcm), 160):
        heard += detector.feed(pcm[at : at + 160])
    assert [digit.key for digit in heard] == ["9"]
    assert detector.held is None


@pytest.mark.parametrize("lead", np.arange(0.05, 0.07, 0.0017))
def test_forty_milliseconds_are_enough_and_twenty_three_are_not(lead):
    assert keys(np.concatenate([tones(key, 0.04, gap=0.04) for key in KEYS]), lead=lead) == KEYS
    assert keys(np.concatenate([tones(key, 0.023) for key in KEYS]), lead=lead) == ""


@pytest.mark.parametrize("shift", [-0.015, 0.015])
def test_frequencies_may_be_off_by_one_and_a_half_per_cent(shift):
    assert keys(np.concatenate([tones(key, shift=shift) for key in KEYS])) == KEYS


def test_frequencies_may_not_be_off_by_five_per_cent():
    assert keys(np.concatenate([tones(key, shift=0.05) for key in KEYS])) == ""


@pytest.mark.parametrize(("twist", "heard"), [(-6, True), (5, True), (-11, False), (9, False)])
def test_twist(twist, heard):
    sound = np.concatenate([tones(key, twist=twist) for key in KEYS])
    assert keys(sound) == (KEYS if heard else "")


@pytest.mark.parametrize("level", [300.0, 1000.0, 16_000.0])
def test_soft_and_loud(level):
    assert keys(np.concatenate([tones(key, level=level) for key in KEYS])) == KEYS


@pytest.mark.parametrize("coding", [(encode_mulaw, decode_mulaw), (encode_alaw, decode_alaw)])
def test_through_the_telephones_own_coding(coding):
    encode, decode = coding
    sound = np.concatenate([tones(key, 0.05, gap=0.05, level=2000) for key in KEYS])
    assert keys(decode(encode(sound.astype(np.int16))).astype(float)) == KEYS


def test_in_noise_at_fifteen_decibels():
    chance = np.random.default_rng(8)
    sound = np.concatenate([tones(key, 0.06, gap=0.06) for key in KEYS * 6])
    power = 6000.0**2  # of two tones of that amplitude
    sound += chance.standard_normal(len(sound)) * np.sqrt(power / 10**1.5)
    assert keys(sound) == KEYS * 6


def test_noise_alone_and_single_tones_are_no_keys():
    chance = np.random.default_rng(9)
    assert keys(chance.standard_normal(8000 * 60) * 3000) == ""
    time = np.arange(8000) / 8000
    for frequency in (*ROWS, *COLUMNS, 350, 440, 480, 620):  # dial and busy tones among them
        assert keys(9000 * np.sin(2 * np.pi * frequency * time)) == ""
    dial = 5000 * (np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time))
    assert keys(dial) == ""


SENTENCES = (
    "Good evening, I would like to book a table for four people on Saturday at eight.",
    "My number is five five five, zero one two three, and my name is Marie Dubois.",
    "Please hold the line while I look for the free tables in our reservation book.",
    "Whether the weather is fine, or whether the weather is not, we will eat outside.",
    "Eeeeeh, oooooh, aaaaah, mmmmm, well, you know, I really do not know at all.",
    "How much wood would a woodchuck chuck if a woodchuck could chuck wood?",
)


@pytest.mark.parametrize("voice", ["rms", "slt", "kal"])
@pytest.mark.parametrize("gain", [0.3, 1.0])
def test_speech_is_no_key(voice, gain):
    for sentence in SENTENCES:
        assert keys(speak(sentence, rate=8000, voice=voice) * gain) == ""


def test_a_key_pressed_after_speech_is_heard():
    speech = speak(SENTENCES[0], rate=8000).astype(float)
    assert keys(np.concatenate((speech, tones("7", 0.1)))) == "7"
