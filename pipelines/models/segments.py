"""Segments of a transcription session: what was sent, what was understood, what is owed.

One session serves a whole call. Audio is numbered by segment; a flush ends a segment and owes
its final text. The log keeps everything that has no final text yet, so that after a lost
connection it can be sent again and no word is lost; what has its final text is forgotten, so
that none is doubled. Pure: no sockets and no clock.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

KEEP = 30 * 16_000 * 2
"""Bytes of audio (int16, 16 kHz) kept at most without a final text: 30 s."""


class Segments:
    """The state of one call's transcription, over any number of connections."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        # What is not finished: audio, or None where a flush stands.
        self._log: deque[bytes | None] = deque()
        self._kept = 0
        self._sent = 0
        self._current = 0
        self._owed: deque[int] = deque()
        self._text = ""
        self._told = ""

    @property
    def current(self) -> int:
        """The segment that audio belongs to now."""
        return self._current

    @property
    def owed(self) -> tuple[int, ...]:
        """Flushed segments without a final text, oldest first."""
        return tuple(self._owed)

    @property
    def unsent(self) -> int:
        """Bytes of audio waiting to be sent."""
        waiting = islice(reversed(self._log), len(self._log) - self._sent)
        return sum(len(item) for item in waiting if item is not None)

    def audio(self, pcm: bytes) -> None:
        """Take audio; beyond `keep`, the oldest is given up (no flush ever is)."""
        self._log.append(pcm)
        self._kept += len(pcm)
        while self._kept > self._keep:
            # Flushes stand before it only while nobody answers them: there are few.
            place = next(i for i, item in enumerate(self._log) if item is not None)
            self._kept -= len(self._log[place] or b"")
            del self._log[place]
            if place < self._sent:
                self._sent -= 1

    def flush(self) -> int:
        """End the current segment; return its number."""
        number = self._current
        self._log.append(None)
        self._owed.append(number)
        self._current += 1
        return number

    def next(self) -> bytes | None:
        """Return what is to be sent next: audio, or None for a flush.

        Raises:
            IndexError: If there is nothing.
        """
        item = self._log[self._sent]
        self._sent += 1
        return item

    @property
    def pending(self) -> bool:
        """Whether there is something to send."""
        return self._sent < len(self._log)

    def reconnected(self) -> None:
        """Begin a new connection: everything without a final text is sent again."""
        self._sent = 0
        self._text = ""
        self._told = ""

    def delta(self, text: str) -> tuple[int, str]:
        """Take a piece of text; return its segment and all of that segment's text so far."""
        self._text += text
        number = self._owed[0] if self._owed else self._current
        return number, self._text.strip()

    def done(self, text: str) -> tuple[int, str] | None:
        """Take a final text; return its segment and text, or None if none was owed.

        Servers have been seen to send all of the session's text here instead of the segment's,
        and to send an empty one; the deltas then say what is right.
        """
        final = text.strip()
        heard = self._text.strip()
        if self._told and final.startswith(self._told) and len(final) > len(self._told):
            rest = final[len(self._told) :].strip()
            if _nearer(heard, rest, final):
                final = rest
        if not final:
            final = heard
        self._text = ""
        if not self._owed:
            # Nothing was asked for: an endpoint of the server's own. Keep the words for the
            # segment in progress, where they belong.
            self._text = final + " " if final else ""
            return None
        self._told = f"{self._told} {final}".strip()
        return self._settle(final)

    def give_up(self) -> tuple[int, str] | None:
        """Settle the oldest owed segment with what its deltas said; None if none is owed."""
        if not self._owed:
            return None
        text, self._text = self._text.strip(), ""
        return self._settle(text)

    def _settle(self, text: str) -> tuple[int, str]:
        while self._log:
            item = self._log.popleft()
            self._sent = max(0, self._sent - 1)
            if item is None:
                break
            self._kept -= len(item)
        return self._owed.popleft(), text


def _nearer(heard: str, rest: str, whole: str) -> bool:
    """Whether the deltas look like the rest of a final text rather than like all of it."""
    words, others = heard.lower().split(), rest.lower().split()
    if not words or not others or words[0][:3] != others[0][:3]:
        return False
    return abs(len(others) - len(words)) < abs(len(whole.split()) - len(words))
