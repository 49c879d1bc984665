"""When the caller speaks: voice probabilities and levels in, starts and stops out.

Pure: no model and no clock; time is the sample number. The detectors in `vad` make the
windows that this reads.

All latency is counted from the caller's last voiced sample, so that one is estimated with
care. A detector's probability alone is too coarse for it: Silero's windows are 32 ms, and it
stays high for one to three of them after the voice has ended. So a stretch (hop, 8–10 ms) of
a window counts as voiced when the probability says voice *and* its level stands out from the
noise floor and is not far below the utterance's own peak. Where the level does not stand out
(speech in loud noise) the probability is believed after a while (`_OVERRIDE`): it outlasts the
voice by about 100 ms at 10 dB of signal to noise and 160 ms at 5 dB.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

_ABOVE_FLOOR = 6.0  # dB by which voice stands out from the noise floor
_BELOW_PEAK = 35.0  # dB below the utterance's loudest hop where voice ends
_FAINTEST = -62.0  # dBFS below which nothing is voice
_CLEAR = 15.0  # dB of the peak above the floor from which the level is trusted
_OVERRIDE = 0.25  # s of high probability after which the level is not asked ...
_OVERRIDE_CLEAR = 0.5  # ... and how many it takes when the level is to be trusted
_LOOK_BACK = 0.25  # s before detection in which the onset is looked for
_GAP = 0.04  # s of quiet that an onset may contain, such as a stop consonant's
_PEAK_FALL = 6.0  # dB per s by which the remembered peak falls


class VoiceWindow(NamedTuple):
    """What a detector says about one stretch of audio.

    Attributes:
        start: Number of its first sample in the stream.
        size: Its length in samples.
        probability: That somebody speaks, 0.0 to 1.0.
        levels: RMS levels (dBFS) of its equal parts ("hops"), in order, at least one.
    """

    start: int
    size: int
    probability: float
    levels: tuple[float, ...]

    @property
    def end(self) -> int:
        """Number of the sample after the window."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """When speech counts as begun and as ended.

    Attributes:
        start: Probability from which a window begins speech.
        stop: Probability below which a window no longer continues speech; lower than `start`,
            so that a value between them changes nothing (hysteresis).
        min_speech: How long a voice has to last before a start is reported (s). Two Silero
            windows by default: one window alone is often a click or a breath.
        min_silence: How long it has to be silent before a stop is reported (s), counted from
            the last voiced sample.
        doubt: Probability from which the detector is still sure of a voice.
        max_doubt: While it is, this silence is needed instead, if it is longer (s): a stop
            consonant's closure is silent, too.

    Raises:
        ValueError: A value is out of range, with the range in the message.
    """

    start: float = 0.5
    stop: float = 0.35
    min_speech: float = 0.06
    min_silence: float = 0.2
    doubt: float = 0.5
    max_doubt: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.stop <= self.start <= 1.0:
            raise ValueError(
                "Voice thresholds must be 0 < stop <= start <= 1, "
                f"not start={self.start}, stop={self.stop}."
            )
        for name in ("min_speech", "min_silence", "max_doubt"):
            value = getattr(self, name)
            if not 0.0 <= value <= 10.0:
                raise ValueError(f"{name} is a time in seconds from 0 to 10, not {value}.")


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """Somebody began to speak.

    Attributes:
        at_sample: Number of the first voiced sample, as estimated; keep some pre-roll before.
        detected_at: Number of the sample after the window that settled it.
    """

    at_sample: int
    detected_at: int


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """Somebody fell silent.

    Attributes:
        at_sample: Number of the sample after the last voiced one, as estimated.
        detected_at: Number of the sample after the window that settled it.
    """

    at_sample: int
    detected_at: int


VoiceEvent: TypeAlias = VoiceStarted | VoiceStopped


class NoiseFloor:
    """The level of the background: the quietest hop of the last two seconds.

    Speech has gaps, so its quietest hop is background even while somebody talks.

    Args:
        rate: Sample rate (Hz).
    """

    _BLOCKS = 8

    def __init__(self, rate: int) -> None:
        self._block = rate // 4
        self._filled = 0
        self._lowest = 0.0
        self._minima = deque([0.0], self._BLOCKS)

    @property
    def level(self) -> float:
        """The background's level (dBFS), from -75 to -25."""
        # The quietest hop of steady noise lies about 1.5 dB below its mean level.
        return min(max(min(*self._minima, self._lowest) + 1.5, -75.0), -25.0)

    def add(self, levels: tuple[float, ...], size: int) -> None:
        """Take the levels (dBFS) of a window of `size` samples."""
        self._lowest = min(self._lowest, *levels)
        self._filled += size
        if self._filled >= self._block:
            self._minima.append(self._lowest)
            self._filled = 0
            self._lowest = 0.0


class VoiceActivity:
    """Turns voice windows into starts and stops.

    Feed every window of a stream in order. Costs a few microseconds per window.

    Args:
        rate: Sample rate that the windows count in (Hz).
        settings: Thresholds and times.
    """

    def __init__(self, rate: int = 16_000, settings: VoiceSettings | None = None) -> None:
        self._rate = rate
        self._settings = settings or VoiceSettings()
        self._min_speech = round(self._settings.min_speech * rate)
        self._min_silence = round(self._settings.min_silence * rate)
        self._max_doubt = round(self._settings.max_doubt * rate)
        self.reset()

    def reset(self) -> None:
        """Forget everything, as at the start of a stream; no stop is reported."""
        self._floor = NoiseFloor(self._rate)
        self._speaking = False
        self._last_voiced = 0
        self._ended = 0  # where the utterance before ended
        self._now = 0
        self._run = 0  # samples of voice seen towards a start
        self._run_start = 0
        self._unheard = 0  # samples of high probability whose level did not stand out
        self._carried = False  # the window before was voice
        self._sure = False  # the detector is sure of a voice in the last window
        self._open = False  # which was voiced to its end
        self._peak = -math.inf
        # Hops from the last `_LOOK_BACK` seconds: (first sample, sample after, dBFS).
        self._recent: deque[tuple[int, int, float]] = deque()

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks: a start was reported and no stop since."""
        return self._speaking

    @property
    def last_voiced(self) -> int:
        """Number of the sample after the last voiced one so far; 0 before any voice.

        Exact to about a hop as soon as the window behind it is fed: this is what the silence
        is measured from, long before a stop is reported.
        """
        return self._last_voiced

    @property
    def silence(self) -> int:
        """Samples between the last voiced one and the end of what was fed."""
        return self._now - self._last_voiced

    @property
    def floor(self) -> float:
        """The background's level (dBFS)."""
        return self._floor.level

    def feed(self, window: VoiceWindow) -> list[VoiceEvent]:
        """Take the next window.

        Args:
            window: It begins where the one before ended, or later (a gap is silence).

        Returns:
            What it settles: nothing, a start, a stop, or, when `min_silence` is shorter than
            a window, both.

        Raises:
            ValueError: The window begins before the end of the one before.
        """
        if window.start < self._now:
            raise ValueError(
                f"Voice windows must be fed in order: one at {window.start} came after {self._now}."
            )
        self._now = window.end
        self._floor.add(window.levels, window.size)
        likely = window.probability >= self._settings.stop
        self._remember(window)
        voiced_to = self._voiced_to(window, likely=likely)
        if voiced_to is not None:
            self._last_voiced = voiced_to

        self._sure = window.probability >= self._settings.doubt
        self._open = voiced_to == window.end
        events: list[VoiceEvent] = []
        if not self._speaking:
            self._towards_start(window, likely=likely, heard=voiced_to is not None)
            if self._run and self._run >= self._min_speech:
                self._speaking = True
                self._run = 0
                events.append(VoiceStarted(self._onset(), window.end))
        if (stop := self._stop(0)) is not None:
            events.append(stop)
        return events

    def may_stop(self, size: int) -> bool:
        """Whether it would have been silent for long enough to end the speech.

        Args:
            size: Samples behind the last window, if they are silent: what `glance` would find.
        """
        needed = max(self._min_silence, self._max_doubt) if self._sure else self._min_silence
        return self._speaking and not self._open and self.silence + size >= needed

    def glance(self, levels: Sequence[float], size: int) -> VoiceStopped | None:
        """Look at audio behind the last window, before its own window is full.

        A stop need not wait for the end of a window of 32 ms: what followed the last one is
        silent, and that one held no voice at its end. A start does wait: it takes the detector.

        Args:
            levels: RMS levels (dBFS) of the equal parts of what was not fed yet.
            size: Its length in samples; what follows is fed in its windows as ever.

        Returns:
            The stop that this settles, if any; no window will report it again.
        """
        if not self._speaking or any(level >= self._threshold() for level in levels):
            return None
        return self._stop(size)

    def _stop(self, size: int) -> VoiceStopped | None:
        """End the speech if, with so many silent samples more, it has been silent for long."""
        if not self.may_stop(size):
            return None
        self._speaking = False
        self._peak = -math.inf
        self._ended = self._last_voiced
        return VoiceStopped(self._last_voiced, self._now + size)

    def _remember(self, window: VoiceWindow) -> None:
        hop = window.size // len(window.levels)
        for index, level in enumerate(window.levels):
            at = window.start + index * hop
            self._recent.append((at, at + hop, level))
        oldest = window.end - round(_LOOK_BACK * self._rate) - window.size
        while self._recent and self._recent[0][0] < oldest:
            self._recent.popleft()

    def _threshold(self) -> float:
        """The level (dBFS) from which a hop is voice."""
        return max(self._floor.level + _ABOVE_FLOOR, self._peak - _BELOW_PEAK, _FAINTEST)

    def _voiced_to(self, window: VoiceWindow, *, likely: bool) -> int | None:
        """Find the end of the voice inside a window, if it has any."""
        if likely:
            fallen = self._peak - _PEAK_FALL * window.size / self._rate
            self._peak = max(fallen, *window.levels)
        elif not self._carried:
            self._unheard = 0
            return None
        threshold = self._threshold()
        hop = window.size // len(window.levels)
        count = 0
        for index, level in enumerate(window.levels, start=1):
            if level >= threshold:
                count = index
            elif not likely:
                # The probability has fallen: only what still belongs to the voice counts.
                break
        self._carried = likely and count == len(window.levels)
        if count:
            self._unheard = 0
            return window.start + count * hop
        if not likely:
            self._unheard = 0
            return None
        if window.probability >= self._settings.start:
            self._unheard += window.size
        clear = self._peak - self._floor.level >= _CLEAR
        patience = _OVERRIDE_CLEAR if clear else _OVERRIDE
        return window.end if self._unheard >= patience * self._rate else None

    def _towards_start(self, window: VoiceWindow, *, likely: bool, heard: bool) -> None:
        """Count voice towards a start."""
        begins = window.probability >= self._settings.start
        if heard and (begins or (self._run and likely)):
            if not self._run:
                self._run_start = window.start
            self._run += window.size
        elif not likely:
            self._run = 0
            if not self._carried:
                self._peak = -math.inf

    def _onset(self) -> int:
        """Look back from the run's first window for the hop where the voice began."""
        threshold = self._threshold()
        onset: int | None = None
        for start, end, level in reversed(self._recent):
            if start < self._ended:
                break
            if level < threshold:
                continue
            if onset is not None and start < self._run_start and onset - end > _GAP * self._rate:
                break
            onset = start
        return self._run_start if onset is None else onset
