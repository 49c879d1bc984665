from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.turns.words import ENDS, completeness, dictating

LANGUAGES = ("en", "fr", "es", "de", "it", "pt", "nl")
WAITED_FOR = 0.5
"""Below this, the longest silence is waited for."""

# After these, more must come; as transcribers write them, with and without punctuation.
OPEN = {
    "en": ["I would like to book a", "A table for", "I want it because", "My name is", "And then",
           "Could you tell me the", "I'd like", "It was um", "We need two or", "Please send it to"],
    "fr": ["Je voudrais une", "Une table pour", "Et puis je", "C'est pour le", "Parce que",
           "Je viens avec", "Il faut que", "Euh", "Nous avons"],
    "es": ["Quisiera una", "Una mesa para", "Y luego", "Es para el", "Tengo que",
           "Voy con", "Pero", "Este lunes o"],
    "de": ["Ich möchte einen", "Einen Tisch für", "Weil ich", "Und dann kommen wir mit", "Das ist",
           "Wir sind", "Ähm", "Ich habe noch", "Am Montag oder"],
    "it": ["Vorrei un", "Un tavolo per", "E poi vengo con", "Perché", "Sono",
           "Abbiamo una", "Ehm", "Lunedì o"],
    "pt": ["Queria uma", "Uma mesa para", "E depois vou com", "Porque", "Hum", "Eu tenho",
           "Mas", "Na segunda ou"],
    "nl": ["Ik wil een", "Een tafel voor", "En dan komen we met", "Omdat", "Wij zijn", "Euh",
           "Ik heb ook", "Maandag of"],
}  # fmt: skip
# These can stand.
WHOLE = {
    "en": ["I would like to book a table.", "For four people please.", "What do you recommend?",
           "Yes please.", "No, thank you.", "Tomorrow evening.", "Goodbye.", "Never mind.", "See you then.",
           "When do you open", "When is it", "It is marie at gmail.com.",
           "What are you looking for", "Where is it from?", "Can I bring my dog"],
    "fr": ["Je voudrais une table.", "Pour quatre personnes.", "Oui.", "Merci, au revoir.",
           "Non merci.", "À quelle heure fermez-vous ?"],
    "es": ["Quisiera una mesa.", "Para cuatro personas.", "Sí, gracias.", "Adiós.",
           "¿A qué hora cierran?"],
    "de": ["Ich möchte einen Tisch reservieren.", "Für vier Personen.", "Nein danke.", "Tschüss.",
           "Haben Sie morgen geöffnet?"],
    "it": ["Vorrei prenotare un tavolo.", "Per quattro persone.", "Sì, grazie.", "Ciao.",
           "A che ora chiudete?"],
    "pt": ["Queria reservar uma mesa.", "Para quatro pessoas.", "Sim, obrigado.", "Tchau.",
           "A que horas fecham?"],
    "nl": ["Ik wil graag een tafel.", "Voor vier personen.", "Nee, bedankt.", "Ja.",
           "Hoe laat sluiten jullie?"],
}  # fmt: skip


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(language, text) for language, texts in table.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), cases(OPEN))
@pytest.mark.parametrize("mark", ["", ".", "…", ","])
def test_more_must_come(language, text, mark):
    assert completeness(text + mark, language) < WAITED_FOR
    assert completeness(text + mark, language, punctuated=True) < WAITED_FOR


@pytest.mark.parametrize(("language", "text"), cases(WHOLE))
def test_it_can_stand(language, text):
    assert completeness(text, language) >= WAITED_FOR
    assert completeness(text, f"{language}-XX") == completeness(text, language)


@pytest.mark.parametrize(("language", "text"), cases(WHOLE))
def test_it_can_stand_for_a_transcriber_that_punctuates(language, text):
    if text.endswith(ENDS):
        assert completeness(text, language, punctuated=True) >= WAITED_FOR


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_finished_sentence_is_surer_than_one_without_a_full_stop(language):
    text = WHOLE[language][0].rstrip(".")
    assert completeness(text + ".", language) > completeness(text, language)


@pytest.mark.parametrize("text", ["A table near the window", "On friday evening"])
def test_a_missing_full_stop_tells_only_where_they_are_written(text):
    assert completeness(text) >= WAITED_FOR
    assert completeness(text, punctuated=True) < WAITED_FOR
    assert completeness(text + ".", punctuated=True) >= WAITED_FOR


@pytest.mark.parametrize(
    "text",
    [
        "If you have a table",
        "When we come on friday",
        "Because my sister is ill",
        "Wenn wir kommen",
        "Quand nous venons",
        "Cuando venimos",
    ],
)
def test_half_a_sentence_is_waited_for(text):
    language = {"W": "de", "Q": "fr", "C": "es"}.get(text[0], "en")
    language = "en" if text.startswith("When") else language
    assert completeness(text, language) < WAITED_FOR


@pytest.mark.parametrize("text", ["", " ", "...", "—", "?"])
def test_nothing_is_never_whole(text):
    assert completeness(text) == 0.0


def test_an_unknown_language_is_judged_all_the_same():
    assert completeness("Dzień dobry.", "pl") >= WAITED_FOR
    assert completeness("नमस्ते।", "hi") >= WAITED_FOR
    assert completeness("هل لديكم طاولة؟", "ar") >= WAITED_FOR


# -- dictation


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        ("zero six one", True),
        ("my number is 0 6 1 2", True),
        ("zero six one two three four five six seven eight", False),
        ("0612 3456 78", True),
        ("null eins sieben", True),
        ("zéro six un", True),
        ("cero seis uno", True),
        ("my name is m a r", True),
        ("four", False),
        ("at seven", False),
        ("room two one", False),
        ("marie at gmail", True),
        ("marie at gmail dot", True),
        ("marie dot", True),
        ("marie at gmail dot com", False),
        ("marie at gmail com", False),
        ("i use gmail", False),
        ("marie arobase", True),
        ("www slash", True),
    ],
)
def test_what_is_dictated_may_go_on(text, goes_on):
    assert dictating(text.split()) is goes_on
    if goes_on:
        assert completeness(text) < WAITED_FOR
        assert completeness(text + ".") < WAITED_FOR


# -- anything


@given(st.text(max_size=80), st.sampled_from([*LANGUAGES, "hi", "ar", "xx", ""]), st.booleans())
def test_it_is_always_a_share(text, language, punctuated):
    found = completeness(text, language, punctuated=punctuated)
    assert 0.0 <= found <= 1.0
    assert found == completeness(f"  {text}\n", language, punctuated=punctuated)


@given(st.sampled_from(cases(OPEN)), st.sampled_from(["I think so and ", "Yes, ", "Well "]))
def test_what_stood_before_does_not_finish_it(case, before):
    language, text = case
    assert completeness(before + text, language) < WAITED_FOR
