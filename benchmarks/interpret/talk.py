"""The talk: five minutes of English with the end of every word known.

It is spoken by espeak-ng, which tells where its words begin; a word ends where it is last heard
before the next one. Two stretches of half a minute have no pause at all. What a transcriber would
write keeps its punctuation there too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.understood import speak
from vivavoce.pipelines.interpret.tracing import Sounded

RATE = 16_000
"""Hz."""
LEAD = 0.6
"""Silence in front of the first word (s)."""
BREATH = 0.5
"""Silence behind a line (s)."""
PARAGRAPH = 1.0
"""Silence where there is an empty line (s)."""
PACE = 160
"""Words a minute, as espeak-ng counts."""
FILE = Path(__file__).with_name("talk.txt")

_VOICED = 300
"""Amplitude from which a sample is heard."""
_MARKS = re.compile(r"[,;:.!?]")

Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Talk:
    """Speech, and where its words are.

    Attributes:
        samples: int16, mono, `RATE`.
        words: All words, in order, on the clock of the samples (s).
        monologues: Begin and end of the stretches without a pause (s).
    """

    samples: Samples
    words: tuple[Sounded, ...]
    monologues: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        """How long it is (s)."""
        return len(self.samples) / RATE

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(word.text for word in self.words)

    def script(self) -> list[list[object]]:
        """Return it as one utterance of the sandbox's `script.hear`: words, ends from its onset."""
        onset = self.words[0].started
        return [[word.text, round(word.ended - onset, 3)] for word in self.words]


def read(text: str) -> list[tuple[str, bool, float]]:
    """Return a talk's lines: what is said in one breath, whether without a pause, what follows.

    Lines in a row that are marked with ~ are one.
    """
    lines: list[tuple[str, bool, float]] = []
    for raw in text.splitlines():
        stripped = raw.strip()
        if stripped.startswith("#"):
            continue
        if not stripped:
            if lines:
                lines[-1] = (*lines[-1][:2], PARAGRAPH)
            continue
        flowing = stripped.startswith("~")
        words = " ".join(stripped.lstrip("~").split())
        if flowing and lines and lines[-1][1] and lines[-1][2] == BREATH:
            words = f"{lines.pop()[0]} {words}"
        lines.append((words, flowing, BREATH))
    return lines


@cache
def talk(minutes: float = 0.0) -> Talk:
    """Speak it.

    Args:
        minutes: How long it goes on; the talk begins again until then. Once through if 0.
    """
    parts: list[Samples] = [np.zeros(round(LEAD * RATE), np.int16)]
    at = len(parts[0])
    words: list[Sounded] = []
    monologues: list[tuple[float, float]] = []
    lines = read(FILE.read_text(encoding="utf-8"))
    while True:
        for text, flowing, pause in lines:
            audio, timed = line(text, flowing=flowing)
            begun = at / RATE
            words += [Sounded(w.text, begun + w.started, begun + w.ended) for w in timed]
            silence = np.zeros(round(pause * RATE), np.int16)
            parts += [audio, silence]
            at += len(audio) + len(silence)
            if flowing:
                monologues.append((begun, begun + len(audio) / RATE))
            if minutes and at >= minutes * 60 * RATE:
                break
        if at >= minutes * 60 * RATE:
            break
    return Talk(np.concatenate(parts), tuple(words), tuple(monologues))


@cache
def line(text: str, *, flowing: bool) -> tuple[Samples, tuple[Sounded, ...]]:
    """Say a line; return it without the silence around it, and its words from its beginning.

    Args:
        text: The line.
        flowing: Whether it is said without a pause at its marks.
    """
    spoken = speak(_MARKS.sub("", text) if flowing else text, "en-us", pace=PACE)
    samples: Samples = np.asarray(spoken.samples).astype(np.int16)
    heard = np.flatnonzero(np.abs(samples.astype(np.int32)) > _VOICED)
    # The helper counts from the first voiced sample, as the sandbox's ear does.
    samples = samples[heard[0] : heard[-1] + 1]
    loud = np.abs(samples.astype(np.int32)) > _VOICED
    words: list[Sounded] = []
    started = 0.0
    for word, (_, until) in zip(text.split(), spoken.words, strict=True):
        limit = min(len(samples), round(until * RATE))
        voiced = np.flatnonzero(loud[round(started * RATE) : limit])
        ended = started + (int(voiced[-1]) + 1) / RATE if len(voiced) else limit / RATE
        words.append(Sounded(word, started, ended))
        started = limit / RATE
    return samples, tuple(words)
