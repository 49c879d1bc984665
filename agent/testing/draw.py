"""Drawing: a conversation as a text in two columns, the caller left and the agent right."""

from __future__ import annotations

import textwrap

from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import (
    Entry,
    Failure,
    HandOver,
    News,
    Reply,
    ToolUse,
    Transcript,
    Utterance,
)


def draw(transcript: Transcript, *, width: int = 78) -> str:
    """Return a conversation as a text.

    Args:
        transcript: What happened.
        width: Columns; at least 40.

    Returns:
        A line or more for each entry: when it was (s), what the caller said on the left, what
        the agent said, did or failed to do on the right.
    """
    column = (max(width, 40) - 12) // 2
    rule = f"{'s':>7}  {'caller':<{column}} | agent"
    lines = [rule, "-" * max(width, 40)]
    for entry in transcript:
        at, caller, agent = _cells(entry)
        left = textwrap.wrap(caller, column, break_on_hyphens=False) or [""]
        right = textwrap.wrap(agent, column, break_on_hyphens=False) or [""]
        for number in range(max(len(left), len(right))):
            stamp = f"{at:7.2f}" if number == 0 and at is not None else " " * 7
            said = left[number] if number < len(left) else ""
            answered = right[number] if number < len(right) else ""
            lines.append(f"{stamp}  {said:<{column}} | {answered}".rstrip())
    if len(lines) == 2:
        lines.append("         (nobody has said anything)")
    return "\n".join(lines)


def _cells(entry: Entry) -> tuple[float | None, str, str]:
    match entry:
        case Utterance():
            return entry.started, entry.text, ""
        case Reply():
            return entry.started, "", _reply(entry)
        case ToolUse():
            result = "..." if entry.result is None else entry.result
            mark = "" if entry.ok or entry.result is None else " (failed)"
            took = "" if entry.seconds is None else f" [{entry.seconds:.2f} s]"
            return entry.started, "", f"* {entry.name}({entry.arguments}) = {result}{mark}{took}"
        case News():
            return entry.at, "", f"(news) {entry.text}"
        case HandOver():
            return entry.at, "", f"> from {entry.previous} to {entry.agent}"
        case Segment():
            mark = "" if entry.settled else f" ({entry.state})"
            return entry.started, entry.text, f"{entry.translation}{mark}"
        case Failure():
            return entry.at, "", f"! {entry.stage}: {entry.message}"


def _reply(reply: Reply) -> str:
    delay = f" [{reply.latency.total_ms:.0f} ms]" if reply.latency else ""
    if not reply.closed:
        return f"{reply.generated.strip()} ...{delay}"
    cut = f" -/- {reply.unheard}" if reply.interrupted else ""
    return f"{reply.heard}{cut}{delay}"
