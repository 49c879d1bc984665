"""One hearing session's ear: audio in, certain words out, a true text at each flush.

Two of them: one on the engines, one that follows a script.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vivavoce.sandbox.context import Context
from vivavoce.sandbox.hearing import Decode, Hearing
from vivavoce.sandbox.pcm import HEARING_RATE, Intake, Samples
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.script import Words
from vivavoce.sandbox.segment import SETTLED, SHORTEST, WINDOW, Commitment, Segment, Segmenter
from vivavoce.sandbox.turns import Event, Settings, Turns, stands

Delta = Callable[[str], Awaitable[None]]
Tell = Callable[[Event], Awaitable[None]]
"""Takes what became of the turn; may flush the ear, whose utterance ends there then."""

_PARTIAL = HEARING_RATE // 2  # a pass over the growing segment every 0.5 s of audio
_AHEAD_S = 1.0  # audio that came this much faster than real time gets no partials
_DECODE_S = 30.0  # longer than any queue of finals should be


@dataclass
class Heard:
    """One utterance as it stands at a flush.

    Attributes:
        text: The true text.
        segments: Text, start and end (seconds since the session began) of its stretches.
    """

    text: str = ""
    segments: list[tuple[str, float, float]] = field(default_factory=list)


class Ear(Protocol):
    """What a realtime session needs of an ear; calls come one after the other."""

    async def push(self, data: bytes) -> None:
        """Take audio in the session's format; sends deltas on the way.

        Where turns are followed a chunk should be short: an end cuts the utterance behind it.
        """

    async def flush(self) -> Heard:
        """End the utterance: send the last deltas, give its text, begin the next."""

    async def close(self) -> None:
        """Let go of what runs; idempotent."""


class EngineEar:
    """Silero and Moonshine."""

    def __init__(
        self,
        hearing: Hearing,
        intake: Intake,
        delta: Delta,
        turns: Settings | None = None,
        tell: Tell | None = None,
    ) -> None:
        self._hearing, self._intake, self._send = hearing, intake, delta
        self._turns = None if turns is None else Turns(turns, SHORTEST)
        self._tell = tell
        self._taken = 0  # samples that were looked at
        self._frames: list[tuple[int, int, float]] = []  # begin, end, likelihood; not judged yet
        self._stands: bool | None = None  # whether the words before the silence can
        self._probability = hearing.probability()
        self._segmenter = Segmenter()
        self._rest: Samples = np.zeros(0, np.float32)
        self._commitment = Commitment()
        self._context = Context()
        self._heard = Heard()
        self._partial: asyncio.Task[None] | None = None
        self._partial_at = 0  # position of the last pass
        # A decode over a segment that has fallen silent: it is the final if nothing follows.
        self._settled: tuple[int, Decode] | None = None  # with the position it is good for
        self._cost_s = 0.0  # of the last pass
        self._lead_s = 0.0
        self._clock = asyncio.get_running_loop().time
        self._pushed_at = self._clock()

    def _look(self, data: bytes) -> tuple[list[Segment], int]:
        """Run the windows that ``data`` completes; in a thread of its own."""
        came = self._intake.push(data)
        samples = np.concatenate((self._rest, came))
        closed = []
        whole = len(samples) - len(samples) % WINDOW
        for start in range(0, whole, WINDOW):
            window = samples[start : start + WINDOW]
            likelihood = self._probability(window)
            if done := self._segmenter.push(window, likelihood):
                closed.append(done)
            if self._turns is not None:
                self._frames.append((self._taken, self._taken + WINDOW, likelihood))
                self._taken += WINDOW
        self._rest = samples[whole:]
        return closed, len(came)

    async def push(self, data: bytes) -> None:
        """See ``Ear``; several segments may close in one long chunk."""
        self._frames.clear()
        loop = asyncio.get_running_loop()
        look = loop.run_in_executor(self._hearing.vad_threads, self._look, data)
        closed, came = await look
        now = self._clock()
        self._lead_s = max(0.0, self._lead_s - (now - self._pushed_at)) + came / HEARING_RATE
        self._pushed_at = now
        for segment in closed:
            await self._finish(segment)
        if self._segmenter.settled:
            if self._settled is None and self._lead_s < _AHEAD_S:
                await self._drop_partial()
                if standing := self._segmenter.peek():
                    job = self._decode(standing, urgent=True)
                    self._settled = (standing.voiced_end, job)
        elif self._segmenter.speaking:
            self._unsettle()
            await self._maybe_partial()
        if self._turns is not None:
            await self._follow(self._turns)

    async def _follow(self, turns: Turns) -> None:
        """Judge the frames of one chunk, and tell what became of the turn."""
        if self._settled is not None and self._settled[1].text.done():
            self._stands = stands(await self._settled[1].text)
        for begin, end, likelihood in self._frames:
            events = turns.push(begin, end, likelihood, turns.settings.patience(self._stands))
            if turns.voiced:
                self._stands = None
            for event in events:
                if self._tell is not None:
                    await self._tell(event)

    def _decode(self, segment: Segment, *, urgent: bool) -> Decode:
        """Decode a segment behind what was said just before it.

        It ends as much behind its last voice wherever it was cut: a text must not depend on how
        fast its audio came.
        """
        before = self._context.before(segment.start)
        own = segment.samples[: segment.voiced_end - segment.start + SETTLED]
        samples = np.concatenate((before, own)) if len(before) else own
        return self._hearing.decode(samples, urgent=urgent)

    async def _maybe_partial(self) -> None:
        if self._partial is not None and self._partial.done():
            await self._partial
            self._partial = None
        due = max(_PARTIAL, int(4 * self._cost_s * HEARING_RATE))
        if (
            self._partial is not None
            or self._lead_s >= _AHEAD_S
            or self._hearing.waiting
            or self._segmenter.position - self._partial_at < due
        ):
            return
        segment = self._segmenter.peek()
        if segment is None:
            return
        self._partial_at = self._segmenter.position
        self._partial = asyncio.create_task(self._pass(segment), name="partial decode")

    async def _pass(self, segment: Segment) -> None:
        begun = self._clock()
        job = self._decode(segment, urgent=False)
        try:
            async with asyncio.timeout(_DECODE_S):
                text = await job.text
        finally:
            job.cancel()
        self._cost_s = self._clock() - begun
        text = self._context.own(segment.start, text)
        if delta := self._commitment.partial(text):
            await self._send(self._spaced(delta))

    def _spaced(self, delta: str) -> str:
        """Join a segment's first delta to the segment before it."""
        first = self._commitment.sent == delta
        return f" {delta}" if first and self._heard.text and not delta.startswith(" ") else delta

    async def _finish(self, segment: Segment) -> None:
        """Decode a whole segment and send what is left of it."""
        await self._drop_partial()
        if self._settled is not None and self._settled[0] == segment.voiced_end:
            job, self._settled = self._settled[1], None
        else:
            self._unsettle()
            job = self._decode(segment, urgent=True)
        try:
            async with asyncio.timeout(_DECODE_S):
                text = await job.text
        finally:
            job.cancel()
        text = self._context.own(segment.start, text)
        self._context.add(segment.start, segment.end, segment.samples, text)
        delta = self._commitment.final(text)
        if delta:
            await self._send(self._spaced(delta))
        self._commitment = Commitment()
        self._partial_at = self._segmenter.position
        self._stands = stands(text)
        if text:
            self._heard.text = f"{self._heard.text} {text}" if self._heard.text else text
            start, end = segment.start / HEARING_RATE, segment.end / HEARING_RATE
            self._heard.segments.append((text, round(start, 2), round(end, 2)))

    async def flush(self) -> Heard:
        """See ``Ear``; about 100 ms, less when the speech had settled."""
        # Up to 31 ms wait for a whole window: they belong to this utterance.
        if len(self._rest):
            window = np.zeros(WINDOW, np.float32)
            window[: len(self._rest)] = self._rest
            self._taken += len(self._rest)
            self._rest = self._rest[:0]
            if closed := self._segmenter.push(window, self._probability(window)):
                await self._finish(closed)
        if not self._segmenter.speaking:
            # In silence the detector begins anew, as it does on another connection.
            self._probability = self._hearing.probability()
        if last := self._segmenter.close():
            await self._finish(last)
        await self._drop_partial()
        self._unsettle()
        self._commitment = Commitment()
        heard, self._heard = self._heard, Heard()
        return heard

    def _unsettle(self) -> None:
        if self._settled is not None:
            self._settled[1].cancel()
            self._settled = None

    async def _drop_partial(self) -> None:
        task, self._partial = self._partial, None
        if task is None:
            return
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def close(self) -> None:
        """See ``Ear``."""
        self._unsettle()
        with contextlib.suppress(Exception):
            await self._drop_partial()


_FRAME = HEARING_RATE // 50  # 20 ms
_VOICED = 10 ** (-45 / 20)  # RMS, -45 dBFS
_ONSET = 3  # voiced frames in a row


_ENDS = (".", "!", "?")


def _punctuated(utterances: tuple[Words, ...]) -> bool:
    """Whether a script ends its utterances with full stops.

    The model that writes the words judges the turn: what it wrote no full stop behind goes on.
    """
    lines = [words for words in utterances if words]
    return bool(lines) and all(words[-1][0].endswith(_ENDS) for words in lines)


class ScriptedEar:
    """Says what the script says, at the pace of the audio: exact, and without an engine.

    An utterance begins with 60 ms above -45 dBFS. Its words end where the script says, or are
    ``hear_word_ms`` long; each one's delta goes out ``hear_delay_ms`` of audio behind it. A
    flush sends the rest; of timed words, those that have ended. A turn seems to be over, and is
    over, exactly as long behind the last voiced sample as the profile says, if the words that
    were said by then can stand; if not, the session's time-out ends it.
    """

    def __init__(
        self,
        profile: Profile,
        intake: Intake,
        delay_ms: float,
        delta: Delta,
        turns: Settings | None = None,
        tell: Tell | None = None,
        lines: int | None = None,
    ) -> None:
        self._profile, self._intake, self._send = profile, intake, delta
        self._lines = lines  # the place in the script of what this session hears
        self._turns = None if turns is None else Turns(turns, _ONSET * _FRAME)
        self._tell = tell
        self._turn: list[str] = []  # what was said in this turn and went out
        self._delay = delay_ms * HEARING_RATE / 1000
        self._revision = profile.revision
        self._punctuated = _punctuated(profile.utterances(lines))
        self._rest: Samples = np.zeros(0, np.float32)
        self._position = 0
        self._voiced = 0
        self._onset: int | None = None
        self._begin = 0  # of what the next flush gives
        self._words: list[tuple[str, float, bool]] = []  # word, its end (position), timed
        self._said: list[str] = []  # since the last flush

    async def push(self, data: bytes) -> None:
        """See ``Ear``."""
        if self._revision != self._profile.revision:
            # Another script: what was left of the old one's utterance is not waited for.
            self._revision = self._profile.revision
            self._punctuated = _punctuated(self._profile.utterances(self._lines))
            self._onset, self._words, self._said, self._voiced = None, [], [], 0
        samples = np.concatenate((self._rest, self._intake.push(data)))
        whole = len(samples) - len(samples) % _FRAME
        self._rest = samples[whole:]
        for frame in samples[:whole].reshape(-1, _FRAME):
            self._position += _FRAME
            loud = float(np.sqrt(np.mean(np.square(frame)))) > _VOICED
            self._voiced = self._voiced + 1 if loud else 0
            if self._onset is None and self._voiced >= _ONSET:
                self._start()
            while self._words and self._position >= self._words[0][1] + self._delay:
                await self._say(1)
            if self._turns is not None:
                await self._follow(self._turns, frame, loud=loud)

    async def _follow(self, turns: Turns, frame: Samples, *, loud: bool) -> None:
        begin = self._position - _FRAME
        last = begin + int(np.flatnonzero(np.abs(frame) > _VOICED)[-1]) + 1 if loud else None
        patience = self._patience(turns.settings) if turns.open and not loud else (0.0, 0.0)
        events = turns.push(begin, self._position, float(loud), patience, last)
        for event in events:
            if event.kind == "start":
                self._turn = []
            elif event.kind == "end" and not self._more:
                # The next turn says the next line, also where nobody flushes.
                self._onset, self._voiced = None, 0
            if self._tell is not None:
                await self._tell(event)

    @property
    def _more(self) -> bool:
        """Whether the utterance has words that its speaker has not said yet."""
        return any(timed and end > self._position for _word, end, timed in self._words)

    def _patience(self, settings: Settings) -> tuple[float, float]:
        said = [word for word, end, timed in self._words if not timed or end <= self._position]
        text = " ".join(self._turn + said)
        goes_on = self._punctuated and text != "" and not text.endswith(_ENDS)
        if goes_on or stands(text) is False:
            return math.inf, math.inf
        plan = self._profile.turns
        end_ms = settings.min_silence_ms if plan.end_ms is None else plan.end_ms
        return plan.eager_end_ms / 1000, end_ms / 1000

    def _start(self) -> None:
        self._onset = self._position - _ONSET * _FRAME
        if not self._words and not self._said:
            self._begin = self._onset
        word = self._profile.latency.hear_word_ms * HEARING_RATE / 1000
        for number, (text, end) in enumerate(self._profile.next_words(self._lines), 1):
            after = number * word if end is None else end * HEARING_RATE
            self._words.append((text, self._onset + after, end is not None))

    async def _say(self, count: int) -> None:
        words = [word for word, _end, _timed in self._words[:count]]
        if words:
            space = " " if self._said else ""
            del self._words[:count]
            self._said += words
            self._turn += words
            await self._send(space + " ".join(words))

    async def flush(self) -> Heard:
        """See ``Ear``."""
        if self._onset is None and not self._words and not self._said:
            return Heard()
        ended = [end <= self._position or not timed for _word, end, timed in self._words]
        await self._say(sum(ended))
        text, self._said = " ".join(self._said), []
        start, end = self._begin / HEARING_RATE, self._position / HEARING_RATE
        self._begin = self._position
        if not self._words:
            self._onset, self._voiced = None, 0
        return Heard(text, [(text, round(start, 2), round(end, 2))] if text else [])

    async def close(self) -> None:
        """See ``Ear``."""
