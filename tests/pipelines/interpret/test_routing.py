from __future__ import annotations

from collections.abc import Sequence

from vivavoce.pipelines.interpret.routing import Router

FRENCH = frozenset("je suis ici le la une table merci bonjour pour nous sommes quatre oui".split())


def tell(text: str, languages: Sequence[str], current: str) -> tuple[str, float]:
    words = [word.strip(".,?!").lower() for word in text.split()]
    share = sum(word in FRENCH for word in words) / max(1, len(words))
    if 0.4 < share < 0.6:
        return current, 0.5
    return ("fr", share) if share >= 0.6 else ("en", 1 - share)


def test_words_go_to_the_language_that_they_are_in() -> None:
    router = Router(("en", "fr"), tell)
    assert router.heard(0, "I would") == []  # too little to tell
    (routed,) = router.heard(0, "I would like")
    assert (routed.language, routed.text, routed.final) == ("en", "I would like", False)
    (routed,) = router.heard(0, "I would like a table.", final=True)
    assert (routed.language, routed.number, routed.final) == ("en", 0, True)
    (routed,) = router.heard(1000, "Merci", final=True)
    assert (routed.language, routed.number) == ("fr", 1000)
    assert router.language == "fr"


def test_a_beginning_that_may_be_either_waits() -> None:
    router = Router(("en", "fr"), tell)
    assert router.heard(0, "une table for two") == []
    (routed,) = router.heard(0, "une table for two people tonight please")
    assert routed.language == "en"


def test_whoever_changes_the_language_is_followed_from_the_next_sentence() -> None:
    router = Router(("en", "fr"), tell)
    router.heard(0, "We are four.")
    first, then = router.heard(0, "We are four. Nous sommes quatre ici pour la table")
    assert (first.language, first.text, first.final) == ("en", "We are four.", True)
    assert (then.language, then.text, then.final) == ("fr", then.text, False)
    assert then.number > first.number
    # The rest of the segment goes on there, though the transcriber changes its mind about what
    # was before.
    (rest,) = router.heard(0, "we are four! Nous sommes quatre, ici pour la table oui.", final=True)
    assert rest.number == then.number
    assert rest.text == "Nous sommes quatre, ici pour la table oui."
    assert rest.final


def test_no_word_is_lost_on_the_way() -> None:
    router = Router(("fr", "en"), tell)
    text = (
        "Bonjour je suis ici. We would like to eat now. Une table pour quatre. Thank you so much."
    )
    heard: dict[int, str] = {}
    words = text.split()
    for count in range(1, len(words) + 1):
        for routed in router.heard(5, " ".join(words[:count])):
            heard[routed.number] = routed.text
    for routed in router.heard(5, text, final=True):
        heard[routed.number] = routed.text
    assert " ".join(heard[number] for number in sorted(heard)) == text
    assert len(heard) == 4
