"""A bank's telephone: money moves after a yes alone, and no record holds an account's number."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from vivavoce.agent import Agent, Call
from vivavoce.tools import Secret, ToolError

Euros = Annotated[Decimal, Field(gt=0, le=5_000, decimal_places=2)]
Account = Annotated[str, Field(pattern=r"^\d{8}$"), Secret()]

# Six or more digits in a row, written or spoken.
DIGIT = r"(?:\d|\b(?:oh|zero|one|two|three|four|five|six|seven|eight|nine)\b)"
NUMBER = re.compile(rf"{DIGIT}(?:[\s,.-]*{DIGIT}){{5,}}", re.IGNORECASE)


@dataclass
class Bank:
    """The caller's account."""

    balance: Decimal = Decimal("1200.00")
    sent: list[tuple[Decimal, str]] = field(default_factory=list[tuple[Decimal, str]])


agent = Agent(
    "You are the telephone desk of the Harbour Bank. You tell balances and send money. Before you"
    " send any, say how much and the last two digits of the account that it goes to.",
    name="banking",
    greeting="Harbour Bank, good morning. What can I do for you?",
    deps=Bank,
)


@agent.tool
async def balance(call: Call[Bank]) -> str:
    """Tell how much is on the caller's account."""
    return f"{call.deps.balance} euros"


@agent.tool(confirm="Shall I send it?", interruptible=False)
async def send_money(call: Call[Bank], amount: Euros, account: Account) -> str:
    """Send money from the caller's account to another one.

    Args:
        amount: How much, in euros.
        account: The other account's eight digits.
    """
    if amount > call.deps.balance:
        raise ToolError(f"There are only {call.deps.balance} euros on the account.")
    call.deps.balance -= amount
    call.deps.sent.append((amount, account))
    return f"{amount} euros were sent; {call.deps.balance} euros are left."


@agent.check_reply
def never_said(call: Call[Bank], clause: str) -> str:
    """Whatever the model writes, somebody else in the room must not hear the number."""
    return NUMBER.sub(lambda number: f"the account that ends in {number[0][-2:]}", clause)


@agent.lifespan
async def forget(call: Call[Bank]) -> AsyncIterator[None]:
    """What the caller said is needed while they speak, and not after."""
    yield
    for utterance in call.transcript.caller:
        utterance.text = NUMBER.sub("[account]", utterance.text)
