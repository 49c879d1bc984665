"""What a tool yields: news while it works, and at last its result."""

from dataclasses import dataclass
from typing import Generic, TypeVar

R_co = TypeVar("R_co", covariant=True)

PROGRESS_LIMIT = 200
"""The most characters of one piece of news: it may be said aloud, as a filler is."""


@dataclass(frozen=True, slots=True)
class Progress:
    """News from a tool that is still at work.

    A tool that is an async generator yields it, or plain text, which is the same.

    Attributes:
        text: What the caller may be told, such as "Two hotels so far."; what goes beyond 200
            characters is cut off.

    Raises:
        ValueError: The text is blank.
    """

    text: str

    def __post_init__(self) -> None:
        text: object = self.text
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"Progress({text!r}): give what the caller may be told")
        if len(text) > PROGRESS_LIMIT:
            object.__setattr__(self, "text", text[: PROGRESS_LIMIT - 1] + "…")


@dataclass(frozen=True, slots=True)
class Result(Generic[R_co]):
    """The result of a tool that is an async generator, which cannot `return` one.

    It is the last thing that the generator yields: it is closed then, so that its `finally`
    blocks run, and what follows the `yield` does not. A generator that ends without one has the
    result None.

    Attributes:
        value: What any other tool would return.
    """

    value: R_co
