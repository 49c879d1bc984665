"""Reasons: why calls and sessions end, in words; each has a code, for texts in other languages."""

from __future__ import annotations

CALLER_HUNG_UP = "the caller hung up"
SHUTTING_DOWN = "the server is shutting down"
LINE_CLOSED = "the line was closed"
LONGEST = "the call reached its longest duration"
LONGEST_SESSION = "the session reached its longest duration"
NOBODY_CAME = "nobody came"
ALL_LEFT = "everybody has left"
SPEAKER_LEFT = "the speaker has left"
SESSION_CLOSED = "the session was closed"
SESSION_ENDED = "the session was ended"
NOBODY_THERE = "nobody was there any more"

CODES = {
    CALLER_HUNG_UP: "caller",
    SHUTTING_DOWN: "closing",
    LINE_CLOSED: "line",
    LONGEST: "longest",
    LONGEST_SESSION: "longest",
    NOBODY_CAME: "nobody",
    ALL_LEFT: "left",
    SPEAKER_LEFT: "speaker",
    SESSION_CLOSED: "ended",
    SESSION_ENDED: "ended",
    NOBODY_THERE: "silent",
}
"""A word for each reason that there are texts for in a page's languages."""


def code_of(reason: str) -> str:
    """Return a reason's code; "" of one that somebody wrote themselves."""
    return CODES.get(reason, "")
