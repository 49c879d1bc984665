"""Comfort noise (RFC 3389): what a silent caller's room sounds like.

A silence descriptor gives the noise's level and, if it likes, its spectrum as reflection
coefficients. The noise is made once per descriptor, as a loop without a joint, and read off.
"""

from __future__ import annotations

import numpy as np

from vivavoce.pipelines.audio.convert import Int16

PAYLOAD_TYPE = 13
"""The static payload type of comfort noise at 8 kHz."""

_MAX_ORDER = 12
_LOUDEST = 30  # -dBov: a descriptor may not shout
_SHARPEST = 0.98  # reflection
_DEEPEST = 1e-3  # 60 dB
_LOOP = 0.512  # s


class ComfortNoise:
    """Makes the noise that the last descriptor told.

    Args:
        rate: Sample rate (Hz).
        seed: Of the noise.

    Attributes:
        known: Whether there was a descriptor.
    """

    def __init__(self, rate: int, *, seed: int = 1) -> None:
        self.known = False
        self._payload = b""
        self._size = round(rate * _LOOP)
        self._random = np.random.default_rng(seed)
        self._loop: Int16 = np.zeros(self._size, np.int16)
        self._at = 0

    def update(self, payload: bytes) -> None:
        """Take a silence descriptor; one that is empty is ignored."""
        if not payload or payload == self._payload:
            return
        self.known = True
        self._payload = payload[:64]
        level = max(_LOUDEST, payload[0] & 0x7F)
        response = _response(payload[1 : 1 + _MAX_ORDER], self._size)
        white = self._random.standard_normal(self._size)
        noise = np.fft.irfft(np.fft.rfft(white) * response, self._size)
        # dBov is relative to the power of a full-scale square wave.
        noise *= 32768 * 10 ** (-level / 20) / max(float(np.sqrt(np.mean(noise**2))), 1e-9)
        self._loop = np.clip(np.rint(noise), -32768, 32767).astype(np.int16)

    def reset(self) -> None:
        """Forget the descriptor: another stream begins."""
        self.known = False
        self._payload = b""
        self._loop = np.zeros(self._size, np.int16)

    def take(self, count: int) -> Int16:
        """Make the next `count` samples (int16); silence before any descriptor."""
        if not self.known:
            return np.zeros(count, np.int16)
        begin = self._at
        self._at = (begin + count) % self._size
        if begin + count <= self._size:
            return self._loop[begin : begin + count].copy()
        return np.resize(np.roll(self._loop, -begin), count)


def _response(coefficients: bytes, size: int) -> np.typing.NDArray[np.complex128] | float:
    """Frequency response of the all-pole filter that quantised reflections describe."""
    if not coefficients:
        return 1.0
    polynomial = np.ones(1)
    for quantised in coefficients:
        reflection = 258 * (min(quantised, 254) - 127) / 32768  # RFC 3389 §3.2
        reflection = max(-_SHARPEST, min(reflection, _SHARPEST))
        longer = np.concatenate((polynomial, [0.0]))
        polynomial = longer + reflection * longer[::-1]
    inverse = np.fft.rfft(polynomial, size)
    # Twelve resonances at one place would still be a whistle, or no number at all.
    inverse[np.abs(inverse) < _DEEPEST] = _DEEPEST
    response: np.typing.NDArray[np.complex128] = 1.0 / inverse
    return response
