"""Clips: utterances with their words and the moments at which these end. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.benching.take import RATE

Samples = NDArray[np.int16]

FRAME = RATE // 100
"""Samples of a frame in which energy is measured: 10 ms."""
FLOOR = -48.0
"""Below this a frame is never speech (dBFS)."""
BELOW_PEAK = 38.0
"""Nor when it is so much quieter than the clip's loudest frame (dB)."""
TAIL = round(0.12 * RATE)
"""What is kept of a clip's own silence behind its last voiced sample."""
LOUDNESS = -23.0
"""RMS that voiced frames are brought to (dBFS)."""


class ClipError(RuntimeError):
    """There is no speech to play; the message says what to do."""


@dataclass(frozen=True)
class Clip:
    """One utterance.

    Attributes:
        name: Of its file.
        use: "turn" or "cut" (may also cut in).
        samples: int16, 16 kHz, beginning with the first voiced sample.
        voiced_end: The last voiced sample's number.
        words: Its words, with their ends (s from the first voiced sample).
        pauses: Where a speaker may pause: the silence there already is between two words, from
            its first sample to the first voiced one behind it. Both are the same where the words
            run into each other, in a dip of the energy.
        gap: The silence of a pause that was put in, likewise; None if none was.
    """

    name: str
    use: str
    samples: Samples
    voiced_end: int
    words: tuple[tuple[str, float], ...]
    pauses: tuple[tuple[int, int], ...] = ()
    gap: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(word for word, _end in self.words)

    @property
    def script(self) -> list[list[object]]:
        """The words as the sandbox's script of an utterance has them."""
        return [[word, round(end, 3)] for word, end in self.words]

    def paused(self, pause: tuple[int, int], seconds: float, room: Samples) -> Clip:
        """Return the clip with a silence made as long as a pause.

        What the speaker's own silence has, breath and all, stays around the room noise that
        lengthens it; where it is longer than the pause, its middle is left out.

        Args:
            pause: One of `pauses`.
            seconds: How long it is to be silent in all.
            room: At least as much noise (int16).
        """
        start, end = pause
        total = round(seconds * RATE)
        half = min(end - start, total) // 2
        count = total - 2 * half
        more = total - (end - start)
        head, tail = self.samples[: start + half], self.samples[end - half :]
        fade = min(80, len(head), len(tail))  # 5 ms: no click
        slope = np.linspace(1, 0, fade)
        head = np.concatenate([head[: len(head) - fade], head[len(head) - fade :] * slope])
        tail = np.concatenate([tail[:fade] * slope[::-1], tail[fade:]])
        joined = np.concatenate([head, room[:count], tail]).astype(np.int16)
        moved = tuple(
            (word, at if at * RATE <= start + 1 else at + more / RATE) for word, at in self.words
        )
        gap = (start, start + total)
        return Clip(self.name, self.use, joined, self.voiced_end + more, moved, gap=gap)

    def before(self, sample: int) -> str:
        """Return the words that have ended by a sample."""
        return " ".join(word for word, end in self.words if end * RATE <= sample)


def levels(samples: Samples) -> NDArray[np.float64]:
    """Return each frame's RMS (dBFS)."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64) / 32768
    found: NDArray[np.float64] = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) + 1e-9)
    return found


def voiced(samples: Samples) -> NDArray[np.bool_]:
    """Return which frames hold speech, by energy alone."""
    level = levels(samples)
    found: NDArray[np.bool_] = level > max(FLOOR, float(level.max(initial=-200.0)) - BELOW_PEAK)
    return found


def make_clip(name: str, use: str, samples: Samples, text: str) -> Clip:
    """Trim and level a recording, label its ends, and place its words.

    Words lie in the voiced frames in proportion to their length. That is exact enough: a script
    gives a word when its end has been heard, and ends are only asked for at pauses.

    Args:
        name: Of its file.
        use: "turn" or "cut".
        samples: int16, 16 kHz.
        text: What is said; ``|`` stands where a speaker may pause.

    Raises:
        ClipError: If there is no speech in it.
    """
    frames = np.flatnonzero(voiced(samples))
    if len(frames) < 20 or not text.replace("|", " ").split():
        raise ClipError(f"{name}: no speech, or no words: check its file and its transcript")
    loud = samples.reshape(-1)[frames[0] * FRAME : (frames[-1] + 1) * FRAME].astype(np.float64)
    rms = 20 * np.log10(np.sqrt((loud**2).mean()) / 32768 + 1e-9)
    gain = 10 ** ((LOUDNESS - rms) / 20)
    end = (frames[-1] + 1) * FRAME
    cut = samples[frames[0] * FRAME : end + TAIL].astype(np.float64) * gain
    fade = np.linspace(1, 0, len(cut) - (end - frames[0] * FRAME) or 1)
    cut[len(cut) - len(fade) :] *= fade
    trimmed = np.clip(np.round(cut), -32768, 32767).astype(np.int16)
    begin = int(frames[0])
    marks = np.asarray(frames) - begin
    places, number = [], 0
    for part in text.split():
        if part == "|":
            places.append(number)
        else:
            number += 1
    words = [part for part in text.split() if part != "|"]
    lengths = np.cumsum([len(word) + 1 for word in words])
    ends = [int(marks[min(len(marks) - 1, int(n / lengths[-1] * len(marks)))]) for n in lengths]
    times = [float((at + 1) * FRAME / RATE) for at in ends]
    pauses = []
    quiet, loud_frames = levels(trimmed), voiced(trimmed)
    for place in places:
        if not 0 < place < len(words):
            continue
        at = _dip(quiet, ends[place - 1])
        start, stop = _silence(loud_frames, at)
        pauses.append((start * FRAME, stop * FRAME))
        # The words around a pause are around its silence: a word has been heard when it falls.
        times[:place] = [min(time, start * FRAME / RATE) for time in times[:place]]
        times[place:] = [max(time, (stop + 6) * FRAME / RATE) for time in times[place:]]
    voiced_end = int(end) - begin * FRAME - 1
    times[-1] = (voiced_end + 1) / RATE
    for index in range(len(times) - 2, -1, -1):
        times[index] = min(times[index], times[index + 1])
    return Clip(
        name, use, trimmed, voiced_end, tuple(zip(words, times, strict=True)), tuple(pauses)
    )


def _dip(level: NDArray[np.float64], near: int, reach: int = 30) -> int:
    """Return the frame in the middle of the deepest dip within `reach` frames of one."""
    low, high = max(5, near - reach), min(len(level) - 5, near + reach)
    smooth = np.convolve(level, np.ones(5) / 5, mode="same")
    distance = np.abs(np.arange(low, high) - near) * 0.3  # dB a frame: rather the nearer one
    return low + int(np.argmin(smooth[low:high] + distance))


def _silence(voiced_frames: NDArray[np.bool_], at: int) -> tuple[int, int]:
    """Return the frames around one that hold no voice, from the first to behind the last."""
    before = np.flatnonzero(voiced_frames[:at])
    behind = np.flatnonzero(voiced_frames[at:])
    start = int(before[-1]) + 1 if len(before) else at
    stop = at + int(behind[0]) if len(behind) else at
    return start, stop
