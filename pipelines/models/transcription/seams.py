"""Parts of a recording put together again: their times, their texts, and who speaks. Pure.

Each request names its speakers anew, in whatever order they come. So every later part is sent with
samples of the known voices in front of it; what a server calls those is what it calls their
speakers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.media import RATE
from vivavoce.pipelines.models.transcription.text import Segment, Transcript

MOST = 8
"""Voices whose samples go in front of a part."""
SAMPLE = 8.0
"""Seconds of a voice's sample at most."""
SHORTEST = 1.0
"""Seconds of speech without which a voice cannot be told by its sample."""
GAP = 0.8
"""Seconds of silence between two samples."""
STEP = 2.0
"""Seconds of silence before the part itself: no segment reaches over it, nearly always."""
FRONT = MOST * (SAMPLE + GAP) + STEP
"""Seconds that stand in front of a part at most."""
_SLACK = 0.4


class SeamError(ValueError):
    """A segment reaches from the samples into the part: its words cannot be told apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """What stands in front of a part.

    Attributes:
        samples: int16 at 16 kHz, shape (n,).
        voices: Name, start and end (s) of each sample.
    """

    samples: Int16 = field(default_factory=lambda: np.zeros(0, np.int16))
    voices: tuple[tuple[str, float, float], ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / RATE


@dataclass(slots=True)
class _Voice:
    clip: Int16 | None = None


class Cast:
    """Who speaks in a recording; gives each the same name in all parts.

    Args:
        named: The names of the voices whose samples the request carries: a server uses them.
    """

    def __init__(self, named: Iterable[str] = ()) -> None:
        self._named = frozenset(named)
        self._voices: dict[str, _Voice] = {}
        self._count = 0

    def front(self) -> Front:
        """Return what to put in front of the next part; nothing before anybody is known."""
        pieces: list[Int16] = []
        voices: list[tuple[str, float, float]] = []
        position = 0
        for name, voice in self._voices.items():
            if voice.clip is None or name in self._named or len(voices) == MOST:
                continue
            voices.append((name, position / RATE, (position + len(voice.clip)) / RATE))
            pieces += [voice.clip, np.zeros(round(GAP * RATE), np.int16)]
            position += len(pieces[-2]) + len(pieces[-1])
        if not pieces:
            return Front()
        pieces.append(np.zeros(round((STEP - GAP) * RATE), np.int16))
        return Front(np.concatenate(pieces), tuple(voices))

    def settle(self, transcript: Transcript, front: Front) -> Transcript:
        """Take what a server told of a part behind its front.

        Returns:
            What belongs to the part, with times from the part's beginning, and names instead of
            labels.

        Raises:
            SeamError: If that cannot be told; the part has to go out without a front.
        """
        begins = front.seconds
        votes: dict[tuple[str, str], float] = defaultdict(float)
        kept: list[Segment] = []
        for one in transcript.segments:
            if one.start < begins - _SLACK and one.end > begins + _SLACK:
                raise SeamError("a segment reaches over the seam")
            if (one.start + one.end) / 2 >= begins:
                kept.append(one.moved(-begins))
                continue
            for name, start, end in front.voices:
                shared = min(end, one.end) - max(start, one.start)
                if one.speaker is not None and shared > 0:
                    votes[one.speaker, name] += shared
        names = self._names(votes, kept)
        segments = tuple(
            one if one.speaker is None else one.said_by(names[one.speaker]) for one in kept
        )
        segments = tuple(_from_zero(one) for one in segments)
        # With a front, the text as a whole has the samples' words in it.
        text = " ".join(one.text for one in segments) if front.voices else transcript.text
        return replace(transcript, text=text, segments=segments)

    def remember(self, segments: Iterable[Segment], cut: Callable[[float, float], Int16]) -> None:
        """Keep a sample of each voice, the longest heard so far.

        Args:
            segments: As `settle` returned them.
            cut: Gives the samples of the part between two times (s).
        """
        best: dict[str, Segment] = {}
        for one in segments:
            if one.speaker is None:
                continue
            had = best.get(one.speaker)
            if had is None or one.end - one.start > had.end - had.start:
                best[one.speaker] = one
        for name, one in best.items():
            voice = self._voices.setdefault(name, _Voice())
            length = min(one.end - one.start, SAMPLE)
            have = 0.0 if voice.clip is None else len(voice.clip) / RATE
            if length >= SHORTEST and length > have:
                voice.clip = cut(one.start, one.start + length)

    def _names(
        self, votes: Mapping[tuple[str, str], float], kept: Collection[Segment]
    ) -> dict[str, str]:
        names: dict[str, str] = {}
        taken: set[str] = set()
        for (label, name), _ in sorted(votes.items(), key=lambda vote: -vote[1]):
            if label not in names and name not in taken:
                names[label] = name
                taken.add(name)
        for one in kept:
            if one.speaker is None or one.speaker in names:
                continue
            if one.speaker in self._named:
                names[one.speaker] = one.speaker
            else:
                self._count += 1
                names[one.speaker] = f"Speaker {self._count}"
            self._voices.setdefault(names[one.speaker], _Voice())
        return names

    def meet(self, transcript: Transcript) -> None:
        """Take note of the names in a part that was settled before, in an earlier run."""
        for name in transcript.speakers:
            self._voices.setdefault(name, _Voice())
            number = name.removeprefix("Speaker ")
            if name not in self._named and number.isdigit():
                self._count = max(self._count, int(number))


def _from_zero(one: Segment) -> Segment:
    """Return a segment that does not begin before its part."""
    if one.start >= 0:
        return one
    words = tuple(
        replace(word, start=max(word.start, 0.0), end=max(word.end, 0.0)) for word in one.words
    )
    return replace(one, start=0.0, end=max(one.end, 0.0), words=words)


def join(parts: Iterable[tuple[float, Transcript]]) -> Transcript:
    """Put parts together.

    Args:
        parts: Where each begins (s), in order, and what was said in it.
    """
    listed = list(parts)
    costs = [part.cost for _, part in listed if part.cost is not None]
    languages = [part.language for _, part in listed if part.language]
    return Transcript(
        text=" ".join(part.text for _, part in listed if part.text),
        segments=tuple(one.moved(start) for start, part in listed for one in part.segments),
        # What most parts are in: one with a quotation may be taken for another.
        language=max(languages, key=languages.count) if languages else None,
        model=next((part.model for _, part in listed if part.model), ""),
        seconds=sum(part.seconds for _, part in listed),
        cost=sum(costs) if costs else None,
        ids=tuple(one for _, part in listed for one in part.ids),
    )
