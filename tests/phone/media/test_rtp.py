"""RTP packets: the RFC's layout, and datagrams that lie."""

import random
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.phone.media.rtp import (
    MalformedPacket,
    RtpPacket,
    is_rtcp,
    sequence_delta,
    timestamp_delta,
)

# Figure of RFC 3550 §5.1, by hand: V=2, CC=2, M=1, PT=8, then the words.
BY_HAND = bytes.fromhex("8288 1234 00000064 deadbeef 00000001 00000002".replace(" ", "")) + b"abc"


def test_the_rfcs_layout_is_read():
    packet = RtpPacket.parse(BY_HAND)
    assert packet == RtpPacket(8, 0x1234, 100, 0xDEADBEEF, b"abc", True, (1, 2))
    assert packet.serialise() == BY_HAND


def test_padding_is_no_payload():
    data = bytes([0xA0, 0]) + struct.pack("!HII", 1, 2, 3) + b"speech" + b"\0\0\3"
    assert RtpPacket.parse(data).payload == b"speech"


def test_the_extension_is_no_payload():
    data = bytes([0x90, 0]) + struct.pack("!HII", 1, 2, 3) + b"\xbe\xde\0\1\x10\x20\x30\x40voice"
    packet = RtpPacket.parse(data)
    assert packet.extension == (0xBEDE, b"\x10\x20\x30\x40")
    assert packet.payload == b"voice"


@given(
    st.builds(
        RtpPacket,
        st.integers(0, 127),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFF_FFFF),
        st.integers(0, 0xFFFF_FFFF),
        st.binary(max_size=200),
        st.booleans(),
        st.lists(st.integers(0, 0xFFFF_FFFF), max_size=15).map(tuple),
        st.none()
        | st.tuples(
            st.integers(0, 0xFFFF), st.binary(max_size=8).map(lambda b: b[: len(b) // 4 * 4])
        ),
    )
)
def test_what_is_written_is_read(packet):
    assert RtpPacket.parse(packet.serialise()) == packet


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        bytes(12),  # version 0
        b"\x8f" + bytes(11),  # fifteen contributors that are not there
        b"\x90" + bytes(11),  # an extension that is not there
        b"\x90" + bytes(13) + b"\xff\xff",  # a longer one than there is
        b"\xa0" + bytes(12),  # padding of nothing
        b"\xa0" + bytes(11) + b"\x05",  # more padding than payload
    ],
)
def test_a_lie_is_refused(data):
    with pytest.raises(MalformedPacket):
        RtpPacket.parse(data)


@pytest.mark.parametrize(
    "packet",
    [
        RtpPacket(128, 0, 0, 0, b""),
        RtpPacket(0, 65536, 0, 0, b""),
        RtpPacket(0, 0, -1, 0, b""),
        RtpPacket(0, 0, 0, 0, b"", csrcs=(0,) * 16),
        RtpPacket(0, 0, 0, 0, b"", extension=(1, b"abc")),
    ],
)
def test_what_does_not_fit_is_not_written(packet):
    with pytest.raises(ValueError):
        packet.serialise()


def test_a_hundred_thousand_mutations_neither_crash_nor_stay():
    chance = random.Random(3)
    seeds = [
        BY_HAND,
        RtpPacket(0, 1, 2, 3, bytes(160)).serialise(),
        RtpPacket(101, 1, 2, 3, b"\5\x8a\1\x90", extension=(0xBEDE, bytes(8))).serialise(),
    ]
    parsed = 0

    def flood(count):
        nonlocal parsed
        for _ in range(count):
            data = bytearray(chance.choice(seeds))
            for _ in range(chance.randrange(4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            del data[chance.randrange(len(data) + 20) :]
            try:
                packet = RtpPacket.parse(bytes(data))
            except MalformedPacket:
                continue
            parsed += 1
            assert len(packet.payload) <= len(data) - 12

    flood(1_000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        flood(2_000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
    flood(97_000)
    assert 30_000 < parsed < 99_000  # both paths were taken


@given(st.integers(0, 0xFFFF), st.integers(-32767, 32767))
def test_sequence_numbers_wrap(start, step):
    assert sequence_delta((start + step) & 0xFFFF, start) == step


@given(st.integers(0, 0xFFFF_FFFF), st.integers(-(2**31) + 1, 2**31 - 1))
def test_timestamps_wrap(start, step):
    assert timestamp_delta((start + step) & 0xFFFF_FFFF, start) == step


def test_rtcp_is_told_from_rtp():
    assert is_rtcp(b"\x81\xc8\0\0")
    assert not is_rtcp(b"\x80\x80\0\0")  # payload type 0 with its marker
    assert not is_rtcp(b"\x80\xe5\0\0")  # payload type 101 with its marker
    assert not is_rtcp(b"\x80")
