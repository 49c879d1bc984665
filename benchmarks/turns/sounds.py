"""What a caller does while the agent speaks: noises, a listener's words, interruptions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.caller import RATE

Samples = NDArray[np.int16]
Floats = NDArray[np.float64]

LISTENING = (
    *("Yeah.", "Mm-hm.", "Right.", "Okay.", "Mm.", "Uh-huh.", "Yes.", "Sure.", "Mm-hm."),
    *("I see.", "Oh.", "Yeah, right.", "Mm.", "Okay, great."),
)
HUMMED = {"Mm.": (0.35,), "Mm-hm.": (0.18, 0.26)}
"""What a synthesiser spells out, and is hummed instead: the length of each hum (s)."""

INTERRUPTIONS = (
    *("Stop.", "No.", "Wait.", "Wait a moment.", "Hold on.", "Sorry?", "Excuse me.", "What?"),
    *("Stop it please.", "No, not that.", "Hang on a second.", "Can you repeat that?"),
    *("I have a question.", "That is wrong.", "How much is it?", "Let me think."),
    *("Never mind that.", "Actually, I changed my mind.", "Is there anything else?"),
    *("I did not say that.", "Slow down please.", "Who is this?", "One moment.", "Hello?"),
    *("Please be quiet.", "I already know that.", "Can I speak to a person?", "Five o'clock."),
    *("Where is that?", "Not today."),
)


def _band(noise: Floats, low: float, high: float) -> Floats:
    """Keep a band of a noise (Hz), with soft edges."""
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    keep = 1 / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 4)
    found: Floats = np.fft.irfft(spectrum * keep, len(noise))
    return found


def _level(sound: Floats, peak: float) -> Samples:
    found: Samples = (sound / np.abs(sound).max() * peak * 32_767).astype(np.int16)
    return found


def cough(dice: np.random.Generator) -> Samples:
    """Return one to three bursts of breath, 80 to 400 ms each, through a throat's resonances."""
    parts: list[Floats] = []
    for _ in range(int(dice.integers(1, 4))):
        count = round(dice.uniform(0.08, 0.4) * RATE)
        time = np.arange(count) / RATE
        rise = np.minimum(1, time / 0.008)
        noise = dice.normal(0, 1, count)
        burst = _band(noise, 300, 1_200) + 0.4 * _band(noise, 1_500, 4_500)
        parts += [burst * rise * np.exp(-time / dice.uniform(0.04, 0.12))]
        parts += [np.zeros(round(dice.uniform(0.05, 0.2) * RATE))]
    return _level(np.concatenate(parts), dice.uniform(0.15, 0.6))


def throat(dice: np.random.Generator) -> Samples:
    """Return a throat being cleared: rough, pulsed noise with some pitch, twice."""
    parts: list[Floats] = []
    for _ in range(2):
        count = round(dice.uniform(0.15, 0.35) * RATE)
        time = np.arange(count) / RATE
        pitch = dice.uniform(70, 110) * (1 - 0.3 * time / time[-1])
        phase = np.cumsum(pitch) / RATE + np.cumsum(dice.normal(0, 0.02, count))
        pulse = np.maximum(0, np.sin(2 * np.pi * phase)) ** 3
        noise = _band(dice.normal(0, 1, count), 250, 2_000)
        hull = np.sin(np.pi * np.minimum(1, time / time[-1])) ** 0.5
        parts += [noise * (0.3 + pulse) * hull, np.zeros(round(0.08 * RATE))]
    return _level(np.concatenate(parts), dice.uniform(0.1, 0.5))


def hum(lengths: tuple[float, ...], dice: np.random.Generator) -> Samples:
    """Return a hum with the mouth closed, falling or rising from one to the next.

    Harmonics of a voice through a nose: strong around 250 Hz, hardly anything above 1 kHz; an
    "h" of breath stands between two hums.
    """
    voice = dice.uniform(95, 210)
    parts: list[Floats] = []
    for number, length in enumerate(lengths):
        count = round(length * dice.uniform(0.85, 1.2) * RATE)
        way = np.linspace(0, 1, count)
        slope = -0.1 if len(lengths) == 1 else 0.08
        pitch = voice * (1 + 0.18 * number + slope * way)
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        sound = np.zeros(count)
        for harmonic in range(1, 16):
            hertz = harmonic * voice
            nose = 1 / (1 + ((hertz - 250) / 150) ** 2) + 0.08 / (1 + ((hertz - 1_100) / 200) ** 2)
            sound += nose / harmonic**0.5 * np.sin(harmonic * phase)
        hull = np.minimum(1, np.minimum(way, 1 - way) * count / (0.03 * RATE))
        parts.append(sound * hull)
        breath = _band(dice.normal(0, 1, round(0.06 * RATE)), 300, 1_500)
        if number + 1 < len(lengths):
            parts.append(0.05 * breath)
    return _level(np.concatenate(parts), dice.uniform(0.1, 0.4))


def door(dice: np.random.Generator) -> Samples:
    """Return a door that slams: a thump, its rattle and the room."""
    count = round(0.6 * RATE)
    time = np.arange(count) / RATE
    thump = np.sin(2 * np.pi * dice.uniform(45, 90) * time) * np.exp(-time / 0.09)
    crack = _band(dice.normal(0, 1, count), 150, 3_000) * np.exp(-time / 0.035)
    room = _band(dice.normal(0, 1, count), 100, 1_000) * np.exp(-time / 0.2)
    return _level(3 * thump + crack / crack.std() * 0.25 + room / room.std() * 0.1, 0.7)


def keyboard(dice: np.random.Generator) -> Samples:
    """Return a second and more of typing: clicks of some ms, irregular."""
    sound = np.zeros(round(dice.uniform(0.8, 2.0) * RATE))
    at = 0.02
    while at < len(sound) / RATE - 0.05:
        count = round(0.03 * RATE)
        time = np.arange(count) / RATE
        click = _band(dice.normal(0, 1, count), 1_000, 5_000) * np.exp(-time / 0.004)
        begin = round(at * RATE)
        sound[begin : begin + count] += click * dice.uniform(0.4, 1)
        at += dice.uniform(0.07, 0.25)
    return _level(sound, dice.uniform(0.05, 0.3))


NOISES: dict[str, Callable[[np.random.Generator], Samples]] = {
    "cough": cough,
    "throat": throat,
    "door": door,
    "keyboard": keyboard,
}
