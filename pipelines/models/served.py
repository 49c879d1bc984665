"""Who serves: lets a stage know which provider answers it, however many wrappers are between.

A stage listens while it iterates over an answer; what chooses among providers tells. The two meet
in the task's context, so that calls which share a model do not hear each other's.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from vivavoce.pipelines.models.errors import ModelError, StageName

Listener = Callable[[StageName, str, ModelError | None], None]
"""Told who serves a stage from now on, and with what the one before it failed."""


class Follower:
    """A listener that is also told how each request goes. Its methods do nothing here."""

    def __call__(self, stage: StageName, provider: str, failed: ModelError | None) -> None:
        """A request is sent to a provider; see `Listener`."""

    def answered(self) -> None:
        """The first piece of the answer is there."""

    def ended(self, outcome: str) -> None:
        """It is over: "whole", "cut" or the class of its failure. Told once or more."""


class _Ear:
    """Who listens, for as long as they do.

    A connection that is opened within a block keeps the block's context while it stands, which may
    be for many calls. So the context has this and not the listener, who would hold a whole call.
    """

    __slots__ = ("listener",)

    def __init__(self, listener: Listener) -> None:
        self.listener: Listener | None = listener


_ear: ContextVar[_Ear | None] = ContextVar("served", default=None)


def _listening() -> Listener | None:
    ear = _ear.get()
    return None if ear is None else ear.listener


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener` told who serves what this task asks for, within the block."""
    ear = _Ear(listener)
    token = _ear.set(ear)
    try:
        yield
    finally:
        ear.listener = None
        _ear.reset(token)


def tell(stage: StageName, provider: str, failed: ModelError | None = None) -> None:
    """Tell whoever listens that a provider serves from now on."""
    listener = _listening()
    if listener is not None:
        listener(stage, provider, failed)


def answered() -> None:
    """Tell whoever listens that the request is being answered."""
    listener = _listening()
    if isinstance(listener, Follower):
        listener.answered()


def ended(error: ModelError | None = None) -> None:
    """Tell whoever listens that the request is over; call it where it is let go of.

    Args:
        error: What it failed with; None: it did not fail, and was cut if that is being unwound.
    """
    listener = _listening()
    if isinstance(listener, Follower):
        cut = isinstance(sys.exception(), GeneratorExit | asyncio.CancelledError)
        listener.ended(error.kind if error is not None else "cut" if cut else "whole")
