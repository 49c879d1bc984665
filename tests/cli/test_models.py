from __future__ import annotations

import json
import os

import pytest

from vivavoce.agent.settings import SettingsError, load
from vivavoce.cli.models import endpoints

HERE = ("http://127.0.0.1:1", "sandbox-key")
MISTRAL = "https://api.mistral.ai"


@pytest.fixture(autouse=True)
def _bare(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("VIVAVOCE_") or name == "MISTRAL_API_KEY":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def where(monkeypatch):
    """Where the stages are, under these variables."""

    def read(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))
        return endpoints(load(), *HERE)

    return read


def shown(each):
    return each.dialect, each.url, each.key, each.model


def test_the_sandbox_is_everything_without_a_key(where):
    found = where()
    assert shown(found["think"][0]) == ("mistral", *HERE, "embedded-rules")
    assert shown(found["hear"][0])[3] == "voxtral-mini-transcribe-realtime-2602"
    assert all(len(each) == 1 for each in found.values())


def test_a_key_is_mistrals_and_no_other_server_sees_it(where):
    found = where(
        MISTRAL_API_KEY="sk-m",
        VIVAVOCE_HEAR__DIALECT="vllm",
        VIVAVOCE_HEAR__URL="http://gpu:8000",
        VIVAVOCE_SPEAK__DIALECT="mistral-realtime",
    )
    vllm = "mistralai/Voxtral-Mini-4B-Realtime-2602"
    assert shown(found["hear"][0]) == ("vllm", "http://gpu:8000", "", vllm)
    assert shown(found["think"][0]) == ("mistral", MISTRAL, "sk-m", "mistral-small-latest")
    assert shown(found["speak"][0])[1:] == (MISTRAL, "sk-m", "voxtral-mini-tts-realtime-3-0")


def test_others_stand_behind_in_order(where):
    found = where(
        MISTRAL_API_KEY="sk-m",
        VIVAVOCE_THINK__URL="http://gpu:8000",
        VIVAVOCE_THINK__DIALECT="vllm",
        VIVAVOCE_THINK__MODEL="small",
        VIVAVOCE_THINK__THEN=[
            {},
            {"dialect": "openrouter", "key": "sk-or", "model": "a/b"},
            {"dialect": "openai", "url": "https://api.example.com/v1", "model": "c"},
        ],
    )
    assert [shown(each) for each in found["think"]] == [
        ("vllm", "http://gpu:8000", "", "small"),
        ("mistral", MISTRAL, "sk-m", "mistral-small-latest"),
        ("openrouter", "https://openrouter.ai/api", "sk-or", "a/b"),
        ("openai", "https://api.example.com/v1", "", "c"),
    ]
    urls = [each.at("/v1/chat/completions") for each in found["think"]]
    assert urls[2:] == [
        "https://openrouter.ai/api/v1/chat/completions",
        "https://api.example.com/v1/chat/completions",
    ]


def test_a_service_with_one_address_is_meant_where_it_has_its_key(where):
    found = where(VIVAVOCE_SPEAK__DIALECT="voxtral", VIVAVOCE_SPEAK__KEY="vx")
    assert shown(found["speak"][0])[1:3] == ("https://voxtral.com/api/tts", "vx")
    found = where(VIVAVOCE_SPEAK__KEY="")
    assert found["speak"][0].key == HERE[1]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"VIVAVOCE_HEAR__DIALECT": "openrouter"}, "hear.dialect: 'openrouter' is not known"),
        ({"VIVAVOCE_THINK__DIALECT": "vllm"}, "think.url: say where"),
        ({"VIVAVOCE_THINK__DIALECT": "openrouter"}, "think.key: openrouter needs a key"),
        (
            {"VIVAVOCE_THINK__THEN": '[{"dialect": "openai", "url": "http://x"}]'},
            "think.then[0].model: name the model",
        ),
        ({"VIVAVOCE_HEAR__VOICE": "x"}, "hear.voice: only speak has voices"),
        ({"VIVAVOCE_HEAR__THEN": '[{"urls": "x"}]'}, "hear.then.0.urls: there is no such setting"),
        ({"VIVAVOCE_HEAR__THEN": "x"}, "hear"),
    ],
)
def test_what_is_wrong_with_a_provider_is_told_in_one_line(monkeypatch, variables, message):
    monkeypatch.setenv("MISTRAL_API_KEY", "sk-m")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
