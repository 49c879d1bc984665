"""Files: recordings in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import TypeVar

from vivavoce.web.records import PATIENCE, Recording, RecordsError
from vivavoce.web.store_recordings import is_name

T = TypeVar("T")

CHUNK = 256 * 1024
"""Bytes that are read at a time."""


class FileRecordings:
    """Recordings as `ID.wav` in a folder. Implements `vivavoce.web.store_recordings.Recordings`.

    Args:
        folder: Where; it is made, for its owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def open(self) -> None:
        """Make the folder."""
        await self._do(lambda: self.folder.mkdir(0o700, parents=True, exist_ok=True))

    async def keep(self, call: str, path: Path) -> None:
        """Take a recording; within one file system it is only renamed."""
        await self._do(lambda: shutil.move(path, self._path(call)))

    async def find(self, call: str) -> Recording | None:
        """Return a recording's size and place."""
        if not is_name(call):
            return None

        def look() -> Recording | None:
            path = self._path(call)
            with contextlib.suppress(FileNotFoundError):
                return Recording(path.stat().st_size, path)
            return None

        return await self._do(look)

    async def stream(
        self, call: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read a recording."""
        file = await self._do(lambda: self._path(call).open("rb"))
        try:
            await self._do(lambda: file.seek(start))
            left = None if end is None else end - start
            while left is None or left > 0:
                count = CHUNK if left is None else min(CHUNK, left)
                data = await self._do(lambda count=count: file.read(count))  # type: ignore[misc]
                if not data:
                    return
                left = None if left is None else left - len(data)
                yield data
        finally:
            file.close()

    async def remove(self, calls: Collection[str]) -> None:
        """Delete recordings."""

        def work() -> None:
            for call in calls:
                if is_name(call):
                    self._path(call).unlink(missing_ok=True)

        await self._do(work)

    async def purge(self, before: float) -> None:
        """Delete old recordings."""

        def work() -> None:
            for path in self.folder.glob("*.wav"):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()

        await self._do(work)

    async def close(self) -> None:
        """Do nothing."""

    def _path(self, call: str) -> Path:
        if not is_name(call):
            raise RecordsError(f"{call[:80]!r} is no call's id")
        return self.folder / f"{call}.wav"

    async def _do(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.to_thread(work)
        except FileNotFoundError:
            raise RecordsError("there is no such recording") from None
        except OSError as error:
            raise RecordsError(f"cannot use the recordings in {self.folder}: {error}") from error
