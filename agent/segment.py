"""A segment: a piece of what was said, cut where it can be translated, and its translation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from vivavoce.agent.ledger import Latency

State = Literal["waiting", "translating", "queued", "speaking", "spoken", "written", "failed"]


@dataclass(slots=True, eq=False)
class Segment:
    """One piece of speech and its translation; pieces of a speaker come in order, each once.

    The source text of a segment is final: what may still change is not cut off yet. Its
    translation is final from `queued` on; before, it is a caption that grows.

    Attributes:
        number: Counts a speaker's segments, from 1.
        speaker: Whose words they are: the name of a participant, or of a voice in a room ("A").
        source: The language that was spoken.
        target: The language of the translation.
        text: What was said.
        started: When its first word began (s since the call began).
        ended: When its last word ended, likewise.
        closes: It ends what the speaker said: a sentence or a turn is over.
        translation: What it means.
        revisions: Captions shown before that were not simply the beginning of the translation.
        cut: When it was cut off (s).
        translated: When its translation was final (s); None before.
        spoken_from: When the first sample of its translation was sent (s); None before.
        spoken_to: When the last one was.
        condensed: It was told to be shorter, to catch up: 0 not at all, 1 a little, 2 much.
        speed: How much faster than usual it was spoken, on average.
        voice: Whose voice spoke it.
        state: How far it is; "written" where it is a caption only.
        why: What went wrong, where `state` is "failed".
        error: The same in a word: which class of failure ("timeout"), "over" where the session
            ended first, "" where nobody told.
        served: Who transcribed, translated and spoke it, by stage ("hearing", "thinking",
            "speaking").
        latency: Where the lag went, once it is spoken: "transcription" of its last word,
            "endpointing" (waiting for the cut), "thinking" (the first token), "clause" (the
            rest of the translation), "speech" (the first audio) and "output" (the queue).
    """

    number: int
    speaker: str
    source: str
    target: str
    text: str
    started: float
    ended: float
    closes: bool = False
    translation: str = ""
    revisions: list[str] = field(default_factory=list)
    cut: float = 0.0
    translated: float | None = None
    spoken_from: float | None = None
    spoken_to: float | None = None
    condensed: int = 0
    speed: float = 1.0
    voice: str = ""
    state: State = "waiting"
    why: str = ""
    error: str = ""
    served: dict[str, str] = field(default_factory=dict)
    latency: Latency | None = None
    kind: Literal["segment"] = "segment"

    @property
    def lag(self) -> float | None:
        """Seconds from its last word's end to its translation's first sample; None before."""
        return None if self.spoken_from is None else self.spoken_from - self.ended

    @property
    def settled(self) -> bool:
        """Whether nothing of it is going to change any more."""
        return self.state in {"spoken", "written", "failed"}

    def caption(self, text: str) -> None:
        """Show a caption of the translation so far; one that was corrected is remembered."""
        if self.translation and not text.startswith(self.translation):
            self.revisions.append(self.translation)
        self.translation = text

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON; times in seconds since the call began."""

        def rounded(value: float | None) -> float | None:
            return None if value is None else round(value, 3)

        return {
            "kind": self.kind,
            "number": self.number,
            "speaker": self.speaker,
            "source": self.source,
            "target": self.target,
            "text": self.text,
            "started": rounded(self.started),
            "ended": rounded(self.ended),
            "closes": self.closes,
            "translation": self.translation,
            "revisions": list(self.revisions),
            "cut": rounded(self.cut),
            "translated": rounded(self.translated),
            "spoken_from": rounded(self.spoken_from),
            "spoken_to": rounded(self.spoken_to),
            "lag": rounded(self.lag),
            "condensed": self.condensed,
            "speed": round(self.speed, 3),
            "voice": self.voice,
            "state": self.state,
            "why": self.why,
            "error": self.error,
            "served": dict(self.served),
            "latency": self.latency.to_dict() if self.latency else None,
        }
