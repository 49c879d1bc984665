"""Transcripts in OpenAI's shape (`json` and `verbose_json`), as vLLM and OpenRouter answer them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.models.transcription.options import Options
from vivavoce.pipelines.models.transcription.text import Segment, Transcript, Word, gather


def read(
    where: Endpoint, answer: dict[str, Any], headers: Mapping[str, str], options: Options
) -> Transcript:
    """Read an answer.

    Args:
        where: Who answered.
        answer: The JSON object.
        headers: By lower-case name.
        options: What was asked for.

    Raises:
        ModelError: If it is no transcript.
    """
    try:
        words = tuple(_word(entry) for entry in answer.get("words") or () if entry.get("word"))
        segments = tuple(
            Segment(" ".join(str(entry["text"]).split()), *_times(entry), _speaker(entry))
            for entry in answer.get("segments") or ()
            if str(entry.get("text") or "").strip()
        )
        # Words know more than segments, where there are any: their own times and speakers.
        if words and (options.times == "word" or options.diarize):
            segments = gather(words)
        usage = answer.get("usage") or {}
        made = headers.get("x-generation-id")
        cost = usage.get("cost")
        return Transcript(
            text=" ".join(str(answer["text"]).split()),
            segments=segments,
            language=answer.get("language") or None,
            model=where.model,
            seconds=float(usage.get("seconds") or answer.get("duration") or 0),
            cost=None if cost is None else float(cost),
            ids=(made,) if made else (),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            "hearing",
            "broken",
            f"{where.url} sent a transcript that cannot be read ({error!r})",
        ) from error


def _word(entry: dict[str, Any]) -> Word:
    return Word(str(entry["word"]).strip(), *_times(entry), _speaker(entry))


def _times(entry: dict[str, Any]) -> tuple[float, float]:
    start = float(entry.get("start") or 0.0)
    return start, max(float(entry.get("end") or start), start)


def _speaker(entry: dict[str, Any]) -> str | None:
    label = entry.get("speaker_label")
    if label is None:
        label = entry.get("speaker")
    return None if label is None else str(label)
