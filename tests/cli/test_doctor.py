"""`vivavoce doctor` asks every provider of every stage and task, in its dialect."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from vivavoce.agent.settings import ProviderSettings, Settings, StageSettings
from vivavoce.cli.doctor import examine


@pytest.fixture
def look(sandbox, capsys):
    """Examine settings with the sandbox; return the findings by check, and whether all is well."""

    async def run(**given):
        settings = Settings(
            models="sandbox", sandbox_url=sandbox.url, sandbox_key=sandbox.key, **given
        )
        well = await examine(settings, Console(), as_json=True)
        return {each["check"]: each for each in json.loads(capsys.readouterr().out)}, well

    return run


async def test_each_provider_of_each_stage_is_asked(look):
    found, well = await look(
        hear=StageSettings(then=(ProviderSettings(dialect="vllm"),)),
        think=StageSettings(
            dialect="openrouter",
            then=(ProviderSettings(dialect="vllm"), ProviderSettings(dialect="openai")),
        ),
        speak=StageSettings(then=(ProviderSettings(dialect="vllm"),)),
    )
    assert well, found
    assert {"hearing", "hearing 2", "thinking", "speaking", "speaking 2"} <= set(found)
    assert "/api: answers" in found["thinking"]["found"]
    assert "/vllm: transcribes" in found["hearing 2"]["found"]


async def test_one_that_does_not_answer_is_told_with_what_to_do(look, monkeypatch):
    monkeypatch.setenv("VIVAVOCE_TIMEOUTS__CONNECT", "1")
    gone = ProviderSettings(dialect="openai", url="http://127.0.0.1:9", model="m")
    strange = ProviderSettings(dialect="nowhere:voice", url="http://127.0.0.1:9")
    found, well = await look(
        hear=StageSettings(dialect="none"),
        think=StageSettings(then=(gone,)),
        speak=StageSettings(then=(strange,)),
    )
    assert not well
    assert found["thinking"]["ok"]
    assert "cannot connect to http://127.0.0.1:9" in found["thinking 2"]["found"]
    assert found["thinking 2"]["fix"]
    assert "there is no nowhere:voice" in found["speaking 2"]["found"]
    assert "hearing" not in found


async def test_what_recordings_are_done_with_is_asked(look, sandbox, profile):
    key = profile().key
    found, well = await look(
        transcribe=ProviderSettings(dialect="vllm", key=key),
        ask=ProviderSettings(dialect="openrouter", url=f"{sandbox.url}/api", key=key),
    )
    assert well, found
    assert "/vllm: transcribes recordings" in found["transcribing"]["found"]
    assert "/api: hears recordings, and answers" in found["asking"]["found"]
    heard = [each["body"] for each in sandbox.report(key)["bodies"]]
    (asked,) = [each["messages"][0]["content"] for each in heard if "messages" in each]
    assert [part["type"] for part in asked] == ["input_audio", "text"]


async def test_a_task_with_a_wrong_key_is_told(look, sandbox):
    wrong = ProviderSettings(url=sandbox.url, key="nobody's", model="voxtral-mini-2602")
    found, well = await look(transcribe=wrong, ask=wrong)
    assert not well
    for name in ("transcribing", "asking"):
        assert not found[name]["ok"]
        assert "401" in found[name]["found"]
        assert not found[name]["found"].startswith(("hearing", "thinking"))
        assert "check the API key" in found[name]["fix"]


async def test_a_task_that_is_set_wrongly_is_told(look):
    found, well = await look(
        transcribe=ProviderSettings(dialect="nowhere:files", model="m"),
        ask=ProviderSettings(dialect="openai", url="http://127.0.0.1:9"),
    )
    assert not well
    assert "nowhere:files transcribes no files" in found["transcribing"]["found"]
    assert "ask.model: name the model" in found["asking"]["found"]


async def test_tasks_that_nobody_set_up_are_no_fault(capsys, profile):
    """All of a call is elsewhere: no sandbox is started for recordings that nobody spoke of."""
    key = profile()
    apart = {
        "hear": StageSettings(dialect="none"),
        "think": StageSettings(url=key.url, key=key.key),
        "speak": StageSettings(url=key.url, key=key.key),
    }
    well = await examine(Settings(models="sandbox", **apart), Console(), as_json=True)
    found = {each["check"]: each for each in json.loads(capsys.readouterr().out)}
    assert well, found
    for name in ("transcribing", "asking"):
        assert found[name]["found"].startswith("not set up")
