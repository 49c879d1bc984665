"""``/v1/audio/voices`` and ``/v2/audio/voices``: list, show, make, change, remove, sample."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web

from vivavoce.sandbox.catalog import Voice, Voices
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.speech import check_reference
from vivavoce.sandbox.wire import Handler, invalid, problem, read_json

Sample = Callable[[Voice], Awaitable[bytes]]

_PAGE = 10
_LARGEST_PAGE = 100
_MOST_CUSTOM = 100  # the API's own limit is not published; samples stay in memory
_EDITABLE = ("name", "languages", "gender", "age", "tags", "color", "description")
_GENDERS = ("female", "male", "neutral")


def _number(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    given = request.query.get(name)
    if given is None:
        return default
    if not given.isdecimal() or not least <= int(given) <= most:
        body = {"type": "value_error", "loc": ["query", name], "msg": f"Input: {least} to {most}"}
        answer = invalid("")
        answer.body = {"detail": [body]}
        raise answer
    return int(given)


def _matching(voices: Voices, request: web.Request) -> list[Voice]:
    query = request.query
    found = voices.all()
    if (kind := query.get("type", "all")) != "all":
        found = [voice for voice in found if voice.type == kind]
    if genders := query.getall("gender", []):
        found = [voice for voice in found if voice.gender in genders]
    if languages := query.getall("language", []):
        found = [v for v in found if any(t.startswith(x) for t in v.languages for x in languages)]
    if words := query.get("query", "").lower():
        found = [voice for voice in found if words in f"{voice.name} {voice.slug}".lower()]
    return found


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    fields = {name: body[name] for name in _EDITABLE if body.get(name) is not None}
    if "name" in fields and (not isinstance(fields["name"], str) or not fields["name"].strip()):
        raise invalid("Input should be a valid string", "name", kind="string_type")
    if fields.get("gender", "male") not in _GENDERS:
        raise invalid(f"Input should be {', '.join(_GENDERS)}", "gender", kind="enum")
    for name in ("languages", "tags"):
        given = fields.get(name, [])
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            raise invalid("Input should be a valid list of strings", name, kind="list_type")
    return fields


def routes(voices: Voices, sample: Sample) -> Iterator[tuple[str, str, Handler]]:
    """Give every route as method, path and handler."""

    def named(request: web.Request) -> Voice:
        name = request.match_info["voice"]
        voice = voices.find(name)
        if voice is None:
            raise problem(404, f"Voice '{name}' not found.")
        return voice

    def owned(request: web.Request) -> Voice:
        voice = named(request)
        if voice.type == "preset":
            raise problem(403, "Preset voices cannot be changed", kind="forbidden", code="1403")
        return voice

    async def pages(request: web.Request, _profile: Profile) -> web.StreamResponse:
        size = _number(request, "limit", _PAGE, 1, _LARGEST_PAGE)
        offset = _number(request, "offset", 0, 0, 10**9)
        found = _matching(voices, request)
        return web.json_response(
            {
                "items": [voice.json() for voice in found[offset : offset + size]],
                "total": len(found),
                "page": offset // size + 1,
                "page_size": size,
                "total_pages": math.ceil(len(found) / size),
            }
        )

    async def cursor(request: web.Request, _profile: Profile) -> web.StreamResponse:
        size = _number(request, "page_size", _PAGE, 1, _LARGEST_PAGE)
        token = request.query.get("page_token")
        try:
            offset = int(base64.urlsafe_b64decode(token)) if token else 0
        except (ValueError, binascii.Error) as error:
            raise problem(
                400, "page_token is not one that was given", param="page_token"
            ) from error
        found = _matching(voices, request)
        after = offset + size
        following = base64.urlsafe_b64encode(str(after).encode()).decode()
        return web.json_response(
            {
                "data": [voice.json() for voice in found[offset:after]],
                "next_page_token": following if after < len(found) else None,
            }
        )

    async def create(request: web.Request, _profile: Profile) -> web.StreamResponse:
        body = await read_json(request)
        fields = _checked(body)
        if "name" not in fields:
            raise invalid("Field required", "name", kind="missing")
        data = check_reference(body.get("sample_audio"), "sample_audio")
        if sum(voice.type == "custom" for voice in voices.all()) >= _MOST_CUSTOM:
            raise problem(403, f"At most {_MOST_CUSTOM} custom voices: delete one first")
        name, languages = fields.pop("name"), fields.pop("languages", [])
        voice = voices.create(name, languages, fields.pop("gender", None), data, **fields)
        return web.json_response(voice.json())

    async def show(request: web.Request, _profile: Profile) -> web.StreamResponse:
        return web.json_response(named(request).json())

    async def change(request: web.Request, _profile: Profile) -> web.StreamResponse:
        voice = owned(request)
        for name, value in _checked(await read_json(request)).items():
            if hasattr(voice, name):
                setattr(voice, name, value)
            else:
                voice.extra[name] = value
        return web.json_response(voice.json())

    async def remove(request: web.Request, _profile: Profile) -> web.StreamResponse:
        voice = owned(request)
        voices.remove(voice)
        return web.json_response(voice.json())

    async def play(request: web.Request, _profile: Profile) -> web.StreamResponse:
        return web.Response(body=await sample(named(request)), content_type="audio/wav")

    yield "GET", "/v1/audio/voices", pages
    yield "POST", "/v1/audio/voices", create
    yield "GET", "/v2/audio/voices", cursor
    yield "GET", "/v1/audio/voices/{voice}", show
    yield "PATCH", "/v1/audio/voices/{voice}", change
    yield "DELETE", "/v1/audio/voices/{voice}", remove
    yield "GET", "/v1/audio/voices/{voice}/sample", play
