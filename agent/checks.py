"""Checks: guardrails on what was heard, and on what is about to be said."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from vivavoce.agent.definition import AgentError

CheckFunction = Callable[..., Any]
"""Takes the call and a text. Returns None or True to let it pass, a text to replace it,
`Refuse(words)` or False to refuse it; may be async."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """What a check returns to refuse a text.

    Attributes:
        words: What the agent says instead; None is the check's `otherwise`.
    """

    words: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A function that judges a text.

    Attributes:
        function: The function.
        timeout: Seconds that it may take.
        otherwise: The safe words: said where it refuses without words of its own, fails, or takes
            too long. None is a sentence in the call's language.
    """

    function: CheckFunction
    timeout: float
    otherwise: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a text.

    Attributes:
        text: What goes on in its place; the text itself if it passed.
        refused: Whether it was refused: `words` are said, and nothing else.
        words: What to say then; None is the sentence in the call's language.
        why: What went wrong where a check failed; empty otherwise.
    """

    text: str
    refused: bool = False
    words: str | None = None
    why: str = ""


class Checks:
    """What judges texts of one kind for an agent, in the order in which it was defined.

    Args:
        name: The agent's method that takes them, for messages ("check_reply").
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._checks: list[Check] = []

    def __bool__(self) -> bool:
        return bool(self._checks)

    def register(self, function: Any, timeout: float, otherwise: Any) -> Any:
        """Take a check.

        Args:
            function: It; None gives a decorator that takes it.
            timeout: Seconds that it may take.
            otherwise: Its safe words.

        Raises:
            AgentError: Something of it makes no sense.
        """
        name = self._name
        if isinstance(timeout, bool) or not 0 < timeout <= 30:
            raise AgentError(f"@agent.{name}(timeout={timeout}): give seconds, up to 30")
        if otherwise is not None and not (isinstance(otherwise, str) and otherwise.strip()):
            raise AgentError(f"@agent.{name}(otherwise={otherwise!r}): give a sentence, or None")

        def register(function: Any) -> Any:
            if not callable(function) or not _takes_two(function):
                raise AgentError(f"@agent.{name}: decorate a function of the call and a text")
            self._checks.append(Check(function, timeout, otherwise))
            return function

        return register if function is None else register(function)

    async def judge(self, call: Any, text: str) -> Judged:
        """Have them judge a text, one after the other; each sees what the one before made of it.

        A check that raises or takes too long refuses. A plain function runs on the event loop: make
        it async if it waits for anything.
        """
        for check in self._checks:
            try:
                async with asyncio.timeout(check.timeout):
                    verdict = check.function(call, text)
                    if isinstance(verdict, Awaitable):
                        verdict = await verdict
            except TimeoutError:
                why = f"{_name(check)} took longer than {check.timeout:g} s"
                return Judged(text, refused=True, words=check.otherwise, why=why)
            except Exception as error:  # noqa: BLE001 (the user's own function)
                why = f"{_name(check)} failed: {type(error).__name__}: {error}"
                return Judged(text, refused=True, words=check.otherwise, why=why)
            if verdict is None or verdict is True:
                continue
            if isinstance(verdict, str):
                text = verdict
                continue
            if isinstance(verdict, Refuse) or verdict is False:
                words = verdict.words if isinstance(verdict, Refuse) else None
                return Judged(text, refused=True, words=words or check.otherwise)
            why = (
                f"{_name(check)} returned {type(verdict).__name__}: return None to let the text"
                " pass, a text to replace it, or Refuse(words)"
            )
            return Judged(text, refused=True, words=check.otherwise, why=why)
        return Judged(text)


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function takes the call and a text."""
    try:
        inspect.signature(function).bind(None, "")
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        return True
    return True


def _name(check: Check) -> str:
    return f"check {getattr(check.function, '__name__', 'function')}"
