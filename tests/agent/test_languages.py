from __future__ import annotations

import pytest

from vivavoce.agent import Agent, Call
from vivavoce.agent.events import CallerSaid, LanguageChanged
from vivavoce.agent.languages import LanguageError, check, follow
from vivavoce.agent.transcript import Utterance

NINE = ["en", "fr", "de", "es", "nl", "pt", "it", "hi", "ar"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bonjour, je voudrais une table pour demain", "fr"),
        ("Guten Abend, ich möchte einen Tisch für vier", "de"),
        ("Buenas tardes, quiero reservar una mesa", "es"),
        ("Goedemorgen, ik zou graag een tafel willen", "nl"),
        ("Boa tarde, gostaria de uma mesa, por favor, obrigado", "pt"),
        ("Buongiorno, vorrei prenotare un tavolo, grazie", "it"),
        ("नमस्ते, मुझे एक मेज़ चाहिए", "hi"),
        ("مرحبا أريد طاولة", "ar"),
        ("no", "en"),
        ("Marie Dupont", "en"),
        ("", "en"),
    ],
)
def test_the_caller_is_followed_where_the_words_tell(text, expected):
    assert follow(text, NINE, "en") == expected


def test_one_shared_word_changes_nothing():
    assert follow("no, por favor", ["pt", "es"], "pt") == "pt"


def test_a_region_stays():
    assert follow("Bonjour, je voudrais une table", ["en", "fr-CA"], "en") == "fr-CA"


@pytest.mark.parametrize("language", ["ja", "zh-CN", "english", "", None])
def test_what_cannot_be_spoken_is_refused(language):
    with pytest.raises(LanguageError):
        check(language)


def said(text: str) -> CallerSaid:
    return CallerSaid(1.0, Utterance(text, 0, 1))


def test_a_call_speaks_what_the_caller_does_where_the_agent_can():
    call = Call(Agent(languages=["en", "fr"]))
    call.emit(said("Bonjour, je voudrais une table"))
    assert call.language == "fr"
    fixed = Call(Agent(languages="en"))
    fixed.emit(said("Bonjour, je voudrais une table"))
    assert fixed.language == "en"


async def test_the_change_is_an_event_and_the_model_is_told():
    agent = Agent("Be kind.", languages=["en", "fr"])
    call = Call(agent)
    call.set_language("fr")
    assert [event for event in call.past if isinstance(event, LanguageChanged)]
    assert "Speak French" in await agent.instructions_for(call)
