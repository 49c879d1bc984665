"""Sending: a recording, or a part of it, as an answer over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from vivavoce.web.records import Recording, Records

HEADERS: Mapping[str, str] = {"Content-Type": "audio/wav", "Accept-Ranges": "bytes"}


async def send(
    request: web.Request, records: Records, call: str, found: Recording
) -> web.StreamResponse:
    """Answer with a recording, wherever it lies; takes `Range`.

    Args:
        request: What is answered.
        records: Where it is kept.
        call: Whose recording.
        found: What `records.recording(call)` says.

    Raises:
        RecordsError: It cannot be read; nothing was sent yet.
    """
    if found.path is not None:
        return web.FileResponse(found.path, headers=HEADERS)
    try:
        asked = request.http_range
    except ValueError:
        return _unsatisfied(found)
    start, end, _ = asked.indices(found.size)
    whole = asked.start is None and asked.stop is None
    if not whole and start >= end:
        return _unsatisfied(found)
    response = web.StreamResponse(status=200 if whole else 206, headers=HEADERS)
    if not whole:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
    response.content_length = end - start
    pieces = records.stream(call, start, end)
    first = await anext(pieces, b"")  # what is wrong is told before the answer begins
    await response.prepare(request)
    await response.write(first)
    async for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response


def _unsatisfied(found: Recording) -> web.Response:
    return web.Response(status=416, headers={"Content-Range": f"bytes */{found.size}"})
