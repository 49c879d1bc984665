from __future__ import annotations

import pytest

from vivavoce.agent import Interpreter
from vivavoce.agent.testing import ScriptError, SimulationError, interpret
from vivavoce.agent.testing.caller import RECENT
from vivavoce.agent.testing.interpreted import model_of

WORDS = {"Bonjour": "good morning", "tout le monde": "everybody", "monde": "world"}


def answer(translations: object, text: str) -> object:
    return model_of(translations)([{"role": "user", "content": text}], [])  # type: ignore[arg-type]


def test_a_dictionary_takes_the_longest() -> None:
    assert answer(WORDS, "Bonjour, tout le monde !") == "good morning, everybody !"
    assert answer(WORDS, "bonjour le monde") == "good morning le world"
    assert answer({}, "Bonjour") == "Bonjour"
    assert answer(str.upper, "oui") == "OUI"


@pytest.mark.parametrize("wrong", [None, 3, {"a": 1}, {"": "x"}, ["oui"]])
def test_what_is_no_translation(wrong: object) -> None:
    with pytest.raises(ScriptError, match="translations"):
        model_of(wrong)  # type: ignore[arg-type]


async def test_a_session() -> None:
    async with interpret(Interpreter("fr", "en"), WORDS) as session:
        assert session.heard == ""
        assert session.lag == 0.0
        await session.says("Bonjour tout le monde.")
        assert session.heard == session.written == "good morning everybody."
        assert 0 < session.lag < 3
        assert session.requests[0][-1]["content"] == session.segments[0].text
        assert "good morning" in session.draw()
        assert RECENT[-1] is session
    assert session.call.ended


async def test_the_test_is_told_what_went_wrong() -> None:
    def broken(text: str) -> str:
        raise KeyError(text)

    with pytest.raises(KeyError):
        async with interpret(Interpreter("fr", "en"), broken) as session:
            await session.says("Bonjour.")
    async with interpret(Interpreter("fr", "en"), WORDS) as session:
        with pytest.raises(SimulationError, match="no word"):
            await session.says("...")
        with pytest.raises(SimulationError, match="speak to the end"):
            await session.says("Bonjour tout le monde.", within=0.3)
