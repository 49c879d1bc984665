"""`vivavoce doctor` asks every provider of every stage, in its dialect."""

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
