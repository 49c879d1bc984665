"""The resumption: a call went on after its server was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Resumption:
    """A call went on after its server was lost.

    Attributes:
        at: When, in seconds since the call began.
        away: How long nobody was there (s).
    """

    at: float
    away: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"at": round(self.at, 3), "away": round(self.away, 3)}
