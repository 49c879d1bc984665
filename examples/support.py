"""A help desk: it hands callers over to a specialist, and the specialist to a human."""

from dataclasses import dataclass, field

from vivavoce.agent import Agent, Call, HandOff, LineError
from vivavoce.tools import ToolError

HUMAN = "sip:billing@pbx.example.com"


@dataclass
class Office:
    """What both agents look things up in."""

    invoices: dict[int, float] = field(default_factory=lambda: {4711: 89.90, 4712: 12.50})
    call_backs: list[str] = field(default_factory=list[str])


agent = Agent(
    "You are the front desk of Lumen, an internet provider. Help with the connection yourself:"
    " have the caller restart the router. Whatever is about money goes to billing.",
    name="front-desk",
    voice="gb_jane_neutral",
    greeting="Lumen, hello! What can I do for you?",
    deps=Office,
)

billing: Agent[Office] = Agent(
    "You are Oliver, who looks after the invoices of Lumen, an internet provider. You explain"
    " invoices. You cannot change one: a human can.",
    name="billing",
    voice="gb_oliver_cheerful",
    greeting="Oliver from billing here. Which invoice is it about?",
    deps=Office,
)


@agent.tool
async def to_billing(call: Call[Office], question: str) -> HandOff:
    """Hand the caller over to billing: invoices, payments, refunds.

    Args:
        question: What the caller wants to know, in a sentence.
    """
    return HandOff(billing, note=question)


@billing.tool
async def look_up_invoice(call: Call[Office], number: int) -> str:
    """Look an invoice up.

    Args:
        number: The number of the invoice.
    """
    if number not in call.deps.invoices:
        raise ToolError(f"There is no invoice {number}: ask for the number once more.")
    return f"Invoice {number} is about {call.deps.invoices[number]:.2f} euros."


@billing.tool(interruptible=False, timeout=60)
async def to_a_human(call: Call[Office], why: str) -> str:
    """Put the caller through to a human: to change an invoice, or when they ask for one.

    Args:
        why: What the human has to know, in a sentence.
    """
    await call.say("I am putting you through to a colleague.", interruptible=False)
    try:
        await call.transfer(HUMAN)
    except LineError:
        # A browser cannot be transferred, and a human may be busy: nobody gets lost.
        call.deps.call_backs.append(why)
        return "Nobody could be reached. A human will call back today: tell the caller."
    return "The caller was put through."
