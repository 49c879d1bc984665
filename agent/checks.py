"""Checks: guardrails on what was heard, and on what is about to be said."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

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


async def judge(checks: Sequence[Check], call: Any, text: str) -> Judged:
    """Have checks judge a text, one after the other; each sees what the one before made of it.

    A check that raises or takes too long refuses. A plain function runs on the event loop: make
    it async if it waits for anything.
    """
    for check in checks:
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
            f"{_name(check)} returned {type(verdict).__name__}: return None to let the text pass,"
            " a text to replace it, or Refuse(words)"
        )
        return Judged(text, refused=True, words=check.otherwise, why=why)
    return Judged(text)


def takes_two(function: Callable[..., Any]) -> bool:
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
