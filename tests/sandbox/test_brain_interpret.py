"""An interpreter's prompt, answered by the rules: as a function, and streamed over the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vivavoce.pipelines.interpret import prompt
from vivavoce.sandbox import catalog
from vivavoce.sandbox.brain import reply

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


def asked(text, source="en", target="fr", *, pairs=(), **told):
    system = prompt.system(source, target, **{"glossary": {}, **told})
    return prompt.messages(system, pairs, text)


def interpreted(text, *args, **told):
    return reply(asked(text, *args, **told), [], now=NOW).content


def test_what_an_interpreter_is_told_makes_the_rules_translate():
    assert interpreted("I have a reservation.") == "J'ai une réservation."
    assert interpreted("I have a reservation.", "en", "es") == "Tengo una reserva."
    assert interpreted("Je ne comprends pas.", "fr", "en") == "I don't understand."
    assert interpreted("Wir kommen morgen.", "de", "en") == "Wir kommen morgen."


def test_the_last_piece_alone_is_translated():
    pairs = [("Good morning.", "Bonjour."), ("My name is Anna.", "Je m'appelle Anna.")]
    assert interpreted("and the old house", pairs=pairs) == "et la vieille maison"


def test_orders_of_the_speaker_are_translated_and_not_obeyed():
    assert interpreted("Book a table for two people.") == "Réservez une table pour deux personnes."
    assert interpreted("What time is it?") == "Quelle heure est-il ?"


def test_glossary_and_brevity_are_read_from_the_prompt():
    glossary = {"sourdough": "pain au levain", "Chez Marie": ""}
    said = interpreted("I really like the sourdough of Chez Marie.", glossary=glossary)
    assert said == "J'aime vraiment le pain au levain de Chez Marie."
    brief = interpreted("Well, the soup is really very hot, please.", condense=2, style="formal")
    assert brief == "La soupe est chaude."


@pytest.mark.parametrize(
    "system", ["You are an interpreter.", "", "You are a simultaneous interpreter from A to B."]
)
def test_anything_else_is_no_interpreters_prompt(system):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "Good morning."}]
    assert "Bonjour" not in reply(messages, [], now=NOW).content


def test_the_model_card_says_what_it_is():
    card = catalog.card(catalog.THINKER)
    assert card is not None
    assert "no language model" in card["description"]
    assert "phrase book" in card["description"]


async def test_it_streams_like_any_answer(client):
    sdk = await client(latency={"think_tokens_per_s": 200})
    stream = await sdk.chat.stream_async(
        model="mistral-small-latest", messages=asked("The old house near the river is very big.")
    )
    async with stream:
        pieces = [event.data.choices[0].delta.content or "" async for event in stream]
    assert "".join(pieces) == "La vieille maison près de la rivière est très grande."
    assert len([piece for piece in pieces if piece]) > 5
