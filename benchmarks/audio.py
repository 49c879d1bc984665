"""What the sample-level parts cost: median and 99th percentile per call, on this machine.

OPENBLAS_NUM_THREADS=1 python -m benchmarks.audio
"""

import asyncio
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Before numpy is imported: a BLAS thread per core costs more than it gives here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import soxr

from vivavoce.pipelines.audio import convert
from vivavoce.pipelines.audio.activity import VoiceActivity
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.audio.ring import Ring
from vivavoce.pipelines.audio.smart_turn import SPAN, SmartTurn, features
from vivavoce.pipelines.audio.vad import SileroVad, WebRtcVad
from vivavoce.pipelines.audio.wav import WavReader, WavWriter

RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_random = np.random.default_rng(7)


def noise(samples: int) -> convert.Int16:
    """White noise at -18 dBFS, int16."""
    return (_random.standard_normal(samples) * 4096).astype(np.int16)


def measure(call: Callable[[], object], times: int = 500) -> tuple[float, float]:
    """Median and 99th percentile of a call (µs)."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(taken), float(np.percentile(taken, 99))


def show(name: str, call: Callable[[], object], times: int = 500) -> None:
    median, tail = measure(call, times)
    print(f"{name:<52} {median:>10.1f} {tail:>10.1f}")


def held_back(feed: Callable[[convert.Int16], convert.Int16], source: int, target: int) -> float:
    """How much later than its input sound comes out, on average over 20 ms blocks (ms)."""
    block = noise(source // 50)
    lags, fed, made = [], 0, 0
    for _ in range(250):
        made += feed(block).size
        fed += block.size
        lags.append(fed / source - made / target)
    return statistics.fmean(lags[50:]) * 1e3


def resamplers() -> None:
    print("\nresampling, 20 ms blocks of int16           median    p99 µs   held back ms")
    pairs = [(8, 16), (16, 8), (24, 8), (24, 16), (48, 16), (16, 48), (24, 48), (48, 24)]
    pairs = [(a * 1000, b * 1000) for a, b in pairs] + [(44_100, 16_000), (22_050, 16_000)]
    for source, target in pairs:
        block = noise(source // 50)
        ours = Resampler(source, target)
        rows = [("ours", ours.feed)]
        for quality in ("VHQ", "HQ", "QQ"):
            stream = soxr.ResampleStream(source, target, 1, "int16", quality)
            rows.append((f"soxr {quality}", stream.resample_chunk))
        for name, feed in rows:
            median, tail = measure(lambda feed=feed, block=block: feed(block))
            if name == "ours":
                fresh = Resampler(source, target).feed
            else:
                fresh = soxr.ResampleStream(source, target, 1, "int16", name[5:]).resample_chunk
            lag = held_back(fresh, source, target)
            print(f"{source:>6} -> {target:<6} {name:<24} {median:>9.1f} {tail:>9.1f} {lag:>9.2f}")
    worst = 0.0
    for source, target in itertools.permutations(RATES, 2):
        ours, block = Resampler(source, target), noise(source // 50)
        worst = max(worst, measure(lambda ours=ours, block=block: ours.feed(block), 200)[0])
    print(f"worst median of all {len(RATES) * (len(RATES) - 1)} pairs: {worst:.1f} µs")


def conversions() -> None:
    print(f"\n{'20 ms at 16 kHz unless said':<52} {'median µs':>10} {'p99 µs':>10}")
    pcm = noise(320)
    audio = convert.to_float32(pcm)
    second = convert.to_float32(noise(24_000))
    stream, raw = convert.FloatStream(), audio.tobytes()
    ring = Ring(16_000 * 30)
    show("int16 to float32", lambda: convert.to_float32(pcm))
    show("float32 to int16", lambda: convert.to_int16(audio))
    show("float32 to int16, 1 s at 24 kHz", lambda: convert.to_int16(second))
    show("RMS level", lambda: convert.rms_dbfs(pcm))
    show("encode μ-law", lambda: convert.encode_mulaw(pcm))
    show("decode μ-law", lambda: convert.decode_mulaw(raw[:320]))
    show("float32 bytes to int16, unaligned chunks", lambda: stream.feed_int16(raw[:1277]))
    show("ring: push", lambda: ring.push(pcm))
    show("ring: last 8 s", lambda: ring.last(SPAN))


def detectors() -> None:
    print(f"\n{'voice':<52} {'median µs':>10} {'p99 µs':>10}")
    silero, eight, webrtc = SileroVad(), SileroVad(8_000), WebRtcVad()
    window, short, block = noise(512), noise(256), noise(320)
    show("Silero, a window of 32 ms", lambda: silero.feed(window))
    show("Silero at 8 kHz", lambda: eight.feed(short))
    show("WebRTC, a window of 20 ms", lambda: webrtc.feed(block))
    windows = iter(SileroVad().feed(noise(512 * 600)))
    activity = VoiceActivity()
    show("voice activity, a window", lambda: activity.feed(next(windows)))


def turns() -> None:
    print(f"\n{'end of turn, 8 s':<52} {'median µs':>10} {'p99 µs':>10}")
    audio = convert.to_float32(noise(SPAN))
    model = SmartTurn()
    show("spectrogram", lambda: features(audio), 100)
    show("spectrogram of 2 s", lambda: features(audio[: SPAN // 4]), 100)
    show("probability", lambda: model.probability(audio), 40)
    with asyncio.Runner() as runner:
        show("ask, by way of the worker", lambda: runner.run(model.ask(audio)), 40)


def files() -> None:
    print(f"\n{'files':<52} {'median µs':>10} {'p99 µs':>10}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.wav")
        block = noise(480)
        with WavWriter(path, 24_000) as wav:
            show("write 20 ms at 24 kHz", lambda: wav.write(block), 3_000)

        def read() -> int:
            with WavReader(path) as reader:
                return sum(part.size for part in reader)

        show("read 60 s of 24 kHz as 16 kHz", read, 10)


def main() -> None:
    resamplers()
    conversions()
    detectors()
    turns()
    files()


if __name__ == "__main__":
    main()
