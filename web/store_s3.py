"""S3: recordings in a bucket of Amazon's, MinIO's, Ceph's, or of what speaks as they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from vivavoce.web.records import PATIENCE, Recording, RecordsError
from vivavoce.web.store_recordings import is_name

T = TypeVar("T")

CHUNK = 1024 * 1024
"""Bytes that are asked for at a time."""
UPLOAD = 600.0
"""Seconds that an upload may take: it goes in parts, each of which is tried again."""
_MANY = 500  # objects in one deletion


class S3Recordings:
    """Recordings as `PREFIX/ID.wav`. Implements `vivavoce.web.store_recordings.Recordings`.

    Keys, region and endpoint are the environment's: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_REGION, AWS_ENDPOINT_URL, or what the machine it runs on has (an instance's role).

    Args:
        url: `s3://BUCKET/PREFIX`; the bucket is there.
        endpoint: URL of the server, instead of the environment's.
        options: More of obstore's `S3Config`, such as `region`.

    Raises:
        RecordsError: The URL is none, or obstore is missing.
    """

    def __init__(self, url: str, *, endpoint: str = "", **options: Any) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname or parts.username or parts.query:
            raise RecordsError(f"{url}: recordings go to s3://BUCKET/PREFIX; keys go to AWS_…")
        try:
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ImportError:
            raise RecordsError("recordings in S3 need `pip install 'vivavoce[s3]'`") from None
        if endpoint:
            options["endpoint"] = endpoint
        self._where = url
        try:
            self._store = S3Store(
                parts.hostname,
                prefix=parts.path.strip("/") or None,
                # A server on one's own network has no certificate, often.
                client_options={
                    "allow_http": endpoint.startswith("http://"),
                    "connect_timeout": timedelta(seconds=5),
                    "timeout": timedelta(seconds=PATIENCE * 3),
                },
                retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=PATIENCE)},
                **options,
            )
        except (ValueError, TypeError, OSError, BaseError) as error:
            raise RecordsError(f"{url}: {_line(error)}") from None

    async def open(self) -> None:
        """See whether the bucket is there and may be listed."""
        import obstore

        async def look() -> None:
            async for _ in obstore.list(self._store, chunk_size=1):
                return

        await self._do(look())

    async def keep(self, call: str, path: Path) -> None:
        """Upload a recording, in parts, and delete the file."""
        import obstore

        await self._do(obstore.put_async(self._store, self._name(call), path), UPLOAD)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def find(self, call: str) -> Recording | None:
        """Return a recording's size."""
        import obstore

        if not is_name(call):
            return None
        try:
            found = await self._do(obstore.head_async(self._store, self._name(call)))
        except FileNotFoundError:
            return None
        return Recording(int(found["size"]))

    async def stream(
        self, call: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read a recording."""
        import obstore

        found = await self.find(call)
        if found is None:
            raise RecordsError("there is no such recording")
        last = found.size if end is None else min(end, found.size)
        while start < last:
            stop = min(start + CHUNK, last)
            data = await self._do(
                obstore.get_range_async(self._store, self._name(call), start=start, end=stop)
            )
            yield bytes(data)
            start = stop

    async def remove(self, calls: Collection[str]) -> None:
        """Delete recordings."""
        import obstore

        names = [self._name(call) for call in calls if is_name(call)]
        for first in range(0, len(names), _MANY):
            try:
                await self._do(
                    obstore.delete_async(self._store, names[first : first + _MANY]), PATIENCE * 3
                )
            except FileNotFoundError:
                continue

    async def purge(self, before: float) -> None:
        """Delete old recordings."""
        import obstore

        old: list[str] = []

        async def look() -> None:
            async for some in obstore.list(self._store):
                for each in some:
                    path = str(each["path"])
                    ours = path.endswith(".wav") and "/" not in path
                    if ours and each["last_modified"].timestamp() < before:
                        old.append(path.removesuffix(".wav"))

        await self._do(look(), PATIENCE * 3)
        await self.remove(old)

    async def close(self) -> None:
        """Do nothing: connections end with the object."""

    def _name(self, call: str) -> str:
        if not is_name(call):
            raise RecordsError(f"{call[:80]!r} is no call's id")
        return f"{call}.wav"

    async def _do(self, work: Awaitable[T], patience: float = PATIENCE) -> T:
        from obstore.exceptions import BaseError

        try:
            async with asyncio.timeout(patience):
                return await work
        except TimeoutError:
            raise RecordsError(f"{self._where} did not answer in {patience:g} s") from None
        except (BaseError, OSError) as error:
            if "NoSuchBucket" in str(error):
                raise RecordsError(f"{self._where}: there is no such bucket: make it") from None
            if isinstance(error, FileNotFoundError):
                raise
            raise RecordsError(f"cannot use {self._where}: {_line(error)}") from error


def _line(error: Exception) -> str:
    """Return an error's first line, which names no header and no key."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
