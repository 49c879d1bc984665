"""A place of recordings: what a `Store` asks of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Protocol

from vivavoce.web.records import Recording


class Recordings(Protocol):
    """Keeps recordings by their call's id. What cannot be done raises `RecordsError`."""

    async def open(self) -> None:
        """Make ready; idempotent."""

    async def keep(self, call: str, path: Path) -> None:
        """Take a finished recording; the file at `path` is gone afterwards."""

    async def find(self, call: str) -> Recording | None:
        """Return what is to be known of a recording; None if there is none."""

    def stream(self, call: str, start: int, end: int | None) -> AsyncIterator[bytes]:
        """Read a recording, from one byte to before another."""

    async def remove(self, calls: Collection[str]) -> None:
        """Delete recordings; where there is none, nothing happens."""

    async def purge(self, before: float) -> None:
        """Delete what was written last before a time (s since 1970)."""

    async def close(self) -> None:
        """Let go; idempotent."""


def is_name(call: str) -> bool:
    """Whether an id may name a file: letters, digits, "-", "_" and dots within."""
    plain = call.replace("-", "").replace("_", "").replace(".", "")
    return plain.isalnum() and plain.isascii() and not call.startswith(".") and len(call) <= 128
