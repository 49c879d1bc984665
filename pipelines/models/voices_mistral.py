"""Mistral's voices: presets and clones, listed by pages of either of two kinds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import quote

from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.speech import sample_of
from vivavoce.pipelines.models.voices import NewVoice, VoiceCard, Wanted, read

PAGE = 50
"""Voices asked for at once."""
_MOST_PAGES = 10_000
_TOLD = ("age", "tags", "color", "kind", "retention_notice", "trimmed_seconds", "user_id")
EDITABLE = frozenset({"name", "languages", "gender", "age", "tags", "color", "description"})
"""What of a voice can be changed."""


class MistralVoices:
    """`/v1/audio/voices` and `/v2/audio/voices`. Implements `VoiceLibrary`.

    Args:
        http: The pool.
        endpoint: Where; its model is not used.
        version: Which listing to begin with: 2 has cursors and filters; a server that does not
            know it is asked for 1, which has offsets.
    """

    def __init__(self, http: Http, endpoint: Endpoint, *, version: int = 2) -> None:
        self._http = http
        self._endpoint = endpoint
        self._version = version

    async def list(self, wanted: Wanted) -> AsyncGenerator[VoiceCard]:
        """Give the voices; see `VoiceLibrary`."""
        pages = self._by_cursor(wanted) if self._version == 2 else self._by_offset(wanted)
        first = True
        try:
            async for card in pages:
                first = False
                yield card
        except ModelError as error:
            if self._version != 2 or not first or error.kind != "refused":
                raise
            self._version = 1
            async for card in self._by_offset(wanted):
                yield card

    async def _by_cursor(self, wanted: Wanted) -> AsyncGenerator[VoiceCard]:
        query = {"page_size": str(PAGE), "type": wanted.type or "all"}
        query |= {
            name: value
            for name, value in (
                ("language", wanted.language),
                ("gender", wanted.gender),
                ("query", wanted.query),
            )
            if value
        }
        for _ in range(_MOST_PAGES):
            page = await self._get("/v2/audio/voices", query)
            for each in _items(self._endpoint, page, "data"):
                yield each
            if not page.get("next_page_token"):
                return
            query["page_token"] = str(page["next_page_token"])

    async def _by_offset(self, wanted: Wanted) -> AsyncGenerator[VoiceCard]:
        offset = 0
        for _ in range(_MOST_PAGES):
            query = {"limit": str(PAGE), "offset": str(offset), "type": wanted.type or "all"}
            page = await self._get("/v1/audio/voices", query)
            cards = _items(self._endpoint, page, "items")
            for each in cards:
                if wanted.fits(each):
                    yield each
            offset += len(cards)
            if not cards or offset >= int(page.get("total") or 0):
                return

    async def show(self, name: str) -> VoiceCard:
        """Return one; see `VoiceLibrary`."""
        return _card(self._endpoint, await self._get(_path(name), {}))

    async def create(self, new: NewVoice) -> VoiceCard:
        """Clone a voice; see `VoiceLibrary`. There is no field for the consent."""
        sample = await sample_of(new.sample)
        body: dict[str, Any] = {
            "name": new.name,
            "sample_audio": sample.base64,
            # It was made a WAV file, whatever it came as.
            "sample_filename": f"{new.sample.stem}.wav",
            "languages": list(new.languages),
        }
        body |= {
            name: value
            for name, value in (
                ("gender", new.gender),
                ("description", new.description),
                ("tags", list(new.tags)),
            )
            if value
        }
        answer = await self._http.request(
            "speaking", self._endpoint, "POST", "/v1/audio/voices", body=body
        )
        return _card(self._endpoint, read(self._endpoint, answer))

    async def update(self, name: str, changes: Mapping[str, Any]) -> VoiceCard:
        """Change one; see `VoiceLibrary`."""
        answer = await self._http.request(
            "speaking",
            self._endpoint,
            "PATCH",
            f"/v1/audio/voices/{quote(name, safe='')}",
            body=dict(changes),
        )
        return _card(self._endpoint, read(self._endpoint, answer))

    async def delete(self, name: str) -> None:
        """Delete one; see `VoiceLibrary`."""
        await self._http.request(
            "speaking", self._endpoint, "DELETE", f"/v1/audio/voices/{quote(name, safe='')}"
        )

    async def sample(self, name: str) -> bytes:
        """Return a sample; see `VoiceLibrary`."""
        path = _path(name) + "/sample"
        return (await self._http.request("speaking", self._endpoint, "GET", path)).data

    async def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        answer = await self._http.request("speaking", self._endpoint, "GET", path, query=query)
        page = read(self._endpoint, answer)
        if not isinstance(page, dict):
            raise ModelError("speaking", "broken", f"{self._endpoint.url} sent no object")
        return page


def _path(name: str) -> str:
    return f"/v1/audio/voices/{quote(name, safe='')}"


def _items(endpoint: Endpoint, page: dict[str, Any], name: str) -> list[VoiceCard]:
    items = page.get(name)
    if not isinstance(items, list):
        raise ModelError("speaking", "broken", f"{endpoint.url} lists no voices")
    return [_card(endpoint, item) for item in items]


def _card(endpoint: Endpoint, given: Any) -> VoiceCard:
    try:
        return VoiceCard(
            id=str(given["id"]),
            name=str(given["name"]),
            slug=str(given.get("slug") or ""),
            type=str(given.get("type") or "custom"),
            languages=tuple(given.get("languages") or ()),
            gender=str(given.get("gender") or ""),
            description=str(given.get("description") or ""),
            created=str(given.get("created_at") or ""),
            more={name: given[name] for name in _TOLD if given.get(name) not in (None, [])},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            "speaking", "broken", f"{endpoint.url} sent a voice that cannot be read ({error})"
        ) from error
