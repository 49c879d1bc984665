"""The voices of three providers, by one face."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.pipelines.models.spoken import failure
from tests.pipelines.models.test_sample import speech, write
from vivavoce.pipelines.models.consent import Consent
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.libraries import library
from vivavoce.pipelines.models.voices import NewVoice, VoiceCard, Wanted
from vivavoce.pipelines.models.voices_mistral import MistralVoices

CONSENT = Consent("Marie Dupont", date(2026, 11, 20), "in writing")
BASES = {"mistral": "", "vllm": "/vllm", "voxtral": "/api/tts"}


@pytest.fixture
async def voices(profile, quick) -> AsyncIterator:
    http = Http(replace(quick, first=5.0))

    def make(dialect: str, **given):
        key = profile(**given)
        where = Endpoint(key.url + BASES[dialect], key.key, "m", dialect)
        return library(http, where)

    make.http = http
    yield make
    await http.close()


async def listed(library, **wanted) -> list[VoiceCard]:
    return [card async for card in library.list(Wanted(**wanted))]


def new(tmp_path: Path, name: str, seconds: float = 6.0, **more) -> NewVoice:
    return NewVoice(name, write(tmp_path / f"{name}.wav", speech(seconds)), CONSENT, **more)


@pytest.mark.parametrize("version", [1, 2])
async def test_mistrals_pages_of_both_kinds(profile, voices, monkeypatch, version: int):
    monkeypatch.setattr("vivavoce.pipelines.models.voices_mistral.PAGE", 7)
    key = profile()
    found = MistralVoices(voices.http, Endpoint(key.url, key.key, "m"), version=version)
    cards = await listed(found, type="preset")
    assert len({card.id for card in cards}) == len(cards) == 32
    assert len(await listed(found, type="preset", language="fr")) == 7
    assert len(await listed(found, type="preset", gender="female", language="en")) == 10
    assert [card.slug for card in await listed(found, query="oliver - sad")] in (
        [["gb_oliver_sad"]] if version == 1 else [["gb_oliver_sad"], []]
    )


async def test_a_server_without_cursors_is_asked_for_offsets(voices, profile):
    key = profile()
    # Behind this base there is no /v2.
    where = Endpoint(key.url + "/v1/audio/..", key.key, "m")
    found = MistralVoices(voices.http, where)
    found._by_cursor = lambda wanted: _refused()  # type: ignore[method-assign]
    found._endpoint = Endpoint(key.url, key.key, "m")
    assert len(await listed(found, type="preset")) == 32
    assert found._version == 1


async def _refused():
    raise ModelError("speaking", "refused", "404")
    yield


async def test_a_voice_of_mistrals_from_its_making_to_its_end(voices, tmp_path: Path):
    found = voices("mistral")
    made = await found.create(
        new(tmp_path, "Mine", languages=("fr",), gender="female", description="Calm", tags=("a",))
    )
    assert (made.name, made.type, made.languages, made.gender) == (
        "Mine",
        "custom",
        ("fr",),
        "female",
    )
    assert (made.description, made.more["tags"]) == ("Calm", ["a"])
    assert (await found.show(made.id)).name == "Mine"
    assert (await found.update(made.id, {"name": "Ours"})).name == "Ours"
    assert (await found.sample(made.id))[:4] == b"RIFF"
    assert made.id in {card.id for card in await listed(found, type="custom")}
    await found.delete(made.id)
    assert (await failure(found.show(made.id))).kind == "refused"
    assert (await failure(found.delete("en_paul_sad"))).kind == "refused"


async def test_names_are_no_paths(voices):
    assert (await failure(voices("mistral").show("../models"))).kind == "refused"


async def test_a_voice_of_voxtral_coms(voices, tmp_path: Path):
    found = voices("voxtral")
    made = await found.create(new(tmp_path, "Mine", languages=("fr",), gender="female"))
    assert (made.languages, made.gender) == (("fr",), "female")
    assert "mistral_voice_id" in made.more
    changed = await found.update(made.id, {"name": "Ours", "languages": ["de"]})
    assert (changed.name, changed.languages) == ("Ours", ("de",))
    assert made.id in {card.id for card in await listed(found, language="de")}
    assert "change a voice's tags" in str(await failure(found.update(made.id, {"tags": ["a"]})))
    assert "give a voice's sample" in str(await failure(found.sample(made.id)))
    await found.delete(made.id)
    assert (await failure(found.show(made.id))).kind == "refused"
    short = new(tmp_path, "Short", 4.0)
    assert "must last 5 to 30 s" in str(await failure(found.create(short)))


async def test_the_voices_of_vllm_omni(voices, tmp_path: Path):
    found = voices("vllm")
    cards = {card.id: card for card in await listed(found)}
    assert cards["fr_female"].languages == ("fr",)
    assert (cards["casual_male"].languages, cards["casual_male"].gender) == (("en",), "male")
    name = f"mine-{id(found)}"
    made = await found.create(new(tmp_path, name, description="Calm"))
    assert (made.id, made.type, made.description) == (name, "uploaded", "Calm")
    assert made.id in {card.id for card in await listed(found, type="custom")}
    again = await failure(found.create(new(tmp_path, name)))
    assert "already exists" in str(again)
    for work in (found.update(name, {"name": "x"}), found.delete(name), found.sample(name)):
        assert "vLLM-Omni has no way to" in str(await failure(work))


async def test_a_sample_of_a_second_is_sent_to_nobody(voices, tmp_path: Path):
    short = new(tmp_path, "Short", 1.0)
    for dialect, limits in (("mistral", "3 to 25"), ("voxtral", "5 to 30"), ("vllm", "3 to 30")):
        error = await failure(voices(dialect).create(short))
        assert f"lasts 1.0 s: a sample of a voice must last {limits} s" in str(error)


async def test_nothing_is_known_of_other_dialects(voices):
    with pytest.raises(ModelError, match="nothing is known of the voices of 'my:own'"):
        library(voices.http, Endpoint("http://127.0.0.1:9", "k", "m", "my:own"))


async def test_a_wrong_key(voices, profile):
    key = profile()
    where = Endpoint(key.url, "wrong", "m")
    assert (await failure(MistralVoices(voices.http, where).show("x"))).kind == "auth"
