"""The jitter buffer: order, bounds and time, whatever the network does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.phone.media.jitter import JitterBuffer, Kind, Limits
from vivavoce.phone.media.rtp import RtpPacket

RATE = 8000


def packet(index, *, ptime=160, first=65_500, stamp=2**32 - 8000, marker=False):
    sequence = (first + index) & 0xFFFF
    return RtpPacket(
        0, sequence, (stamp + index * ptime) & 0xFFFF_FFFF, 1, index.to_bytes(4), marker
    )


def play(buffer, arrivals, until, *, duration=160, step=0.02):
    """Run a schedule of (time, packet) against takes every `step`; returns what was taken."""
    taken, level = [], 0
    schedule = sorted(arrivals, key=lambda entry: entry[0])
    for tick in range(int(until / step)):
        now = tick * step
        while schedule and schedule[0][0] <= now:
            at, given = schedule.pop(0)
            buffer.insert(given, duration, at)
        level -= int(step * RATE)
        while level < 0:
            take = buffer.take(now, level + int(step * RATE))
            taken.append((now, take))
            level += take.length
    return taken


def numbers(taken):
    return [int.from_bytes(take.packet.payload) for _, take in taken if take.packet]


def test_an_even_stream_is_played_whole_after_the_shortest_delay():
    buffer = JitterBuffer(RATE)
    taken = play(buffer, [(0.005 + index * 0.02, packet(index)) for index in range(200)], 4.2)
    assert numbers(taken) == list(range(200))
    first = next(now for now, take in taken if take.packet)
    assert 0.03 < first - 0.005 < 0.061
    assert not any(take.kind is Kind.LOST for now, take in taken if first < now < 4.0)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.floats(0, 0.25), st.integers(1, 3)),
        min_size=1,
        max_size=80,
    ),
    st.sampled_from([80, 160, 240, 480]),
)
def test_order_holds_and_nothing_is_played_twice(fates, ptime):
    """A fate is: lost if 0, else delayed by so much; and how many copies come."""
    arrivals = [
        (index * ptime / RATE + delay + copy * 0.03, packet(index, ptime=ptime))
        for index, (lot, delay, copies) in enumerate(fates)
        for copy in range(copies if lot else 0)
    ]
    buffer = JitterBuffer(RATE)
    until = len(fates) * ptime / RATE + 1.0
    taken = play(buffer, arrivals, until, duration=ptime)
    played = numbers(taken)
    assert played == sorted(set(played))
    counts = buffer.counts
    assert counts.received == len(arrivals)
    assert counts.received == counts.played + counts.late + counts.duplicate + counts.overflow
    assert buffer.waiting == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1)), max_size=300))
def test_hostile_numbers_stay_within_bounds(pairs):
    buffer = JitterBuffer(RATE)
    for tick, (sequence, timestamp) in enumerate(pairs):
        buffer.insert(RtpPacket(0, sequence, timestamp, 1, b"x"), 160, tick * 0.001)
        assert buffer.waiting <= 128
        if tick % 20 == 0:
            assert 0 < buffer.take(tick * 0.001).length <= RATE


def test_a_late_packet_is_counted_and_not_played():
    arrivals = [(0.005 + index * 0.02, packet(index)) for index in range(50)]
    arrivals[20] = (arrivals[20][0] + 0.1, packet(20))
    buffer = JitterBuffer(RATE)
    played = numbers(play(buffer, arrivals, 1.2))
    assert played == [index for index in range(50) if index != 20]
    assert (buffer.counts.late, buffer.counts.reordered) == (1, 1)


def test_duplicates_are_told_from_late_ones():
    arrivals = [(0.005 + index * 0.02, packet(index)) for index in range(50)]
    arrivals += [(at + 0.2, given) for at, given in arrivals]
    buffer = JitterBuffer(RATE)
    assert numbers(play(buffer, arrivals, 1.5)) == list(range(50))
    assert (buffer.counts.duplicate, buffer.counts.late) == (50, 0)


def test_a_hole_in_the_timestamps_alone_is_a_pause():
    def at(index):  # half a second of nothing after packet 20
        return packet(index)._replace(timestamp=(index * 160 + 4000 * (index > 20)) & 0xFFFF_FFFF)

    arrivals = [(0.005 + index * 0.02 + 0.5 * (index > 20), at(index)) for index in range(60)]
    buffer = JitterBuffer(RATE)
    taken = play(buffer, arrivals, 1.9)
    assert numbers(taken) == list(range(60))
    resumed = next(now for now, take in taken if take.packet and take.packet.payload[3] == 21)
    assert resumed == pytest.approx(0.005 + 21 * 0.02 + 0.5 + 0.05, abs=0.021)
    # It is a short loss at most (nobody can know that the sender stopped), then a pause.
    lost = sum(take.length for now, take in taken if take.kind is Kind.LOST and now < 1.5)
    assert lost <= 0.13 * RATE


def test_a_stall_that_ends_in_a_burst_is_caught_up():
    arrivals = [(0.005 + index * 0.02, packet(index)) for index in range(50)]
    arrivals += [(1.6 + index * 0.0001, packet(index)) for index in range(50, 80)]
    arrivals += [(0.005 + index * 0.02, packet(index)) for index in range(80, 150)]
    buffer = JitterBuffer(RATE)
    played = numbers(play(buffer, arrivals, 3.2))
    assert played == sorted(set(played))
    assert played[-70:] == list(range(80, 150))
    assert buffer.counts.overflow > 0


def test_the_delay_follows_the_jitter_within_its_limits():
    def settle(jitter, limits=None):
        buffer = JitterBuffer(RATE, limits)
        play(
            buffer,
            [(0.005 + i * 0.02 + jitter * (i * 7919 % 101) / 100, packet(i)) for i in range(500)],
            10.2,
        )
        return buffer.target

    assert settle(0.0) == 0.040
    assert 0.08 < settle(0.07) < 0.11
    assert settle(0.4) == 0.200
    assert settle(0.4, Limits(0.02, 0.1)) == 0.1


@pytest.mark.parametrize("bad", [(-0.1, 0.2), (0.3, 0.2), (0.1, 2.0)])
def test_impossible_limits_are_refused(bad):
    with pytest.raises(ValueError, match="delay lies between"):
        Limits(*bad)


def test_a_sender_that_begins_again_is_followed():
    arrivals = [(0.005 + index * 0.02, packet(index)) for index in range(50)]
    arrivals += [
        (1.005 + index * 0.02, packet(index, first=20_000, stamp=77)) for index in range(50)
    ]
    buffer = JitterBuffer(RATE)
    played = numbers(play(buffer, arrivals, 2.3))
    assert played == [*range(50), *range(1, 50)]  # the first was the proof


def test_events_that_share_the_numbers_are_no_loss():
    buffer = JitterBuffer(RATE)
    events = {10, 11, 12, 13}
    level, taken = 0, []
    for index in range(60):
        now = index * 0.02
        if index < 50:
            audio = index not in events
            buffer.insert(packet(index), 160 if audio else 0, now, audio=audio)
        while level < 160:
            taken.append((now, buffer.take(now, level)))
            level += taken[-1][1].length
        level -= 160
    assert numbers(taken) == [index for index in range(50) if index not in events]
    lost = [now for now, take in taken if take.kind is Kind.LOST]
    assert not [now for now in lost if now < 0.9]
