"""Downloads of an interpreted session, for its participant: subtitles, and the dubbed recording."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from aiohttp import web

from vivavoce.pipelines.audio.riff import AudioFileError, WavFormat, read_format
from vivavoce.pipelines.interpret.downloads import FORMS, TIMES, DownloadError, subtitles
from vivavoce.pipelines.interpret.dub import Dub, header
from vivavoce.web.live import DeskError, LiveCall, PastCall
from vivavoce.web.records import RecordsError

if TYPE_CHECKING:
    from vivavoce.web.server import CallServer

HEADER = 4_096
"""Bytes in which a recording's header is looked for."""
PIECE = 1 << 17
"""Bytes of a recording that are read, and dubbed, at a time: 0.7 s of it."""
TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt"}


class Downloads:
    """Answers what a participant asks of their session; its `resume` token opens it.

    Args:
        server: Whose calls they are.
    """

    def __init__(self, server: CallServer) -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        """Return what is where."""
        return [
            web.get("/api/calls/{id}/subtitles", self._subtitles),
            web.get("/api/calls/{id}/dubbed", self._dubbed),
        ]

    def _find(self, request: web.Request) -> LiveCall | PastCall:
        from vivavoce.web.answers import bearer

        return self._server.desk.find(request.match_info["id"], bearer(request))

    async def _subtitles(self, request: web.Request) -> web.Response:
        live = self._find(request)
        form, at = request.query.get("form", "srt"), request.query.get("at", "said")
        language = request.query.get("language", "")
        for name, value, known in (("form", form, FORMS), ("at", at, TIMES)):
            if value not in known:
                text = f"{name} is one of {', '.join(known)}"
                raise DeskError(400, "bad_request", text)
        rows = self._server.desk.report(live).get("transcript") or []
        try:
            text = subtitles(rows, language, form, at=at)  # type: ignore[arg-type]
        except DownloadError as error:
            raise DeskError(404, "no_subtitles", str(error)) from None
        name = f"{live.id}.{''.join(each for each in language if each.isalnum())}.{form}"
        return web.Response(
            text=text, content_type=TYPES[form], charset="utf-8", headers=_as_file(name)
        )

    async def _dubbed(self, request: web.Request) -> web.StreamResponse:
        live = self._find(request)
        if not live.over:
            raise DeskError(409, "not_over", "the session goes on: its recording grows still")
        try:
            async with aclosing(self._recording(live)) as pieces:
                head = await anext(pieces, b"")
                while len(head) < HEADER and (more := await anext(pieces, b"")):
                    head += more
                return await _dub(request, live, head, pieces)
        except RecordsError as error:
            raise DeskError(502, "no_records", str(error)) from None

    async def _recording(self, live: LiveCall | PastCall) -> AsyncGenerator[bytes]:
        """Read a call's recording, wherever it lies.

        Raises:
            DeskError: There is none.
            RecordsError: It cannot be read.
        """
        path, records = live.recording, self._server.desk.records
        found = None
        if path is None or not path.is_file():
            found = None if records is None else await records.recording(live.id)
            path = None if found is None else found.path
        if path is not None:
            async with aclosing(_pieces(path)) as pieces:
                async for piece in pieces:
                    yield piece
        elif found is not None and records is not None:
            async for piece in records.stream(live.id):
                yield piece
        else:
            raise DeskError(404, "no_recording", "this session is not recorded")


async def _pieces(path: Path) -> AsyncGenerator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        file.close()


async def _dub(
    request: web.Request, live: LiveCall | PastCall, head: bytes, pieces: AsyncGenerator[bytes]
) -> web.StreamResponse:
    found = _format(head)
    response = web.StreamResponse(
        headers={"Content-Type": "audio/wav", **_as_file(f"{live.id}.dubbed.wav")}
    )
    response.content_length = 44 + 2 * found.frames
    await response.prepare(request)
    await response.write(header(found.rate, found.frames))
    dub, left = Dub(found.rate), 4 * found.frames
    held = head[found.offset :]
    while left > 0:
        whole = min(len(held) - len(held) % 4, left)
        pairs = np.frombuffer(held[:whole], "<i2").astype(np.int16).reshape(-1, 2)
        held, left = held[whole:], left - whole
        # 0.7 s of sound take about a millisecond.
        await response.write(dub.feed(pairs).astype("<i2").tobytes())
        if left > 0:
            more = await anext(pieces, b"")
            if not more:
                break
            held += more
    await response.write(dub.flush().astype("<i2").tobytes())
    await response.write_eof()
    return response


def _format(head: bytes) -> WavFormat:
    try:
        # The header says how long it is; what is behind it is not here yet.
        found = read_format(io.BytesIO(head), 1 << 40)
    except AudioFileError as error:
        raise DeskError(404, "no_recording", f"the recording {error}") from None
    if found.warning:
        raise DeskError(409, "not_over", "the recording is not finished: try again in a moment")
    if (found.codec, found.width, found.channels) != ("pcm", 2, 2):
        raise DeskError(404, "no_recording", "the recording has not two tracks of 16 bits")
    return found


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def download_routes(server: CallServer) -> list[web.RouteDef]:
    """Return what is at `/api/calls/ID/subtitles` and `/api/calls/ID/dubbed`."""
    return Downloads(server).routes()
