"""``/v1/files``: files that were uploaded before; kept on disk until the server ends."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import IO, Any

from aiohttp import web

from vivavoce.sandbox import form
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.wire import problem

_LARGEST = 512 << 20  # bytes of a file
_MOST = 4 << 30  # of all files


@dataclass(frozen=True)
class Stored:
    """One file and whose it is."""

    id: str
    key: str
    name: str
    purpose: str
    size: int
    created: int
    file: IO[bytes]

    def json(self) -> dict[str, Any]:
        """Give it as the API's answer."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size,
            "created_at": self.created,
            "filename": self.name,
            "purpose": self.purpose,
            "sample_type": "ocr_input",
            "source": "upload",
            "num_lines": None,
            "mimetype": None,
            "signature": None,
        }


class Files:
    """All of them."""

    def __init__(self) -> None:
        self._files: dict[str, Stored] = {}

    def find(self, name: str, profile: Profile) -> Stored:
        """Give a file of this key.

        Raises:
            Problem: When there is none.
        """
        found = self._files.get(name)
        if found is None or found.key != profile.key:
            raise problem(404, f"There is no file {name}")
        return found

    async def upload(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        """Answer ``POST /v1/files``."""
        profile.request("files")
        given = await form.read(request, _LARGEST)
        if given.file is None:
            raise problem(400, "The form has no file", param="file")
        if sum(one.size for one in self._files.values()) + given.size > _MOST:
            given.close()
            raise problem(413, "The sandbox's store is full: delete files first")
        name = str(uuid.uuid4())
        purpose = given.one("purpose") or "ocr"
        stored = Stored(
            name, profile.key, given.name, purpose, given.size, int(time.time()), given.file
        )
        self._files[name] = stored
        return web.json_response(stored.json())

    async def show(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        """Answer ``GET /v1/files/{file}``."""
        stored = self.find(request.match_info["file"], profile)
        return web.json_response({**stored.json(), "deleted": False})

    async def delete(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        """Answer ``DELETE /v1/files/{file}``."""
        stored = self.find(request.match_info["file"], profile)
        del self._files[stored.id]
        stored.file.close()
        return web.json_response({"id": stored.id, "object": "file", "deleted": True})

    def close(self) -> None:
        """Delete them all; idempotent."""
        for stored in self._files.values():
            stored.file.close()
        self._files.clear()
