"""Who serves: lets a stage know which provider answers it, however many wrappers are between.

A stage listens while it iterates over an answer; what chooses among providers tells. The two meet
in the task's context, so that calls which share a model do not hear each other's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from vivavoce.pipelines.models.errors import ModelError, StageName

Listener = Callable[[StageName, str, ModelError | None], None]
"""Told who serves a stage from now on, and with what the one before it failed."""

_listener: ContextVar[Listener | None] = ContextVar("served", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener` told who serves what this task asks for, within the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(stage: StageName, provider: str, failed: ModelError | None = None) -> None:
    """Tell whoever listens that a provider serves from now on."""
    listener = _listener.get()
    if listener is not None:
        listener(stage, provider, failed)
