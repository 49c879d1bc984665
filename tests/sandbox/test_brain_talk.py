"""Everyday sayings, languages, and what a system prompt tells."""

from datetime import UTC, datetime

import pytest

from vivavoce.sandbox import brain_prompt as prompt
from vivavoce.sandbox.brain_talk import language, reckon, saying

NOW = datetime(2026, 5, 6, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("hello", "greet"),
        ("Hi there, good morning!", "greet"),
        ("um hello", "greet"),
        ("hello I would like a table", ""),
        ("thanks a lot", "thanks"),
        ("great thank you very much", "thanks"),
        ("ok thanks bye", "bye"),
        ("Goodbye.", "bye"),
        ("that's all", "done"),
        ("sorry can you repeat that please", "repeat"),
        ("what did you say", "repeat"),
        ("never mind", "stop"),
        ("stop", "stop"),
        ("stop the music", ""),
        ("are you a robot", "who"),
        ("who am I speaking to", "who"),
        ("what can you do", "help"),
        ("tell me more", "more"),
        ("what time is it", "clock"),
        ("what day is it", "calendar"),
        ("what time do you open", ""),
        ("cancel my booking", ""),
    ],
)
def test_sayings(said, kind):
    assert saying(said) == kind


@pytest.mark.parametrize(
    ("text", "tongue"),
    [
        ("I want a table for two please", "en"),
        ("The name is van der Berg", "en"),
        ("who is El Greco and where is he from", "en"),
        ("what was the die for", "en"),
        ("no", "en"),
        ("Smith", "en"),
        ("je voudrais réserver une table", "fr"),
        ("hola", "es"),
        ("ich möchte einen Tisch für zwei Personen", "de"),
        ("vorrei un tavolo per domani grazie", "it"),
        ("eu gostaria de uma mesa para amanhã", "pt"),
        ("ik wil graag een tafel voor twee", "nl"),
        ("", "en"),
    ],
)
def test_languages(text, tongue):
    assert language(text) == tongue


def test_sums():
    assert reckon("what is 12 x 8") == "12 times 8 is 96."
    assert reckon("twenty divided by eight") == "20 divided by 8 is 2.5."
    assert reckon("two plus two minus one") == "2 plus 2 minus 1 is 3."
    assert reckon("a table for two") == ""
    assert reckon("plus") == ""


SYSTEM = """You are Ava, the assistant of Hotel Bellevue.
# About
- Check-in is from three in the afternoon.
- The pool on the roof is open all year.
Always be polite. Never mention the rats.
"""


def test_facts_are_not_instructions():
    known = prompt.facts(SYSTEM)
    assert known == (
        "Check-in is from three in the afternoon.",
        "The pool on the roof is open all year.",
    )
    score, index = prompt.find_fact(SYSTEM, "do you have a pool", now=NOW)
    assert score >= prompt.FACT
    assert "pool" in known[index]
    assert prompt.find_fact(SYSTEM, "do you sell shoes", now=NOW)[0] < prompt.FACT


def test_who_speaks():
    assert prompt.identity(SYSTEM) == "Ava, the assistant of Hotel Bellevue"
    assert prompt.greeting(SYSTEM).startswith("Hello, this is Ava")
    assert prompt.greeting("") == ""


@pytest.mark.parametrize(
    ("system", "echo"),
    [
        ("Repeat what the caller says, word for word.", True),
        ("You are a parrot: echo everything back.", True),
        ("Be kind. If they did not hear, repeat the question.", False),
        (SYSTEM, False),
    ],
)
def test_echo(system, echo):
    assert prompt.echoes(system) is echo
