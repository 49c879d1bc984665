"""`vivavoce serve` as a process, as an operator runs it."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.cli.commands import COMMAND, environment

STARTING = 90.0
"""Seconds that a server may take to listen, on a machine that is busy."""
ENDING = 20.0
"""Seconds that it may take to end."""


class Served:
    """A call server; it can be ended and started again at the same address.

    Use it as a context manager: it is killed, by its pid, with the block.

    Args:
        folder: Where it runs, and its log is.
        words: What `serve` is given: agents and options, beside the port.
        settings: More of its environment.

    Attributes:
        port: Where it listens; 0 until that is known.
        process: It; None while there is none.
    """

    def __init__(self, folder: Path, *words: str, **settings: str) -> None:
        self.folder = folder
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._words, self._settings = words, settings
        self._log = folder / "serve.log"

    @property
    def origin(self) -> str:
        """Where it is: its URL without a path."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *more: str, **settings: str) -> None:
        """Start it, with more words and settings than it has; it listens later."""
        words = ["serve", *self._words, "--port", str(self.port), *more]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *words],
                cwd=self.folder,
                env=environment(**{**self._settings, **settings}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def listens(self) -> None:
        """Wait until it takes calls.

        Raises:
            RuntimeError: It does not; with what it said.
        """
        until = time.monotonic() + STARTING
        while time.monotonic() < until:
            if found := re.search(r"at http://127\.0\.0\.1:(\d+)", self._log.read_text()):
                self.port = int(found[1])
                return
            if self.process is None or self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"it does not start: {self._log.read_text()[-2000:]}")

    def end(self) -> None:
        """End it in good order, by force where that takes too long; idempotent."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(ENDING)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None

    def kill(self) -> None:
        """End it without a word; idempotent."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(ENDING)
            self.process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
