"""libopus itself: against FFmpeg's way to it, what it refuses, and packets that repair others."""

import gc

import av
import numpy as np
import psutil
import pytest

from tests.speech import speak
from vivavoce.phone.media import opus
from vivavoce.phone.media.opus import Decoder, Encoder, MissingOpusError, OpusError
from vivavoce.pipelines.audio.resample import resample

RATE, SIZE = 24_000, 480


@pytest.fixture(scope="module")
def speech():
    return resample(speak("I would like a table for two people, please."), 16_000, RATE)


def packets(pcm, *, repairs=False, size=SIZE):
    encoder = Encoder(RATE, 32_000, repairs=repairs)
    return [encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm) - size + 1, size)]


def loudness(pcm):
    return float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))


@pytest.mark.parametrize("repairs", [False, True])
def test_ffmpeg_understands_what_we_encode_as_we_do(speech, repairs):
    made = packets(speech, repairs=repairs)
    theirs = av.CodecContext.create("libopus", "r")
    theirs.format, theirs.layout, theirs.sample_rate = "s16", "mono", 48_000
    wanted = np.concatenate(
        [frame.to_ndarray()[0] for packet in made for frame in theirs.decode(av.Packet(packet))]
    )
    ours = Decoder(48_000)
    heard = np.concatenate([ours.decode(packet) for packet in made])
    assert len(heard) == len(wanted) == len(made) * 960
    assert np.abs(heard.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("rate", sorted(opus.RATES))
def test_a_stream_is_decoded_at_any_rate(speech, rate):
    decoder = Decoder(rate)
    heard = np.concatenate([decoder.decode(packet) for packet in packets(speech)])
    assert len(heard) == len(speech) // SIZE * rate // 50
    assert loudness(heard) == pytest.approx(loudness(speech), rel=0.15)


def test_a_decoder_gives_arrays_of_their_own(speech):
    decoder = Decoder(RATE)
    made = packets(speech)
    first = decoder.decode(made[20])
    kept = first.copy()
    decoder.decode(made[40])
    assert np.array_equal(first, kept)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: Decoder(44_100), "invalid argument"),
        (lambda: Encoder(44_100, 32_000, repairs=False), "invalid argument"),
        (lambda: Encoder(RATE, -7, repairs=False), "invalid argument"),
        (lambda: Encoder(RATE, 32_000, repairs=False).encode(np.zeros(100, np.int16)), "argument"),
        (lambda: Decoder(RATE).decode(b"\xff\xff\xff"), "corrupted stream"),
        (lambda: Decoder(RATE, 0.02).decode(packets(np.zeros(960, np.int16), size=960)[0]), "buf"),
    ],
)
def test_what_opus_cannot_do_is_told(wrong, why):
    with pytest.raises(OpusError, match=why):
        wrong()


def test_where_there_is_no_opus_it_is_said_what_to_install(monkeypatch, tmp_path):
    (tmp_path / "libopus.so").write_text("not a library")
    opus.library.cache_clear()
    monkeypatch.setattr(opus, "_candidates", lambda: [str(tmp_path / "libopus.so")])
    try:
        with pytest.raises(MissingOpusError, match="apt install libopus0"):
            Decoder(RATE)
    finally:
        opus.library.cache_clear()


def test_the_systems_library_is_taken_where_pyav_brings_none(monkeypatch, tmp_path):
    monkeypatch.setattr(opus.av, "__file__", str(tmp_path / "av" / "__init__.py"))
    monkeypatch.setattr(opus.ctypes.util, "find_library", lambda name: f"lib{name}.so.0")
    assert opus._candidates() == ["libopus.so.0"]


def test_a_lost_packet_is_repaired_by_the_next_one_where_that_carries_it(speech):
    made = packets(speech, repairs=True)
    whole, torn = Decoder(RATE), Decoder(RATE)
    wanted, heard, repaired = [], [], 0
    for at, packet in enumerate(made):
        wanted.append(whole.decode(packet))
        if at % 5 == 3 and at + 1 < len(made):
            found = torn.repair(made[at + 1], SIZE)
            repaired += found is not None
            heard.append(np.zeros(SIZE, np.int16) if found is None else found)
        else:
            heard.append(torn.decode(packet))
    lost = [at for at in range(len(made) - 1) if at % 5 == 3 and loudness(wanted[at]) > 500]
    assert len(lost) > 8
    assert repaired >= 0.7 * len(lost)
    levels = [loudness(heard[at]) / loudness(wanted[at]) for at in lost]
    assert 0.5 < float(np.median(levels)) < 1.5


def test_packets_that_carry_nothing_repair_nothing(speech):
    decoder = Decoder(RATE)
    assert not any(decoder.repair(packet, SIZE) is not None for packet in packets(speech))
    assert decoder.repair(b"", SIZE) is None
    assert decoder.repair(b"\xff\xff\xff", SIZE) is None
    assert decoder.repair(packets(speech, repairs=True)[30], 77) is None
    assert decoder.repair(packets(speech, repairs=True)[30], RATE) is None


def test_nothing_is_left_of_streams_that_are_over(speech):
    made = packets(speech)[:3]

    def calls():
        for _ in range(300):
            Decoder(RATE).decode(made[0])
            Encoder(RATE, 32_000, repairs=False).encode(speech[:SIZE])

    calls()
    gc.collect()
    before = psutil.Process().memory_info().rss
    for _ in range(4):
        calls()
    gc.collect()
    # 1,200 of each are 60 MB.
    assert psutil.Process().memory_info().rss - before < 20e6
