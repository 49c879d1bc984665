"""The guard: keeps tests from reaching real models by mistake."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "::1"})

_allowed = True


class ModelsBlockedError(RuntimeError):
    """A test tried to reach a real model; the message says which and what to do."""


class Allowance:
    """What was allowed before; as a context manager it is restored at the block's end."""

    def __init__(self, before: bool) -> None:
        self._before = before

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        restore(self._before)


def allow_models(allowed: bool) -> Allowance:
    """Allow connections to real models, or block them from now on.

    Servers on this machine (the sandbox, a vLLM of one's own) are always allowed. In a block
    (`with allow_models(False): ...`) what held before holds again behind it.
    """
    before = _allowed
    restore(allowed)
    return Allowance(before)


def allowed() -> bool:
    """Return whether real models may be reached."""
    return _allowed


def restore(to: bool) -> None:
    """Set whether real models may be reached."""
    global _allowed  # noqa: PLW0603 (one per process is the point)
    _allowed = to


def check(url: str) -> None:
    """See whether a model server may be reached.

    Raises:
        ModelsBlockedError: If not.
    """
    if _allowed:
        return
    host = urlsplit(url).hostname or ""
    if host in _LOOPBACK or host.startswith("127."):
        return
    raise ModelsBlockedError(
        f"allow_models(False): this test may not reach the models at {host or url!r};"
        " give simulate() replies, use the sandbox (VIVAVOCE_MODELS=sandbox), or allow_models(True)"
    )
