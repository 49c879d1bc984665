from __future__ import annotations

import base64
import warnings

import pytest
from aiohttp import ClientSession
from mistralai.client.errors import HTTPValidationError, SDKError

from vivavoce.sandbox import pcm


async def get(key, path: str):
    async with ClientSession() as session:
        headers = {"Authorization": f"Bearer {key.key}"}
        async with session.get(key.url + path, headers=headers) as answer:
            return answer.status, await answer.json()


async def test_pages_by_offset(profile):
    key = profile()
    seen = []
    for offset in range(0, 40, 8):
        _, page = await get(key, f"/v1/audio/voices?limit=8&offset={offset}&type=preset")
        assert (page["total"], page["page_size"], page["total_pages"]) == (32, 8, 4)
        assert page["page"] == offset // 8 + 1
        seen += [voice["slug"] for voice in page["items"]]
    assert len(seen) == len(set(seen)) == 32


async def test_pages_by_cursor(profile):
    key = profile()
    seen, token = [], ""
    while token is not None:
        _, page = await get(key, f"/v2/audio/voices?page_size=7&type=preset&page_token={token}")
        seen += [voice["slug"] for voice in page["data"]]
        token = page["next_page_token"]
    assert len(seen) == len(set(seen)) == 32


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("gender=female", 17),
        ("language=fr", 7),
        ("query=oliver", 7),
        ("gender=female&language=en", 10),
    ],
)
async def test_filters(profile, query, count):
    _, page = await get(profile(), f"/v2/audio/voices?page_size=100&type=preset&{query}")
    assert len(page["data"]) == count


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/audio/voices?limit=0", 422),
        ("/v1/audio/voices?offset=x", 422),
        ("/v2/audio/voices?page_token=!", 400),
        ("/v1/audio/voices/nobody", 404),
    ],
)
async def test_what_is_refused(profile, path, status):
    assert (await get(profile(), path))[0] == status


async def test_a_voice_is_shown_and_sampled_by_id_or_slug(client):
    sdk = await client()
    shown = await sdk.audio.voices.get_async(voice_id="fr_marie_neutral")
    assert (shown.slug, shown.gender, shown.type) == ("fr_marie_neutral", "female", "preset")
    assert (await sdk.audio.voices.get_async(voice_id=shown.id)).slug == shown.slug
    sample = await sdk.audio.voices.get_sample_audio_async(voice_id="en_paul_neutral")
    samples, rate = pcm.read_wav(await sample.aread())
    await sample.aclose()
    assert rate == 24_000
    assert pcm.level(samples) == pytest.approx(-20, abs=3)


async def test_a_custom_voice_from_its_making_to_its_end(client, say):
    sdk = await client()
    clip = pcm.wav(pcm.tone(4.0), 24_000)
    made = await sdk.audio.voices.create_async(
        name="My voice",
        sample_audio=base64.b64encode(clip).decode(),
        gender="female",
        languages=["en"],
    )
    assert (made.type, made.slug) == ("custom", "my_voice")
    changed = await sdk.audio.voices.update_async(voice_id=made.id, name="Ours", age=40)
    assert (changed.name, changed.age) == ("Ours", 40)
    sample = await sdk.audio.voices.get_sample_audio_async(voice_id=made.id)
    assert await sample.aread() == clip
    await sample.aclose()
    assert len(await say(sdk, "Hello.", made.id)) > 5_000
    assert (await sdk.audio.voices.delete_async(voice_id=made.id)).id == made.id
    with pytest.raises(SDKError):
        await sdk.audio.voices.get_async(voice_id=made.id)


async def test_presets_do_not_change(client):
    sdk = await client()
    with pytest.raises(SDKError) as caught:
        await sdk.audio.voices.delete_async(voice_id="en_paul_neutral")
    assert caught.value.status_code == 403
    with pytest.raises(HTTPValidationError):
        await sdk.audio.voices.create_async(name="x", sample_audio="%%")


async def test_the_sdk_pages_through_both_listings(client):
    sdk = await client()
    seen, offset = [], 0
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's own, of its first kind
            page = await sdk.audio.voices.list_async(limit=9, offset=offset, type_="preset")
        seen += [voice.slug for voice in page.items]
        offset += len(page.items)
        if offset >= page.total:
            break
    again = []
    found = await sdk.audio.voices.search_async(page_size=9, type_="preset")
    while found is not None:
        again += [voice.slug for voice in found.result.data]
        found = await found.next()
    assert seen == again
    assert len(set(seen)) == 32
