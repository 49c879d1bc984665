"""Lines that somebody types, or that a pipe brings, read without holding the event loop up."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sys
import threading
from typing import Any, BinaryIO

LONGEST = 20_000
"""Bytes of a line; more is no turn of a conversation."""


class InputError(ValueError):
    """A line cannot be taken; the message says why, and which line it was."""


class Lines:
    """Reads standard input, one line when it is asked for.

    At a terminal the line can be edited, and earlier ones come back with the arrow keys. A
    daemon thread waits for it, because nothing can cut a read from a terminal short.

    Args:
        prompt: Shown at a terminal.

    Attributes:
        typed: Whether a person types.
        number: Lines read so far.
    """

    def __init__(self, prompt: str = "") -> None:
        self.typed = sys.stdin.isatty() and sys.stdout.isatty()
        self.number = 0
        self._prompt = prompt
        self._asked: queue.SimpleQueue[asyncio.Future[str | None] | None] = queue.SimpleQueue()
        self._waiting: asyncio.Future[str | None] | None = None
        self._terminal = _terminal_state() if self.typed else None
        if self.typed:
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401 (importing it is what makes `input` editable)
        self._thread = threading.Thread(target=self._read, name="lines", daemon=True)
        self._thread.start()

    async def next(self) -> str | None:
        """Wait for the next line, without its end; None when there are no more.

        A person may take any time, so this has no time-out; cancelling it keeps the line for the
        next call.

        Raises:
            InputError: If it is too long or is not UTF-8.
        """
        if self._waiting is None or self._waiting.cancelled():
            self._waiting = asyncio.get_running_loop().create_future()
            self._asked.put(self._waiting)
        line = await asyncio.shield(self._waiting)
        self._waiting = None
        return line

    def close(self) -> None:
        """Give the terminal back as it was; idempotent."""
        self._asked.put(None)
        if self._waiting is not None:
            self._waiting.cancel()
        if self._terminal is not None:
            import termios

            with contextlib.suppress(termios.error, ValueError, OSError):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._terminal)
            self._terminal = None

    def _read(self) -> None:
        while (asked := self._asked.get()) is not None:
            line: str | None = None
            error: InputError | None = None
            try:
                line = self._typed() if self.typed else self._piped(sys.stdin.buffer)
            except InputError as caught:
                error = caught
            # The loop may be over by now; then nobody waits for the line.
            with contextlib.suppress(RuntimeError):
                asked.get_loop().call_soon_threadsafe(_settle, asked, line, error)

    def _typed(self) -> str | None:
        try:
            line = input(self._prompt)
        except (EOFError, KeyboardInterrupt, OSError):
            return None
        except UnicodeDecodeError:
            raise InputError("that line is not UTF-8") from None
        self.number += 1
        if len(line.encode("utf-8", "replace")) > LONGEST:
            raise InputError(f"that line is longer than {LONGEST} bytes")
        return line

    def _piped(self, stream: BinaryIO) -> str | None:
        try:
            data = stream.readline(LONGEST + 2)
        except (OSError, ValueError):
            return None
        if not data:
            return None
        self.number += 1
        if len(data.rstrip(b"\r\n")) > LONGEST:
            raise InputError(f"line {self.number} is longer than {LONGEST} bytes")
        try:
            return data.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise InputError(f"line {self.number} is not UTF-8") from None


def _settle(asked: asyncio.Future[str | None], line: str | None, error: InputError | None) -> None:
    if asked.done():
        return
    if error is not None:
        asked.set_exception(error)
    else:
        asked.set_result(line)


def _terminal_state() -> Any:
    try:
        import termios

        return termios.tcgetattr(sys.stdin.fileno())
    except (ImportError, OSError, ValueError):
        return None
