"""The report: one page that shows a finished call.

The page stands on its own: styles, script and pictures are in it, it asks no server for
anything, and its security policy forbids it to. Only the recording lies beside it. Without
scripts everything shows; with them it plays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vivavoce.agent.transcript import Reply
from vivavoce.pipelines.audio.wav import AudioFileError
from vivavoce.web.dialogue import dialogue
from vivavoce.web.markup import Html, count, duration, el, join, milliseconds, text, when
from vivavoce.web.peaks import Peaks, read_peaks
from vivavoce.web.standalone import Lead, compose, fragment, resource, write_page
from vivavoce.web.story import ReportError, Story, read
from vivavoce.web.timeline import timeline
from vivavoce.web.waterfall import waterfall

__all__ = ["ReportError", "write_report"]

_FIGURES = {
    "p50": "half of the replies came within",
    "p95": "95 of 100 replies came within",
    "p99": "99 of 100 replies came within",
}


def write_report(record: dict[str, Any], recording: Path | None, out: Path) -> None:
    """Write the page of a call.

    Reads the recording and writes the page on the calling thread: a few milliseconds, and about
    half a second for an hour of audio. The page appears at once and whole; a page that was there
    before is replaced.

    Args:
        record: As `vivavoce.agent.record.record` makes it, or the same parsed from JSON.
        recording: The call's WAV file (16-bit, the caller left and the agent right), or None.
            The page plays it when it lies in the page's own folder. A file that is missing or
            cannot be read is no error: the page says so.
        out: The page; its folder exists.

    Raises:
        ReportError: The record is not one, or the page cannot be written; one line says why.
    """
    write_page(page(record, recording, out.parent), out)


def page(record: Mapping[str, Any], recording: Path | None, folder: Path) -> str:
    """Make the page of a call.

    Args:
        record: As for `write_report`.
        recording: As for `write_report`.
        folder: Where the page will lie.

    Raises:
        ReportError: The record is not one.
    """
    story = read(record)
    peaks, audio, note = _listen(recording, folder)
    agent = story.agent or "an agent"
    lead = Lead(
        f"Call with {agent}",
        join([text("Call with "), el("bdi", agent)]),
        _facts(story),
        _figures(story),
        target="conversation",
    )
    main = fragment(
        "report.html",
        player=_player(audio, note),
        timeline=timeline(story, peaks),
        dialogue=join([dialogue(story, audio), _omitted(story)]),
        waterfall=waterfall(story) or el("p", "No reply was timed in this call.", cls="nothing"),
        models=_models(story) or Html(""),
    )
    return compose(
        lead,
        main,
        style=resource("report.css"),
        script=resource("report.js"),
        record=record,
        media="'self' file:",
        attributes=True,
    )


def _listen(recording: Path | None, folder: Path) -> tuple[Peaks | None, str | None, str | None]:
    """Return the recording's outline, its URL as seen from the page, and what is wrong."""
    if recording is None:
        return None, None, "This call was not recorded."
    try:
        peaks = read_peaks(recording)
    except AudioFileError as error:
        return None, None, f"The recording {recording.name} {error}."
    if recording.parent.resolve() != folder.resolve():
        note = f"To listen, put {recording.name} beside this page and make the page again."
        return peaks, None, note
    # "./" and the quoting keep a name such as "data:x.wav" a name.
    return peaks, f"./{quote(os.fsencode(recording.name))}", None


def _facts(story: Story) -> Html:
    replies = [entry for entry in story.entries if isinstance(entry, Reply)]
    kinds = [entry.kind for entry in story.entries]
    cuts = sum(reply.interrupted for reply in replies)
    parts = [
        el("li", when(story.began, "%H:%M:%S")) if story.began else None,
        el("li", duration(story.seconds)),
        el("li", count(kinds.count("caller"), "caller turn")),
        el("li", count(len(replies), "reply", "replies")),
        el("li", count(cuts, "interruption")) if cuts else None,
        el("li", count(kinds.count("tool"), "tool call")) if "tool" in kinds else None,
        el("li", count(kinds.count("failure"), "problem"), cls="bad")
        if "failure" in kinds
        else None,
    ]
    ended = el("p", "Ended: ", el("bdi", story.ended), cls="ended") if story.ended else None
    return join([el("ul", [part for part in parts if part is not None], cls="facts"), ended])


def _figures(story: Story) -> Html:
    heading = el("h2", "Response delay", id="h-delay")
    return el(
        "section",
        heading,
        _percentiles(story),
        cls="delay-figures",
        aria_labelledby="h-delay",
    )


def _percentiles(story: Story) -> Html:
    timed = sum(isinstance(entry, Reply) and entry.latency is not None for entry in story.entries)
    if not story.percentiles:
        return el("p", "No reply was timed.", cls="nothing")
    items = []
    for name, ms in story.percentiles.items():
        label = el("abbr", name, title=_FIGURES.get(name))
        figure = el("dd", milliseconds(ms), el("small", " ms"))
        items.append(el("div", el("dt", label), figure))
    replies = count(timed, "reply", "replies")
    basis = f"From the caller’s last sound to the agent’s first, over {replies}."
    return join([el("dl", items), el("p", basis)])


def _player(audio: str | None, note: str | None) -> Html:
    if audio is None:
        return el("p", note, cls="nothing")
    return el("audio", id="audio", src=audio, controls=True, preload="metadata")


def _models(story: Story) -> Html | None:
    rows: Iterator[Html] = (
        el("div", el("dt", stage), el("dd", el("bdi", model or "–")))
        for stage, model in story.models.items()
    )
    call = el("div", el("dt", "call"), el("dd", el("bdi", story.call))) if story.call else None
    return el("dl", [*rows, *([call] if call else [])], cls="models")


def _omitted(story: Story) -> Html | None:
    if not story.unknown:
        return None
    kinds = ", ".join(kind or "without a kind" for kind in story.unknown)
    return el("p", f"Only in the JSON: entries that this page does not know ({kinds}).", cls="why")
