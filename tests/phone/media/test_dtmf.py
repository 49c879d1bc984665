"""Telephone events: packets built from RFC 4733, lost, repeated and out of order."""

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.phone.media.dtmf import KEYS, Digit, DtmfReceiver, DtmfSender, TelephoneEvent

CODES = {**{str(n): n for n in range(10)}, "*": 10, "#": 11, "A": 12, "B": 13, "C": 14, "D": 15}


def press(key, timestamp, *, updates=5, ends=3, step=160):
    """The packets of one press (timestamp, payload) as RFC 4733 §2.5 has them."""
    durations = [step * (n + 1) for n in range(updates)]
    packets = [(timestamp, struct.pack("!BBH", CODES[key], 10, d)) for d in durations]
    final = struct.pack("!BBH", CODES[key], 0x80 | 10, step * (updates + 1))
    return packets + [(timestamp, final)] * ends


def hear(packets, receiver=None, step=0.02):
    receiver = receiver or DtmfReceiver()
    heard, now = [], 0.0
    for index, (timestamp, payload) in enumerate(packets):
        now = index * step
        heard += receiver.tick(now)
        heard += receiver.receive(payload, timestamp, now)
    return heard + receiver.tick(now + 1.0)


def test_codes_are_the_rfcs():
    assert {key: index for index, key in enumerate(KEYS)} == CODES


def test_the_layout_is_the_rfcs():
    # Figure 1 of RFC 4733: event, E R volume, duration.
    assert TelephoneEvent.parse(b"\x0b\x8a\x03\x20") == TelephoneEvent(11, True, 10, 800)
    assert TelephoneEvent(11, True, 10, 800).serialise() == b"\x0b\x8a\x03\x20"
    assert TelephoneEvent.parse(b"\x0b\x8a\x03") is None


def test_each_key_is_heard_once():
    packets = itertools.chain(*(press(key, 8000 * n) for n, key in enumerate("159*0#AD")))
    assert hear(packets) == [Digit(key, 0.12) for key in "159*0#AD"]


def test_the_same_key_twice_is_two_presses():
    assert hear(press("7", 100) + press("7", 3000)) == [Digit("7", 0.12)] * 2


@settings(max_examples=200)
@given(st.data())
def test_any_packet_that_comes_through_is_enough(data):
    """Of each press at least one packet survives; some come twice or later than they should."""
    keys = data.draw(st.text("0123456789*#", min_size=1, max_size=6))
    packets = []
    for number, key in enumerate(keys):
        sent = press(key, 2000 * number)
        kept = data.draw(st.sets(st.integers(0, len(sent) - 1), min_size=1))
        mine = [sent[index] for index in sorted(kept)]
        packets += data.draw(st.permutations(mine)) if mine[-1] == sent[-1] else mine
        packets += [mine[-1]] * data.draw(st.integers(0, 2)) if mine[-1] == sent[-1] else []
    assert "".join(digit.key for digit in hear(packets)) == keys


def test_a_press_without_an_end_is_over_after_a_while():
    receiver = DtmfReceiver(timeout=0.2)
    for timestamp, payload in press("4", 0, ends=0):
        assert receiver.receive(payload, timestamp, 1.0) == []
    assert receiver.held == "4"
    assert receiver.tick(1.19) == []
    assert receiver.tick(1.21) == [Digit("4", 0.1)]
    assert receiver.held is None


def test_a_very_long_press_in_segments_is_one():
    def part(timestamp, duration, end):
        return timestamp, struct.pack("!BBH", 5, 0x80 if end else 0, duration)

    # RFC 4733 §2.5.1.3: at 0xFFFF a new segment begins, its timestamp as much later.
    packets = [part(0, d, False) for d in range(800, 0xFFFF, 800)] + [part(0, 0xFFFF, False)]
    packets += [part(0xFFFF, d, False) for d in (800, 1600)] + [part(0xFFFF, 1600, True)] * 3
    (digit,) = hear(packets)
    assert digit.key == "5"
    assert digit.duration == pytest.approx((0xFFFF + 1600) / 8000)


def test_events_that_are_no_keys_are_ignored():
    assert hear([(0, struct.pack("!BBH", code, 0x80, 400)) for code in (16, 32, 255)]) == []
    assert hear([(0, b""), (0, b"\1")]) == []


def test_a_forged_key_within_a_press_is_ignored():
    packets = [*press("1", 0, ends=0), (0, struct.pack("!BBH", 9, 128, 400)), *press("1", 0)[-3:]]
    assert [digit.key for digit in hear(packets)] == ["1"]


# -- sending


def send(sender, keys, ptime=0.02):
    sender.send(keys)
    steps = []
    while sender.busy:
        steps.append(sender.step(ptime))
        assert len(steps) < 10_000
    return steps


@pytest.mark.parametrize("ptime", [0.01, 0.02, 0.03, 0.06])
@pytest.mark.parametrize("clock", [8000, 48_000])
def test_a_key_is_start_updates_and_three_ends(ptime, clock):
    packets = [step for step in send(DtmfSender(clock), "5", ptime) if step]
    events = [TelephoneEvent.parse(packet.payload) for packet in packets]
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert [event.end for event in events] == [False] * (len(events) - 3) + [True] * 3
    durations = [event.duration for event in events]
    assert durations == sorted(durations)
    assert durations[0] == round(ptime * clock)
    assert durations[-3:] == [round(0.12 * clock)] * 3
    assert {event.event for event in events} == {5}


def test_what_is_sent_is_heard():
    sender, timestamp, packets = DtmfSender(), 0, []
    for index, step in enumerate(send(sender, "12#d")):
        if step is None:
            continue
        if step.marker:
            timestamp = index * 160
        packets.append((timestamp, step.payload))
    assert hear(packets) == [Digit(key, 0.12) for key in "12#D"]


def test_between_keys_there_is_a_pause():
    steps = send(DtmfSender(pause=0.1), "11")
    second = [index for index, step in enumerate(steps) if step and step.marker][1]
    held = 6  # packets of 20 ms until the tone is over
    assert (second - held) * 0.02 == pytest.approx(0.1)


def test_a_comma_waits_half_a_second():
    plain, waiting = (
        [i for i, step in enumerate(send(DtmfSender(), keys)) if step and step.marker][1]
        for keys in ("12", "1,2")
    )
    assert (waiting - plain) * 0.02 == pytest.approx(0.5, abs=0.02)


def test_clear_finishes_the_key_that_is_held():
    sender = DtmfSender()
    sender.send("123")
    steps = [sender.step(0.02) for _ in range(2)]
    sender.clear()
    while sender.busy:
        steps.append(sender.step(0.02))
    events = [TelephoneEvent.parse(step.payload) for step in steps if step]
    assert {event.event for event in events} == {1}
    assert sum(event.end for event in events) == 3


def test_bad_keys_are_refused_whole():
    sender = DtmfSender(limit=4)
    with pytest.raises(ValueError, match="'X' is no key"):
        sender.send("12x")
    with pytest.raises(ValueError, match="More than 4"):
        sender.send("12345")
    assert not sender.busy
    with pytest.raises(ValueError, match="DTMF tone"):
        DtmfSender(tone=10)
