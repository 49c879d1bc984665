"""What tools answer, as it is said."""

from datetime import UTC, datetime

import pytest

from vivavoce.sandbox.brain_history import Result
from vivavoce.sandbox.brain_result import verbalise

NOW = datetime(2026, 5, 6, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("get_info", "Two tables are free, at 7 and at 9", "Two tables are free, at 7 and at 9."),
        ("free_tables", "[]", "I found no free tables."),
        ("free_tables", '["19:00"]', "I found one: 7 pm."),
        ("free_tables", '["19:00", "20:30:00"]', "The free tables are 7 pm and 8:30 pm."),
        ("find_flight", "[1, 2, 3, 4, 5, 6, 7]", "I found 7: 1, 2, 3, 4, 5 and 2 more."),
        ("find_tables", '[{"name": "Bar", "time": "19:00", "id": 7}]', "I found one: Bar 7 pm."),
        ("search_flights", '{"results": []}', "I found no flights."),
        ("get_balance", "120.50", "The balance is 120.5."),
        (
            "get_balance",
            '{"balance": 120.5, "currency": "EUR"}',
            "The balance is 120.5 and the currency is EUR.",
        ),
        ("check_room", '{"available": false}', "It is not available."),
        (
            "check_room",
            '{"next": "2026-05-08T19:00:00"}',
            "The next is Friday the 8th of May at 7 pm.",
        ),
        ("is_open", "true", "Yes."),
        ("check_availability", "false", "No, I am afraid not."),
        ("set_light", "true", "That is done."),
        ("set_light", "null", "That is done."),
        ("set_light", "ok", "That is done."),
        ("set_light", '{"ok": true}', "That is done."),
        ("get_parcel", "null", "I found no parcel."),
        ("end_call", "ok", "Goodbye."),
        ("block_card", '{"message": "The card is blocked."}', "The card is blocked."),
        ("pay", "Error: no money", "I am sorry, that did not work. No money."),
        ("pay", '{"error": {"message": "no money"}}', "I am sorry, that did not work. No money."),
        ("pay", '{"success": false}', "I am sorry, that did not work."),
        (
            "pay",
            '{"detail": [{"loc": ["to"], "msg": "Field required"}]}',
            "I am sorry, that did not work. Field required.",
        ),
    ],
)
def test_results(name, content, said):
    assert verbalise([Result(name, {}, content)], now=NOW) == said


def test_several_results_are_said_one_after_another_and_doubles_once():
    results = [
        Result("set_light", {}, "ok"),
        Result("set_light", {}, "ok"),
        Result("get_balance", {}, "5"),
    ]
    assert verbalise(results, now=NOW) == "That is done. The balance is 5."


@pytest.mark.parametrize("content", ["NaN", "Infinity", "1e999", "[" * 50_000, "9" * 5000, "{}", "[[]]", "[{}]", '"', "\x00"])  # fmt: skip
def test_odd_results_are_survived(content):
    assert verbalise([Result("get_x", {}, content)], now=NOW)


def test_a_long_text_is_cut():
    assert len(verbalise([Result("x", {}, "word " * 5000)], now=NOW)) < 1000
