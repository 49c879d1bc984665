"""Spending: call tokens that may be used once are used once in the whole cluster.

A front spends a token before it places the call, so that no second worker can be asked with it.
What is spent must be known to all fronts: one front remembers by itself; several share something
(`Spending`), or each of them would take a token once.
"""

from __future__ import annotations

from typing import Protocol


class Spending(Protocol):
    """Knows which tokens were used."""

    async def spend(self, ident: str, until: float, wall: float) -> bool:
        """Use a token up; return whether it was there to be used.

        Args:
            ident: Its id.
            until: When it expires (s since 1970): it need not be remembered beyond.
            wall: The time (s since 1970).

        Raises:
            ConnectionError: That cannot be known now; no call begins.
        """

    async def give_back(self, ident: str) -> None:
        """No call was begun with it: it may be used again. Never raises."""


class Own:
    """One front's memory. Implements `Spending`."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    async def spend(self, ident: str, until: float, wall: float) -> bool:
        """Use a token up."""
        if len(self._until) > 1_000:
            self._until = {each: at for each, at in self._until.items() if at > wall}
        if ident in self._until:
            return False
        self._until[ident] = until
        return True

    async def give_back(self, ident: str) -> None:
        """It may be used again."""
        self._until.pop(ident, None)
