"""What comes of a tool call, and what a tool raises to say that nothing good did."""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "result",
    "bad_arguments",
    "unknown_tool",
    "unconfirmed",
    "timeout",
    "error",
    "cancelled",
]
"""What happened to a call; see `Outcome`."""

RETRY_DELAY = 0.25
"""Seconds before a tool is tried a second time; each further time it doubles."""

RETRY_DELAY_LIMIT = 4.0
"""The most seconds between two tries: somebody waits at the telephone."""

_ERROR_LIMIT = 2_000  # characters of a ToolError


class ToolError(Exception):
    """What a tool raises to tell the model, in words, why it did not work.

    Of every other exception the model only learns that there was one.

    Args:
        message: Words for the model, such as "There is no table 12. Tables are 1 to 9."
    """


class Retry(ToolError):  # noqa: N818 (it asks for something)
    """A `ToolError` that will pass: a tool with `retries` is tried again.

    Without `retries`, or after the last, it is a `ToolError` like any other.

    Args:
        message: Words for the model, should it not pass.
        after: Seconds until it is worth trying again, such as a server's `Retry-After`; by
            default, `RETRY_DELAY` doubled with each try. At most `RETRY_DELAY_LIMIT`.
    """

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


def retry_delay(tried: int, error: BaseException | None = None) -> float:
    """How long to wait before a tool is tried again.

    Args:
        tried: How many times it was, from 1.
        error: What it raised the last time.

    Returns:
        Seconds, from 0 to `RETRY_DELAY_LIMIT`.
    """
    wanted = error.after if isinstance(error, Retry) else None
    if wanted is None:
        wanted = RETRY_DELAY * 2 ** min(tried - 1, 16)
    # Written so that a NaN ends up at the limit.
    return max(0.0, wanted) if wanted < RETRY_DELAY_LIMIT else RETRY_DELAY_LIMIT


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a tool call.

    Attributes:
        ok: Whether the function returned.
        content: Text for the model, which is never without an answer to its call. It holds
            no traces, and no words of exceptions other than `ToolError`.
        seconds: How long it took, all tries together.
        error: The exception behind an outcome that is not ok, for the log.
        kind: What happened: `result` (the function returned), `bad_arguments` and
            `unknown_tool` (the model is to repair its call), `unconfirmed` (the caller is to
            be asked first), `timeout`, `error` (the function raised), `cancelled`.
        tries: How often the function was called; 0 when it was not.
        value: What the function returned, where it did.
    """

    ok: bool
    content: str
    seconds: float
    error: BaseException | None = field(default=None, repr=False, compare=False)
    kind: Kind = "result"
    tries: int = 1
    value: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def cancelled(cls, name: str, seconds: float = 0.0, *, started: bool = True) -> "Outcome":
        """The outcome of a call that was stopped from outside, as by a barge-in.

        A model's next request must have a result for every call, also for those.

        Args:
            name: The tool's name, as the model wrote it.
            seconds: How long it ran.
            started: Whether it had begun; if not, it certainly had no effect.
        """
        name = name[:64]
        if not started:
            said = f"{name} was not run: the caller spoke before it began."
            return cls(False, said, seconds, kind="cancelled", tries=0)
        said = f"{name} was stopped before it ended; it may or may not have taken effect."
        return cls(False, said, seconds, kind="cancelled")


def error_words(name: str, error: BaseException) -> str:
    """What the model is told of an exception that a tool raised.

    Args:
        name: The tool's.
        error: What it raised. Only the words of a `ToolError` are passed on.
    """
    if isinstance(error, BaseExceptionGroup):
        # A TaskGroup in the tool wraps what its tasks raise.
        ours, others = error.split(ToolError)
        if ours is not None and others is None:
            return " ".join(dict.fromkeys(error_words(name, each) for each in ours.exceptions))
    said = str(error).strip() if isinstance(error, ToolError) else ""
    if said:
        return said if len(said) <= _ERROR_LIMIT else said[: _ERROR_LIMIT - 1] + "…"
    return f"{name} failed because of an internal error; nothing is known of its result."
