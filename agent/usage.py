"""Usage: what a call took from the models."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Usage:
    """What one call took from the models so far.

    Attributes:
        requests: Requests to the chat model, guesses included.
        prompt_tokens: Tokens that it read.
        completion_tokens: Tokens that it wrote.
        characters: Characters that were spoken, or made ready to be.
        heard: Audio that was transcribed (s).
        said: Audio that the agent sent, silence left out (s).
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    characters: int = 0
    heard: float = 0.0
    said: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        row = asdict(self)
        row["heard"], row["said"] = round(self.heard, 3), round(self.said, 3)
        return row
