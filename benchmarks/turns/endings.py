"""Ends of turns, without servers: what each method takes for an end, on the same speech.

Every method hears the same utterances, each with a pause in it, on the clock of their samples, so
that nothing here takes as long as the speech does. A method errs in two ways: it ends a turn in
mid-sentence (cut off), or lets the caller wait behind the true end (kept waiting). Words come when
a transcriber is flushed, end-of-turn models answer, both after fixed times. Pure but for models.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from benchmarks.latency.wire import BLOCK, RATE
from vivavoce.agent import Turns
from vivavoce.pipelines.audio.level import levels
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.audio.vad import SileroVad, VoiceActivity, VoiceSettings, VoiceStarted
from vivavoce.pipelines.benching.callers import room
from vivavoce.pipelines.benching.clip import Clip, Samples
from vivavoce.pipelines.turns.endpointing import (
    AskVoice,
    Decision,
    Drop,
    Endpointing,
    Flush,
    Guess,
    TurnEvent,
    TurnOver,
)

LEAD = 0.3
"""Room noise before an utterance (s)."""
TRAIL = 4.0
"""Room noise behind it (s): longer than any method waits."""
TEXT = 0.06
"""From a flush to its final text (s), as in the latency benchmark."""
MODEL = 0.05
"""From a question to an end-of-turn model to its answer (s): 44 ms of CPU and a thread's hop."""
JUDGED = 8 * RATE
"""Samples that smart-turn hears."""
HOP = RATE // 125
"""Samples of one level, as our ears take them."""


@dataclass(frozen=True)
class Heard:
    """An utterance as a microphone has it.

    Attributes:
        clip: What is said; it has a pause.
        audio: int16, 16 kHz: room noise, the clip, room noise.
        end: When its last voiced sample has been captured (s).
    """

    clip: Clip
    audio: Samples
    end: float

    @classmethod
    def make(cls, clip: Clip, seed: int) -> Heard:
        """Put an utterance into a room; `seed` is of its noise and of the phase of its blocks."""
        lead = round((LEAD + (seed * 7 % 20) / 1000) * RATE)
        silence = np.zeros(round(TRAIL * RATE), np.int16)
        said = np.concatenate([np.zeros(lead, np.int16), clip.samples, silence])
        audio = said + room(len(said) / RATE + 0.01, seed)[: len(said)]
        return cls(clip, audio, (lead + clip.voiced_end + 1) / RATE)

    def words(self, since: float, until: float) -> str:
        """Return the words that ended between two times (s)."""
        start = self.end - (self.clip.voiced_end + 1) / RATE
        return " ".join(w for w, end in self.clip.words if since < start + end <= until)

    def blocks(self) -> Iterator[tuple[float, Samples]]:
        """Give the audio as it arrives: the time (s) at which each block is whole, and it."""
        for at in range(0, len(self.audio) - BLOCK + 1, BLOCK):
            yield (at + BLOCK) / RATE, self.audio[at : at + BLOCK]


@dataclass(frozen=True)
class Ended:
    """A method took a turn for over.

    Attributes:
        at: When (s).
        why: On what grounds; may be empty.
    """

    at: float
    why: str = ""


class Method(Protocol):
    """One way to find the ends of turns."""

    def ends(self, heard: Heard) -> list[Ended]:
        """Return what it takes for ends in an utterance, up to one behind the true end."""


@dataclass(frozen=True)
class Trial:
    """What a method made of one utterance.

    Attributes:
        clip: Its name.
        before: The words before the pause.
        pause: How long that was (s).
        cut: When the turn was taken for over too early (ms before its end); None if it was not.
        waited: From the last voiced sample to where it was (ms); None if it was cut, or if it
            never was over.
        why: On what grounds it ended, first.
    """

    clip: str
    before: str
    pause: float
    cut: float | None
    waited: float | None
    why: str


def judge(heard: Heard, ends: list[Ended]) -> Trial:
    """Judge a method's ends of an utterance."""
    clip = heard.clip
    assert clip.gap is not None
    early = [end for end in ends if end.at < heard.end]
    late = [end for end in ends if end.at >= heard.end]
    first = (early or late or [Ended(0.0, "never")])[0]
    return Trial(
        clip.name,
        clip.before(clip.gap[0] + 1),
        round((clip.gap[1] - clip.gap[0]) / RATE, 3),
        round((heard.end - early[0].at) * 1000, 1) if early else None,
        round((late[0].at - heard.end) * 1000, 1) if late and not early else None,
        first.why,
    )


# -- the silence alone


def _voice_settings(turns: Turns) -> VoiceSettings:
    """What our ears tell our voice detector."""
    return VoiceSettings(min_silence=min(turns.flush_after, 0.1), max_doubt=0.15)


class Voice:
    """Our voice detector, fed block by block as our ears feed it."""

    def __init__(self, turns: Turns) -> None:
        self._vad = SileroVad(RATE)
        self._activity = VoiceActivity(RATE, _voice_settings(turns))
        self._judged = 0
        self._rest: Samples = np.zeros(0, np.int16)

    def feed(self, block: Samples) -> list[tuple[bool, float]]:
        """Take a block; return what began (True) or stopped (False) in it, and when (s)."""
        found: list[tuple[bool, float]] = []
        self._rest = np.concatenate([self._rest, block])
        for window in self._vad.feed(block):
            self._rest = self._rest[window.end - self._judged :]
            self._judged = window.end
            found += [
                (isinstance(event, VoiceStarted), event.at_sample / RATE)
                for event in self._activity.feed(window)
            ]
        if self._activity.speaking and len(self._rest):
            stop = self._activity.glance(levels(self._rest, HOP), len(self._rest))
            if stop is not None:
                found.append((False, stop.at_sample / RATE))
        return found


@dataclass(frozen=True)
class TimeOut:
    """A turn is over after so much silence, by our voice detector.

    Attributes:
        seconds: How much.
    """

    seconds: float

    def ends(self, heard: Heard) -> list[Ended]:
        """See `Method`."""
        voice, stopped, found = Voice(Turns()), None, []
        for now, block in heard.blocks():
            for begun, at in voice.feed(block):
                stopped = None if begun else at
            if stopped is not None and now - stopped >= self.seconds:
                found.append(Ended(max(now - BLOCK / RATE, stopped + self.seconds)))
                stopped = None
                if found[-1].at >= heard.end:
                    break
        return found


# -- ours


class Events(Protocol):
    """A transcriber that follows the turns of one utterance."""

    def feed(self, now: float, block: Samples) -> list[TurnEvent]:
        """Take the block that is whole at `now` (s); return what became of the turn."""


Writing = Literal["true", "bare", "full"]
"""How the transcriber writes: as the speaker would, without punctuation, or with a full stop
behind whatever it was flushed for."""


@dataclass(slots=True)
class Cost:
    """What guessing cost.

    Attributes:
        guesses: Replies begun before a turn was over.
        drops: Of these, those that were dropped.
        questions: To the end-of-turn model.
    """

    guesses: int = 0
    drops: int = 0
    questions: int = 0


@dataclass
class Ours:
    """Our endpointing, with Silero, smart-turn and the words that were said by each flush.

    The utterances are the turns of one call, so that it may learn how its transcriber writes and
    how its caller pauses; unless each is to be the first.

    Attributes:
        model: smart-turn; None leaves the decision to silence and words.
        writing: How the transcriber writes.
        first: Whether each utterance is the first one of a call.
        events: Makes a transcriber that follows an utterance's turns; None: it has no turn events.
        turns: The agent's options.
        cost: What guessing cost so far.
    """

    model: Callable[[Samples], float] | None
    writing: Writing = "true"
    first: bool = False
    events: Callable[[Heard], Events] | None = None
    turns: Turns = field(default_factory=Turns)
    cost: Cost = field(default_factory=Cost)
    _machine: Endpointing | None = None
    _began: float = 0.0

    def ends(self, heard: Heard) -> list[Ended]:
        """See `Method`."""
        if self._machine is None or self.first:
            self._machine = Endpointing(self.turns, "en")
        # The call's clock goes on from one utterance to the next; the reply comes in between.
        zero, self._began = self._began, self._began + len(heard.audio) / RATE
        voice, machine = Voice(self.turns), self._machine
        events = None if self.events is None else self.events(heard)
        due: list[tuple[float, int, Callable[[float], list[Decision]]]] = []
        count = itertools.count()
        found: list[Ended] = []
        written = 0.0

        def answer(text: str) -> Callable[[float], list[Decision]]:
            return lambda at: machine.understood(text, zero + at)

        def opinion(probability: float, stopped: float) -> Callable[[float], list[Decision]]:
            def tell(at: float) -> list[Decision]:
                machine.judged(probability, stopped)
                return machine.tick(zero + at)

            return tell

        def carry_out(decisions: list[Decision], now: float) -> None:
            nonlocal written
            for decision in decisions:
                match decision:
                    case Flush():
                        text = self._write(heard.words(written, now))
                        written = now
                        heapq.heappush(due, (now + TEXT, next(count), answer(text)))
                    case AskVoice() if self.model is not None:
                        self.cost.questions += 1
                        audio = heard.audio[: round(now * RATE)][-JUDGED:]
                        tell = opinion(self.model(audio), machine.stopped)
                        heapq.heappush(due, (now + MODEL, next(count), tell))
                    case TurnOver():
                        found.append(Ended(now, decision.reason))
                    case Guess():
                        self.cost.guesses += 1
                    case Drop():
                        self.cost.drops += 1
                    case _:
                        pass

        for now, block in heard.blocks():
            while due and due[0][0] <= now:
                at, _, tell = heapq.heappop(due)
                carry_out(tell(at), at)
            for begun, at in voice.feed(block):
                if begun:
                    machine.speech_started(zero + at)
                else:
                    machine.speech_stopped(zero + at)
            for kind in events.feed(now, block) if events is not None else ():
                carry_out(machine.told(kind, zero + now), now)
            carry_out(machine.tick(zero + now), now)
            if found and found[-1].at >= heard.end:
                break
        return found

    def _write(self, text: str) -> str:
        if self.writing == "true" or not text:
            return text
        bare = " ".join(word.strip(".,;:!?") for word in text.split())
        return bare if self.writing == "bare" else f"{bare}."


class Remembered:
    """smart-turn, asked once about the same audio: methods ask at the same moments."""

    def __init__(self, model: SmartTurn) -> None:
        self._model = model
        self._known: dict[bytes, float] = {}

    def __call__(self, audio: Samples) -> float:
        """Return the probability that the turn is over."""
        key = audio.tobytes()
        if key not in self._known:
            self._known[key] = self._model.probability(audio)
        return self._known[key]
