from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vivavoce.pipelines.clauses import SPARE, Clauses, ended


def cut(text: str, sizes: list[int] | None = None, **options) -> list[str]:
    clauses = Clauses(**options)
    pieces: list[str] = []
    for size in sizes or ():
        pieces += clauses.feed(text[:size])
        text = text[size:]
    return pieces + clauses.feed(text) + clauses.finish()


def bare(text: str) -> str:
    return "".join(text.split())


words = st.sampled_from(
    [
        "Yes",
        "no",
        "we",
        "are",
        "open",
        "until",
        "9.30",
        "p.m.",
        "today,",
        "Mr.",
        "Miller;",
        "well...",
        "and",
        "(really)",
        "3.",
        "e.g.",
        "the",
        "€4.50",
        "soup!",
        "OK?",
        "«bien»",
        "\n",
        "\n\n",
        "你好。",
        "请问，您几位？",
        "नमस्ते।",
        "مرحبا؟",
        "نعم،",
        "–",
        "—",
        "...",
        "No.",
        "5",
        "É",
    ]
)
texts = st.one_of(st.lists(words, max_size=80).map(" ".join), st.text(max_size=400))


@given(texts, st.lists(st.integers(0, 40), max_size=60), st.integers(10, 230))
def test_how_a_text_arrives_makes_no_difference_to_its_pieces(text, sizes, longest):
    assert cut(text, sizes, longest=longest) == cut(text, longest=longest)
    assert cut(text, [1] * len(text), longest=longest) == cut(text, longest=longest)


@example("Yes Miller;", 10)
@given(texts, st.integers(10, 230))
def test_the_pieces_are_the_text(text, longest):
    place = 0
    silent = ""
    for piece in cut(text, longest=longest):
        assert piece == piece.strip()
        assert len(piece) <= longest
        found = text.index(piece, place)
        silent += text[place:found]
        place = found + len(piece)
    silent += text[place:]
    # Nothing is left out but what has no sound.
    assert not any(char.isalnum() for char in silent)


@given(st.lists(st.sampled_from(["soup", "and", "salad,", "wine.", "here?"]), max_size=60))
def test_of_words_nothing_is_left_out(some):
    text = " ".join(some)
    assert bare("".join(cut(text))) == bare(text)


def test_the_first_piece_is_cut_at_a_comma_the_others_are_sentences():
    text = "Of course, I can do that. On Friday, we have two tables. Which one?"
    assert cut(text) == [
        "Of course,",
        "I can do that.",
        "On Friday, we have two tables.",
        "Which one?",
    ]


def test_one_word_before_a_comma_does_not_stand_on_its_own():
    assert cut("Yes, we are open, sir. Bye.") == ["Yes, we are open,", "sir.", "Bye."]


def test_a_sentence_is_given_as_soon_as_it_is_known_to_be_over():
    clauses = Clauses()
    assert clauses.feed("Sure") == []
    assert clauses.feed(".") == []
    assert clauses.feed(" ") == ["Sure."]
    assert clauses.feed("We close at ten") == []
    assert clauses.finish() == ["We close at ten"]
    # And it is as good as new: the first piece may be cut at a comma again.
    assert clauses.feed("Of course, it") == ["Of course,"]


@pytest.mark.parametrize(
    "text",
    [
        "Ask for Mr. Miller at the door",
        "That is Dr. A. B. Smith speaking",
        "The soup is 3.50 and the wine 4.20 a glass",
        "We close at 9 p.m. on Sundays",
        "Some fruit e.g. apples and pears",
        "It is in room no. 5 upstairs",
        "Version 1.2.3 is out at example.com today",
        "Das ist z.B. der Herr Prof. Meier",
    ],
)
def test_no_sentence_ends_there(text):
    assert cut(text + ". Next one") == [text + ".", "Next one"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No. We are closed.", ["No.", "We are closed."]),
        ("We have: 1. soup, 2. fish. Yes.", ["We have:", "1. soup, 2. fish.", "Yes."]),
        ("1. Soup\n2. Fish\n", ["1. Soup", "2. Fish"]),
        ("Well... let me see.", ["Well...", "let me see."]),
        ("Well… let me see.", ["Well…", "let me see."]),
        ('He said "Go!" and left. I did.', ['He said "Go!"', "and left.", "I did."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("One line\nand another", ["One line", "and another"]),
        ("你好。请问您几位？我们有位子。", ["你好。", "请问您几位？", "我们有位子。"]),
        ("他说：「好。」然后走了。", ["他说：「好。」", "然后走了。"]),
        ("好的没问题，请稍等。", ["好的没问题，", "请稍等。"]),
        ("आप कैसे हैं। मैं ठीक हूँ।", ["आप कैसे हैं।", "मैं ठीक हूँ।"]),
        ("كيف حالك؟ أنا بخير.", ["كيف حالك؟", "أنا بخير."]),
        ("نعم بالطبع، لحظة من فضلك.", ["نعم بالطبع،", "لحظة من فضلك."]),
        ("¿Cuántos son? Somos tres.", ["¿Cuántos son?", "Somos tres."]),
        ("はい、少々お待ちください。では。", ["はい、少々お待ちください。", "では。"]),
    ],
)
def test_marks_of_many_languages(text, expected):
    assert cut(text) == expected


@pytest.mark.parametrize("text", ["", "  ", "... — !\n\n", "🙂 ", "***\n---\n"])
def test_what_has_no_sound_is_not_spoken(text):
    assert cut(text) == []


def test_a_text_without_an_end_is_cut_all_the_same():
    clauses = Clauses(longest=100)
    pieces = [piece for _ in range(200) for piece in clauses.feed("we go on and on ")]
    assert len(pieces) > 20
    assert all(len(piece) <= 100 for piece in pieces)
    assert all(piece.split()[0] == "and" for piece in pieces[1:])


def test_a_word_without_an_end_is_cut_all_the_same():
    clauses = Clauses(longest=100)
    assert clauses.feed("a" * 1000 + " ") == ["a" * 100] * 10


def test_a_long_text_is_cut_at_a_comma_rather_than_at_a_word():
    text = "x " * 30 + "one, and two " + "y " * 60
    assert cut("Hi. " + text, longest=100)[1].endswith("one,")


def test_a_comma_behind_a_word_ends_the_first_clause_without_a_look_at_what_follows():
    clauses = Clauses(first_words=1)
    assert clauses.feed("Certainly,") == ["Certainly,"]
    assert clauses.feed(" I have") == []
    number = Clauses(first_words=1)
    assert number.feed("1,") == []
    assert number.feed("000 euros, please") == ["1,000 euros,"]


# -- the bound of a reply


@pytest.mark.parametrize(
    ("text", "room", "rest"),
    [
        ("One. Two", 20, None),
        ("One. Two", 8, None),
        ("One. Two. Three.", 8, "One. Two."),
        ("One. Two", 2, "One."),
        (" of 3.50 euros. And", -3, " of 3.50 euros."),
        (" of three", -3, None),
        ("x" * (SPARE + 9), 5, "x" * (SPARE + 5)),
        ("x" * 9, -SPARE + 4, "xxxx"),
        ("\u4e00\u3002\u4e8c", 1, "\u4e00\u3002"),
        ('"Yes." And', 4, '"Yes."'),
    ],
)
def test_a_reply_that_comes_to_its_bound_ends_with_its_sentence(text, room, rest):
    assert ended(text, room) == rest


@given(st.lists(st.text("ab. ,", min_size=1, max_size=30), max_size=60), st.integers(1, 300))
def test_however_a_reply_comes_it_never_passes_its_bound_by_more_than_is_spare(pieces, bound):
    said = ""
    for piece in pieces:
        last = ended(piece, bound - len(said))
        said += piece if last is None else last
        if last is not None:
            assert len(said) >= bound
            break
    assert len(said) <= bound + SPARE
    assert "".join(pieces).startswith(said)
