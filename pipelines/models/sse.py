"""Server-sent events, parsed from bytes in any chunking (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from typing import NamedTuple

MAX_EVENT = 8 * 1024 * 1024
"""Bytes; a server that sends a longer event without an end is broken."""


class ServerSentEvent(NamedTuple):
    """One event; `event` is empty where the server named none."""

    event: str
    data: str


class SseParser:
    """Takes bytes and gives the events that are complete.

    Lines are decoded whole, so a character split over two chunks is no trouble.
    """

    def __init__(self) -> None:
        # What came behind the last line's end, in the pieces it came in: a line of megabytes is
        # put together once, not with every piece.
        self._rest: list[bytes] = []
        self._held = 0
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take a chunk and return the complete events, in order.

        Raises:
            ValueError: If an event grows beyond `MAX_EVENT`.
        """
        end = chunk.rfind(b"\n") + 1
        lines: list[bytes] = []
        if end:
            lines = b"".join((*self._rest, chunk[: end - 1])).split(b"\n")
            self._rest, self._held = [], 0
        if end < len(chunk):
            self._rest.append(chunk[end:])
            self._held += len(chunk) - end
        events: list[ServerSentEvent] = []
        for raw in lines:
            line = raw.removesuffix(b"\r").decode("utf-8", "replace")
            if not line:
                if self._data:
                    events.append(ServerSentEvent(self._event, "\n".join(self._data)))
                self._event, self._data, self._size = "", [], 0
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                self._event = value
            elif field == "data":
                self._data.append(value)
                self._size += len(raw) + 1
            if self._size > MAX_EVENT:
                break
        if self._size + self._held > MAX_EVENT:
            raise ValueError(f"an event of more than {MAX_EVENT} bytes")
        return events
