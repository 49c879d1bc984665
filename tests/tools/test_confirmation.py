import pytest

from vivavoce.tools import Confirmations, Toolbox, run_named, tool
from vivavoce.tools.confirmation import ANSWER_WITHIN, PENDING_LIMIT


def test_it_runs_after_the_caller_has_spoken():
    asked = Confirmations()
    said = asked.ask("pay", "{}", 1, "Shall I pay?")
    assert 'ask the caller "Shall I pay?"' in said
    assert "call pay again with exactly the same arguments" in said
    assert asked.ask("pay", "{}", 2) is None


def test_a_model_that_does_not_wait_gets_nowhere():
    asked = Confirmations()
    assert asked.ask("pay", "{}", 1) is not None
    for _ in range(5):
        assert "has not answered yet" in asked.ask("pay", "{}", 1)
    assert len(asked) == 1


def test_other_arguments_are_another_question():
    asked = Confirmations()
    assert asked.ask("pay", '{"to": 1}', 1) is not None
    assert "was not run" in asked.ask("pay", '{"to": 2}', 2)
    # The first question is off the table: the caller has been asked something else.
    assert asked.ask("pay", '{"to": 1}', 3) is not None
    assert asked.ask("pay", '{"to": 1}', 4) is None


def test_another_tool_is_another_question():
    asked = Confirmations()
    assert asked.ask("pay", "{}", 1) is not None
    assert asked.ask("cancel", "{}", 2) is not None
    assert asked.ask("pay", "{}", 2) is None


def test_a_leave_counts_once():
    asked = Confirmations()
    asked.ask("pay", "{}", 1)
    assert asked.ask("pay", "{}", 2) is None
    assert asked.ask("pay", "{}", 2) is not None
    assert "has not answered" in asked.ask("pay", "{}", 2)
    assert asked.ask("pay", "{}", 3) is None


def test_two_calls_of_one_message_are_both_asked_about():
    asked = Confirmations()
    assert asked.ask("pay", '{"to": 1}', 1) is not None
    assert asked.ask("pay", '{"to": 2}', 1) is not None
    assert asked.ask("pay", '{"to": 1}', 2) is None
    assert asked.ask("pay", '{"to": 2}', 2) is None


@pytest.mark.parametrize(("later", "runs"), [(ANSWER_WITHIN, True), (ANSWER_WITHIN + 1, False)])
def test_an_old_question_gives_no_leave(later, runs):
    asked = Confirmations()
    asked.ask("pay", "{}", 5)
    assert (asked.ask("pay", "{}", 5 + later) is None) is runs


def test_what_is_pending_is_bounded_and_holds_no_secrets():
    asked = Confirmations()
    for number in range(1_000):
        asked.ask("pay", f'{{"card": "4111{number}"}}', 1)
    assert len(asked) == PENDING_LIMIT
    assert "4111" not in repr(vars(asked))


@pytest.fixture
def bank():
    paid = []

    @tool(confirm="Shall I pay it?")
    def pay(to: str, amount: int = 10, why: dict[str, int] | None = None) -> str:
        """Pay.

        Args:
            to: Whom.
            amount: How much.
            why: What for.
        """
        paid.append((to, amount))
        return "paid"

    return Toolbox([pay]), paid


async def test_the_run_asks_and_then_runs(bank):
    box, paid = bank
    asked = Confirmations()

    def call(arguments, spoken):
        return run_named(box, "pay", None, arguments, confirmations=asked, spoken=spoken)

    first = await call('{"to": "Ann"}', 1)
    assert (first.ok, first.kind, first.tries, paid) == (False, "unconfirmed", 0, [])
    assert "Shall I pay it?" in first.content
    assert (await call('{"to": "Ann"}', 1)).kind == "unconfirmed"
    # The same in other words: defaults, order and JSON types do not matter.
    second = await call('{"amount": "10", "to": "Ann"}', 2)
    assert (second.kind, paid) == ("result", [("Ann", 10)])
    third = '{"to": "Bob", "why": {"a": 1, "b": 2}}'
    assert (await call(third, 2)).kind == "unconfirmed"
    assert (await call('{"why": {"b": 2, "a": 1}, "to": "Bob"}', 3)).kind == "result"
    assert paid.pop() == ("Bob", 10)
    assert (await call('{"to": "Ann"}', 3)).kind == "unconfirmed"
    assert (await call('{"to": "Ann", "amount": 11}', 3)).kind == "unconfirmed"
    assert paid == [("Ann", 10)]


async def test_what_could_not_run_is_not_asked_about(bank):
    box, paid = bank
    asked = Confirmations()
    outcome = await run_named(box, "pay", None, '{"to": 3.5}', confirmations=asked, spoken=1)
    assert outcome.kind == "bad_arguments"
    assert len(asked) == 0
    assert not paid


async def test_nobody_to_ask_means_no(bank):
    box, paid = bank
    for _ in range(2):
        assert (await run_named(box, "pay", None, '{"to": "Ann"}')).kind == "unconfirmed"
    assert not paid
