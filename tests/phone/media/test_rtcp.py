"""RTCP: the RFC's bytes, lies, loss and jitter by its appendices, and round trips."""

import contextlib
import itertools
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.phone.media.rtcp import (
    Description,
    Goodbye,
    ReceiverReport,
    Reception,
    ReportBlock,
    Reporter,
    SenderReport,
    ntp_time,
    parse,
)
from vivavoce.phone.media.rtp import MalformedPacket

BLOCK = ReportBlock(0x11223344, 64, -2, 0x0001FFFF, 160, 0xAABBCCDD, 65536)
# RFC 3550 §6.4.2 by hand: V=2 RC=1 PT=201 length=7, sender, then the block's six words.
BY_HAND = struct.pack(
    "!BBHIIIIIII", 0x81, 201, 7, 9, 0x11223344, 0x40FFFFFE, 0x1FFFF, 160, 0xAABBCCDD, 65536
)


def test_the_rfcs_layout_is_read_and_written():
    assert parse(BY_HAND) == [ReceiverReport(9, (BLOCK,))]
    assert ReceiverReport(9, (BLOCK,)).serialise() == BY_HAND


@pytest.mark.parametrize(
    "report",
    [
        SenderReport(1, 2**63 + 5, 3, 4, 5, (BLOCK, BLOCK)),
        ReceiverReport(7),
        Description(1, "abc"),
        Description(1, "abcd"),
        Goodbye((1, 2), "bye"),
        Goodbye((1,)),
    ],
)
def test_what_is_written_is_read(report):
    data = report.serialise()
    assert len(data) % 4 == 0
    assert parse(data + BY_HAND) == [report, ReceiverReport(9, (BLOCK,))]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        BY_HAND[:-1],
        BY_HAND + b"\x81\xc9",
        b"\x41" + BY_HAND[1:],  # version 1
        b"\x82" + BY_HAND[1:],  # two blocks, of which one is there
        struct.pack("!BBHI", 0x80, 200, 1, 1),  # a sender's report without its body
        struct.pack("!BBHI", 0xA0, 201, 1, 0xFFFFFFFF),  # padding of 255 bytes
        struct.pack("!BBHIBB2s", 0x81, 202, 2, 1, 1, 99, b"ab"),  # a name beyond the packet
    ],
)
def test_a_lie_is_refused(data):
    with pytest.raises(MalformedPacket):
        parse(data)


@given(st.binary(max_size=64))
def test_noise_is_read_or_refused(data):
    with contextlib.suppress(MalformedPacket):
        parse(b"\x81\xca" + data)


def test_mutations_do_not_crash():
    chance = random.Random(5)
    whole = SenderReport(1, 2, 3, 4, 5, (BLOCK,)).serialise() + Description(1, "x" * 9).serialise()
    whole += Goodbye((1,), "done").serialise()
    refused = 0
    for _ in range(20_000):
        data = bytearray(whole)
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            parse(bytes(data[: chance.randrange(len(data) + 1)]))
        except MalformedPacket:
            refused += 1
    assert 1_000 < refused < 20_000


def test_loss_is_counted_through_the_wrap():
    reception = Reception(1, 65530, 8000)
    sequences = [number & 0xFFFF for number in range(65530, 65550) if number not in {65534, 65540}]
    for index, sequence in enumerate(sequences):
        reception.arrived(sequence, index * 160, index * 0.02)
    assert (reception.expected, reception.lost) == (20, 2)
    block = reception.block(1.0)
    assert (block.fraction_lost, block.highest) == (2 * 256 // 20, 65549)
    reception.arrived(14, 0, 1.0)
    assert reception.block(2.0).fraction_lost == 0  # of the new interval


def test_jitter_is_the_appendixs():
    reception = Reception(1, 0, 8000)
    expected, previous = 0.0, None
    chance = random.Random(1)
    for index in range(400):
        arrival = index * 0.02 + chance.uniform(0, 0.03)
        transit = arrival - index * 0.02
        if previous is not None:
            expected += (abs(transit - previous) - expected) / 16
        previous = transit
        reception.arrived(index, index * 160, arrival)
    assert reception.jitter == pytest.approx(expected, rel=1e-6)
    assert reception.block(8.0).jitter == pytest.approx(expected * 8000, abs=1)


def test_one_stray_number_changes_nothing_but_two_in_order_do():
    reception = Reception(1, 100, 8000)
    for sequence in (100, 101, 40_000, 102):
        reception.arrived(sequence, 0, 0.0)
    assert (reception.expected, reception.lost) == (3, 0)
    for sequence in (40_000, 40_001, 40_002):
        reception.arrived(sequence, 0, 0.0)
    assert (reception.expected, reception.lost) == (2, 0)


def test_the_round_trip_is_measured():
    ours, theirs = (
        Reporter(ssrc, str(ssrc), wall_offset=offset, seed=1)
        for ssrc, offset in ((1, 1.7e9), (2, 0.0))
    )
    reception = Reception(1, 0, 8000)
    reception.arrived(0, 0, 10.0)
    report = parse(ours.report(10.0, 0, 1, 160, None))
    reception.reported(report[0], 10.04)  # 40 ms there
    answer = parse(theirs.report(12.54, 0, 0, 0, reception))  # kept for 2.5 s
    ours.received(answer, 12.60)  # 60 ms back
    assert ours.round_trip == pytest.approx(0.1, abs=0.001)
    assert ours.remote.fraction_lost == 0
    assert answer[1] == Description(2, "2")


def test_reports_are_due_every_five_seconds_or_so():
    reporter = Reporter(1, "x", seed=3)
    due = [step / 10 for step in range(6_000) if reporter.due(step / 10)]
    gaps = [late - early for early, late in itertools.pairwise(due)]
    assert 2.4 < min(gaps) < max(gaps) < 7.7
    assert 105 < len(due) < 135


def test_the_goodbye_names_us():
    assert Goodbye((1,)) in parse(Reporter(1, "x").goodbye(1.0, None))


def test_ntp_counts_from_1900():
    assert ntp_time(0.5) == (2_208_988_800 << 32) + (1 << 31)
