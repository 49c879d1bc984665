from __future__ import annotations

import pytest

from vivavoce.agent.languages import SPOKEN
from vivavoce.pipelines.interpret.grammar import closes, finished, leans, seams
from vivavoce.pipelines.interpret.grammar_tokens import Seam
from vivavoce.pipelines.interpret.grammar_words import KINDS, VERBS, Kind


def seam(text: str, source: str, target: str = "en") -> Seam:
    """The seam where the text has a stroke."""
    words = text.replace("|", " | ").split()
    place = words.index("|")
    return seams([word for word in words if word != "|"], source, target)[place - 1]


@pytest.mark.parametrize(
    ("source", "text", "wanted"),
    [
        ("en", "It is late. | We go home", Seam.SENTENCE),
        ("en", "It was Mr. | Miller", Seam.TIGHT),
        ("en", "by J. | R. Miller", Seam.TIGHT),
        ("en", "at 5 p.m. | on Friday", Seam.TIGHT),
        ("en", "at 5 p.m. | We went", Seam.SENTENCE),
        ("en", "room No. | 5 is free", Seam.NUMBER),
        ("en", "He said No. | We left", Seam.SENTENCE),
        ("en", "we saw it... | and left", Seam.COMMA),
        ("en", "we went home, | and then", Seam.COMMA),
        ("en", "red, | blue and green", Seam.PHRASE),
        ("en", "twenty, | thirty people", Seam.HELD),
        ("en", "he gave up | the house", Seam.LOOSE),
        ("en", "he gave | up the house", Seam.TIGHT),
        ("en", "I saw | it yesterday", Seam.TIGHT),
        ("en", "because it | rains here", Seam.TIGHT),
        ("en", "they don't | see it", Seam.TIGHT),
        ("en", "Anna's | house is red", Seam.TIGHT),
        ("en", "we want | to go home", Seam.HELD),
        ("en", "two | and a half hours", Seam.NUMBER),
        ("en", "two hours | and thirty minutes", Seam.NUMBER),
        ("en", "bread | and butter", Seam.LOOSE),
        ("en", "we came | and they left", Seam.CLAUSE),
        ("fr", "il est tard | qu'il vienne", Seam.CLAUSE),
        ("fr", "qu'il | vienne", Seam.TIGHT),
        ("fr", "il n'a | pas mangé", Seam.TIGHT),
        ("fr", "il n'a pas | mangé", Seam.TIGHT),
        ("fr", "il ne mange pas | de pain", Seam.LOOSE),
        ("fr", "le prix | de la maison", Seam.LOOSE),
        ("fr", "près | de la gare", Seam.TIGHT),
        ("fr", "5 heures | 30 du matin", Seam.NUMBER),
        ("es", "dos kilos | de manzanas", Seam.NUMBER),
        ("it", "due milioni | di euro", Seam.NUMBER),
        ("de", "am 3. | März kommt", Seam.NUMBER),
        ("de", "Es sind 3. | Wir gehen", Seam.SENTENCE),
        ("de", "ich sehe Frau | Müller heute", Seam.TIGHT),
        ("de", "er ist größer | als der Turm", Seam.HELD),
        ("de", "er ruft sie an | weil er muss", Seam.CLAUSE),
        ("de", "er kauft es nicht | weil er muss", Seam.CLAUSE),
        ("de", "das haus das er kauft | hat einen garten", Seam.CLAUSE),
        ("de", "weil er es gekauft | hat", Seam.HELD),
        ("de", "der mann liest die zeitung | die frau schreibt", Seam.CLAUSE),
        ("de", "ich kenne die frau | die das haus kauft", Seam.CLAUSE),
        ("de", "er bringt es nicht mit, | weil er muss", Seam.COMMA),
        ("es", "nadie lo cree y, | para ser sincero", Seam.HELD),
        ("es", "nadie lo cree | y, para ser sincero", Seam.CLAUSE),
        ("es", "dos millones cuatrocientas | mil casas", Seam.NUMBER),
        ("en", "in the first | quarter", Seam.TIGHT),
        ("en", "in a moment | it is over", Seam.CLAUSE),
        ("en", "in a moment it | is over", Seam.TIGHT),
        ("ar", "بعنا مليونين | وأربعمئة ألف", Seam.NUMBER),
        ("ar", "مليونين وأربعمئة | ألف", Seam.NUMBER),
        ("nl", "omdat hij het wil | kopen", Seam.TIGHT),
        ("hi", "मैं घर गया था | और वह", Seam.CLAUSE),
        ("hi", "घर | में", Seam.TIGHT),
        ("ar", "ذهب إلى | البيت", Seam.TIGHT),
        ("ar", "ذهب الولد | وقال لهم", Seam.PHRASE),
        ("ar", "في هذا اليوم، | قال", Seam.COMMA),
    ],
)
def test_how_well_it_can_be_cut(source, text, wanted):
    assert seam(text, source, "fr" if source == "en" else "en") is wanted


def test_into_german_what_follows_the_verb_is_waited_for():
    assert seam("he sold | the house", "en", "de") < seam("he sold | the house", "en", "fr")
    assert seam("ik heb het huis | gezien", "nl", "de") >= seam(
        "ik heb het huis | gezien", "nl", "en"
    )


def test_behind_the_last_word_only_its_mark_counts():
    assert seams(["we", "left"], "en", "fr")[-1] is Seam.TIGHT
    assert seams(["we", "left."], "en", "fr")[-1] is Seam.SENTENCE
    assert seams([], "en", "fr") == []


@pytest.mark.parametrize("source", list(SPOKEN))
@pytest.mark.parametrize("target", list(SPOKEN))
def test_every_pair_has_its_seams(source, target):
    if source == target:
        return
    words = ["Peter", "3", "—x", "and", *list(KINDS[source])[:40], "end."]
    found = seams(words, source, target)
    assert len(found) == len(words)
    assert found[-1] is Seam.SENTENCE


def test_what_a_word_at_the_end_tells():
    assert leans("the", "en")
    assert leans("qu'il", "fr")
    assert not leans("house", "en")
    assert closes("house.", "en")
    assert closes("था ।", "hi")
    assert not closes("Dr.", "en")
    assert finished("house.", "en")
    assert not finished("the.", "en")


def test_the_tables_are_whole():
    assert set(KINDS) == set(SPOKEN)
    for code, kinds in KINDS.items():
        assert all(word == word.lower() and " " not in word for word in kinds), code
        assert {Kind.COORDINATOR, Kind.SUBORDINATOR, Kind.NUMBER, Kind.UNIT, Kind.MONTH} <= set(
            kinds.values()
        )
    assert "kauft" in VERBS["de"]
    assert "koopt" in VERBS["nl"]
