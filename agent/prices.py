"""Prices: what usage costs, by a dated table or by your own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from vivavoce.agent.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in US dollars.

    Attributes:
        prompt: Per million tokens read.
        completion: Per million tokens written.
        minute: Per minute of audio heard.
        characters: Per million characters spoken.
        on: When it was looked up; None for a price of your own.
    """

    prompt: float = 0.0
    completion: float = 0.0
    minute: float = 0.0
    characters: float = 0.0
    on: date | None = None

    def of(self, usage: Usage) -> float:
        """Return what a call's usage of this model costs (USD)."""
        return (
            usage.prompt_tokens * self.prompt / 1e6
            + usage.completion_tokens * self.completion / 1e6
            + usage.heard / 60 * self.minute
            + usage.characters * self.characters / 1e6
        )


PRICES: dict[str, Price] = {
    "mistral-medium-3-5": Price(prompt=1.5, completion=7.5, on=date(2026, 6, 17)),
    "mistral-large-2512": Price(prompt=0.5, completion=1.5, on=date(2026, 6, 17)),
    "voxtral-mini-transcribe-realtime-3-0": Price(minute=0.008, on=date(2026, 10, 20)),
}
"""Mistral's published prices by model, as far as they could be confirmed on the given day.

Prices change: add to this table, or replace what it says, before you rely on it.
"""


def cost(
    usage: Usage, models: Iterable[str], prices: dict[str, Price] | None = None
) -> float | None:
    """Return what a call cost (USD), or None where the price of one of its models is not known.

    Args:
        usage: What it took.
        models: The models that served it, one for each stage.
        prices: By model; `PRICES` if None.
    """
    table = PRICES if prices is None else prices
    total = 0.0
    for model in models:
        price = table.get(model)
        if price is None:
            return None
        total += price.of(usage)
    return total
