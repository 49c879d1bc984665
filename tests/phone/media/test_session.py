"""A call's media, whole and on a virtual clock: two sessions and what lies between them."""

import itertools
import random
import tracemalloc

import numpy as np
import pytest

from vivavoce.phone.media import rtcp
from vivavoce.phone.media.dtmf import Digit
from vivavoce.phone.media.rtp import RtpPacket
from vivavoce.phone.media.session import Goodbye, MediaConfig, MediaSession, Moved
from vivavoce.phone.media.srtp import Crypto

ALICE, BOB = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
STRANGER = ("203.0.113.9", 6000)


class Line:
    """Two sessions, and a network of a constant delay between them."""

    def __init__(self, ours=None, theirs=None, *, delay=0.03):
        self.ours = MediaSession(MediaConfig(remote=BOB, **(ours or {})))
        self.theirs = MediaSession(MediaConfig(remote=ALICE, **(theirs or ours or {})))
        self.now = 100.0
        self.heard = []  # by theirs
        self.answers = []  # by ours
        self.events = []
        self.mangle = lambda data, now: [(data, now)]
        self._delay = delay
        self._flying = []

    def run(self, seconds, every=None):
        for _ in range(round(seconds * 50)):
            if every:
                every(self.now)
            for session, source in ((self.ours, ALICE), (self.theirs, BOB)):
                for packet in session.tick(self.now):
                    for data, at in self.mangle(packet.data, self.now):
                        entry = (at + self._delay, source, packet.rtcp, data)
                        self._flying.append(entry)
            self._flying.sort(key=lambda entry: entry[0])
            while self._flying and self._flying[0][0] <= self.now:
                at, source, control, data = self._flying.pop(0)
                target = self.theirs if source == ALICE else self.ours
                (target.receive_rtcp if control else target.receive)(
                    data, (source[0], source[1] + control), at
                )
            self.heard.append(self.theirs.pull(self.now))
            self.answers.append(self.ours.pull(self.now))
            self.events += self.theirs.events()
            self.now += 0.02

    def sound(self):
        return np.concatenate(self.heard)


def tone(seconds, rate=8000, frequency=440, amplitude=8000):
    return (
        amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)
    ).astype(np.int16)


def crypto(suite="AES_CM_128_HMAC_SHA1_80"):
    ours, theirs = Crypto.make(1, suite), Crypto.make(1, suite)
    return (
        {"local_crypto": ours, "remote_crypto": theirs},
        {"local_crypto": theirs, "remote_crypto": ours},
    )


def right_windows(sound, rate, frequency):
    """Share of 100 ms windows in which the tone is what is heard."""
    windows = sound[: len(sound) // (rate // 10) * (rate // 10)].reshape(-1, rate // 10)
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(rate // 10), axis=1))
    return np.mean(
        (np.abs(spectrum.argmax(axis=1) * 10 - frequency) <= 10) & (spectrum.max(axis=1) > 1e4)
    )


@pytest.mark.parametrize(
    ("codecs", "rate"),
    [
        ({0: "PCMU", 8: "PCMA"}, 8000),
        ({8: "PCMA"}, 8000),
        ({9: "G722"}, 16_000),
        ({111: "opus"}, 16_000),
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_a_tone_is_heard_both_ways(codecs, rate, secure):
    keys = crypto() if secure else ({}, {})
    line = Line({"codecs": codecs, **keys[0]}, {"codecs": codecs, "ptime": 0.04, **keys[1]})
    assert line.ours.rate == rate
    line.ours.push(tone(3, rate))
    line.theirs.push(tone(3, rate, 1000))
    line.run(3)
    for heard, frequency in ((line.heard, 440), (line.answers, 1000)):
        sound = np.concatenate(heard)
        assert len(sound) == 3 * rate
        assert right_windows(sound[rate // 5 :], rate, frequency) >= 0.95
    figures = line.theirs.statistics()
    assert figures.heard.concealed < 0.03
    assert (figures.lost, figures.malformed, figures.rejected, figures.unknown) == (0, 0, 0, 0)


def test_another_key_is_counted_and_never_heard():
    line = Line(crypto()[0], crypto()[1])
    line.ours.push(tone(2))
    line.run(2)
    assert not line.sound().any()
    assert line.theirs.statistics().srtp.forged >= 95


def test_without_srtp_nothing_clear_is_heard():
    line = Line({}, crypto()[1])
    line.ours.push(tone(1))
    line.run(1)
    assert not line.sound().any()


@pytest.mark.parametrize("codecs", [{0: "PCMU"}, {9: "G722"}])
def test_keys_arrive_once_each_despite_loss(codecs):
    chance = random.Random(6)
    line = Line({"codecs": codecs})
    line.mangle = lambda data, now: [] if chance.random() < 0.2 else [(data, now)] * 2
    line.ours.send_dtmf("0123456789*#")
    line.run(4)
    assert [event.key for event in line.events] == list("0123456789*#")
    assert not any(event.inband for event in line.events)


def test_keys_as_tones_are_heard_until_events_come():
    def both(frequency, other):
        return tone(0.1, frequency=frequency) // 2 + tone(0.1, frequency=other) // 2

    line = Line()
    line.ours.push(np.concatenate((tone(0.2) * 0, both(770, 1336), tone(0.3) * 0)))
    line.run(0.8)
    assert line.events == [Digit("5", pytest.approx(0.1, abs=0.02), True)]
    line.ours.send_dtmf("6")
    line.run(0.5)
    # From now on tones are what leaks beside events.
    line.ours.push(np.concatenate((both(770, 1336), tone(0.3) * 0)))
    line.run(0.6)
    assert [event.key for event in line.events] == ["5", "6"]


@pytest.mark.parametrize("inband", [True, False])
def test_listening_for_tones_can_be_set(inband):
    line = Line({"inband": inband, "event_type": None})
    line.ours.push(np.concatenate((tone(0.1, frequency=770) + tone(0.1, frequency=1336),) * 1))
    line.run(0.5)
    assert len(line.events) == inband


def test_a_barge_in_is_silent_within_sixty_milliseconds():
    """At the mouth of the line; what the network and the other side hold comes on top."""
    session = MediaSession(MediaConfig(remote=BOB))
    session.push(tone(10))
    loud = {}
    flushed = 100.0 + 1.003
    for tick in range(200):
        now = 100.0 + tick * 0.01
        if tick == 101:
            assert session.flush() > 8.5
        for packet in session.tick(now):
            pcm = (
                MediaSession(MediaConfig())
                ._receiver._codecs[0]
                .decode(RtpPacket.parse(packet.data).payload)
            )
            if np.abs(pcm).max() > 100:
                last = int(np.flatnonzero(np.abs(pcm.astype(int)) > 100)[-1])
                loud[now] = now + last / 8000
    assert max(loud) > 100.9
    assert max(loud.values()) - flushed <= 0.060
    assert session.queued == 0


def test_a_spray_from_elsewhere_is_not_heard():
    line = Line()
    line.ours.push(tone(6))
    chance = random.Random(3)

    def spray(_now):
        if not 101.0 < line.now < 103.0:
            return
        for _ in range(20):
            noise = RtpPacket(
                0, chance.getrandbits(16), chance.getrandbits(32), 666, chance.randbytes(160)
            )
            line.theirs.receive(noise.serialise(), STRANGER, line.now)

    line.run(6, spray)
    assert right_windows(line.sound()[1600:], 8000, 440) >= 0.99
    figures = line.theirs.statistics()
    assert figures.rejected == 2000
    assert figures.heard.concealed < 0.03
    assert line.theirs.remote == ALICE


def test_a_wrong_address_in_the_sdp_is_found_out():
    session = MediaSession(MediaConfig(remote=("10.0.0.7", 4000)))
    other = MediaSession(MediaConfig(remote=ALICE))
    other.push(tone(1))
    session.tick(100.0)
    for tick in range(50):
        now = 100.0 + tick * 0.02
        for packet in other.tick(now):
            session.receive(packet.data, BOB, now)
        session.pull(now)
    assert session.events() == [Moved(BOB)]
    assert {packet.address for packet in session.tick(101.0)} == {BOB}
    assert session.statistics().rejected == 4
    session.signal(("10.0.0.7", 4000))  # a re-INVITE with the same wrong address
    assert session.remote == BOB


def test_on_hold_neither_side_is_heard():
    line = Line()
    line.ours.push(tone(3))
    line.run(0.5)
    line.theirs.receiving = False
    line.ours.sending = False
    line.run(0.5)
    assert not np.concatenate(line.heard[-24:]).any()
    line.theirs.receiving = line.ours.sending = True
    line.run(1.0)
    assert right_windows(np.concatenate(line.heard[-25:]), 8000, 440) >= 0.9


@pytest.mark.parametrize("mux", [False, True])
@pytest.mark.parametrize("secure", [False, True])
def test_reports_flow_and_end(mux, secure):
    keys = crypto() if secure else ({}, {})
    line = Line({"rtcp_mux": mux, **keys[0]}, {"rtcp_mux": mux, **keys[1]})
    chance = random.Random(2)
    line.mangle = lambda data, now: (
        [] if len(data) > 150 and chance.random() < 0.1 else [(data, now)]
    )
    line.run(30)
    for session in (line.ours, line.theirs):
        figures = session.statistics()
        assert figures.round_trip == pytest.approx(0.06, abs=0.001)
        assert 0.0 < figures.remote_lost < 0.25
        assert 100 < figures.lost < 200
        assert figures.jitter < 0.001
    (bye,) = line.ours.goodbye(line.now)
    receive = line.theirs.receive if mux else line.theirs.receive_rtcp
    receive(bye.data, (ALICE[0], ALICE[1] + (not mux)), line.now)
    assert line.theirs.events() == [Goodbye("")]


def test_forged_goodbyes_are_not_believed():
    line = Line()
    line.run(1)
    ssrc = line.ours._sender.ssrc
    line.theirs.receive_rtcp(rtcp.Goodbye((ssrc,)).serialise() * 2, STRANGER, line.now)
    line.theirs.receive_rtcp(rtcp.Goodbye((ssrc ^ 1,)).serialise() * 2, ALICE, line.now)
    assert line.theirs.events() == []


def test_silence_on_the_line_is_noticed():
    line = Line()
    assert line.theirs.quiet_for(100.0) is None
    line.run(1)
    assert line.theirs.quiet_for(line.now) < 0.05
    assert line.theirs.quiet_for(line.now + 9) == pytest.approx(9, abs=0.05)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"codecs": {}}, "needs a codec"),
        ({"codecs": {0: "PCMU", 9: "G722"}}, "one sample rate"),
        ({"codecs": {18: "G729"}}, "no codec"),
        ({"codecs": {101: "PCMU"}}, "both a codec"),
        ({"local_crypto": Crypto.make()}, "both sides"),
        ({"ptime": 0.2}, "10 to 60 ms"),
    ],
)
def test_what_cannot_be_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        MediaSession(MediaConfig(**options))


def test_a_hundred_thousand_mutated_datagrams():
    """No crash, memory flat, and the call goes on."""
    chance = random.Random(9)
    session = MediaSession(MediaConfig(codecs={0: "PCMU", 8: "PCMA"}, remote=BOB, rtcp_mux=True))
    seeds = [
        RtpPacket(0, 1, 160, 7, bytes(160)).serialise(),
        RtpPacket(101, 1, 160, 7, b"\5\x8a\1\x90").serialise(),
        RtpPacket(13, 1, 160, 7, b"\x28\x10\x20").serialise(),
        rtcp.SenderReport(7, 1, 2, 3, 4).serialise() + rtcp.Description(7, "x").serialise(),
    ]

    def flood(count):
        for index in range(count):
            data = bytearray(chance.choice(seeds))
            data[2:4] = (index & 0xFFFF).to_bytes(2)
            for _ in range(chance.randrange(3)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            source = BOB if index % 3 else (f"198.51.100.{index & 0xFF}", 1000 + index % 999)
            now = 100.0 + index * 0.001
            session.receive(bytes(data[: chance.randrange(len(data) + 80)]), source, now)
            if not index % 20:
                session.pull(now)
                session.tick(now)
                session.events()

    flood(5_000)
    tracemalloc.start()
    try:
        flood(2_000)
        before = tracemalloc.get_traced_memory()[0]
        flood(4_000)
        assert tracemalloc.get_traced_memory()[0] - before < 50_000
    finally:
        tracemalloc.stop()
    flood(89_000)
    figures = session.statistics()
    assert figures.malformed > 1_000
    assert figures.rejected > 10_000
    assert figures.heard.packets.received > 1_000

    other = MediaSession(MediaConfig(remote=ALICE))
    other.push(tone(2))
    heard = []
    for tick in range(100):
        now = 1000.0 + tick * 0.02
        for packet in other.tick(now):
            session.receive(packet.data, BOB, now)
        heard.append(session.pull(now))
    assert right_windows(np.concatenate(heard)[4000:], 8000, 440) >= 0.95


def test_opus_is_made_to_be_repaired_while_the_other_side_lacks_packets():
    line = Line({"codecs": {111: "opus"}})
    chance, lost, sent = random.Random(3), [0.0], []

    def mangle(data, now):
        packet = RtpPacket.parse(data) if data[1] & 0x7F == 111 else None
        if packet is not None:
            sent.append(packet.payload[0] >> 3 < 16)  # SILK has a part in it
        return [] if packet is not None and chance.random() < lost[0] else [(data, now)]

    line.mangle = mangle
    noise = np.random.default_rng(1).normal(0, 3000, 16_000).astype(np.int16)

    blocks = itertools.count()

    def say(_now):
        at = next(blocks) % 100
        if at < 50:
            line.ours.push(noise[at * 320 :][:320])

    line.run(20, say)
    assert not any(sent)
    lost[0] = 0.1
    line.run(20, say)
    assert any(sent)
