"""Expectations: assertions about a call that say what was found instead."""

from __future__ import annotations

import json
import re
from typing import Any, Self

from vivavoce.agent.testing.caller import Caller, heard
from vivavoce.agent.testing.steps import plain
from vivavoce.agent.transcript import HandOver


class Expectation:
    """What is expected of a call; each method returns the expectation, so that they chain."""

    def __init__(self, caller: Caller[Any]) -> None:
        self._caller = caller

    def tool(self, name: str, /, *, times: int | None = None, **arguments: Any) -> Self:
        """Expect that a tool was called.

        Args:
            name: The tool.
            times: How often; None: at least once.
            arguments: What it was given, among other things.

        Raises:
            AssertionError: If it was not; the message lists the calls.
        """
        wanted = {key: _json(value) for key, value in arguments.items()}
        calls = self._caller.tool_calls
        found = [
            call
            for call in calls
            if call.name == name
            and all(
                key in call.arguments and call.arguments[key] == value
                for key, value in wanted.items()
            )
        ]
        if found if times is None else len(found) == times:
            return self
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        often = "" if times is None else f" {times} time(s), found {len(found)}"
        made = "".join(f"\n  {call.name}({call.use.arguments})" for call in calls) or " none"
        raise AssertionError(
            f"expected the tool call {name}({given}){often}; the calls were:{made}"
        )

    def no_tool(self, name: str | None = None) -> Self:
        """Expect that a tool was not called, or none at all."""
        found = [c for c in self._caller.tool_calls if name is None or c.name == name]
        if found:
            made = "".join(f"\n  {call.name}({call.use.arguments})" for call in found)
            raise AssertionError(f"expected no call of {name or 'any tool'}; the calls were:{made}")
        return self

    def said(self, text: str | re.Pattern[str]) -> Self:
        """Expect that the caller heard the agent say something.

        Args:
            text: Part of one reply, whatever its case; or a pattern that is found in one.
        """
        if not self._matching(text):
            raise AssertionError(
                f"expected the agent to say {_show(text)}; heard was:{self._replies()}"
            )
        return self

    def not_said(self, text: str | re.Pattern[str]) -> Self:
        """Expect that the caller did not hear the agent say something."""
        if found := self._matching(text):
            raise AssertionError(
                f"expected the agent not to say {_show(text)}; heard was: {found[0]!r}"
            )
        return self

    def within(self, ms: float) -> Self:
        """Expect every answer to begin within so many milliseconds of the caller's last word."""
        slow = [
            turn
            for turn in self._caller.turns
            if any(r.latency for r in turn.replies) and turn.latency.total_ms > ms
        ]
        if slow:
            lines = "".join(
                f'\n  {turn.latency.total_ms:.0f} ms after "{turn.said.text}": '
                + ", ".join(f"{k} {v / 1000:.0f}" for k, v in turn.latency.stages.items() if v)
                for turn in slow
            )
            raise AssertionError(f"expected answers within {ms:g} ms; these took longer:{lines}")
        return self

    def handed_off(self, agent: str) -> Self:
        """Expect that the call was handed to the agent of that name."""
        names = [entry.agent for entry in self._caller.transcript if isinstance(entry, HandOver)]
        if agent not in names:
            raise AssertionError(
                f"expected a hand-off to {agent!r}; "
                + (f"the call was handed to {', '.join(names)}" if names else "there was none")
            )
        return self

    def interrupted(self, heard_of_it: str | None = None) -> Self:
        """Expect that a reply was cut, and what the caller had heard of it by then."""
        cut = [reply.heard for reply in self._caller.transcript.replies if reply.interrupted]
        if not cut or (heard_of_it is not None and heard_of_it not in cut):
            wanted = "" if heard_of_it is None else f" behind {heard_of_it!r}"
            raise AssertionError(f"expected a reply to be cut{wanted}; cut were: {cut or 'none'}")
        return self

    def no_failures(self) -> Self:
        """Expect that no model and no tool failed."""
        if failures := self._caller.transcript.failures:
            lines = "".join(f"\n  {failure.stage}: {failure.message}" for failure in failures)
            raise AssertionError(f"expected no failures; there were:{lines}")
        return self

    def ended(self, reason: str | None = None) -> Self:
        """Expect that the call is over, and that its reason contains a text."""
        call = self._caller.call
        if not call.ended:
            raise AssertionError("expected the call to be over; it goes on")
        if reason is not None and reason.lower() not in call.reason.lower():
            raise AssertionError(
                f"expected the call to end because {reason!r}; it ended because {call.reason!r}"
            )
        return self

    def _matching(self, text: str | re.Pattern[str]) -> list[str]:
        said = [heard(reply) for reply in self._caller.transcript.replies]
        if isinstance(text, str):
            return [each for each in said if text.lower() in each.lower()]
        return [each for each in said if text.search(each)]

    def _replies(self) -> str:
        said = [heard(reply) for reply in self._caller.transcript.replies]
        return "".join(f"\n  {each!r}" for each in said) or " nothing"


def expect(caller: Caller[Any]) -> Expectation:
    """Expect something of a call: `expect(caller).tool("book", people=4).within(900)`."""
    return Expectation(caller)


def _json(value: object) -> Any:
    """Return a value as a model writes it."""
    return json.loads(json.dumps(value, default=plain))


def _show(text: str | re.Pattern[str]) -> str:
    return repr(text if isinstance(text, str) else text.pattern)
