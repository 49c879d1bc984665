"""Banking: money moves after a yes alone, and no record holds the account's number."""

import json
from datetime import datetime
from decimal import Decimal

import pytest

from vivavoce.agent.record import record
from vivavoce.agent.testing import call_tool, expect, say, simulate

ACCOUNT = "40718293"
SEND = call_tool("send_money", amount="250.00", account=ACCOUNT)


def written(caller):
    """The record that a call leaves, as JSON."""
    made = record(
        caller.call,
        agent="banking",
        began=datetime.now().astimezone(),
        seconds=caller.call.now,
        models={},
    )
    return json.dumps(made)


async def test_money_moves_after_a_yes_and_leaves_no_number(example):
    replies = [
        SEND,
        say("Two hundred fifty euros to the account that ends in 93. Shall I send it?"),
        SEND,
        say(f"It was sent to {ACCOUNT}. Anything else?"),
    ]
    async with simulate(example("banking").agent, replies) as caller:
        await caller.says(f"Send two hundred fifty euros to {ACCOUNT}")
        assert caller.call.deps.sent == []
        await caller.says("Yes, please")
        assert caller.call.deps.sent == [(Decimal("250.00"), ACCOUNT)]
        assert caller.call.deps.balance == Decimal("950.00")
        # The model wrote the number; nobody heard it.
        assert caller.heard == "It was sent to the account that ends in 93. Anything else?"
    assert [call.use.ok for call in caller.tool_calls] == [False, True]
    text = written(caller)
    assert ACCOUNT not in text
    assert "[secret]" in text
    assert "Send two hundred fifty euros to [account]" in text


async def test_a_no_moves_nothing(example):
    async with simulate(example("banking").agent, [SEND, "Shall I?", "Then not."]) as caller:
        await caller.says(f"Send two hundred fifty euros to {ACCOUNT}")
        await caller.says("No, stop")
    assert caller.call.deps.sent == []
    assert ACCOUNT not in written(caller)


async def test_a_model_that_does_not_wait_gets_nowhere(example):
    replies = [SEND, SEND, SEND, "It was sent!"]
    async with simulate(example("banking").agent, replies) as caller:
        await caller.says(f"Send two hundred fifty euros to {ACCOUNT}")
    expect(caller).tool("send_money", times=3)
    assert caller.call.deps.sent == []


async def test_a_yes_is_for_one_amount(example):
    more = call_tool("send_money", amount="950.00", account=ACCOUNT)
    async with simulate(example("banking").agent, [SEND, "Shall I?", more, "Shall I?"]) as caller:
        await caller.says(f"Send two hundred fifty euros to {ACCOUNT}")
        await caller.says("Yes")
    assert caller.call.deps.sent == []


@pytest.mark.parametrize(
    ("amount", "account", "why"),
    [
        ("9000", ACCOUNT, "5000"),
        ("-5", ACCOUNT, "amount"),
        ("1300", ACCOUNT, "only 1200.00 euros"),
        ("10", "4071", "account"),
    ],
)
async def test_what_cannot_be_is_refused(example, amount, account, why):
    send = call_tool("send_money", amount=amount, account=account)
    async with simulate(example("banking").agent, [send, "Shall I?", send, "Sorry."]) as caller:
        await caller.says("Send some money")
        await caller.says("Yes")
    assert caller.call.deps.sent == []
    results = " ".join(call.result or "" for call in caller.tool_calls)
    assert why in results
    assert account not in results


async def test_spoken_numbers_are_numbers_too(example):
    said = "To account four zero seven one eight two nine three euros, if you please"
    async with simulate(example("banking").agent, ["How much?"]) as caller:
        await caller.says(said)
    assert caller.transcript.caller[0].text == "To account [account] euros, if you please"


async def test_the_balance_needs_no_yes(example):
    async with simulate(example("banking").agent, [call_tool("balance"), "It is…"]) as caller:
        await caller.says("How much is there?")
    assert caller.tool_calls[0].result == "1200.00 euros"
