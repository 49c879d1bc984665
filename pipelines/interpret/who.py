"""Who speaks: whether a stretch is one person's, and which of those at a microphone it is.

Pure. What tells voices apart here is the pitch and the shape of the spectrum over a second and
more, seen along the directions in which people differ more than one of them does from word to
word; two at once are told by a second pitch beneath the first. Both were learnt from synthetic
voices and a few recordings (`benchmarks/interpret/learn.py`; docs/interpret.md has the figures).
It is no speaker recognition for locks: it tells the few people of one conversation apart.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.interpret import quality
from vivavoce.pipelines.interpret.quality import Float32

Bools = NDArray[np.bool_]

PIECE = 40
"""Voiced frames of which a voice is judged: 0.8 s."""
STEP = 15
"""Voiced frames between two such pieces."""
COEFFICIENTS = 20
"""Of the spectrum's shape."""
COEFFICIENTS_NARROW = 12
"""Of the shape of what a telephone leaves of it."""
CONTEXT = 2
"""Frames on each side that are seen when it is judged whether two speak."""
QUIET = 25.0
"""dB below the loudest frames from which on a frame tells nothing of the voice."""

_FILE = Path(__file__).with_name("who.json")
_TELEPHONE = 1_850.0  # Hz: in the middle of what it leaves, 300 to 3400 Hz


def _shape(bands: int, coefficients: int) -> Float32:
    angle = np.pi / bands * (np.arange(bands)[:, None] + 0.5) * np.arange(1, coefficients + 1)
    found: Float32 = (np.cos(angle) * np.sqrt(2 / bands)).astype(np.float32)
    return found


_INSIDE = np.abs(quality.CENTRES - _TELEPHONE) < _TELEPHONE - 300
# From the bands to the spectrum's shape: of all of them, and of those that a telephone leaves.
_WIDE = _shape(len(quality.CENTRES), COEFFICIENTS)
_NARROW = np.zeros((len(quality.CENTRES), COEFFICIENTS_NARROW), np.float32)
_NARROW[_INSIDE] = _shape(int(_INSIDE.sum()), COEFFICIENTS_NARROW)


@dataclass(frozen=True, slots=True)
class Axes:
    """What was learnt of how people differ, for one bandwidth.

    Attributes:
        directions: Shape (1 + coefficients, n): from a piece's features to n numbers, in which
            one person's pieces have a spread of 1 along each.
        marks: What the marks of a stretch with two people weigh: their means, spreads, weights.
    """

    directions: Float32
    marks: tuple[Float32, ...]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt of voices.

    Attributes:
        wide: Of whole voices.
        narrow: Of voices over a telephone.
        overlap: A small network's weights: mean and spread of its inputs, two layers.
    """

    wide: Axes
    narrow: Axes
    overlap: tuple[Float32, ...]

    @classmethod
    def of(cls, told: dict[str, Any]) -> Learnt:
        """Read it as `benchmarks/interpret/learn.py` writes it."""

        def arrays(given: Any) -> tuple[Float32, ...]:
            return tuple(np.array(each, np.float32) for each in given)

        wide, narrow = (
            Axes(np.array(told[name]["directions"], np.float32), arrays(told[name]["marks"]))
            for name in ("wide", "narrow")
        )
        return cls(wide, narrow, arrays(told["overlap"]))

    def axes(self, *, narrow: bool) -> Axes:
        """Return those for a bandwidth."""
        return self.narrow if narrow else self.wide


@functools.cache
def learnt() -> Learnt:
    """Return what was learnt; read once (1 ms)."""
    return Learnt.of(json.loads(_FILE.read_text("utf-8")))


def voiced(table: Float32, *, speech: float = 0.0) -> Bools:
    """Return which frames of a stretch tell something of a voice.

    Args:
        table: Frames (`quality.Analyser`).
        speech: Probability of speech from which on they do.
    """
    power = table[:, quality.POWER]
    loud = power > np.percentile(power, 95) - QUIET
    found: Bools = (
        (table[:, quality.VOICING] > quality.VOICED) & loud & (table[:, quality.SPEECH] >= speech)
    )
    return found


def features(table: Float32, *, narrow: bool = False) -> Float32:
    """Return pitch and shape of frames, shape (n, 1 + coefficients).

    Args:
        table: Frames.
        narrow: Whether they came over a telephone.
    """
    shape = table[:, quality.BANDS] @ (_NARROW if narrow else _WIDE)
    found: Float32 = np.column_stack([table[:, quality.PITCH], shape]).astype(np.float32)
    return found


def pieces(told: Float32, size: int = PIECE, step: int = STEP) -> Float32:
    """Return the features of pieces of voiced frames, shape (m, 1 + coefficients).

    Args:
        told: Features of voiced frames, in order.
        size: Frames of a piece.
        step: Frames between two.
    """
    if len(told) < size:
        return np.zeros((0, told.shape[1]), np.float32)
    view = np.lib.stride_tricks.sliding_window_view(told, size, axis=0)[::step]
    found: Float32 = view.mean(axis=2, dtype=np.float32)
    # A pitch that was taken an octave too high now and then does not move the middle one.
    found[:, 0] = np.median(view[:, 0], axis=1)
    return found


def prints(told: Float32, *, narrow: bool = False) -> Float32:
    """Return pieces' features along the learnt directions: shape (m, n)."""
    found: Float32 = told @ learnt().axes(narrow=narrow).directions
    return found


def marks(points: Float32) -> Float32 | None:
    """Return the signs that there are two voices in a stretch; None where it is too short.

    Args:
        points: Prints of its pieces, in order.

    Returns:
        How far the two halves into which they fall most easily are apart, the same by how far
        each half is spread, the farthest two, those a fifth of all pairs are farther apart than,
        how far its ends are from the rest; and how long it is. All as logarithms.
    """
    count = len(points)
    if count < 2:
        return None
    gap = np.mean((points[:, None] - points[None]) ** 2, axis=2)
    one, other = np.unravel_index(int(gap.argmax()), gap.shape)
    half = gap[:, one] > gap[:, other]
    middles = points[one], points[other]
    for _ in range(4):
        if half.all() or not half.any():
            break
        middles = points[~half].mean(axis=0), points[half].mean(axis=0)
        half = np.mean((points - middles[1]) ** 2, axis=1) < np.mean(
            (points - middles[0]) ** 2, axis=1
        )
    apart = float(np.mean((middles[0] - middles[1]) ** 2))
    # Somebody else's few words are at an end of it, as a rule.
    run = min(3, count // 2)
    ends = max(
        float(np.mean((part.mean(axis=0) - rest.mean(axis=0)) ** 2))
        for part, rest in ((points[:run], points[run:]), (points[-run:], points[:-run]))
    )
    own = np.where(half[:, None], middles[1], middles[0])
    spread = float(np.mean((points - own) ** 2))
    pairs = gap[np.triu_indices(count, 1)]
    found: Float32 = np.log(
        np.array(
            [
                apart + 0.05,
                apart / (spread + 1) + 0.05,
                float(pairs.max()) + 0.05,
                float(np.percentile(pairs, 80)) + 0.05,
                ends + 0.05,
                (count + 1) / 10,
            ],
            np.float32,
        )
    )
    return found


def apart(points: Float32, *, narrow: bool = False) -> float:
    """Return how likely a stretch holds two people who take turns: above 0, rather two.

    A logarithm of odds; -9 where there is too little to tell.
    """
    found = marks(points)
    if found is None:
        return -9.0
    middle, spread, weights = learnt().axes(narrow=narrow).marks
    return float(((found - middle) / spread) @ weights[:-1] + weights[-1])


def around(hints: Float32) -> Float32:
    """Return each frame's hints with those of its neighbours: shape (n, inputs)."""
    count = len(hints)
    padded = np.pad(hints, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    return np.concatenate([padded[at : at + count] for at in range(2 * CONTEXT + 1)], axis=1)


def hints(table: Float32) -> Float32:
    """Return what of frames tells that two speak at once: shape (n, 9)."""
    pitch = table[:, quality.PITCH]
    steady = np.abs(np.diff(pitch, prepend=pitch[:1])) < 0.5
    found: Float32 = np.column_stack(
        [table[:, quality.VOICING], table[:, quality.HINTS], steady]
    ).astype(np.float32)
    return found


def overlap(table: Float32) -> Float32:
    """Return for each frame how likely two people speak in it at once: above 0, rather two.

    Means nothing where nobody speaks. Shape (n,).
    """
    middle, spread, first, first_bias, second, second_bias = learnt().overlap
    hidden = np.tanh((around(hints(table)) - middle) / spread @ first + first_bias)
    found: Float32 = hidden @ second + second_bias[0]
    return found


STRANGER = 3.0
"""Distance from which on somebody is somebody else."""


def distance(points: Float32, person: Float32) -> float:
    """Return how far a stretch's pieces are from what somebody sounds like, on average.

    Two stretches of one person are less than 1 apart, two people's 3 and more.

    Args:
        points: Prints, shape (m, n).
        person: The mean of theirs, shape (n,).
    """
    return float(np.mean((points.mean(axis=0) - person) ** 2))
