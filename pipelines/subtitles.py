"""Transcripts as files: text, JSON, subtitles (SRT, WebVTT), Markdown by speaker. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from vivavoce.pipelines.models.transcription.text import Segment, Transcript, Word

Form = Literal["text", "json", "srt", "vtt", "md"]
FORMS: tuple[Form, ...] = get_args(Form)
SUFFIXES: dict[Form, str] = {
    "text": ".txt",
    "json": ".json",
    "srt": ".srt",
    "vtt": ".vtt",
    "md": ".md",
}
TIMED: frozenset[Form] = frozenset({"srt", "vtt"})
"""Forms that need times."""

LINE = 42
"""Characters of a subtitle's line; of wide ones half as many."""
LINES = 2
LONGEST = 7.0
"""Seconds that a subtitle stands at most."""
SHORTEST = 0.7
"""Seconds that one stands at least, where nothing follows sooner."""
PARAGRAPH = 2.5
"""Seconds of silence that begin a new paragraph in Markdown."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: its text, up to `LINES` lines of up to `LINE` characters, and times (s)."""

    text: str
    start: float
    end: float
    speaker: str | None = None


def write(transcript: Transcript, form: Form, title: str = "") -> str:
    """Return a transcript as the text of a file, which ends in a line break.

    Args:
        transcript: What was said.
        form: Which kind of file.
        title: What the recording is called; for Markdown.

    Raises:
        ValueError: If subtitles are wanted of a transcript that has words and no times.
    """
    if form in TIMED and transcript.text and not transcript.segments:
        raise ValueError(f"{form} needs times, and this transcript has none")
    if form == "json":
        return json.dumps(transcript.json(), ensure_ascii=False, indent=2) + "\n"
    if form == "srt":
        return _srt(cues(transcript.segments))
    if form == "vtt":
        return _vtt(cues(transcript.segments))
    if form == "md":
        return _markdown(transcript, title)
    if transcript.speakers:
        turns = (f"{who or 'Unknown'}: {text}\n" for who, _, text in _turns(transcript.segments))
        return "\n".join(turns)
    return f"{transcript.text}\n" if transcript.text else ""


def cues(segments: Sequence[Segment]) -> list[Cue]:
    """Cut segments into subtitles that can be read: at words, in their order, none left out."""
    found: list[Cue] = []
    for segment in segments:
        found += _cut(segment)
    # A subtitle stands long enough to be read, and never into the next one.
    for number, cue in enumerate(found):
        following = found[number + 1].start if number + 1 < len(found) else float("inf")
        end = max(cue.end, cue.start + SHORTEST) if following > cue.start else cue.end
        end = max(min(end, following), cue.start)
        found[number] = Cue(cue.text, cue.start, end, cue.speaker)
    return found


def _cut(segment: Segment) -> Iterator[Cue]:
    words = segment.words or _estimated(segment)
    lines: list[str] = []
    line = ""
    first: Word | None = None
    last: Word | None = None
    for word in words:
        longer = _joined(line, word.text)
        if first is not None and last is not None:
            full = _width(longer) > LINE and len(lines) == LINES - 1
            if full or word.end - first.start > LONGEST:
                yield Cue("\n".join([*lines, line]), first.start, last.end, segment.speaker)
                lines, line, first = [], "", None
                longer = word.text
            elif _width(longer) > LINE:
                lines.append(line)
                longer = word.text
        line = longer
        first = first or word
        last = word
    if first is not None and last is not None:
        yield Cue("\n".join([*lines, line]), first.start, last.end, segment.speaker)


def _estimated(segment: Segment) -> list[Word]:
    """Give a segment's words times by their letters, where the model timed none."""
    pieces = _pieces(segment.text)
    total = sum(_width(piece) + 1 for piece in pieces)
    words, position = [], 0
    span = segment.end - segment.start
    for piece in pieces:
        start = segment.start + span * position / total
        position += _width(piece) + 1
        words.append(Word(piece, start, segment.start + span * position / total))
    return words


def _pieces(text: str) -> list[str]:
    """Split a text at spaces, and what is written without them into lengths that fit a line."""
    pieces: list[str] = []
    for word in text.split():
        while _width(word) > LINE:
            cut, width = 0, 0
            while width + _width(word[cut]) <= LINE:
                width += _width(word[cut])
                cut += 1
            pieces.append(word[:cut])
            word = word[cut:]  # noqa: PLW2901
        if word:
            pieces.append(word)
    return pieces


def _width(text: str) -> int:
    """Count columns: Chinese, Japanese and Korean characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _joined(line: str, word: str) -> str:
    if not line:
        return word
    wide = unicodedata.east_asian_width(line[-1]) in "WF" and _width(word) > len(word)
    return line + word if wide else f"{line} {word}"


def _srt(found: Sequence[Cue]) -> str:
    blocks = []
    for number, cue in enumerate(found, 1):
        text = f"[{cue.speaker}] {cue.text}" if cue.speaker else cue.text
        times = f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}"
        blocks.append(f"{number}\n{times}\n{text}\n")
    return "\n".join(blocks)


def _vtt(found: Sequence[Cue]) -> str:
    blocks = ["WEBVTT\n"]
    for cue in found:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        if cue.speaker:
            name = re.sub(r"[&<>\r\n]", " ", cue.speaker)
            text = f"<v {name}>{text}"
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def _clock(seconds: float, point: str) -> str:
    whole = round(max(seconds, 0.0) * 1000)
    minutes, milliseconds = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{point}{milliseconds % 1000:03d}"


def _turns(segments: Sequence[Segment]) -> Iterator[tuple[str | None, float, str]]:
    """Give who speaks, from when (s), and what, until somebody else does or a pause is long."""
    texts: list[str] = []
    speaker: str | None = None
    start = end = 0.0
    for one in segments:
        if texts and (one.speaker != speaker or one.start - end > PARAGRAPH):
            yield speaker, start, " ".join(texts)
            texts = []
        if not texts:
            speaker, start = one.speaker, one.start
        texts.append(one.text)
        end = one.end
    if texts:
        yield speaker, start, " ".join(texts)


def _markdown(transcript: Transcript, title: str) -> str:
    blocks = [f"# {_escaped(title)}"] if title else []
    before: str | None = None
    if not transcript.segments and transcript.text:
        blocks.append(_escaped(transcript.text))
    for speaker, start, text in _turns(transcript.segments):
        clock = _clock(start, ".")[:-4]
        if speaker is None:
            blocks.append(f"`{clock}` {_escaped(text)}")
        elif speaker == before:
            blocks.append(_escaped(text))
        else:
            blocks.append(f"**{_escaped(speaker)}** `{clock}`\n\n{_escaped(text)}")
        before = speaker
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _escaped(text: str) -> str:
    """Keep what was said from being read as Markdown."""
    text = re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
    text = re.sub(r"^(\d+)([.)])", r"\1\\\2", text)
    return re.sub(r"^([#+\-=|])", r"\\\1", text)
