"""Sound: what a speech model streams, made int16 whatever it comes as.

Providers give the same word, `pcm`, to different things (protocol page §0): float32 at Mistral,
int16 at vLLM-Omni, and voxtral.com does not say.
"""

from __future__ import annotations

import struct
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.audio.convert import FloatStream, Int16Stream

Encoding = Literal["f32", "s16", "unknown", "wav"]
_LOUDEST = 8.0  # of float samples: speech stays below 1, and a little more is clipping
_ENOUGH = 64  # samples to tell the two encodings apart by
_LONGEST_HEADER = 65_536  # bytes; a WAV file's lists may come before its data
_FLOAT, _PCM, _EXTENSIBLE = 3, 1, 0xFFFE


class _Decoder(Protocol):
    def feed(self, data: bytes) -> NDArray[np.int16]: ...


class _Floats(FloatStream):
    def feed(self, data: bytes) -> NDArray[np.int16]:  # type: ignore[override]
        return self.feed_int16(data)


class Sound:
    """Takes bytes in any chunking and gives the samples that are complete.

    Args:
        encoding: What they are; "unknown" finds out whether it is f32 or s16 by the first that is
            not silence.

    A WAV header in front is taken off and believed, whatever was announced: some servers send one
    with their first chunk.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding: Encoding = encoding
        self._held = b""
        self._begun = False
        self._decoder: _Decoder | None = None
        self.rate: int | None = None
        """What a WAV header said (Hz); None where there was none."""

    def feed(self, data: bytes) -> NDArray[np.int16]:
        """Take bytes.

        Returns:
            A new int16 array, mono, often empty.

        Raises:
            ValueError: If a WAV header says what cannot be played, or never ends.
        """
        if self._decoder is not None:
            return self._decoder.feed(data)
        self._held += data
        if not self._begun:
            if len(self._held) < 4 and b"RIFF".startswith(self._held):
                return np.zeros(0, np.int16)
            if self._held.startswith(b"RIFF"):
                return self._open_wav()
            self._begun = True
        if self._encoding == "unknown":
            return self._guess()
        return self._start("s16" if self._encoding == "wav" else self._encoding)

    def finish(self) -> NDArray[np.int16]:
        """Give what was held back because it was not known what it is."""
        if self._decoder is None and self._held and self._begun:
            return self._start("f32" if len(self._held) >= 4 and self._floats() else "s16")
        return np.zeros(0, np.int16)

    def _start(self, encoding: Encoding) -> NDArray[np.int16]:
        self._decoder = _Floats() if encoding == "f32" else Int16Stream()
        held, self._held = self._held, b""
        return self._decoder.feed(held)

    def _guess(self) -> NDArray[np.int16]:
        # Silence is the same in both but for its length, so it waits for what is none.
        sound = len(self._held.lstrip(b"\0"))
        if sound < _ENOUGH * 4:
            return np.zeros(0, np.int16)
        return self._start("f32" if self._floats() else "s16")

    def _floats(self) -> bool:
        """Whether it makes sense as floats: pairs of int16 have exponents from everywhere."""
        whole = self._held[: len(self._held) - len(self._held) % 4]
        samples = np.abs(np.frombuffer(whole, "<f4"))
        samples = samples[samples != 0]
        with np.errstate(invalid="ignore"):
            usual = (samples < _LOUDEST) & (samples > 1e-9)
        return bool(len(samples)) and float(np.mean(usual)) > 0.95

    def _open_wav(self) -> NDArray[np.int16]:
        """Take a WAV header off; its chunks may come in pieces."""
        position, form = 12, None
        while position + 8 <= len(self._held):
            name = self._held[position : position + 4]
            (size,) = struct.unpack_from("<I", self._held, position + 4)
            body = position + 8
            if name == b"data":
                if form is None:
                    raise ValueError("a WAV header without a format")
                return self._use(form, body)
            if body + size + size % 2 > len(self._held):
                break
            if name == b"fmt " and size >= 16:
                form = self._held[body : body + size]
            position = body + size + size % 2
        if len(self._held) > _LONGEST_HEADER:
            raise ValueError("a WAV header without an end")
        return np.zeros(0, np.int16)

    def _use(self, form: bytes, body: int) -> NDArray[np.int16]:
        tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
        if tag == _EXTENSIBLE and len(form) >= 26:
            (tag,) = struct.unpack_from("<H", form, 24)
        if channels != 1 or (tag, bits) not in {(_PCM, 16), (_FLOAT, 32)}:
            raise ValueError(f"WAV format {tag} with {bits} bits and {channels} channels")
        self.rate = rate
        self._held = self._held[body:]
        return self._start("f32" if tag == _FLOAT else "s16")
