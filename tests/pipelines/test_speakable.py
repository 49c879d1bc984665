from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.pipelines.lexicon import LEXICONS
from vivavoce.pipelines.speakable import prepare, speakable


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        # numbers
        ("en", "We have 21 tables, 1,234 seats.",
         "We have twenty-one tables, one thousand two hundred thirty-four seats."),
        ("en", "It is 3.14, or -5.", "It is three point one four, or minus five."),
        ("en", "1000000 or 12345678", "one million or one two three four five six seven eight"),
        ("en", "Order 00123, flight BA2490, room 12B.",
         "Order zero zero one two three, flight BA two four nine zero, room twelve B."),
        ("en", "9-17, 20–25 people, a 5-star hotel",
         "nine to seventeen, twenty to twenty-five people, a five-star hotel"),
        ("en", "1/2 cup, 24/7", "one half cup, twenty-four seven"),
        ("fr", "1 234,5 euros, 71 places", ("mille deux cent trente-quatre virgule cinq euros,"
         " soixante-et-onze places")),
        ("fr", "1 table, 1 verre", "une table, un verre"),
        ("de", "1.234 Gäste, 1 Person, 1 Tisch",
         "eintausendzweihundertvierunddreißig Gäste, eine Person, ein Tisch"),
        ("es", "21 personas, 1 vaso", "veintiuna personas, un vaso"),
        ("pt", "2 horas, 2 lugares", "duas horas, dois lugares"),
        # money
        ("en", "That is $5.50, £3, 0.99 €, $1,250.00.", ("That is five dollars and fifty cents,"
         " three pounds, ninety-nine cents, one thousand two hundred fifty dollars.")),
        ("fr", "5,50 € ou 21 €", "cinq euros cinquante ou vingt-et-un euros"),
        ("de", "5,50 €", "fünf Euro fünfzig"),
        ("es", "5,50 €", "cinco euros con cincuenta"),
        ("nl", "€ 5,50", "vijf euro vijftig"),
        ("pt", "R$ 5,50", "cinco reais e cinquenta"),
        ("it", "5,50 €", "cinque euro e cinquanta"),
        ("hi", "₹500", "पाँच सौ रुपए"),
        ("ar", "500 $", "خمسة مائة دولار"),
        # units and shares
        ("en", "12 km, -5 °C, 50%, 80 km/h",
         "twelve kilometers, minus five degrees Celsius, fifty percent, eighty kilometers per hour"),
        ("fr", "21 km, 80 %", "vingt-et-un kilomètres, quatre-vingts pour cent"),
        ("de", "2,5 kg", "zwei Komma fünf Kilogramm"),
        # times
        ("en", "At 7:30 pm, 14:00, 9:05, 9:00.",
         "At seven thirty p.m., two p.m., nine oh five, nine o'clock."),
        ("en", "It closes at 5pm.", "It closes at five p.m."),
        ("fr", "Il est 14h30, ou 14 h.", "Il est quatorze heures trente, ou quatorze heures."),
        ("de", "Um 14:30 Uhr.", "Um vierzehn Uhr dreißig."),
        ("es", "A las 14:30.", "A las catorce y treinta."),
        ("nl", "Om 14:30 uur.", "Om veertien uur dertig."),
        ("hi", "14:30 बजे", "चौदह बजकर तीस मिनट"),
        # dates and ordinals
        ("en", "On May 5, 2026, or 5 May, the 3rd.",
         "On May fifth, twenty twenty-six, or the fifth of May, the third."),
        ("en", "2026-05-12 or 12/05/2026",
         "the twelfth of May twenty twenty-six or the twelfth of May twenty twenty-six"),
        ("en", "In 1984 we had 1984 seats.", ("In nineteen eighty-four we had one thousand nine"
         " hundred eighty-four seats.")),
        ("en", "May I have 5? May 5 people come?", "May I have five? May five people come?"),
        ("fr", "Le 1er mai 2026, le 5 mai, la 2e.",
         "Le premier mai deux mille vingt-six, le cinq mai, la deuxième."),
        ("de", "Am 5. Mai 2026, der 3. Mai.",
         "Am fünften Mai zweitausendsechsundzwanzig, der dritte Mai."),
        ("es", "El 1 de mayo, el 2º piso, la 3ª.", "El uno de mayo, el segundo piso, la tercera."),
        ("it", "Il 1 maggio, 5 maggio.", "Il primo maggio, cinque maggio."),
        # addresses and telephone numbers
        ("en", "Write to marie.dupont@example.com!", "Write to marie dot dupont at example dot com!"),
        ("de", "info@beispiel.de", "info ät beispiel Punkt de"),
        ("en", "See https://www.example.com/menu.", "See example dot com slash menu."),
        ("en", "Call 555-123-4567.", "Call five five five, one two three, four five six seven."),
        ("fr", "Le 01 42 68 53 00.",
         "Le zéro un, quatre deux, six huit, cinq trois, zéro zéro."),
        ("en", "Dial +33 1 42 68 53 00 now", ("Dial plus three three, one, four two, six eight,"
         " five three, zero zero now")),
        # markup and pictures
        ("en", "**Bold**, _it_ 😀 and `code`", "Bold, it and code"),
        ("en", "See [our menu](https://example.com/menu).", "See our menu."),
        ("en", "- one\n- two", "one two"),
        ("en", "Soup & bread, room #5, No. 7. Say No. We go.",
         "Soup and bread, room number five, number seven. Say No. We go."),
        ("ja", "123 **x**", "123 x"),
    ],
)  # fmt: skip
def test_what_is_said(language: str, written: str, spoken: str) -> None:
    assert speakable(written, language).said == spoken


@pytest.mark.parametrize(
    "text",
    ["Hello, world. I'm here (really)!", "Bonjour ! Ça va ?", "«¿Qué tal?»", "नमस्ते, कैसे हैं?"],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    found = speakable(text, "en")
    assert (found.text, found.said, found.changed) == (text, text, False)


def test_tags_are_sent_and_not_said() -> None:
    found = speakable("[emotion=happy]We have 3 left.", "en")
    assert found.text == "[emotion=happy]We have three left."
    assert found.said == "We have three left."
    assert sum(unit.words for unit in found.units) == 4


def test_nothing_but_a_picture_is_nothing_to_say() -> None:
    assert speakable("😀 ***", "en").said == ""


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        (
            "It is $5.50 today.",
            ["It", "It is", "It is $5.50", "It is $5.50 today."],
        ),
        ("Room 12B, or **2** beds", ["Room", "Room 12B,", "Room 12B, or", "Room 12B, or **2**",
                                     "Room 12B, or **2** beds"]),
        ("At 7:30 pm 😀 then", ["At", "At 7:30 pm", "At 7:30 pm 😀 then"]),
    ],
)  # fmt: skip
def test_each_unit_ends_where_its_written_words_do(written: str, heard: list[str]) -> None:
    found = speakable(written, "en")
    assert [written[: unit.end] for unit in found.units] == heard
    assert sum(unit.words for unit in found.units) == len(found.said.split())


PIECES = st.sampled_from(
    "Hello, | world. |5|21 |1,234|3.5|$5.50|€|%|**|_|#|7:30 pm|14h30|5. Mai|2026|May 5|a@b.co|😀"
    "|[emotion=calm]|[x](y)|- |\n|555-123-4567|12 km|°C|1/2|(|)|–|-|&|+|№|é|हाँ |،".split("|")
)


@settings(deadline=None, max_examples=300)
@given(parts=st.lists(PIECES, max_size=12), language=st.sampled_from([*LEXICONS, "ja"]))
def test_no_text_breaks_it_and_the_units_fit(parts: list[str], language: str) -> None:
    written = "".join(parts)
    found = speakable(written, language)
    if language in LEXICONS:
        assert not re.search(r"[\d*_`~😀]", found.said), found.said
    if found.changed:
        assert sum(unit.words for unit in found.units) == len(found.said.split())
    ends = [unit.end for unit in found.units]
    assert ends == sorted(set(ends))
    assert all(end <= len(written) for end in ends)


def test_a_clause_costs_less_than_a_millisecond() -> None:
    clauses = [
        f"Your table {n} is at 7:{n % 60:02} pm, for ${n}.50, until May 5." for n in range(99)
    ]
    for language in LEXICONS:
        prepare(language)
        begun = time.process_time()
        for clause in clauses:
            speakable(clause, language)
        # CPU time, and a machine three times slower than the one on which it was 0.3 ms.
        assert (time.process_time() - begun) / len(clauses) < 0.003
