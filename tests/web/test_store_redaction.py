"""What is taken out of records, and what stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.web.store_redaction import Redaction


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("4111111111111111", "[card]"),
        ("it is 4111 1111-1111 1111, thanks", "it is [card], thanks"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[card]"),
        ("4111, 1111, 1111, 1111.", "[card]."),
        ("3782 822463 10005", "[card]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),  # the last digit does not fit
        ("order 1234567890123", "order 1234567890123"),
        ("4111 1111 1111 1111, 5 euros", "[card], 5 euros"),
        ("12, 4111 1111 1111 1111 12/29", "12, [card] 12/29"),
        ("it is DE89 3704 0044 0532 0130 00 of my bank", "it is [iban] of my bank"),
        ("AB12 pay DE89 3704 0044 0532 0130 00", "AB12 pay [iban]"),
        ("FR76 3000 6000 0112 3456 7890 189", "[iban]"),
        ("de89370400440532013000", "[iban]"),
        ("DE89370400440532013001", "DE89370400440532013001"),
        ("a table for 4 at 19:30 on 2026-11-21", "a table for 4 at 19:30 on 2026-11-21"),
        ("write to ada@example.com", "write to ada@example.com"),  # not asked for
    ],
)
def test_what_is_usually_looked_for(said, kept):
    assert Redaction().text(said) == kept


def test_what_can_be_asked_for():
    redaction = Redaction(["emails", "phones", "digits"], [r"\bKD-\d+"])
    assert redaction.text("ada.l+x@mail.example.co.uk or +33 6 12 34 56 78 or 06.12.34.56.78") == (
        "[email] or [phone] or [phone]"
    )
    assert redaction.text("pin 4 7 1 1, KD-99, room 12") == "pin [digits], [redacted], room 12"


def test_a_record_is_gone_through_and_left_as_it_was():
    card = "4111 1111 1111 1111"
    record = {
        "call": "4111111111111111",
        "caller": "4111111111111111",
        "began": "2026-11-21T12:00:00+00:00",
        "seconds": 3.0,
        "transcript": [
            {"kind": "caller", "text": card},
            {"kind": "tool", "arguments": f'{{"number": "{card}"}}', "result": None},
        ],
        "events": [
            {"event": "key_pressed", "at": 1.0, "key": "4"},
            {"event": "caller_said", "at": 1.0, "utterance": {"kind": "caller", "text": card}},
        ],
    }
    found = Redaction().record(record)
    assert (found["call"], found["caller"]) == (record["call"], record["caller"])
    assert found["transcript"][0]["text"] == "[card]"
    assert found["transcript"][1]["arguments"] == '{"number": "[card]"}'
    assert found["events"][0]["key"] == "•"
    assert found["events"][1]["utterance"]["text"] == "[card]"
    assert record["transcript"][0]["text"] == card  # type: ignore[index]
    assert Redaction(keys=True).record(record)["events"][0]["key"] == "4"


@given(st.text(alphabet="0123456789 -.,+abAB@é\n", max_size=200))
def test_any_text_can_be_gone_through_twice(text):
    redaction = Redaction(["cards", "ibans", "emails", "phones", "digits"])
    once = redaction.text(text)
    assert redaction.text(once) == once


@pytest.mark.parametrize("text", ["1 " * 50_000, "9" * 100_000, "AB12" * 25_000, "a" * 100_000])
def test_long_texts_are_gone_through_in_no_time(text):
    redaction = Redaction(["cards", "ibans", "emails", "phones", "digits"])
    began = time.process_time()
    redaction.text(text)
    assert time.process_time() - began < 5
