"""Codecs: sound through them, lengths, clocks, and payloads that are none."""

import contextlib
import random

import aiortc.codecs.g722
import aiortc.jitterbuffer
import numpy as np
import pytest

from vivavoce.phone.media.codec import CALM, LONGEST, SETTLED, CodecError, Opus, make_codec

NAMES = ["PCMU", "pcma", "G722", "opus"]


def sine(rate, seconds=1.0, frequency=440):
    return (8000 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(
        np.int16
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
def test_a_tone_comes_through_at_every_packet_length(name, milliseconds):
    codec = make_codec(name)
    pcm = sine(codec.rate, 1.2)
    size = codec.rate * milliseconds // 1000
    out = []
    for at in range(0, len(pcm) - size + 1, size):
        payload = codec.encode(pcm[at : at + size])
        assert codec.duration(payload) == codec.clock_rate * milliseconds // 1000
        out.append(codec.decode(payload))
        assert out[-1].dtype == np.int16
    heard = np.concatenate(out)
    assert len(heard) == len(out) * size
    part = heard[codec.rate // 2 : codec.rate].astype(float)
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    peak = int(spectrum.argmax())
    assert peak * 2 == pytest.approx(440, abs=4)
    assert spectrum[peak - 4 : peak + 5].sum() > 0.98 * spectrum.sum()
    assert np.sqrt(np.mean(part**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.1)


def test_clocks_are_the_rfcs():
    assert [(make_codec(n).rate, make_codec(n).clock_rate) for n in NAMES] == [
        (8000, 8000),
        (8000, 8000),
        (16_000, 8000),
        (16_000, 48_000),
    ]


@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_the_silent_byte_is_silence(name):
    codec = make_codec(name)
    assert np.abs(codec.decode(codec.silence * 160)).max() <= 8


def test_g722_is_what_aiortc_understands():
    codec = make_codec("G722")
    decoder = aiortc.codecs.g722.G722Decoder()
    pcm = sine(16_000)
    ours, theirs = [], []
    for at in range(0, 3200, 320):
        payload = codec.encode(pcm[at : at + 320])
        ours.append(codec.decode(payload))
        frame = aiortc.jitterbuffer.JitterFrame(data=payload, timestamp=at // 2)
        theirs += [part.to_ndarray()[0] for part in decoder.decode(frame)]
    assert np.array_equal(np.concatenate(ours), np.concatenate(theirs))


@pytest.mark.parametrize("rate", [8000, 24_000, 48_000])
def test_opus_works_at_other_rates(rate):
    codec = Opus(rate)
    out = [codec.decode(codec.encode(block)) for block in sine(rate).reshape(50, -1)]
    assert all(len(block) == rate // 50 for block in out)
    assert np.abs(np.concatenate(out)[rate // 2 :]).max() > 6000


@pytest.mark.parametrize("repairs", [False, True])
def test_long_silence_is_one_packet_of_opus_again_and_again_and_speech_behind_it_is_whole(repairs):
    rate, size = 24_000, 480
    tone, silence = sine(rate, 0.4, 220), np.zeros(size * 60, np.int16)
    said = np.concatenate([tone, silence, tone])
    sparing = Opus(rate, repairs=repairs)
    thorough = Opus(rate, repairs=repairs)._make_encoder(size)
    packets, all_encoded = [], []
    for at in range(0, len(said), size):
        packets.append(sparing.encode(said[at : at + size]))
        all_encoded.append(thorough.encode(said[at : at + size]))
    still = packets[len(tone) // size :][:60]
    assert set(still[SETTLED:]) == {still[SETTLED - 1]}
    one, other = Opus(rate), Opus(rate)
    heard = np.concatenate([one.decode(packet) for packet in packets]).astype(float)
    wanted = np.concatenate([other.decode(packet) for packet in all_encoded]).astype(float)
    assert np.abs(heard[len(tone) + size * SETTLED : -len(tone)]).max() <= 4
    for length in (size, 5 * size, len(tone)):
        again = slice(len(said) - len(tone), len(said) - len(tone) + length)
        level = [np.sqrt(np.mean(each[again] ** 2)) for each in (heard, wanted)]
        assert level[0] == pytest.approx(level[1], rel=0.03)


def modes(packets):
    """Tell for each packet whether SILK had a part in it (RFC 6716 §3.1)."""
    return [packet[0] >> 3 < 16 for packet in packets]


def test_packets_can_be_repaired_once_some_are_lost_and_not_before_a_pause():
    rate, size = 24_000, 480
    tone, silence = sine(rate, 0.2, 220).reshape(-1, size), np.zeros((3, size), np.int16)
    opus = Opus(rate)

    def say(blocks):
        return [opus.encode(block) for block in blocks]

    assert not any(modes(say([*tone, *silence, *tone])))
    opus.told(0.02)
    assert not any(modes(say(tone)))
    # SILK leaves to CELT what sounds like music.
    assert any(modes(say([*silence, *tone])))
    for _ in range(CALM - 1):
        opus.told(0.0)
        opus.told(0.002)
    opus.told(0.05)
    for _ in range(CALM - 1):
        opus.told(0.0)
    assert any(modes(say([*silence, *tone])))
    opus.told(0.0)
    assert not any(modes(say([*silence, *tone])))


def test_what_is_said_goes_on_whole_where_the_mode_changes():
    rate, size = 24_000, 480
    tone, silence = sine(rate, 0.4, 220), np.zeros(size * 10, np.int16)
    opus, other = Opus(rate), Opus(rate)
    heard = []
    for at, lost in enumerate((0.0, 0.1, 0.1)):
        opus.told(lost)
        blocks = np.concatenate([silence, tone]).reshape(-1, size)
        heard += [other.decode(opus.encode(block)) for block in blocks]
        parts = np.concatenate(heard)[at * (len(tone) + len(silence)) :].astype(float)
        middle = parts[len(silence) + len(tone) // 4 : -len(tone) // 4]
        assert np.sqrt(np.mean(middle**2)) == pytest.approx(
            np.sqrt(np.mean(tone.astype(float) ** 2)), rel=0.15
        )
        assert np.abs(parts[size * 4 : len(silence) - size]).max() < 500


def test_silence_in_other_packets_begins_anew():
    opus = Opus(24_000)
    for _ in range(SETTLED + 3):
        opus.encode(np.zeros(480, np.int16))
    payload = opus.encode(np.zeros(960, np.int16))
    assert opus.duration(payload) == 1_920


def test_what_opus_cannot_do_is_refused():
    with pytest.raises(ValueError, match="44100"):
        Opus(44_100)
    with pytest.raises(ValueError, match="10, 20, 40 or 60 ms"):
        Opus().encode(np.zeros(480, np.int16))


def test_an_unknown_codec_is_refused():
    with pytest.raises(ValueError, match=r"'G729'.*PCMU"):
        make_codec("G729")


@pytest.mark.parametrize("name", NAMES)
def test_junk_is_refused_or_decoded_and_the_codec_lives(name):
    chance = random.Random(2)
    codec = make_codec(name)
    for _ in range(300):
        junk = chance.randbytes(chance.randrange(300))
        duration = codec.duration(junk)
        if not 0 < duration <= LONGEST * codec.clock_rate:
            continue
        with contextlib.suppress(CodecError):
            assert len(codec.decode(junk)) <= 0.13 * codec.rate
    pcm = sine(codec.rate)
    size = codec.rate // 50
    for at in range(0, 20 * size, size):
        heard = codec.decode(codec.encode(pcm[at : at + size]))
    assert np.abs(heard).max() > 6000
