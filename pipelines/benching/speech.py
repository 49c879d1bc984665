"""The speech of a bench: a person, since synthetic voices mislead whoever judges ends of turns.

It comes with the embedded recogniser: eight sentences of "A Tale of Two Cities", read for LibriVox
(public domain), so that nothing has to be fetched.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.pipelines.benching.clip import Clip, ClipError, make_clip
from vivavoce.pipelines.benching.take import RATE

FILE = "two_cities.wav"
SENTENCES: tuple[tuple[float, float, str], ...] = (
    (5.00, 6.30, "It was the age of wisdom."),
    (6.65, 8.30, "It was the age of foolishness."),
    (10.70, 12.90, "It was the epoch of incredulity."),
    (13.40, 14.90, "It was the season of light."),
    (15.10, 16.80, "It was the season of darkness."),
    (24.60, 26.10, "We were all going direct to heaven."),
    (26.50, 28.40, "We were all going direct the other way."),
    (29.90, 32.40, "The period was so far like the present period."),
)
"""Where in the recording each sentence is (s), and its words."""


def sentences() -> list[Clip]:
    """Return the sentences.

    Raises:
        ClipError: The recogniser is not installed.
    """
    spec = find_spec("moonshine_voice")
    if spec is None or spec.origin is None:
        raise ClipError("the embedded models are missing: pip install 'vivavoce[sandbox]'")
    reader = WavReader(Path(spec.origin).parent / "assets" / FILE, RATE, block=RATE)
    try:
        samples = np.concatenate(list(reader))
    finally:
        reader.close()
    return [
        make_clip(text, "cut", samples[round(start * RATE) : round(end * RATE)], text)
        for start, end, text in SENTENCES
    ]
