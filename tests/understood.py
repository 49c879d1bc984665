"""What was said in a recording, where no recogniser knows the language: one of several sentences.

Each candidate is spoken anew by espeak-ng in its language, and the recording is compared with all
of them: cepstra of mel bands, cut at the telephone's band, aligned by dynamic time warping. It
tells which candidate is nearest and by how much; what is nearest to nothing is not understood.

`speak` gives the speech itself with the end of every word: the audio of a French caller, and what
a script lets the sandbox hear of it, word by word.
"""

import base64
import functools
import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import soxr

from tests.speech import has_espeak
from tests.wordtimes import WORKER

RATE = 16_000


@dataclass(frozen=True)
class Spoken:
    """Speech, and where its words are.

    Attributes:
        text: What is said.
        samples: int16, mono, at `rate`, read-only.
        rate: Hz.
        words: [word, end] pairs, ends in seconds from the first voiced sample: what the sandbox's
            `script.hear` takes for an utterance.
    """

    text: str
    samples: np.ndarray
    rate: int
    words: list


@dataclass(frozen=True)
class Understood:
    """What a recording was taken for.

    Attributes:
        text: The nearest candidate; "" where none is near.
        distance: Its distance, from 0; below `NEAR` it is understood.
        margin: How much further the next candidate is, as a ratio from 1.
    """

    text: str
    distance: float
    margin: float


NEAR = 0.42
"""A sentence is nearer to itself than this, another further: test_understood.py shows by how much."""


def speak(text, language="fr", *, female=False, pace=165, rate=RATE):
    """Speak a text with espeak-ng; skips the test where it is not installed.

    Args:
        text: A sentence or a few.
        language: One of espeak-ng's: "fr", "es", "en-us" …
        female: Whose voice.
        pace: Words a minute.
        rate: Of the result (Hz).
    """
    return _speak(text, language, female, pace, rate)


@functools.cache
def _speak(text, language, female, pace, rate):
    ((samples, events),) = _synthesised(((text, language, female, pace),))
    onset = int(np.argmax(np.abs(samples.astype(np.int32)) > 200)) / 22_050
    seconds = len(samples) / 22_050 - onset
    starts, place = [], 0
    words = text.split()
    for word in words:
        place = text.index(word, place)
        began = [ms for at, ms in events if place <= at < place + len(word)]
        starts.append(began[0] / 1000 - onset if began else None)
        place += len(word)
    ends = []
    for index in range(len(words)):
        later = [start for start in starts[index + 1 :] if start is not None]
        ends.append(round(max([*ends[-1:], later[0] if later else seconds, 0.0]), 3))
    made = soxr.resample(samples, 22_050, rate)
    made.setflags(write=False)
    return Spoken(text, made, rate, [list(pair) for pair in zip(words, ends, strict=True)])


@functools.cache
def _synthesised(jobs):
    if not has_espeak():
        pytest.skip("needs espeakng-loader: pip install espeakng-loader==0.2.4")
    asked = [[text, [language, 2 if female else 1, pace]] for text, language, female, pace in jobs]
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=json.dumps(asked).encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    if done.returncode or not done.stdout:
        pytest.skip(f"espeak-ng does not speak here: {done.stderr.decode().strip()[-200:]}")
    return [
        (np.frombuffer(base64.b64decode(sound), np.int16), events)
        for _rate, sound, events in json.loads(done.stdout)
    ]


def understood(samples, rate, candidates, language="fr"):
    """Tell which of some sentences was said in a recording.

    Args:
        samples: Mono, int16 or float32 in -1..1; silence and a little noise around are fine, a
            second sentence is not: cut at pauses first (`pieces`).
        rate: Hz.
        candidates: The sentences that it may be, in one language.
        language: espeak-ng's name of it.

    Returns:
        The nearest, how far it is, and how much nearer than the next.
    """
    heard = _features(_float(samples), rate)
    candidates = list(dict.fromkeys(candidates))
    if heard is None or not candidates:
        return Understood("", float("inf"), 1.0)
    references = _references(tuple(candidates), language)
    found = []
    for text, takes in zip(candidates, references, strict=True):
        found.append((min(_warped(heard, take) for take in takes), text))
    found.sort()
    distance, text = found[0]
    margin = found[1][0] / max(distance, 1e-9) if len(found) > 1 else float("inf")
    return Understood(text if distance < NEAR else "", distance, margin)


def pieces(samples, rate, pause=0.35):
    """Cut a recording at its pauses; return its stretches of speech, as samples.

    Args:
        samples: As `understood` takes them.
        rate: Hz.
        pause: How long a silence parts two of them (s).
    """
    values = _float(samples)
    step = rate // 50
    frames = values[: len(values) // step * step].reshape(-1, step)
    loud = np.sqrt(np.mean(frames**2, axis=1)) if len(frames) else np.zeros(0)
    voiced = np.flatnonzero(loud > max(0.004, 0.05 * float(loud.max(initial=0))))
    found, gap = [], round(pause * 50)
    for group in np.split(voiced, np.flatnonzero(np.diff(voiced) > gap) + 1):
        if len(group) >= 5:  # 0.1 s: a click is no speech
            found += [values[max(0, group[0] - 2) * step : (group[-1] + 3) * step]]
    return found


def _float(samples):
    values = np.asarray(samples)
    return values.astype(np.float32) / 32768 if values.dtype == np.int16 else values


@functools.cache
def _references(candidates, language):
    """Speak every candidate in both voices: whose is to be recognised is not known."""
    jobs = tuple((text, language, female, 165) for text in candidates for female in (False, True))
    takes = [_features(_float(samples), 22_050) for samples, _events in _synthesised(jobs)]
    return [takes[at : at + 2] for at in range(0, len(takes), 2)]


_BANDS, _CEPSTRA, _STEP_S = 26, 13, 0.015


@functools.cache
def _filters():
    """Triangular mel bands of 250 to 3400 Hz over a spectrum of 512 points at 16 kHz."""

    def mel(hertz):
        return 2595 * np.log10(1 + np.asarray(hertz) / 700)

    edges = 700 * (10 ** (np.linspace(mel(250), mel(3400), _BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(512, 1 / RATE)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    bands = np.maximum(0, np.minimum(rising, falling))
    cosine = np.cos(np.pi / _BANDS * np.arange(1, _CEPSTRA)[:, None] * (np.arange(_BANDS) + 0.5))
    return bands, cosine


def _features(values, rate):
    """Cepstra and their slopes, shape (frames, n), each with mean 0 and variance 1."""
    if rate != RATE:
        values = soxr.resample(values, rate, RATE)
    hop = round(_STEP_S * RATE)
    if len(values) < 400 + hop * 10:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(values, 400)[::hop] * np.hamming(400)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    energy = power[:, 8:110].sum(axis=1)
    voiced = np.flatnonzero(energy > 1e-3 * np.percentile(energy, 95))
    if len(voiced) < 10:
        return None
    power = power[voiced[0] : voiced[-1] + 1]
    bands, cosine = _filters()
    mels = power @ bands.T
    logs = np.log(mels + 1e-3 * mels.mean())
    cepstra = logs @ cosine.T
    slopes = np.gradient(cepstra, axis=0) * 3
    both = np.concatenate((cepstra, slopes), axis=1)
    return ((both - both.mean(axis=0)) / (both.std(axis=0) + 1e-6)).astype(np.float32)


def _warped(one, two):
    """Distance of two recordings, aligned: mean cosine-like distance of the frames on the way."""
    longer, shorter = max(len(one), len(two)), min(len(one), len(two))
    if longer > 2.2 * shorter:
        return 2.0
    norms = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(two, axis=1)
    costs = 1 - (one @ two.T) / np.maximum(norms, 1e-6)
    # Along the antidiagonals, so that numpy does the inner loop.
    height, width = costs.shape
    steps = np.arange(height)
    previous = np.full(height + 1, np.inf)  # by row + 1
    previous[0] = 0.0  # the corner in front of the first frames
    current = np.full(height + 1, np.inf)
    for diagonal in range(height + width - 1):
        rows = steps[max(0, diagonal - width + 1) : diagonal + 1]
        cost = costs[rows, diagonal - rows]
        best = np.full(height + 1, np.inf)
        # Straight on costs both frames; aside, one: the sum is over as many as both have.
        aside = np.minimum(current[rows], current[rows + 1]) + cost
        best[rows + 1] = np.minimum(previous[rows] + 2 * cost, aside)
        previous, current = current, best
    return float(current[height]) / (height + width)
