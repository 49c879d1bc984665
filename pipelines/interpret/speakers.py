"""Speakers: in a session, each is translated in their own voice, once they have agreed to it.

Pure but for the record of consent: sound, agreements and the time in, voices out. Until a stretch
of somebody's speech is good enough, and where nobody's voice can be copied, the neutral voice
speaks. Samples are in memory only; they are forgotten with the session, or as soon as their
speaker wants it.
"""

from __future__ import annotations

import io
import logging
import wave
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.voices import Speaker, VoiceSample, voice_for
from vivavoce.pipelines.interpret import quality
from vivavoce.pipelines.interpret.demands import Demands
from vivavoce.pipelines.interpret.quality import RATE, Int16
from vivavoce.pipelines.interpret.speaker_sample import Picked, SampleFinder
from vivavoce.pipelines.interpret.tracker import Said, Tracker
from vivavoce.pipelines.models.consent import Consent, ConsentError
from vivavoce.pipelines.models.delivery import clones

log = logging.getLogger("vivavoce")

PURPOSE = "to speak the translation of what they say in this session"
EVERY = 30.0
"""Seconds between two samples of one speaker, at least: a voice that changes often irritates."""
LEVEL = -20.0
"""dBFS of the speech in a sample that is sent."""
AT_ONCE = 2
"""Blocks of an utterance that are looked into with each block that comes in."""
WAITING = 60.0
"""Seconds of utterances that may wait for it."""


@dataclass(frozen=True, slots=True)
class Copying:
    """How far the copying of a speaker's voice is.

    Attributes:
        speaker: Whose.
        agreed: Whether they have agreed.
        copied: Whether there is a sample.
        why: Why there is none, in words for the speaker; empty where there is one.
        cause: The same in a word: what `speaker_sample` finds wrong, or "consent", "chosen",
            "unable" (the speech model) and "over".
        seconds: How long it is.
        score: How good it is: 0 to 1.
    """

    speaker: str
    agreed: bool
    copied: bool
    why: str
    seconds: float = 0.0
    score: float = 0.0
    cause: str = ""


@dataclass(slots=True, eq=False)
class _Person:
    """One speaker.

    Attributes:
        finder: Looks for a sample; None while they have not agreed.
        consent: What they have agreed to.
        sample: What is copied from now on.
        found: The stretch that it was made of.
        since: When it was made (s).
        spoken: By language, what the last segment was spoken with.
        entry: Their consent, in the record.
    """

    finder: SampleFinder | None = None
    consent: Consent | None = None
    sample: VoiceSample | None = None
    found: Picked | None = None
    since: float = 0.0
    spoken: dict[str, VoiceSample | None] = field(default_factory=dict)
    entry: dict[str, Any] | None = None
    told: Copying | None = None


class Speakers:
    """The voices of a session's speakers. Implements `Voices`.

    Everything is to be called from one thread, and takes 3 ms at most.

    Args:
        interpreter: Whose session it is: its voice is the neutral one.
        speaking: The speech model: whether it can copy a voice is asked of it, once.
        now: The time (s): any clock that does not go back.
        demands: What a stretch of speech has to be.
        every: Seconds between two samples of one speaker, at least.
        changed: Told how far the copying of somebody's voice is, when that changes.

    Attributes:
        changed: Who is told; may be set later.
        able: Whether voices can be copied here; else why not, in words.
        records: Who agreed to what, when and how, what was made of it and when it was withdrawn:
            for the session's record. Nothing of a voice is in them.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        speaking: object,
        now: Callable[[], float],
        *,
        demands: Demands | None = None,
        every: float = EVERY,
        changed: Callable[[Copying], None] | None = None,
    ) -> None:
        self.able: bool | str = clones(speaking)
        self.records: list[dict[str, Any]] = []
        self._interpreter = interpreter
        self._now = now
        self._demands = demands or Demands()
        self._every = every
        self.changed = changed
        self._people: dict[str, _Person] = {}
        self._shared: dict[str, _Shared] = {}
        self._closed = False
        if interpreter.copies and self.able is not True:
            log.warning(
                "%s: nobody's own voice can be copied (%s): a neutral one speaks",
                interpreter.name,
                self.able,
            )

    # Consent.

    def agree(self, speaker: str, consent: Consent, *, purpose: str = PURPOSE) -> None:
        """A speaker agrees that their voice is copied. Sound is looked into from now on.

        Args:
            speaker: Whose voice, by the name that their words have (`Segment.speaker`).
            consent: Who, when, how.
            purpose: What for.

        Raises:
            ConsentError: If the session is over.
        """
        if self._closed:
            raise ConsentError("the session is over: there is nothing to agree to")
        person = self._person(speaker)
        if person.consent is not None:
            return
        person.consent = consent
        person.entry = {
            "speaker": speaker,
            "who": consent.speaker,
            "given": consent.given.isoformat(),
            "how": consent.how,
            "what_for": purpose,
            "recorded": _stamp(),
            "samples": [],
            "withdrawn": None,
        }
        self.records.append(person.entry)
        if self._interpreter.copies and self.able is True:
            person.finder = SampleFinder(self._demands)
        self._tell(speaker, person)

    def withdraw(self, speaker: str) -> None:
        """A speaker agrees no more: from now on the neutral voice, and their sample is forgotten.

        Idempotent. What is being spoken just now ends in the voice in which it began.
        """
        person = self._people.get(speaker)
        if person is None or person.consent is None:
            return
        if person.entry is not None:
            person.entry["withdrawn"] = _stamp()
        self._forget(person)
        person.consent = person.entry = None
        for shared in self._shared.values():
            shared.forget(speaker)
        self._tell(speaker, person)

    def copying(self, speaker: str) -> Copying:
        """Return how far the copying of a speaker's voice is."""
        return self._copying(speaker, self._people.get(speaker) or _Person())

    # Sound.

    def share(self, microphone: str) -> None:
        """Several people speak at a microphone: they are told apart, and named "A", "B", ...

        Args:
            microphone: The name under which its sound is fed.
        """
        self._shared.setdefault(microphone, _Shared())

    def feed(self, speaker: str, pcm: Int16, speech: float) -> None:
        """Hear somebody.

        Args:
            speaker: Who speaks; or a microphone that is shared.
            pcm: int16 mono at 16 kHz: 20 to 500 ms.
            speech: Probability that somebody speaks in it.

        Raises:
            TypeError: If it is no such sound.
        """
        if self._closed:
            return
        shared = self._shared.get(speaker)
        if shared is None:
            self._hear(speaker, pcm, speech)
            return
        wanted = {name for name, person in self._people.items() if person.finder is not None}
        for name, block, probability in shared.feed(pcm, speech, wanted):
            self._hear(name, block, probability)

    def who(self, microphone: str, at: float | None = None) -> str:
        """Return who speaks, or spoke, at a shared microphone.

        Args:
            microphone: Its name; where it is not shared, it is its speaker's.
            at: Seconds of sound that were fed up to then; None: just now.

        Returns:
            "A", "B", ...; empty where nobody has spoken long enough to be known.
        """
        shared = self._shared.get(microphone)
        return microphone if shared is None else shared.tracker.who(at)

    def _hear(self, speaker: str, pcm: Int16, speech: float) -> None:
        person = self._people.get(speaker)
        if person is None or person.finder is None:
            return
        verdict = person.finder.feed(pcm, speech)
        if isinstance(verdict, Picked):
            self._take(speaker, person, verdict)
        elif person.sample is None:
            self._tell(speaker, person)

    def _take(self, speaker: str, person: _Person, found: Picked) -> None:
        """Make a sample of a stretch, if it is time for another one."""
        now = self._now()
        if found is person.found:
            return
        if person.sample is not None and now - person.since < self._every:
            return
        finder = person.finder
        assert finder is not None
        if finder.like is None and len(found.person) and not found.narrow:
            finder.like = found.person  # from now on the same person only
        person.found, person.since = found, now
        person.sample = VoiceSample(_wav(found), found.seconds, speaker)
        if person.entry is not None:
            person.entry["samples"].append(
                {
                    "made": _stamp(),
                    "seconds": round(found.seconds, 2),
                    "score": round(found.score, 3),
                    "figures": found.report.json(),
                }
            )
        self._tell(speaker, person)

    # Voices.

    def voice_for(
        self, speaker: str, language: str, *, begins: bool = True, at: float | None = None
    ) -> str | Speaker | None:
        """Return the voice for what a speaker said; asked before each segment is spoken.

        Args:
            speaker: Who said it; or a shared microphone.
            language: In which it is spoken.
            begins: Whether it begins a sentence: the voice does not change within one, unless it
                was withdrawn.
            at: Where it was said at a shared microphone (`who`).
        """
        neutral = voice_for(self._interpreter.voice, language)
        person = self._people.get(self.who(speaker, at))
        if person is None or person.sample is None:
            return neutral
        spoken = person.spoken.get(language)
        if begins or (spoken is not None and spoken.wav is None):
            person.spoken[language] = spoken = person.sample
        if spoken is None or spoken.wav is None:
            return neutral
        if isinstance(neutral, Speaker):
            neutral = neutral.voice
        return Speaker(neutral, sample=spoken)

    def close(self) -> None:
        """Forget all samples; idempotent. The record of consent stays."""
        self._closed = True
        for person in self._people.values():
            self._forget(person)
        self._shared.clear()

    def _forget(self, person: _Person) -> None:
        for each in (person.sample, *person.spoken.values()):
            if each is not None:
                each.forget()
        person.finder = person.sample = person.found = None
        person.spoken.clear()

    def _person(self, speaker: str) -> _Person:
        return self._people.setdefault(speaker, _Person())

    def _copying(self, speaker: str, person: _Person) -> Copying:
        if person.sample is not None and person.found is not None:
            return Copying(speaker, True, True, "", person.sample.seconds, person.found.score)
        if person.consent is None:
            cause, why = "consent", "has not agreed to it"
        elif not self._interpreter.copies:
            cause, why = "chosen", "a voice was chosen for all"
        elif self.able is not True:
            cause, why = "unable", str(self.able)
        elif person.finder is not None and not isinstance(person.finder.verdict, Picked):
            cause, why = person.finder.verdict.refusal
        else:
            cause, why = "over", "the session is over"
        return Copying(speaker, person.consent is not None, False, why, cause=cause)

    def _tell(self, speaker: str, person: _Person) -> None:
        found = self._copying(speaker, person)
        told, person.told = person.told, found
        if self.changed is not None and (told is None or _news(found, told)):
            self.changed(found)


def _news(found: Copying, told: Copying) -> bool:
    """Whether it is worth telling: a figure in the reason that moves is not."""
    return found != told and (
        (found.agreed, found.copied, found.score) != (told.agreed, told.copied, told.score)
        or (found.cause, found.why.split("(")[0][:24]) != (told.cause, told.why.split("(")[0][:24])
    )


class _Shared:
    """A microphone that is shared: whole utterances, told apart by their voices."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self._parts: deque[tuple[Int16, float]] = deque()  # not told apart yet
        self._begin = 0  # samples before them
        self._due: deque[tuple[str, Int16, float]] = deque()

    def feed(self, pcm: Int16, speech: float, wanted: set[str]) -> list[tuple[str, Int16, float]]:
        """Take a block; return what is known to be somebody's, a little at a time."""
        self._parts.append((pcm, speech))
        for said in self.tracker.feed(pcm, speech):
            self._give(said, wanted)
        while self._parts and len(self._parts) * len(pcm) > WAITING * RATE:
            self._begin += len(self._parts.popleft()[0])
        return [self._due.popleft() for _ in range(min(AT_ONCE, len(self._due)))]

    def forget(self, name: str) -> None:
        """Forget what waits of somebody."""
        self._due = deque(each for each in self._due if each[0] != name)

    def _give(self, said: Said, wanted: set[str]) -> None:
        """Give an utterance to whoever spoke it; what was before it, to nobody."""
        while self._parts:
            block, speech = self._parts[0]
            if self._begin >= said.end:
                return
            self._parts.popleft()
            if self._begin + len(block) > said.start and said.name in wanted:
                self._due.append((said.name, block, speech))
            self._begin += len(block)


def _wav(found: Picked) -> bytes:
    """Return a stretch as a WAV file, as loud as speech in samples is."""
    gain = 10 ** ((LEVEL - found.report.level) / 20)
    loudest = float(np.abs(found.pcm.astype(np.int32)).max(initial=1))
    gain = min(gain, 0.9 * 32_767 / loudest)
    pcm = np.round(found.pcm * gain).astype("<i2")
    edge = np.linspace(0, 1, RATE // 100)
    pcm[: len(edge)] = pcm[: len(edge)] * edge
    pcm[-len(edge) :] = pcm[-len(edge) :] * edge[::-1]
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(quality.RATE)
        file.writeframes(pcm.tobytes())
    return out.getvalue()


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
