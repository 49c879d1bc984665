"""Forms with a file in them (multipart/form-data), the file on disk and not in memory."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO

from aiohttp import BodyPartReader, web

from vivavoce.sandbox.wire import invalid, problem

_CHUNK = 1 << 16
_LONGEST_FIELD = 32 << 20  # bytes: eight samples of voices fit


@dataclass
class Form:
    """A request's fields, repeated ones in order, and its file.

    Attributes:
        fields: By name, without the ``[]`` that some clients put behind it.
        file: Its bytes; None if there is none. Close it when done.
        size: How many.
        name: What the client calls the file.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    file: IO[bytes] | None = None
    size: int = 0
    name: str = ""

    def one(self, name: str) -> str | None:
        """Give a field's last value, None if it is not there."""
        return self.fields.get(name, [None])[-1]

    def flag(self, name: str) -> bool:
        """Whether a field says true."""
        return (self.one(name) or "").lower() in {"true", "1"}

    def close(self) -> None:
        """Delete the file; idempotent."""
        if self.file is not None:
            self.file.close()


async def read(request: web.Request, largest: int) -> Form:
    """Read a form; close it when done.

    Args:
        request: The request.
        largest: Bytes that the file may have.

    Raises:
        Problem: When it is none, or its file is too large.
    """
    form = Form()
    if request.content_type == "application/x-www-form-urlencoded":  # the SDK's, without a file
        given = await request.post()
        form.fields = {name: [str(v) for v in given.getall(name)] for name in given}
        return form
    if not request.content_type.startswith("multipart/"):
        raise invalid("Input should be multipart/form-data", kind="value_error")
    try:
        await _parts(request, form, largest)
    except BaseException:
        form.close()
        raise
    return form


async def _parts(request: web.Request, form: Form, largest: int) -> None:
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise invalid("Every part needs a name", kind="value_error")
        if part.name == "file" and form.file is None:
            form.file = tempfile.TemporaryFile(prefix="vivavoce-sandbox-")  # noqa: SIM115
            form.name = part.filename or "file"
            while chunk := await part.read_chunk(_CHUNK):
                form.file.write(chunk)
                form.size += len(chunk)
                if form.size > largest:
                    raise problem(413, f"The file is larger than {largest >> 20} MiB")
            form.file.flush()
            continue
        data = bytearray()
        while chunk := await part.read_chunk(_CHUNK):
            data += chunk
            if len(data) > _LONGEST_FIELD:
                raise problem(413, f"{part.name} is larger than {_LONGEST_FIELD >> 20} MiB")
        name = part.name.removesuffix("[]")
        form.fields.setdefault(name, []).append(data.decode(errors="replace"))
