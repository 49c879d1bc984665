"""Who speaks, told by pitch: a stand-in for diarization that is wrong for voices of one height.

Labels count up in the order in which voices come, anew with every request, as real ones do.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vivavoce.sandbox.pcm import HEARING_RATE, Samples

LOWEST, HIGHEST = 60.0, 400.0  # Hz, of human voices
APART = 3.0  # semitones between two voices
_FRAME = HEARING_RATE // 25  # 40 ms: two periods of the lowest voice and more
_VOICED = 0.5  # of the energy that repeats after a period


def pitch(samples: Samples) -> float | None:
    """Give the median pitch (Hz) of a clip at 16 kHz; None where nothing in it is voiced."""
    whole = samples[: len(samples) - len(samples) % _FRAME].reshape(-1, _FRAME)
    if not len(whole):
        return None
    energy = np.square(whole).sum(axis=1)
    loud = whole[energy > max(float(energy.max()) / 30, 1e-4)]
    loud = loud[:: max(len(loud) // 200, 1)]  # a minute needs no more of them than a sentence
    if not len(loud):
        return None
    loud = loud - loud.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(loud, 2 * _FRAME, axis=1)
    # How alike a frame is to itself, later by so much; corrected for the shorter overlap.
    alike: npt.NDArray[np.float64] = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :_FRAME]
    alike = alike / (1 - np.arange(_FRAME) / (_FRAME * 1.2))
    first, last = int(HEARING_RATE / HIGHEST), int(HEARING_RATE / LOWEST)
    window = alike[:, first:last]
    best = window.max(axis=1)
    voiced = best > _VOICED * alike[:, 0]
    if not voiced.any():
        return None
    # The first peak nearly as high as the highest: a later one is a multiple of the period.
    window, near = window[voiced], window[voiced] >= 0.9 * best[voiced, None]
    rises = near.argmax(axis=1)
    peaks = [
        first + rise + int(row[rise : rise + (first + rise) // 4 + 1].argmax())
        for row, rise in zip(window, rises, strict=True)
    ]
    return float(HEARING_RATE / np.median(peaks))


class Speakers:
    """One request's speakers.

    Args:
        named: Samples of voices by name; who sounds like one gets that name.
    """

    def __init__(self, named: dict[str, Samples] | None = None) -> None:
        self._known: list[tuple[str, list[float]]] = []
        for name, samples in (named or {}).items():
            height = _height(samples)
            if height is not None:
                self._known.append((name, [height]))
        self._count = 0

    def label(self, samples: Samples) -> str:
        """Say whose voice a clip is."""
        height = _height(samples)
        if height is None:  # a whisper: whoever spoke last
            return self._known[-1][0] if self._known else self._new([])
        best, distance = None, APART
        for name, heights in self._known:
            away = abs(height - float(np.median(heights))) if heights else APART
            if away < distance:
                best, distance = (name, heights), away
        if best is None:
            return self._new([height])
        best[1].append(height)
        return best[0]

    def _new(self, heights: list[float]) -> str:
        self._count += 1
        name = f"speaker_{self._count}"
        self._known.append((name, heights))
        return name


def _height(samples: Samples) -> float | None:
    found = pitch(samples)
    return None if found is None else 12 * float(np.log2(found))
