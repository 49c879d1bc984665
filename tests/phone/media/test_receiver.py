"""The way in, whole: what is heard of a stream that suffers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speech import speak
from vivavoce.phone.media.codec import Opus, make_codec
from vivavoce.phone.media.jitter import Limits
from vivavoce.phone.media.receiver import Receiver
from vivavoce.phone.media.rtp import RtpPacket

BASE = 1000.0  # our clock need not begin at 0


def packets(pcm, *, name="PCMU", ptime=0.02, kind=0, ssrc=1, first=65_000, stamp=2**32 - 40_000):
    codec = make_codec(name)
    size, step = round(codec.rate * ptime), round(codec.clock_rate * ptime)
    return [
        RtpPacket(
            kind,
            (first + index) & 0xFFFF,
            (stamp + index * step) & 0xFFFF_FFFF,
            ssrc,
            codec.encode(pcm[index * size : (index + 1) * size]),
        )
        for index in range(len(pcm) // size)
    ]


def play(receiver, schedule, seconds, probe=None):
    """Run (time, packet) pairs against a pull every 20 ms; returns all that was heard."""
    schedule = sorted(schedule, key=lambda entry: entry[0])
    out, at = [], 0
    for tick in range(round(seconds * 50)):
        now = tick * 0.02
        while at < len(schedule) and schedule[at][0] <= now:
            receiver.receive(schedule[at][1], BASE + schedule[at][0])
            at += 1
        out.append(receiver.pull(BASE + now))
        if probe:
            probe(now)
    return np.concatenate(out)


def even(made, *, ptime=0.02, begin=0.007):
    return [(begin + index * ptime, packet) for index, packet in enumerate(made)]


def tone(seconds, rate=8000, frequency=440):
    return (8000 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(
        np.int16
    )


def decoded(pcm, name="PCMU"):
    codec = make_codec(name)
    return codec.decode(codec.encode(pcm))


def find(heard, truth):
    """Where `truth` begins in what was heard, if it is there to the sample."""
    start = int(np.flatnonzero(np.abs(truth) > 100)[0])
    for at in range(len(heard) - len(truth) + 1):
        if heard[at + start] == truth[start] and np.array_equal(heard[at : at + len(truth)], truth):
            return at
    return None


@pytest.mark.parametrize("ptime", [0.01, 0.02, 0.03, 0.04, 0.06])
def test_a_clean_stream_is_heard_to_the_sample(ptime):
    pcm = tone(1.2)
    receiver = Receiver({0: make_codec("PCMU")})
    heard = play(receiver, even(packets(pcm, ptime=ptime), ptime=ptime), len(pcm) / 8000 + 0.3)
    at = find(heard, decoded(pcm)[: -round(0.06 * 8000)])
    assert at is not None
    assert at / 8000 < 0.007 + ptime + 0.061
    assert receiver.heard().packets.late == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 0.012)), min_size=40, max_size=40))
def test_copies_and_another_order_within_the_delay_change_nothing(fates):
    pcm = tone(0.8)
    schedule = []
    for (at, packet), (copies, delay) in zip(even(packets(pcm)), fates, strict=True):
        # The first is on time, for what comes before the first is nobody's.
        schedule.append((at + delay * (at > 0.01), packet))
        schedule += [(at + delay + 0.01 * copy, packet) for copy in range(copies)]
    receiver = Receiver({0: make_codec("PCMU")})
    heard = play(receiver, schedule, 1.1)
    assert receiver.heard().packets.played == 40
    assert find(heard, decoded(pcm)) is not None


def test_without_drift_or_jitter_the_delay_stays_through_every_pause():
    sentence = speak("Two are free.", rate=8000)
    pcm = np.concatenate([np.concatenate((sentence, np.zeros(4000, np.int16)))] * 10)
    made = packets(pcm)
    receiver = Receiver({0: make_codec("PCMU")})
    play(receiver, even(made, begin=0.0), len(made) * 0.02)
    figures = receiver.heard()
    assert figures.delay == pytest.approx(0.040, abs=0.001)
    assert (figures.slipped, figures.concealed) == (0.0, 0.0)


@pytest.mark.parametrize("drift", [-0.01, 0.01])
def test_ten_minutes_of_loss_jitter_and_drift(drift, capsys):
    minutes = 10
    seconds = minutes * 60
    chance = np.random.default_rng(11)
    pcm = tone(seconds * 1.011)
    made = packets(pcm)
    sent = [(index + 1) * 0.02 / (1 + drift) for index in range(len(made))]
    schedule = [
        (at + chance.uniform(0, 0.06), packet)
        for at, packet in zip(sent, made, strict=True)
        if chance.random() >= 0.05 and at < seconds
    ]
    receiver = Receiver({0: make_codec("PCMU")})
    marks = []

    def probe(now):
        if round(now * 50) % 250 == 249:
            marks.append(receiver.heard())

    heard = play(receiver, schedule, seconds, probe)
    last = marks[-1]
    settled = marks[6:]
    assert max(mark.buffered for mark in marks) < 0.2
    assert 0.05 < min(m.delay for m in settled) <= max(m.delay for m in settled) < 0.12
    assert all(abs(mark.drift - drift) < 0.001 for mark in settled)
    # What is made up is what was lost, at the end as at the beginning: underruns do not grow.
    lost = (sum(at < seconds for at in sent) - len(schedule)) * 0.02
    half = marks[len(marks) // 2]
    early = half.concealed / half.pulled
    late = (last.concealed - half.concealed) / (last.pulled - half.pulled)
    assert 0.04 < early < 0.06
    assert abs(late - early) < 0.01
    assert last.packets.late + last.packets.overflow < 0.005 * last.packets.received
    assert last.packets.pauses == 0
    # The tone has the pitch of its own clock, not of ours.
    part = heard[-65_536 - 8000 : -8000].astype(float) * np.hanning(65_536)
    pitch = int(np.abs(np.fft.rfft(part)).argmax()) * 8000 / 65_536
    assert pitch == pytest.approx(440 * (1 + drift), abs=0.6)
    with capsys.disabled():
        print(
            f"\n{minutes} min, 5 % loss, 60 ms jitter, drift {drift:+.0%}: made up "
            f"{last.concealed:.1f} s in {last.gaps} gaps (lost {lost:.1f} s), "
            f"late {last.packets.late} of {last.packets.received}, delay "
            f"{min(m.delay for m in settled) * 1e3:.0f}..{max(m.delay for m in settled) * 1e3:.0f}"
            f" ms, buffered at most {max(m.buffered for m in marks) * 1e3:.0f} ms"
        )


def test_a_small_drift_is_absorbed_in_the_pauses_and_speech_is_untouched():
    sentence = speak("A table for four tomorrow.", rate=8000)
    pcm = np.concatenate([np.concatenate((sentence, np.zeros(8000, np.int16)))] * 40)
    made = packets(pcm)
    schedule = [(0.007 + index * 0.02 / 1.0005, packet) for index, packet in enumerate(made)]
    receiver = Receiver({0: make_codec("PCMU")})
    heard = play(receiver, schedule, len(made) * 0.02)
    figures = receiver.heard()
    assert figures.packets.late == 0
    assert 0.03 < figures.delay < 0.055
    assert figures.slipped < -0.01  # a sender that is fast has samples to spare
    # No word was stretched: the last sentence is there to the sample.
    begin = len(pcm) - len(sentence) - 8000
    truth = decoded(pcm)[begin + 800 : begin + len(sentence) - 1600]
    assert find(heard[-len(sentence) - 16_000 :], truth) is not None


def test_the_packet_length_may_change_within_a_call():
    pcm = tone(2.4)
    codec = make_codec("PCMU")
    schedule, at, now = [], 0, 0.007
    for sequence, size in enumerate([160] * 20 + [480] * 10 + [80] * 40 + [240] * 20):
        payload = codec.encode(pcm[at : at + size])
        now += size / 8000
        schedule.append((now, RtpPacket(0, sequence, at, 1, payload)))
        at += size
    receiver = Receiver({0: codec})
    heard = play(receiver, schedule, at / 8000 + 0.2)
    figures = receiver.heard()
    assert figures.packets.played == len(schedule)
    # A longer packet comes later than the buffer thought it would, once.
    assert figures.concealed < 0.25
    assert np.abs(heard[-8000:-2400]).max() > 7000


def test_another_ssrc_is_followed_but_not_a_single_packet_of_it():
    first, second = tone(1.0), tone(1.0, frequency=1000)
    stray = packets(tone(0.02), ssrc=9, first=7)
    schedule = [*even(packets(first)), (0.5, stray[0])]
    schedule += even(packets(second, ssrc=2, first=100, stamp=5), begin=1.007)
    receiver = Receiver({0: make_codec("PCMU")})
    heard = play(receiver, schedule, 2.2)
    assert receiver.ssrc == 2
    assert receiver.heard().streams == 2
    spectrum = np.abs(np.fft.rfft(heard[9200:16_000].astype(float) * np.hanning(6800)))
    assert int(spectrum.argmax()) * 8000 / 6800 == pytest.approx(1000, abs=2)
    gap = heard[8000:9200]
    quiet = np.abs(gap.reshape(-1, 80)).max(axis=1) < 200
    assert quiet.sum() * 0.01 < 0.1


def test_two_streams_at_once_do_not_tear_each_other():
    ours = even(packets(tone(2.0)))
    theirs = even(packets(tone(2.0, frequency=1000), ssrc=2, first=100, stamp=5), begin=0.017)
    receiver = Receiver({0: make_codec("PCMU")})
    play(receiver, ours + theirs, 2.0)
    assert receiver.heard().streams == 1
    assert receiver.heard().packets.played > 90


def test_payloads_may_change_between_codecs():
    mu, a = packets(tone(0.4)), packets(tone(0.8), name="PCMA", kind=8)[20:]
    receiver = Receiver({0: make_codec("PCMU"), 8: make_codec("PCMA")})
    heard = play(receiver, even(mu + a), 0.7)
    assert np.abs(np.diff(heard[1000:5000].astype(int))).max() < 3500  # of a tone: no click
    assert receiver.heard().packets.played >= 30


def test_codecs_of_two_rates_are_refused():
    with pytest.raises(ValueError, match="one sample rate"):
        Receiver({0: make_codec("PCMU"), 9: make_codec("G722")})
    with pytest.raises(ValueError, match="one sample rate"):
        Receiver({})


def test_silence_that_is_described_sounds_like_it():
    receiver = Receiver({0: make_codec("PCMU")})
    made = packets(tone(0.4))
    out = []
    for tick in range(100):
        now = BASE + tick * 0.02
        if tick < 20:
            receiver.receive(made[tick], now)
        if tick == 20:
            last = made[19]
            receiver.describe_silence(
                last._replace(payload_type=13, sequence=last.sequence + 1, payload=b"\x28"), now
            )
        out.append(receiver.pull(now))
    noise = np.concatenate(out)[8000:].astype(float)
    assert 20 * np.log10(np.sqrt(np.mean(noise**2)) / 32768) == pytest.approx(-40, abs=1.5)
    assert receiver.heard().concealed < 0.02


@pytest.mark.parametrize("name", ["G722", "opus"])
def test_wide_codecs_suffer_as_well(name):
    codec = make_codec(name)
    chance = np.random.default_rng(2)
    made = packets(tone(6, rate=codec.rate), name=name)
    schedule = [
        (at + chance.uniform(0, 0.03), packet)
        for at, packet in even(made)
        if chance.random() > 0.03
    ]
    receiver = Receiver({0: make_codec(name)})
    heard = play(receiver, schedule, 6.0)
    assert len(heard) == 6 * codec.rate
    figures = receiver.heard()
    assert figures.packets.late < 6
    assert figures.concealed < 0.5
    part = heard[2 * codec.rate : 5 * codec.rate].astype(float)
    assert int(np.abs(np.fft.rfft(part)).argmax()) / 3 == pytest.approx(440, abs=2)


def test_payloads_that_cannot_be_are_counted():
    receiver = Receiver({0: make_codec("opus")})
    good = packets(tone(0.2, rate=16_000), name="opus")
    for packet in good:
        assert receiver.receive(packet, BASE)
    assert not receiver.receive(good[0]._replace(payload=b"", sequence=1), BASE)
    broken = good[0]._replace(payload=b"\x49\x00", sequence=(65_000 + 10) & 0xFFFF)
    receiver.receive(broken._replace(timestamp=good[-1].timestamp + 960), BASE)
    for tick in range(30):
        assert receiver.pull(BASE + tick * 0.02).shape == (320,)
    assert receiver.heard().undecodable == 2


def test_silence_before_anything_came():
    receiver = Receiver({0: make_codec("PCMU")})
    assert not play(receiver, [], 0.2).any()
    assert receiver.heard().concealed == 0


def test_opus_that_carries_lost_packets_again_is_heard_almost_whole():
    pcm = speak("I would like a table for two people, please.")  # 16 kHz, as Opus takes it here

    def heard(*, repairs):
        codec = Opus(16_000, repairs=repairs)
        made = [
            RtpPacket(96, at, at * 960, 7, codec.encode(block))
            for at, block in enumerate(pcm[: len(pcm) // 320 * 320].reshape(-1, 320))
        ]
        receiver = Receiver({96: Opus(16_000)}, Limits(0.06, 0.06))
        kept = [entry for entry in even(made) if entry[1].sequence % 6 != 3]
        play(receiver, kept, len(made) * 0.02 + 0.3)
        return receiver.heard()

    torn, mended = heard(repairs=False), heard(repairs=True)
    assert torn.repaired == 0
    assert torn.concealed > 0.2
    assert mended.repaired > 0.6 * torn.concealed
    assert mended.repaired + mended.concealed == pytest.approx(torn.concealed, abs=0.05)
