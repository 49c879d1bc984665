"""Segments of a transcription session: what was sent, what was understood, what is owed.

One session serves a whole call. Audio is numbered by segment; a flush ends a segment and owes
its final text. The log keeps everything that has no final text yet, so that after a lost
connection it can be sent again and no word is lost; what has its final text is forgotten, so
that none is doubled. A server that follows the caller's turns gives final texts unasked, before
or after it tells the end of the turn, or never. Pure: no sockets and no clock.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from itertools import islice

from vivavoce.pipelines.turns.endpointing import TurnEvent

BYTES_PER_SECOND = 16_000 * 2
KEEP = 60 * BYTES_PER_SECOND
"""Bytes of audio (int16, 16 kHz) kept at most without a final text: 60 s, 1.9 MB."""


class _Mark(Enum):
    """What stands in the log where a final text is asked for."""

    FLUSH = auto()
    CHECKPOINT = auto()


class Segments:
    """The state of one call's transcription, over any number of connections."""

    def __init__(self, keep: int = KEEP, *, unasked: bool = False) -> None:
        """Begin.

        Args:
            keep: Bytes of audio without a final text that are kept at most.
            unasked: Whether a final text that was not asked for ends the segment in progress, as
                a flush would have; else its words wait for that segment's flush.
        """
        self._keep = keep
        self._unasked = unasked
        # What is not finished: audio, and where a final text is asked for.
        self._log: deque[bytes | _Mark] = deque()
        self._marks = 0
        self._kept = 0
        self._sent = 0
        self._current = 0
        self._owed: deque[int] = deque()
        self._text = ""
        self._told = ""
        self._head = ""  # final words of a segment that goes on, or whose flush is yet to be sent
        self._went = 0  # bytes of audio that went out on this connection
        self._mark: int | None = None  # of these, those up to where the turn (maybe) is over
        self._over = False  # the turn's end was told, its final text has not come
        self._ended = False  # its final text came unasked, its end has not been told
        # What was understood up to the ends of turns without a final text.
        self._unsaid: deque[str] = deque(maxlen=8)

    @property
    def current(self) -> int:
        """The segment that audio belongs to now."""
        return self._current

    @property
    def owed(self) -> tuple[int, ...]:
        """Flushed segments without a final text, oldest first."""
        return tuple(self._owed)

    @property
    def understood(self) -> bool:
        """Whether a word has come of the segment that is owed, or in progress."""
        return bool(self._text.strip())

    @property
    def text(self) -> str:
        """What is known of the segment that is owed, or in progress."""
        return f"{self._head} {self._text.strip()}".strip()

    @property
    def unsent(self) -> int:
        """Bytes of audio waiting to be sent."""
        waiting = islice(reversed(self._log), len(self._log) - self._sent)
        return sum(len(item) for item in waiting if isinstance(item, bytes))

    @property
    def kept(self) -> int:
        """Bytes of audio without a final text."""
        return self._kept

    @property
    def asked(self) -> bool:
        """Whether a final text is waited for, or is to be asked for."""
        return self._marks > 0

    def audio(self, pcm: bytes) -> None:
        """Take audio; beyond `keep`, the oldest is given up (no flush ever is)."""
        self._log.append(pcm)
        self._kept += len(pcm)
        while self._kept > self._keep:
            # Flushes stand before it only while nobody answers them: there are few.
            place, oldest = next(
                (i, item) for i, item in enumerate(self._log) if isinstance(item, bytes)
            )
            self._kept -= len(oldest)
            del self._log[place]
            if place < self._sent:
                self._sent -= 1

    def flush(self) -> int:
        """End the current segment; return its number."""
        number = self._current
        self._mark_off(_Mark.FLUSH)
        self._owed.append(number)
        self._current += 1
        return number

    def checkpoint(self) -> None:
        """Ask for the final words so far; the segment goes on and keeps its number.

        What they cover is not sent again, and they stand in front of the segment's own final text.
        """
        self._mark_off(_Mark.CHECKPOINT)

    def _mark_off(self, mark: _Mark) -> None:
        self._log.append(mark)
        self._marks += 1

    def next(self) -> bytes | None:
        """Return what is to be sent next: audio, or None where a final text is asked for.

        Raises:
            IndexError: If there is nothing.
        """
        item = self._log[self._sent]
        self._sent += 1
        if isinstance(item, _Mark):
            return None
        self._went += len(item)
        return item

    @property
    def pending(self) -> bool:
        """Whether there is something to send."""
        return self._sent < len(self._log)

    def reconnected(self) -> None:
        """Begin a new connection: everything without a final text is sent again."""
        self._sent = 0
        self._went = 0
        self._mark, self._over, self._ended = None, False, False
        self._text = ""
        self._unsaid.clear()
        self._told = ""

    def delta(self, text: str) -> tuple[int, str]:
        """Take a piece of text; return its segment and all of that segment's text so far."""
        self._text += text
        number = self._owed[0] if self._owed else self._current
        return number, self.text

    def turn(self, kind: TurnEvent, at: float) -> float:
        """Take the server's view of the caller's turn; return how long ago it was (s).

        Args:
            kind: What became of the turn.
            at: Where, in seconds of audio since this connection's first sample. What is behind
                the newest audio that went out counts as now.

        Returns:
            Seconds of audio that went out since; never negative.
        """
        ago = max(0.0, self._went / BYTES_PER_SECOND - at)
        ended, self._ended = self._ended, False
        self._mark, self._over = None, False
        if kind in ("eager_end", "end"):
            self._mark = self._went - round(ago * BYTES_PER_SECOND)
            self._over = kind == "end" and not ended
            if self._over and self._text.strip():
                self._unsaid.append(self._text.strip())
            if kind == "end" and ended:
                # The final text came first: it covers all up to here.
                self._forget(self._mark)
        return ago

    def done(self, text: str) -> tuple[int, str] | None:
        """Take a final text; return the segment it ends and its text, or None if it ends none.

        Servers have been seen to send all of the session's text here instead of the segment's,
        and to send an empty one; the deltas then say what is right.

        A server that also gives final texts unasked does not say which kind one is. Where its own
        crosses a flush on the way, the flush takes it, and the answer to the flush counts as
        unasked: usually empty, and otherwise words that are told one segment later, not lost.
        """
        final = text.strip()
        heard = self._text.strip()
        if self._told and final.startswith(self._told):
            rest = final[len(self._told) :].strip()
            if _nearer(heard, rest, final) or not (rest or heard):
                final = rest
        if not final:
            final = heard
        self._text = ""
        final = self._completed(final, heard)
        first = next((item for item in self._log if isinstance(item, _Mark)), None)
        if first is None and not self._unasked:
            # Keep the words for the segment in progress, where they belong.
            self._text = final + " " if final else ""
            return None
        self._told = f"{self._told} {final}".strip()
        # What has not been asked yet cannot have been answered.
        if first is None or (self._unasked and first not in islice(self._log, self._sent)):
            return self._end(final)
        if first is _Mark.CHECKPOINT:
            self._drop(first)
            self._head = f"{self._head} {final}".strip()
            return None
        return self._settle(final)

    def _completed(self, final: str, heard: str) -> str:
        """Put in front what was understood of turns whose own final texts never came."""
        while self._unsaid:
            before = self._unsaid.pop()
            later = heard.removeprefix(before).strip()
            if later and _nearer(final, later, heard):
                final = f"{before} {final}"
                break
        self._unsaid.clear()
        return final

    def give_up(self) -> tuple[int, str] | None:
        """Settle the oldest owed segment with what its deltas said; None if none is owed."""
        if not self._owed:
            return None
        text, self._text = self._text.strip(), ""
        self._unsaid.clear()
        return self._settle(text)

    def _settle(self, text: str) -> tuple[int, str]:
        self._drop(_Mark.FLUSH)
        text, self._head = f"{self._head} {text}".strip(), ""
        return self._owed.popleft(), text

    def _drop(self, last: _Mark) -> None:
        """Forget the log up to the first such mark, or all of it."""
        while self._log:
            item = self._log.popleft()
            self._sent = max(0, self._sent - 1)
            if isinstance(item, bytes):
                self._kept -= len(item)
                continue
            self._marks -= 1
            if item is last:
                break

    def _end(self, text: str) -> tuple[int, str] | None:
        """End the segment in progress where its turn ended; None if it has no words."""
        # What went out since is the next one's. Where the turn ended, or seemed to, is known,
        # unless the server gives its text first and without a warning: then its end will tell.
        if self._mark is not None:
            self._forget(self._mark)
        self._ended, self._mark, self._over = not self._over, None, False
        text, self._head = f"{self._head} {text}".strip(), ""
        if self._owed:
            # The flush that waits to be sent ends this segment, with what is said until then.
            self._head = text
            return None
        if not text:
            return None
        self._current += 1
        return self._current - 1, text

    def _forget(self, mark: int) -> None:
        """Drop the audio that went out up to `mark`, in bytes of this connection's audio."""
        sent = islice(self._log, self._sent)
        begin = self._went - sum(len(item) for item in sent if isinstance(item, bytes))
        while (
            self._sent and isinstance(first := self._log[0], bytes) and begin + len(first) <= mark
        ):
            begin += len(first)
            self._kept -= len(first)
            self._sent -= 1
            self._log.popleft()


def _nearer(heard: str, rest: str, whole: str) -> bool:
    """Whether the deltas look like the rest of a final text rather than like all of it."""
    words, others = heard.lower().split(), rest.lower().split()
    if not words or not others or words[0][:3] != others[0][:3]:
        return False
    return abs(len(others) - len(words)) < abs(len(whole.split()) - len(words))
