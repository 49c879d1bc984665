"""Single keys, as they are pressed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, Self


class Keys:
    """Tells each key that is pressed while it is entered; use it as a context manager.

    A terminal gives keys one by one and does not show them meanwhile; a pipe gives what is
    written to it. Where neither can be watched (Windows, a regular file) nothing is told.

    Args:
        on_key: Told each character, on the running event loop.
    """

    def __init__(self, on_key: Callable[[str], None]) -> None:
        self._on_key = on_key
        self._loop = asyncio.get_running_loop()
        self._file: int | None = None
        self._terminal: Any = None

    def __enter__(self) -> Self:
        try:
            file = sys.stdin.fileno()
            self._loop.add_reader(file, self._read)
        except (OSError, ValueError, NotImplementedError):
            return self
        self._file = file
        if os.isatty(file):
            import termios
            import tty

            self._terminal = termios.tcgetattr(file)
            tty.setcbreak(file)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is None:
            return
        self._loop.remove_reader(self._file)
        if self._terminal is not None:
            import termios

            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._file, termios.TCSADRAIN, self._terminal)
        self._file = None

    @property
    def watched(self) -> bool:
        """Whether keys can be told."""
        return self._file is not None

    def _read(self) -> None:
        assert self._file is not None
        try:
            data = os.read(self._file, 256)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._file)
            return
        for key in data.decode("utf-8", "ignore"):
            self._on_key(key)
