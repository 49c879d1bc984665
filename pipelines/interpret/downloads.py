"""What is taken home of an interpreted session: subtitles in each of its languages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from vivavoce.agent.languages import base
from vivavoce.pipelines.models.transcription.text import Segment, Transcript
from vivavoce.pipelines.subtitles import write

Form = Literal["srt", "vtt"]
FORMS: tuple[Form, ...] = get_args(Form)
At = Literal["said", "heard"]
"""When a translation's subtitle stands: while its original is said, or while it is heard."""
TIMES: tuple[At, ...] = get_args(At)

READING = 15.0
"""Characters a second that a subtitle is given where nobody spoke it: what people read."""


class DownloadError(ValueError):
    """There is nothing to take home; the message says what there is instead."""


def languages(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the languages of a session in the order in which they came up.

    Args:
        rows: Entries of its transcript as JSON (`Segment.to_dict`); other kinds are passed over.
    """
    found: dict[str, None] = {}
    for row in _segments(rows):
        found[str(row["source"])] = None
        if row["translation"]:
            found[str(row["target"])] = None
    return list(found)


def subtitles(
    rows: Iterable[Mapping[str, Any]], language: str, form: Form = "srt", *, at: At = "said"
) -> str:
    """Return all that was said or translated into a language, as a file of subtitles.

    Args:
        rows: Entries of the session's transcript as JSON; other kinds are passed over.
        language: Which of its languages, as "en".
        form: SRT or WebVTT.
        at: When a translation stands: "said" fits the original's sound, "heard" the dubbed one.

    Raises:
        DownloadError: If the session has nothing in that language.
    """
    given = list(_segments(rows))
    lines = pieces(given, language, at=at)
    if not lines:
        known = ", ".join(languages(given)) or "none: nothing was translated"
        raise DownloadError(f"there is nothing in {language!r}; the languages are {known}")
    text = " ".join(line.text for line in lines)
    return write(Transcript(text, tuple(lines), language), form)


def pieces(rows: Iterable[Mapping[str, Any]], language: str, *, at: At = "said") -> list[Segment]:
    """Return what was said in a language, or translated into it, in the order of its times.

    What a speaker said stands there once, however many languages it went into. Speakers are named
    where there are several.

    Args:
        rows: Segments as JSON.
        language: Which language.
        at: See `subtitles`.
    """
    wanted = base(language)
    spoken: dict[str, str] = {}  # by speaker: the lane whose cuts are taken for their own words
    found: list[Segment] = []
    for row in _segments(rows):
        speaker = str(row["speaker"])
        if base(str(row["source"])) == wanted:
            lane = f"{row['source']}>{row['target']}"
            if spoken.setdefault(speaker, lane) == lane:
                start, end = float(row["started"]), float(row["ended"])
                found.append(Segment(str(row["text"]), start, max(start, end), speaker))
        elif base(str(row["target"])) == wanted and row["translation"]:
            found.append(_translated(row, speaker, at))
    found.sort(key=lambda each: each.start)
    if len({each.speaker for each in found}) < 2:
        found = [each.said_by(None) for each in found]
    return found


def _translated(row: Mapping[str, Any], speaker: str, at: At) -> Segment:
    text = str(row["translation"])
    start, end = float(row["started"]), float(row["ended"])
    if at == "heard":
        if row["spoken_from"] is not None:
            start = float(row["spoken_from"])
            end = float(row["spoken_to"]) if row["spoken_to"] is not None else start
        elif row["translated"] is not None:
            start, end = float(row["translated"]), 0.0
    return Segment(text, start, max(end, start) if end else start + len(text) / READING, speaker)


def _segments(rows: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return (row for row in rows if row.get("kind") == "segment" and row.get("text"))
