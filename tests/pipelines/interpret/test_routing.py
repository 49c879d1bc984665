from __future__ import annotations

from vivavoce.pipelines.interpret.routing import Router


def test_words_go_to_the_language_that_they_are_in() -> None:
    router = Router(("en", "fr"))
    assert router.heard(0, "I would") == []  # too little to tell
    (routed,) = router.heard(0, "I would like")
    assert (routed.language, routed.text, routed.final) == ("en", "I would like", False)
    (routed,) = router.heard(0, "I would like a table.", final=True)
    assert (routed.language, routed.number, routed.final) == ("en", 0, True)
    (routed,) = router.heard(1000, "Merci beaucoup.", final=True)
    assert (routed.language, routed.number) == ("fr", 1000)
    assert router.language == "fr"


def test_what_may_be_either_goes_on_in_the_last_one() -> None:
    router = Router(("en", "fr"))
    router.heard(0, "Nous voudrions une table pour quatre personnes.", final=True)
    (routed,) = router.heard(1000, "Paris.", final=True)
    assert routed.language == "fr"


def test_an_empty_end_is_nothing_new() -> None:
    router = Router(("en", "fr"))
    (routed,) = router.heard(0, "", final=True)
    assert (routed.text, routed.final) == ("", True)


def test_whoever_changes_the_language_is_followed() -> None:
    router = Router(("en", "fr"))
    router.heard(0, "There are four of us.")
    first, then = router.heard(
        0, "There are four of us. Nous voudrions une table pour quatre personnes"
    )
    assert (first.language, first.text, first.final) == ("en", "There are four of us.", True)
    assert (then.language, then.final) == ("fr", False)
    assert then.text == "Nous voudrions une table pour quatre personnes"
    assert then.number > first.number
    # The rest of the segment goes on there, however the transcriber writes what was before.
    (rest,) = router.heard(
        0,
        "there are four of us! Nous voudrions une table, pour quatre personnes, merci.",
        final=True,
    )
    assert rest.number == then.number
    assert rest.text == "Nous voudrions une table, pour quatre personnes, merci."
    assert rest.final


def test_a_borrowed_word_changes_nothing() -> None:
    router = Router(("en", "fr"))
    text = "We would like the crème brûlée and a glass of red wine, please."
    routed = router.heard(0, text, final=True)
    assert [(each.language, each.text) for each in routed] == [("en", text)]


def test_no_word_is_lost_on_the_way() -> None:
    router = Router(("fr", "en"))
    sentences = [
        "Bonjour, nous sommes quatre personnes.",
        "We would like to eat something now.",
        "Est-ce que vous avez une table pour nous ?",
        "Thank you so much for your help.",
    ]
    text = " ".join(sentences)
    heard: dict[int, tuple[str, str]] = {}
    words = text.split()
    for count in range(1, len(words) + 1):
        for routed in router.heard(5, " ".join(words[:count])):
            heard[routed.number] = (routed.language, routed.text)
    for routed in router.heard(5, text, final=True):
        heard[routed.number] = (routed.language, routed.text)
    assert [heard[number] for number in sorted(heard)] == list(
        zip(("fr", "en", "fr", "en"), sentences, strict=True)
    )
