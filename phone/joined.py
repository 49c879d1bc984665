"""A recording that goes on when its caller is joined with somebody. Pure but for the recorder."""

from __future__ import annotations

import numpy as np

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.recorder import Recorder

BEHIND = 0.12
"""Seconds that what is played to a caller may lack before it is taken for silence: more than the
longest packet, and as long as a bridge lets audio wait."""
SLACK = 0.04
"""Likewise where more of it comes: a block may be late, and is no pause then."""


class Both:
    """Records a caller left and who they speak with right, by the caller's clock alone.

    What the other one says is taken as it is played to the caller, so neither their clock nor what
    is lost of their audio moves the two sides apart. Implements `vivavoce.phone.bridge.Listener`.

    Args:
        recorder: Takes both sides.
        rate: Of its file (Hz).
    """

    def __init__(self, recorder: Recorder, rate: int) -> None:
        self._recorder, self._rate = recorder, rate
        self._resampler: Resampler | None = None
        self._source = 0
        self._behind = 0.0  # s that were played less than were said

    def said(self, pcm: Int16, rate: int) -> None:
        """Take what came from the caller (int16, mono; Hz)."""
        self._recorder.caller(pcm, rate)
        self._behind += len(pcm) / rate

    def played(self, pcm: Int16, rate: int) -> None:
        """Take what was played to them, likewise; what lacks for long was silence."""
        seconds = len(pcm) / rate
        if self._behind - seconds > (SLACK if len(pcm) else BEHIND):
            gap = round((self._behind - seconds) * self._rate)
            self._recorder.agent(np.zeros(gap, np.int16))
            self._behind -= gap / self._rate
        if len(pcm):
            if self._resampler is None or rate != self._source:
                self._resampler, self._source = Resampler(rate, self._rate), rate
            self._recorder.agent(self._resampler.feed(pcm))
            self._behind -= seconds
