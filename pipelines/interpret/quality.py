"""Quality: whether a stretch of somebody's speech is fit to be copied, in figures and in words.

Pure. Sound becomes frames (`Analyser`), a row of numbers for every 20 ms; a stretch of them is
measured (`measure`), and judged by `demands`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.interpret.demands import Figures

Float32 = NDArray[np.float32]
Int16 = NDArray[np.int16]

RATE = 16_000
"""Sample rate (Hz)."""
HOP = 320
"""Samples that a frame stands for: the middle of what it is computed from."""
WINDOW = 1_024
"""Samples that a frame is computed from: five periods of the lowest voice and more."""
BEFORE = (WINDOW - HOP) // 2
"""Samples of a frame's window before those it stands for."""
PER_SECOND = RATE // HOP

# The columns of a frame.
POWER = 0
"""Level (dBFS)."""
SPEECH = 1
"""Probability of speech, as the voice detector says."""
VOICING = 2
"""How periodic it is: 0 to 1."""
PITCH = 3
"""Of the voice, in semitones above 1 Hz; means nothing where it is not periodic."""
HINTS = slice(4, 11)
"""Signs of a second voice (`who.overlap`)."""
BANDS = slice(11, 39)
"""Level of 28 bands from 80 to 7600 Hz (natural logarithm of power), as wide as the ear's."""
PEAK = 39
"""The largest sample: 0 to 1."""
BOTH = 40
"""Odds that two people speak at once (`who.overlap`), as a logarithm."""
COLUMNS = 41

VOICED = 0.38
"""Periodicity from which a frame is voiced."""

_SIZE = 2 * WINDOW
_BANDS = 28
_EDGES = (80.0, 7_600.0)
_LOWEST, _HIGHEST = 62.0, 420.0  # Hz, of voices
_SHORT, _LONG = int(RATE / _HIGHEST), int(RATE / _LOWEST)
_BAND = 845.0  # Hz: in the middle of where harmonics stand apart, 90 to 1600 Hz
_NEAR = 14.0  # Hz beside a harmonic that still belongs to it
_FAINT = 0.18  # of the root of the highest peak: 30 dB below it
_NOTHING = 1e-9


def _mel(hertz: NDArray[np.floating] | float) -> Any:
    return 2_595 * np.log10(1 + np.asarray(hertz) / 700)


def _unmel(mel: NDArray[np.floating]) -> NDArray[np.floating]:
    return 700 * (10 ** (mel / 2_595) - 1)


_FREQUENCIES = np.fft.rfftfreq(_SIZE, 1 / RATE).astype(np.float32)
_CORNERS = _unmel(np.linspace(_mel(_EDGES[0]), _mel(_EDGES[1]), _BANDS + 2))
CENTRES: Float32 = _CORNERS[1:-1].astype(np.float32)
"""Centres of the bands (Hz)."""


def _bank() -> Float32:
    up = (_FREQUENCIES[:, None] - _CORNERS[:-2]) / np.diff(_CORNERS[:-1])
    down = (_CORNERS[2:] - _FREQUENCIES[:, None]) / np.diff(_CORNERS[1:])
    bank = np.clip(np.minimum(up, down), 0, None)
    weights: Float32 = (bank / bank.sum(axis=0)).astype(np.float32)
    return weights


_TAPER = np.hanning(WINDOW + 1)[:WINDOW].astype(np.float32)
# What a window does to a periodic sound's likeness to itself, taken out again.
_OWN = np.fft.irfft(np.abs(np.fft.rfft(_TAPER, _SIZE)) ** 2)[: _LONG + 2]
_OWN = (_OWN / _OWN[0]).astype(np.float32)
_BANK = _bank()
_INSIDE = np.flatnonzero(np.abs(_FREQUENCIES - _BAND) < 755)
_HERTZ = _FREQUENCIES[_INSIDE]
_COMBS = (_LOWEST * 2 ** np.arange(0, 2.75, 1 / 24)).astype(np.float32)
_REACH = np.minimum(_NEAR, _COMBS * 0.2)
_ORDER = np.maximum(np.round(_HERTZ[:, None] / _COMBS), 1)
# Which frequencies belong to a pitch, and how much of all of them.
_COMB = (np.abs(_HERTZ[:, None] - _ORDER * _COMBS) < _REACH).astype(np.float32)
_COVERED = np.minimum(2 * _REACH / _COMBS, 1).astype(np.float32)
# What is no second pitch, as parts and multiples of the first one's period.
_KIN = np.array((1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 5 / 2, 3, 4, 5), np.float32)
_ALIKE = 0.045


class Analyser:
    """Makes frames of one stream. Costs 2 ms for a second of sound.

    Frame `n` stands for the samples from `n * HOP + BEFORE` on.
    """

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.int16)

    def feed(self, pcm: Int16) -> tuple[Float32, Int16]:
        """Take a block of any size (int16 mono at `RATE`).

        Returns:
            The frames that it completes, shape (n, COLUMNS), SPEECH and BOTH left at 0; and the
            samples that they stand for, shape (n, HOP).
        """
        held = np.concatenate([self._rest, pcm])
        count = max((len(held) - WINDOW) // HOP + 1, 0)
        self._rest = held[count * HOP :].copy()
        if not count:
            return np.zeros((0, COLUMNS), np.float32), np.zeros((0, HOP), np.int16)
        windows = np.lib.stride_tricks.sliding_window_view(held, WINDOW)[::HOP][:count]
        return frames(windows), windows[:, BEFORE : BEFORE + HOP].copy()


def frames(windows: Int16) -> Float32:
    """Return the frames of windows, shape (n, WINDOW)."""
    rows = np.arange(len(windows))
    sound = windows.astype(np.float32) / 32_768
    middle = sound[:, BEFORE : BEFORE + HOP]
    spectrum = np.fft.rfft(sound * _TAPER, _SIZE, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    inside = power[:, _INSIDE]
    period, voicing = _period(inside)
    table = np.zeros((len(windows), COLUMNS), np.float32)
    table[:, POWER] = 10 * np.log10(np.mean(middle**2, axis=1) + 1e-10)
    table[:, PEAK] = np.abs(middle).max(axis=1)
    table[:, VOICING] = voicing
    table[:, PITCH] = 12 * np.log2(RATE / period)
    # Without the first voice: what is left, and how periodic that is.
    without = inside * (1 - np.cos(2 * np.pi * _HERTZ * (period[:, None] / RATE)))
    left = without.sum(axis=1) / (inside.sum(axis=1) + 1e-12)
    second = _likeness(without)[:, _SHORT : _LONG + 1]
    kin = np.arange(_SHORT, _LONG + 1) / period[:, None]
    masked = (np.abs(kin[:, :, None] / _KIN - 1) < _ALIKE).any(axis=2)
    other = np.where(masked, -1, second).max(axis=1)
    # How much of the spectrum's peaks one pitch explains, and a second one of the rest.
    peaks = _peaks(np.sqrt(power[:, _INSIDE[0] - 1 : _INSIDE[-1] + 2]))
    explained = peaks @ _COMB
    marks = (explained - _COVERED) / (1 - _COVERED)
    best = marks.argmax(axis=1)
    unexplained = peaks * (1 - _COMB[:, best].T)
    amount = unexplained.sum(axis=1)
    again = (unexplained @ _COMB / (amount[:, None] + _NOTHING) - _COVERED) / (1 - _COVERED)
    table[:, HINTS] = np.column_stack(
        [
            np.log(left + 1e-3),
            other,
            marks[rows, best],
            amount,
            again.max(axis=1),
            (peaks > 0).sum(axis=1) / 20,
            table[:, PITCH] / 12 - np.log2(150),
        ]
    )
    table[:, BANDS] = np.log(power @ _BANK + _NOTHING)
    return table


def _likeness(power: Float32) -> Float32:
    """Return how alike frames are to themselves, later by 0 .. _LONG + 1 samples."""
    whole = np.zeros((len(power), len(_FREQUENCIES)), np.float32)
    whole[:, _INSIDE] = power
    alike = np.fft.irfft(whole, axis=1)[:, : _LONG + 2]
    found: Float32 = (alike / (alike[:, :1] + 1e-12) / _OWN).astype(np.float32)
    return found


def _period(power: Float32) -> tuple[Float32, Float32]:
    """Return the period of each frame (samples) and how periodic it is."""
    rows = np.arange(len(power))
    # Of roots, so that one strong harmonic is not taken for the pitch itself.
    alike = _likeness(np.sqrt(power))[:, _SHORT : _LONG + 1]
    # The first peak nearly as high as the highest: a later one is a multiple of the period.
    at = (alike >= 0.94 * alike.max(axis=1, keepdims=True)).argmax(axis=1)
    last = alike.shape[1] - 1
    for _ in range(40):
        after = np.minimum(at + 1, last)
        rises = alike[rows, after] > alike[rows, at]
        if not rises.any():
            break
        at = np.where(rises, after, at)
    low, top, high = (alike[rows, np.clip(at + step, 0, last)] for step in (-1, 0, 1))
    bend = low - 2 * top + high
    shift = np.clip((low - high) / (2 * np.where(np.abs(bend) < _NOTHING, 1, bend)), -0.5, 0.5)
    period: Float32 = (_SHORT + at + shift).astype(np.float32)
    return period, np.clip(top, 0, 1)


def _peaks(amplitude: Float32) -> Float32:
    """Return what stands out of a spectrum, each frame's adding up to 1; roots of amplitudes."""
    middle = amplitude[:, 1:-1]
    top = (middle > amplitude[:, :-2]) & (middle >= amplitude[:, 2:])
    found = np.sqrt(np.where(top, middle, 0))
    found[found <= _FAINT * found.max(axis=1, keepdims=True)] = 0
    share: Float32 = found / (found.sum(axis=1, keepdims=True) + _NOTHING)
    return share


def measure(table: Float32, pauses: Float32) -> Figures:
    """Measure a stretch; but whether it is clipped and one person's.

    Args:
        table: Its frames, SPEECH filled in.
        pauses: Frames of the pauses around it that are not in it, shape (n, COLUMNS).

    Returns:
        The figures, `clipped`, `overlap` and `apart` left out.
    """
    speech = table[:, SPEECH] >= 0.5
    seconds = len(table) / PER_SECOND
    quiet = hushed(table[:, SPEECH])
    hush = np.concatenate([table[quiet], pauses])
    power = table[:, POWER]
    noise, tonal, restless = _behind(table, quiet, hush)
    if speech.sum() < 10:
        return Figures(seconds, float(speech.sum() / PER_SECOND), noise=noise, tonal=tonal)
    loud = speech & (power > np.percentile(power[speech], 95) - 20)
    voice = loud & (table[:, VOICING] > VOICED)
    bands = np.percentile(table[loud, BANDS], 95, axis=0)
    there = bands > bands.max() - _DEPTH
    if len(hush) >= 5:
        there &= bands > np.median(hush[:, BANDS], axis=0) + 1.0  # 4 dB
    pitch = table[:, PITCH]
    still = np.abs(pitch[10:] - pitch[:-10]) < 0.12
    held = voice[10:] & voice[:-10] & voice[5:-5]
    falls = np.where(loud[:-4], power[:-4] - power[4:], np.nan)
    return Figures(
        seconds=seconds,
        speech=float(speech.sum() / PER_SECOND),
        level=_level(power[loud]),
        noise=noise,
        tonal=tonal,
        restless=restless,
        between=_between(power),
        bandwidth=float(CENTRES[np.flatnonzero(there)[-1]]) if there.any() else 0.0,
        fall=min(
            (
                float(np.nanpercentile(part, 97))
                for part in parts(falls, 2.0)
                if np.isfinite(part).sum() >= _FALLS
            ),
            default=0.0,
        ),
        steady=float(still[held].mean()) if held.sum() >= 20 else 0.0,
    )


def parts(given: NDArray[Any], seconds: float = 3.0) -> list[NDArray[Any]]:
    """Cut a stretch into parts of about so long: what is wrong in one of them is wrong."""
    return np.array_split(given, max(1, round(len(given) / (seconds * PER_SECOND))))


def _behind(table: Float32, quiet: NDArray[np.bool_], hush: Float32) -> tuple[float, float, float]:
    """Return what is heard in the pauses: its level, how tonal it is, how much it varies (dB).

    Of a pause the middle counts: a voice detector takes some of a voice for a pause. Of several
    parts the worst counts.
    """
    power = table[:, POWER]
    if len(hush) < 5:  # no pause at all: what is heard between two sounds
        return (float(np.percentile(power, 4)) if len(power) else -100.0), 0.0, 0.0
    levels = [np.percentile(hush[:, POWER], 40)]
    for part, still in zip(parts(power), parts(quiet), strict=True):
        if still.sum() >= 8:
            levels.append(np.percentile(part[still], 40))
    low, high = np.percentile(hush[:, POWER], (20, 90))
    return float(max(levels)), float(np.mean(hush[:, VOICING] > 0.55)), float(high - low)


def _between(power: Float32) -> float:
    """Return the level of what is heard between the sounds of the second where it is loudest.

    A voice sinks lower than that again and again; only a noise does not let it.
    """
    size = int(1.3 * PER_SECOND)
    if len(power) < size:
        return -100.0
    blocks = np.lib.stride_tricks.sliding_window_view(power, size)[:: PER_SECOND // 3]
    return float(np.percentile(blocks, 5, axis=1).max())


_FALLS = 40  # loud frames, without which nothing is told of how they end
_DEPTH = 11.0  # 48 dB below the loudest band: deeper, nothing is a voice's


def hushed(speech: Float32) -> NDArray[np.bool_]:
    """Return which frames are pauses for certain: no speech in them or beside them."""
    near = np.pad(speech >= 0.3, 2)
    count = len(speech)
    found: NDArray[np.bool_] = ~np.any([near[at : at + count] for at in range(5)], axis=0)
    return found


def _level(power: Float32) -> float:
    """Return the level of frames together (dBFS)."""
    return float(10 * np.log10(np.mean(10 ** (power.astype(np.float64) / 10)) + 1e-10))


def clipped(table: Float32, pcm: Int16) -> float:
    """Return the share of a stretch's samples that are at its own ceiling.

    A recording that was cut off and then turned down has one, too.

    Args:
        table: Its frames.
        pcm: Their samples, shape (n, HOP).
    """
    return max(
        (
            _clipped(peak, part)
            for peak, part in zip(parts(table[:, PEAK]), parts(pcm), strict=True)
        ),
        default=0.0,
    )


def _clipped(peak: Float32, pcm: Int16) -> float:
    top = float(peak.max(initial=0.0))
    if top < 0.03:
        return 0.0
    # Only frames that come near it are looked into.
    size = np.abs(pcm[peak >= 0.9 * top].astype(np.float32)) / 32_768
    at = int((size >= 0.985 * top).sum())
    # A ceiling is where samples crowd: nature's peaks are rarer the higher they are.
    below = int((size >= 0.9 * top).sum()) - at
    return at / pcm.size if at > 0.35 * below else 0.0
