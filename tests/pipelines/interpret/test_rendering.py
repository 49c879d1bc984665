"""Figures as the target language writes them, and none of them lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.pipelines import spelled
from vivavoce.pipelines.interpret.rendering import check, mend, prepare, render
from vivavoce.pipelines.lexicon import LEXICONS

SPACE, NARROW = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("text", "source", "target", "written"),
    [
        ("1,234.5 people", "en", "fr", f"1{NARROW}234,5 people"),
        ("1.234,5 km", "de", "fr", f"1{NARROW}234,5 km"),
        (f"1{NARROW}234{NARROW}567", "fr", "en", "1,234,567"),
        ("1,234,567", "en", "hi", "12,34,567"),
        ("5,000 miles", "en", "es", "5000 miles"),
        ("10,000", "en", "es", "10.000"),
        ("at 3pm", "en", "fr", "at 15 h"),
        ("at 3:30 p.m.", "en", "de", "at 15:30 Uhr."),
        ("at 3:30 p.m. today", "en", "de", "at 15:30 Uhr today"),
        ("at 3 pm.", "en", "fr", "at 15 h."),
        ("at 12 am", "en", "it", "at 0:00"),
        ("at 3:15", "en", "fr", "at 3 h 15"),
        ("à 15 h 30", "fr", "en", "à 3:30 pm"),
        ("à 9 h 05", "fr", "en", "à 9:05"),
        ("14 Uhr", "de", "en", "2 pm"),
        ("March 3rd", "en", "fr", "3 mars"),
        ("March 1st", "en", "fr", "1er mars"),
        ("the 3rd of March", "en", "es", "3 de marzo"),
        ("March 3rd, 2025", "en", "de", "3. März 2025"),
        ("3. März 2024", "de", "en", "March 3, 2024"),
        ("le 1er mars", "fr", "pt", "le 1 de março"),
        ("$5", "en", "fr", f"5{SPACE}$"),
        ("$1,234.50", "en", "de", f"1.234,50{SPACE}$"),
        ("1 234,50 €", "fr", "en", "€1,234.50"),
        ("USD 1,000", "en", "fr", f"1{NARROW}000{SPACE}USD"),
        ("20%", "en", "fr", f"20{NARROW}%"),
        ("20 %", "fr", "en", "20%"),
        ("2.5 million", "en", "nl", "2,5 million"),
    ],
)
def test_figures_are_written_as_the_target_writes_them(text, source, target, written):
    assert render(text, source, target) == written


@pytest.mark.parametrize(
    "text",
    [
        "in 1999, room 1204",
        "call 020 7946 0958 or 555-1234",
        "version 1.2.3",
        "3/4/2025",
        "5 miles and 70 degrees",
        "no figures at all",
        "A380, B2B and 24/7",
        "13 pm",
        "https://example.org/1,234.5",
    ],
)
def test_what_is_no_quantity_stays(text):
    assert render(text, "en", "fr") == text


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,:$€% pamhMarch3rd/-", max_size=24))
def test_nothing_is_too_odd(text):
    for source, target in (("en", "fr"), ("fr", "en"), ("de", "hi"), ("es", "ar")):
        written = render(text, source, target)
        assert mend(written, text, source, target) == mend(
            mend(written, text, source, target), text, source, target
        )
        check(text, source, written, target)


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 99), st.sampled_from(sorted(LEXICONS)), st.data())
def test_a_number_is_worth_the_same_however_it_is_written(whole, hundredths, target, data):
    source = data.draw(st.sampled_from(sorted({*LEXICONS} - {target})))
    grouped = f"{whole:,}.{hundredths:02d}"
    said = grouped if source == "en" else render(grouped, "en", source)
    written = render(said, source, target)
    assert check(said, source, written, target) == []
    assert check(said, source, render(f"{whole + 2:,}.{hundredths:02d}", "en", target), target)


@pytest.mark.parametrize(
    ("translation", "said", "mended"),
    [
        (
            "Cela coûte 1,234.50 $ et commence à 3:30 pm.",
            "It costs 1,234.50 $ and starts at 3:30 pm.",
            f"Cela coûte 1{NARROW}234,50{SPACE}$ et commence à 15 h 30.",
        ),
        # What the model wrote by itself is its own.
        ("Il y en a 1,5 en 2025.", "There is one and a half in 2025.", "Il y en a 1,5 en 2025."),
        ("Il y a 1 234 gens.", "There are 1,234 people.", "Il y a 1 234 gens."),
    ],
)
def test_what_was_copied_is_mended_and_nothing_else(translation, said, mended):
    assert mend(translation, said, "en", "fr") == mended
    assert mend(mended, said, "en", "fr") == mended


@pytest.mark.parametrize(
    ("said", "source", "translation", "target"),
    [
        ("I have three cats", "en", "J'ai trois chats", "fr"),
        ("at half past three", "en", "à 15 h 30", "fr"),
        ("half past three", "en", "a las tres y media", "es"),
        ("quarter to four", "en", "um Viertel vor vier", "de"),
        ("3pm", "en", "à trois heures", "fr"),
        ("at eight", "en", "um 8 Uhr", "de"),
        ("1,234.5", "en", "1 234,5", "fr"),
        ("two million people", "en", "2 000 000 de personnes", "fr"),
        ("3 billion", "en", "3 milliards", "fr"),
        ("fifteen hundred", "en", "mille cinq cents", "fr"),
        ("zero six double one", "en", "0611", "fr"),
        ("twenty-one rooms", "en", "veintiuna habitaciones", "es"),
        ("one room", "en", "une chambre", "fr"),
        ("quatre-vingt-douze", "fr", "92", "en"),
        ("the 1990s", "en", "les années 90", "fr"),
        ("the third house", "en", "la troisième maison", "fr"),
        ("fünfundzwanzig Euro", "de", "25 euros", "en"),
        ("cento venti euro", "it", "120 euros", "en"),
        ("vinte e cinco pessoas", "pt", "25 people", "en"),
        ("vijfentwintig mensen", "nl", "twenty-five people", "en"),
        ("पच्चीस लोग", "hi", "25 people", "en"),
        ("12 lakh", "en", "12 लाख", "hi"),
        ("١٢ شخصا", "ar", "12 people", "en"),
        ("seventeen", "en", "سبعة عشر", "ar"),
        ("un livre neuf", "fr", "a new book", "en"),
        ("on one hand", "en", "d'une part", "fr"),
        ("March 3rd", "en", "3 mars", "fr"),
        ("for four people", "en", "pour four personnes", "fr"),
        ("no numbers", "en", "pas de nombres 7", "fr"),
    ],
)
def test_numbers_that_are_there_are_found(said, source, translation, target):
    assert check(said, source, translation, target) == []


@pytest.mark.parametrize(
    ("said", "translation", "lost"),
    [
        ("I have three cats", "J'ai quatre chats", ["3"]),
        ("two or three", "deux", ["3"]),
        ("from 3 to 3", "de 3", ["3"]),
        ("1,234.5", "12 345", ["1234.5"]),
        ("fifty people at 8:30", "quinze personnes à 8 h 30", ["50"]),
        ("at half past three", "à quatre heures et demie", ["3:30"]),
        ("two million", "deux mille", ["2000000"]),
        ("12, 13 and 14", "", ["12", "13", "14"]),
    ],
)
def test_numbers_that_were_lost_or_changed_are_told(said, translation, lost):
    assert check(said, "en", translation, "fr") == lost


@pytest.mark.parametrize("source", ["en", "fr", "es", "de", "it", "pt", "nl"])
def test_numbers_spelled_out_are_read_in_every_language(source):
    for number in (2, 7, 11, 16, 20, 21, 35, 48, 71, 80, 99, 100, 200, 350):
        words = spelled.cardinal(source, number, "m").replace("\u00ad", "")
        if words in {"neuf", "acht", "sei"}:
            continue
        assert check(words, source, f"{number} things", "en") == [], (words, number)
        assert check(words, source, f"{number + 1} things", "en"), (words, number)


def test_what_a_language_needs_is_read_before_it_is_needed():
    prepare(LEXICONS)
    from vivavoce.pipelines.interpret import amounts

    read = amounts._table.cache_info().misses
    for language in LEXICONS:
        check("seventeen", "en", "17", language)
    assert amounts._table.cache_info().misses == read
