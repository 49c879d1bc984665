"""What an agent may be made of."""

from __future__ import annotations

import pytest

from vivavoce.agent import AgentError, Limits, Turns
from vivavoce.agent.definition import made, named, spoken, tuned, voiced


@pytest.mark.parametrize("name", ["a", "Chez.Marie_2-b", "x" * 64])
def test_names_that_fit(name: str):
    assert named(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "chez marie", "é", "a\n", None, 3])
def test_names_that_do_not(name: object):
    with pytest.raises(AgentError, match="1 to 64 letters"):
        named(name)


def test_languages_are_kept_once_and_in_order():
    assert spoken("fr") == ("fr",)
    assert spoken(["en", "fr-CA", "en"]) == ("en", "fr-CA")


@pytest.mark.parametrize("languages", [[], "", ["en", "xx"], None, 3, {"en"}])
def test_what_is_no_language_is_told(languages: object):
    with pytest.raises(AgentError, match=r"Agent\(languages"):
        spoken(languages)


def test_a_voice_is_a_name_or_nothing():
    assert voiced(None) is None
    assert voiced("fr_marie_neutral") == "fr_marie_neutral"
    with pytest.raises(AgentError, match=r"Agent\(voice\)"):
        voiced("")


def test_what_makes_something_can_be_called():
    assert made("deps", None) is None
    assert made("deps", dict) is dict
    with pytest.raises(AgentError, match=r"Agent\(deps\)"):
        made("deps", {})  # type: ignore[type-var]


def test_options_are_of_their_kind_or_those_that_hold_anyway():
    turns = Turns(eager=False)
    assert tuned("turns", turns, Turns) is turns
    assert tuned("turns", None, Turns) == Turns()
    with pytest.raises(AgentError, match=r"give Turns\(\.\.\.\)"):
        tuned("turns", Limits(), Turns)  # type: ignore[type-var]
