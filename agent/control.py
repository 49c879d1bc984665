"""Call control: ready-made tools that an agent opts into, as in `tools=[end_call, hold]`."""

from __future__ import annotations

from vivavoce.agent.call import Call
from vivavoce.agent.languages import SPOKEN, LanguageError
from vivavoce.agent.line import LineError
from vivavoce.tools import ToolError, tool


@tool(context_type=Call, interruptible=False)
async def end_call(call: Call, reason: str = "all was said") -> str:
    """End the call, once both sides have said goodbye or the caller asks for it.

    What you say next is still heard; say goodbye with it.

    Args:
        reason: Why, in a few words, for the record.
    """
    await call.hang_up(reason)
    return "The call ends when you have said goodbye."


@tool(context_type=Call, interruptible=False, timeout=60)
async def transfer_call(call: Call, to: str) -> str:
    """Transfer the caller to another number or address, which ends your part of the call.

    Tell the caller before you do it.

    Args:
        to: The number or address.
    """
    try:
        await call.transfer(to)
    except LineError as error:
        raise ToolError(f"The caller was not transferred: {error}.") from error
    return "The caller was transferred."


@tool(context_type=Call, interruptible=False, timeout=300)
async def put_through(call: Call, to: str, briefing: str) -> str:
    """Put the caller through to a person, who is called, told what it is about, and may decline.

    The caller is told that they have to wait. It ends your part of the call.

    Args:
        to: The number or address of the person.
        briefing: What the person has to know: who calls and what they want, in one or two
            sentences, as if you spoke to the person.
    """
    try:
        await call.transfer(to, mode="warm", briefing=briefing)
    except (LineError, ValueError) as error:
        raise ToolError(f"The caller was not put through: {error}.") from error
    return "The caller was put through."


@tool(context_type=Call, interruptible=False)
async def send_dtmf(call: Call, keys: str) -> str:
    """Press keys of the telephone, as for the menu of the machine at the other end.

    Args:
        keys: 0 to 9, * and #, in order.
    """
    try:
        await call.send_dtmf(keys)
    except (LineError, ValueError) as error:
        raise ToolError(f"The keys were not sent: {error}.") from error
    return "The keys were sent."


@tool(context_type=Call, interruptible=False)
async def hold(call: Call, on: bool) -> str:
    """Put the caller on hold, or take them back. On hold they are not answered.

    Args:
        on: True to put them on hold, False to take them back.
    """
    if on:
        await call.hold()
        return "The caller is on hold."
    await call.unhold()
    return "The caller is back."


@tool(context_type=Call)
async def set_language(call: Call, language: str) -> str:
    """Speak another language from now on, when the caller asks for it.

    Args:
        language: Its code: en, fr, de, es, nl, pt, it, hi or ar.
    """
    try:
        call.set_language(language)
    except LanguageError as error:
        raise ToolError(str(error)) from error
    return f"Speak {SPOKEN[language.partition('-')[0]]} from now on."


@tool(context_type=Call)
async def remember(call: Call, key: str, value: str) -> str:
    """Note something about the caller or their wish that you will need later in this call.

    Args:
        key: What it is, such as "name" or "date of arrival".
        value: What to note.
    """
    call.remember(key, value)
    return "Noted."
