from __future__ import annotations

import dataclasses
import socket

import pytest

from tests.pipelines.models.test_hearing import Listener
from vivavoce.pipelines.models import capabilities as module
from vivavoce.pipelines.models.capabilities import UNKNOWN, Capabilities, capabilities
from vivavoce.pipelines.models.hearing import MistralHearing
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.models.wishes import Wishes

NEW = "voxtral-mini-transcribe-realtime-3-0"


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    monkeypatch.setattr(module, "_known", {})


async def test_a_card_says_what_a_model_can_do(endpoint):
    where = dataclasses.replace(endpoint("hear"), model=NEW)
    able = await capabilities(where)
    assert able.realtime is True
    assert able.turn_detection is True
    assert able.diarization is True
    assert able.delays_ms == ((80, 1200), (2400, 2400))


async def test_an_alias_is_asked_for_by_its_own_name(endpoint):
    alias = dataclasses.replace(endpoint("hear"), model="voxtral-mini-transcribe-realtime-latest")
    able = await capabilities(alias)
    assert able.realtime is True
    assert able.turn_detection is False


async def test_a_card_is_remembered(endpoint):
    where = endpoint("hear")
    assert (await capabilities(where)).realtime is True
    ((identity, (at, _)),) = module._known.items()
    assert where.key not in identity
    # Believed without asking, for an hour.
    module._known[identity] = (at, Capabilities(realtime=False))
    assert (await capabilities(where)).realtime is False
    module._known[identity] = (at - module.VALID, Capabilities(realtime=False))
    assert (await capabilities(where)).realtime is True


@pytest.mark.parametrize(
    "change", [{"model": "nope"}, {"key": "wrong"}, {"url": "http://127.0.0.1:1"}]
)
async def test_a_server_that_says_nothing_leaves_it_open(endpoint, change):
    where = dataclasses.replace(endpoint("hear"), **change)
    assert await capabilities(where, timeout=2) == UNKNOWN
    assert not module._known


async def test_a_server_that_does_not_answer_is_not_waited_for():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        where = Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", "k", "m")
        assert await capabilities(where, timeout=0.2) == UNKNOWN


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"capabilities": None, "audio_transcription_capabilities": "yes"},
        {"audio_transcription_capabilities": {"diarization": "yes", "languages": [1]}},
        {"audio_transcription_capabilities": {"streaming_delays_ms": [{"min": 80}]}},
    ],
)
def test_a_card_in_a_shape_of_its_own_leaves_it_open(card):
    assert Capabilities.of(card) == UNKNOWN


async def test_what_the_card_rules_out_is_refused_before_a_connection_is_opened(endpoint, quick):
    where = endpoint("hear")
    hearing, listener = MistralHearing(where, quick, Wishes(diarize=True)), Listener()
    await hearing.open(listener)
    try:
        await listener.until(lambda each: each.troubles)
    finally:
        await hearing.close()
    error = listener.troubles[0]
    assert (error.kind, error.lasting) == ("refused", True)
    assert "voxtral-mini-transcribe-realtime-2602 does not tell speakers apart live" in str(error)
    assert endpoint.keys[where].report["connections"] == 0
