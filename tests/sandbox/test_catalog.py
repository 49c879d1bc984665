from __future__ import annotations

import pytest
from mistralai.client.errors import SDKError
from mistralai.client.models import BaseModelCard

from vivavoce.sandbox.catalog import Voices, accepts


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("realtime", "voxtral-mini-transcribe-realtime-2602"),
        ("realtime", "voxtral-mini-transcribe-realtime-latest"),
        ("file", "voxtral-mini-2602"),
        ("file", "voxtral-mini-latest"),
        ("file", "voxtral-mini-transcribe-2507"),
        ("speech", "voxtral-mini-tts-2603"),
        ("chat", "embedded-rules"),
        ("chat", "mistral-small-latest"),
        ("chat", "ministral-8b-latest"),
        ("chat", "mistral-large-2512"),
        ("chat", "magistral-medium-latest"),
        ("chat", "voxtral-small-latest"),
    ],
)
def test_ids_are_taken_for_their_kind_only(kind, model):
    assert accepts(kind, model)
    others = {"realtime", "file", "speech", "chat"} - {kind}
    assert not any(accepts(other, model) for other in others)


@pytest.mark.parametrize(
    "model", ["", "gpt-9", "mistral", "voxtral-mini-tts-4-0", "mistral-small "]
)
def test_other_ids_are_not(model):
    assert not any(accepts(kind, model) for kind in ("realtime", "file", "speech", "chat"))


def test_there_are_the_presets_of_both_generations():
    slugs = {voice.slug for voice in Voices().all()}
    assert len(slugs) == 32
    assert {"gb_jane_sarcasm", "fr_marie_neutral", "gb_oliver_cheerful", "en_paul_sad"} <= slugs


def test_presets_keep_their_ids_and_speak_their_language():
    one, other = Voices().find("fr_marie_happy"), Voices().find("fr_marie_happy")
    assert one.id == other.id
    assert Voices().find(one.id).slug == "fr_marie_happy"
    assert (one.speaker.language, one.speaker.female) == ("fr", True)
    oliver = Voices().find("gb_oliver_neutral").speaker
    assert (oliver.language, oliver.female) == ("en-gb", False)


async def test_every_card_tells_its_capabilities(client):
    sdk = await client()
    cards = {card.id: card for card in (await sdk.models.list_async()).data}
    assert all(isinstance(card, BaseModelCard) for card in cards.values())
    rules = cards["embedded-rules"]
    assert "no language model" in rules.description
    assert rules.capabilities.completion_chat
    assert rules.capabilities.function_calling
    realtime = cards["voxtral-mini-transcribe-realtime-2602"]
    assert realtime.capabilities.audio_transcription_realtime
    delays = realtime.audio_transcription_capabilities.streaming_delays_ms
    assert [(d.min, d.max) for d in delays] == [(80, 1200), (2400, 2400)]
    assert realtime.audio_transcription_capabilities.turn_detection is False
    speech = cards["voxtral-mini-tts-2603"]
    assert speech.audio_speech_capabilities.response_formats == ["pcm", "wav"]
    assert cards["voxtral-mini-2602"].capabilities.audio_transcription
    third = cards["voxtral-mini-tts-realtime-3-0"]
    assert third.audio_speech_capabilities.modes == ["realtime"]


async def test_one_card_by_its_id_or_alias(client):
    sdk = await client()
    for model in ("embedded-rules", "voxtral-mini-tts-latest", "ministral-8b-latest"):
        assert (await sdk.models.retrieve_async(model_id=model)).id == model
    with pytest.raises(SDKError) as caught:
        await sdk.models.retrieve_async(model_id="gpt-9")
    assert caught.value.status_code == 404
