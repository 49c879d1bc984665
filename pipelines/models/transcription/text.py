"""What was said in a recording: its text, its segments with times and speakers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

PAUSE = 0.8
"""Seconds without a word that end a segment made of words."""
LONGEST = 100
"""Characters from which the next sentence's end ends a segment made of words."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    Attributes:
        text: As written, with its punctuation, without spaces around it.
        start: Since the recording's beginning (s).
        end: Likewise.
        speaker: Who said it, where speakers were told apart.
    """

    text: str
    start: float
    end: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one speaker's speech, about a sentence.

    Attributes:
        text: What was said.
        start: Since the recording's beginning (s).
        end: Likewise.
        speaker: Who said it, where speakers were told apart.
        words: Its words, where they were timed.
    """

    text: str
    start: float
    end: float
    speaker: str | None = None
    words: tuple[Word, ...] = ()

    def moved(self, seconds: float) -> Segment:
        """Return it with its times moved."""
        words = tuple(
            replace(word, start=word.start + seconds, end=word.end + seconds) for word in self.words
        )
        return replace(self, start=self.start + seconds, end=self.end + seconds, words=words)

    def said_by(self, speaker: str | None) -> Segment:
        """Return it as another speaker's."""
        words = tuple(replace(word, speaker=speaker) for word in self.words)
        return replace(self, speaker=speaker, words=words)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a recording or in a part of one.

    Attributes:
        text: All of it.
        segments: With times, where they were asked for.
        language: Which it is, where the server told.
        model: Which model wrote it down, as the server told.
        seconds: How much audio was billed (s).
        cost: In US dollars, where the server told.
        ids: The server's ids of the requests, where it gave any.
    """

    text: str
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    model: str = ""
    seconds: float = 0.0
    cost: float | None = None
    ids: tuple[str, ...] = ()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who speaks, in the order of their first words."""
        return tuple(dict.fromkeys(one.speaker for one in self.segments if one.speaker))

    def json(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        segments = []
        for one in self.segments:
            entry: dict[str, Any] = {
                "start": round(one.start, 3),
                "end": round(one.end, 3),
                "text": one.text,
            }
            if one.speaker is not None:
                entry["speaker"] = one.speaker
            if one.words:
                entry["words"] = [
                    {"start": round(word.start, 3), "end": round(word.end, 3), "text": word.text}
                    for word in one.words
                ]
            segments.append(entry)
        return {
            "text": self.text,
            "language": self.language,
            "model": self.model,
            "seconds": round(self.seconds, 3),
            "cost": self.cost,
            "ids": list(self.ids),
            "segments": segments,
        }

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Self:
        """Read what `json` gave.

        Raises:
            ValueError: If it is something else.
        """
        try:
            segments = tuple(
                Segment(
                    str(one["text"]),
                    float(one["start"]),
                    float(one["end"]),
                    one.get("speaker"),
                    tuple(
                        Word(
                            str(word["text"]),
                            float(word["start"]),
                            float(word["end"]),
                            one.get("speaker"),
                        )
                        for word in one.get("words", ())
                    ),
                )
                for one in data["segments"]
            )
            return cls(
                str(data["text"]),
                segments,
                data["language"],
                str(data["model"]),
                float(data["seconds"]),
                data["cost"],
                tuple(data["ids"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no transcript: {error!r}") from error


def gather(words: Sequence[Word]) -> tuple[Segment, ...]:
    """Put words together to segments: by speaker, by pause, by sentence."""
    segments: list[Segment] = []
    open_: list[Word] = []

    def end() -> None:
        if open_:
            text = " ".join(word.text for word in open_)
            speaker = open_[0].speaker
            segments.append(Segment(text, open_[0].start, open_[-1].end, speaker, tuple(open_)))
            open_.clear()

    for word in words:
        if open_:
            last = open_[-1]
            length = sum(len(one.text) + 1 for one in open_)
            sentence = last.text[-1:] in ".?!…。？！" and length >= LONGEST // 3
            full = length >= LONGEST and last.text[-1:] in ",;:，；："
            if (
                word.speaker != last.speaker
                or word.start - last.end > PAUSE
                or sentence
                or full
                or length >= 2 * LONGEST
            ):
                end()
        open_.append(word)
    end()
    return tuple(segments)
