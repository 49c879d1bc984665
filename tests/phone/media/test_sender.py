"""The way out: pace, catching up, talkspurts, keys and silence."""

import itertools

import numpy as np
import pytest

from vivavoce.phone.media.codec import make_codec
from vivavoce.phone.media.dtmf import TelephoneEvent
from vivavoce.phone.media.sender import CATCH_UP, Sender
from vivavoce.pipelines.audio.convert import decode_mulaw


def make(name="PCMU", **options):
    return Sender(make_codec(name), 0, event_type=101, seed=1, **options)


def ramp(count, start=0):
    return (np.arange(start, start + count) % 20_000 + 500).astype(np.int16)


def loud(seconds):
    return np.full(round(8000 * seconds), 9000, np.int16)


def run(sender, seconds, begin=0.0, step=0.02):
    """Tick at an even pace; the packets with the time at which they left."""
    return [
        (begin + n * step, packet)
        for n in range(round(seconds / step))
        for packet in sender.tick(begin + n * step)
    ]


def heard(packets):
    return np.concatenate([decode_mulaw(packet.payload) for _, packet in packets])


@pytest.mark.parametrize("ptime", [0.01, 0.02, 0.03, 0.06])
def test_numbers_go_on_evenly(ptime):
    sender = make(ptime=ptime)
    packets = [packet for _, packet in run(sender, 3.0, step=0.005)]
    assert len(packets) == pytest.approx(3.0 / ptime, abs=1)
    size = round(8000 * ptime)
    for early, late in itertools.pairwise(packets):
        assert (late.sequence - early.sequence) & 0xFFFF == 1
        assert (late.timestamp - early.timestamp) & 0xFFFF_FFFF == size
        assert len(late.payload) == size
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)


def test_an_unsteady_tick_does_not_drift():
    sender, chance, now, count = make(), np.random.default_rng(1), 0.0, 0
    while now < 60.0:
        count += len(sender.tick(now))
        now += chance.uniform(0.001, 0.04)
    assert count == pytest.approx(3000, abs=2)
    assert sender.figures.skipped == 0


def test_what_is_pushed_is_sent_whole_whatever_the_pieces():
    sender, pcm = make(), ramp(4000)
    for at in range(0, 4000, 333):
        sender.push(pcm[at : at + 333])
    assert sender.queued == 0.5
    sent = heard(run(sender, 0.6))[:4000]
    assert np.abs(sent.astype(int) - pcm).max() < 600  # μ-law's own error
    assert sender.queued == 0


def test_a_short_delay_is_caught_up_and_a_long_one_dropped():
    sender = make()
    sender.push(loud(3))
    run(sender, 1.0)
    assert len(sender.tick(1.0 + 0.04)) == CATCH_UP
    assert sender.figures.skipped == 0
    before = sender.queued
    packets = sender.tick(1.06 + 0.5)
    assert len(packets) == CATCH_UP
    assert packets[0].marker
    assert sender.figures.skipped == 26 - CATCH_UP
    # The 23 packets' audio is gone: nothing is late afterwards, and timestamps say so.
    assert before - sender.queued == pytest.approx(26 * 0.02)
    assert sender.figures.dropped == pytest.approx(23 * 0.02)
    (after,) = sender.tick(1.06 + 0.52)
    assert (after.timestamp - packets[0].timestamp) & 0xFFFF_FFFF == 3 * 160
    assert sender.figures.latest == pytest.approx(0.5)


def test_after_a_flush_it_is_silent_within_a_frame():
    sender = make()
    sender.push(loud(5))
    run(sender, 1.0)
    assert sender.flush() == pytest.approx(3.99)
    rest = heard(run(sender, 1.0, begin=1.0))
    last = int(np.flatnonzero(np.abs(rest.astype(int)) > 16)[-1])
    assert last <= 80  # 10 ms, of the 60 that there may be
    assert np.abs(np.diff(rest[:160].astype(int))).max() < 800  # a fade, no click
    assert sender.flush() == 0.0


def test_silence_is_sent_unless_it_is_suppressed():
    assert len(run(make(), 2.0)) == 100
    sender = make(suppress=True)
    quiet = run(sender, 3.0)
    assert 1 <= len(quiet) <= 4  # for NATs alone
    sender.push(loud(0.1))
    spurt = run(sender, 0.2, begin=3.0)
    assert [packet.marker for _, packet in spurt] == [True] + [False] * 4
    gap = (spurt[0][1].timestamp - quiet[-1][1].timestamp) & 0xFFFF_FFFF
    assert gap == round((spurt[0][0] - quiet[-1][0]) * 8000)  # time went on meanwhile


def test_on_hold_nothing_is_sent_and_time_goes_on():
    sender = make()
    (first,) = sender.tick(0.0)
    sender.enabled = False
    sender.push(loud(0.4))
    assert run(sender, 0.48, begin=0.02) == []
    sender.enabled = True
    (after,) = sender.tick(0.5)
    assert (after.sequence - first.sequence) & 0xFFFF == 1
    assert (after.timestamp - first.timestamp) & 0xFFFF_FFFF == 4000
    assert after.marker
    assert sender.queued == 0


@pytest.mark.parametrize(("name", "rate", "clock"), [("PCMU", 8000, 8000), ("G722", 16_000, 8000)])
def test_keys_go_out_between_the_audio(name, rate, clock):
    sender = make(name)
    sender.push(np.full(rate, 9000, np.int16))
    before = run(sender, 0.2)
    sender.send_dtmf("42")
    packets = [packet for _, packet in run(sender, 1.2, begin=0.2)]
    events = [packet for packet in packets if packet.payload_type == 101]
    told = [TelephoneEvent.parse(packet.payload) for packet in events]
    assert [event.event for event in told if event.end] == [4] * 3 + [2] * 3
    # One timestamp per key, that of the packet in whose place the key began.
    stamps = sorted({packet.timestamp for packet in events}, key=lambda t: t - events[0].timestamp)
    assert len(stamps) == 2
    begin = (before[-1][1].timestamp + clock // 50) & 0xFFFF_FFFF
    assert events[0].timestamp == begin
    assert (stamps[1] - stamps[0]) & 0xFFFF_FFFF == clock // 5  # 120 ms and 80 of pause
    assert [packet.marker for packet in events] == ([True] + [False] * 7) * 2
    # Sequence numbers have no holes, and the audio goes on where it stopped, a talkspurt.
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in itertools.pairwise(packets))
    audio = packets[packets.index(events[-1]) + 1 :]
    assert audio[0].marker
    assert (audio[0].timestamp - begin) & 0xFFFF_FFFF == round(
        (packets.index(audio[0])) * clock * 0.02
    )


def test_without_events_keys_are_refused():
    with pytest.raises(ValueError, match="SIP INFO"):
        Sender(make_codec("PCMU"), 0).send_dtmf("1")


def test_too_much_audio_drops_the_oldest():
    sender = make(limit=1.0)
    sender.push(np.full(8000, 1000, np.int16))
    sender.push(np.full(4000, 9000, np.int16))
    assert sender.queued == 1.0
    sent = heard(run(sender, 1.0))
    assert (np.abs(sent[:3999]) < 2000).all()
    assert (sent[4001:] > 8000).all()
    assert sender.figures.dropped == 0.5


def test_impossible_packets_are_refused():
    with pytest.raises(ValueError, match="10 to 60 ms"):
        make(ptime=0.1)


def test_the_stream_cannot_be_guessed():
    starts = {(s.ssrc, s.tick(0.0)[0].sequence) for s in (Sender(make_codec("PCMU"), 0), make())}
    assert len(starts) == 2


def test_what_nobody_pushes_in_time_is_taken_from_the_reserve():
    """And what is pushed then, too late, is not sent twice."""
    sender, speech = make(), ramp(1600)
    sender.push(speech[:320], 0)
    sender.reserve(speech[320:960], 320)
    packets = run(sender, 0.08)  # two packets of the queue, two of the reserve
    assert sender.left == 640
    assert sender.figures.borrowed == pytest.approx(0.04)
    sender.push(speech[320:800], 320)  # it was about to be pushed when the loop stalled
    assert sender.queued == pytest.approx(0.02)
    sender.push(speech[800:1600], 800)
    packets += run(sender, 0.12, begin=0.08)
    expected = decode_mulaw(make_codec("PCMU").encode(speech))
    assert np.array_equal(heard(packets), expected)
    assert sender.left == 1600


def test_a_reserve_fills_a_packet_up_and_ends():
    sender = make()
    sender.push(loud(0.01), 0)
    sender.reserve(loud(0.02), 80)
    packets = run(sender, 0.06)
    sound = abs(heard(packets).astype(int))
    assert (sound[:240] > 8000).all()
    assert (sound[240:] < 100).all()
    assert sender.left == 240


def test_a_reserve_that_is_taken_back_is_not_sent():
    sender = make()
    sender.push(loud(0.02), 0)
    sender.reserve(loud(0.2), 160)
    sender.reserve(np.zeros(0, np.int16), 160)
    assert (abs(heard(run(sender, 0.1)).astype(int)) > 1000).sum() == 160
    sender.reserve(loud(0.2), 160)
    sender.flush()
    assert (abs(heard(run(sender, 0.1, begin=0.1)).astype(int)) > 1000).sum() == 0


def test_who_pushes_without_positions_has_no_reserve():
    sender = make()
    for _ in range(3):
        sender.push(loud(0.02))
    run(sender, 0.04)
    assert sender.left == 320
    assert sender.queued == pytest.approx(0.02)


def packets_of(count):
    return [bytes([number + 1]) * 160 for number in range(count)]


def test_what_is_encoded_already_is_sent_as_it_is():
    sender = make()
    for payload in packets_of(5):
        sender.push_encoded(payload)
    assert sender.queued == pytest.approx(0.1)
    sent = [packet for _, packet in run(sender, 0.1)]
    assert [packet.payload for packet in sent] == packets_of(5)
    assert [packet.marker for packet in sent] == [True] + [False] * 4
    assert sender.queued == 0.0
    for early, late in itertools.pairwise(sent):
        assert (late.sequence - early.sequence) & 0xFFFF == 1
        assert (late.timestamp - early.timestamp) & 0xFFFF_FFFF == 160


def test_what_is_encoded_already_is_dropped_when_it_is_late_held_or_cut():
    sender = make()
    sender.tick(0.0)
    for payload in packets_of(10):
        sender.push_encoded(payload)
    late = sender.tick(0.02 * 8)  # 8 are due, and 3 of them may leave at once
    assert [packet.payload for packet in late] == packets_of(10)[5:8]
    assert sender.figures.skipped == 5
    assert sender.flush() == pytest.approx(0.04)
    assert sender.queued == 0.0
    sender.enabled = False
    sender.push_encoded(packets_of(1)[0])
    assert sender.tick(0.02 * 9) == []
    assert sender.queued == 0.0


def test_what_is_encoded_already_is_bounded():
    sender = make(limit=0.1)
    for payload in packets_of(8):
        sender.push_encoded(payload)
    assert sender.queued == pytest.approx(0.1)
    assert sender.tick(0.0)[0].payload == packets_of(8)[3]
