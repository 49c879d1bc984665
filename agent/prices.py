"""Prices: what usage costs, by a dated table or by your own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

from vivavoce.agent.usage import Usage


class PriceError(ValueError):
    """A price is written wrongly; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in US dollars.

    Attributes:
        prompt: Per million tokens read.
        completion: Per million tokens written.
        minute: Per minute of audio heard.
        characters: Per million characters spoken.
        on: When it was looked up; None for a price of your own.
        source: Where.
    """

    prompt: float = 0.0
    completion: float = 0.0
    minute: float = 0.0
    characters: float = 0.0
    on: date | None = None
    source: str = ""

    def of(self, usage: Usage) -> float:
        """Return what a call's usage of this model costs (USD)."""
        return (
            usage.prompt_tokens * self.prompt / 1e6
            + usage.completion_tokens * self.completion / 1e6
            + usage.heard / 60 * self.minute
            + usage.characters * self.characters / 1e6
        )


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's price list.

    Attributes:
        name: What it is called.
        url: Where its service is: what is served elsewhere is not paid to it.
        models: Prices by model.
    """

    name: str
    url: str
    models: Mapping[str, Price]


def read_prices(given: Mapping[str, object], where: str = "prices") -> dict[str, Price]:
    """Read prices by model, as a TOML table has them.

    Args:
        given: The table: for each model a table of what `Price` has.
        where: What to call the table in errors.

    Raises:
        PriceError: Something in it is no price.
    """
    return {model: _price(entry, f"{where}.{model}") for model, entry in given.items()}


def _price(entry: object, where: str) -> Price:
    if not isinstance(entry, Mapping):
        raise PriceError(f"{where}: give a table, as in {{ minute = 0.006 }}")
    known = set(Price.__slots__)
    if unknown := sorted(set(entry) - known):
        raise PriceError(f"{where}: there is no {unknown[0]!r}; known: {', '.join(sorted(known))}")
    for name in ("prompt", "completion", "minute", "characters"):
        value = entry.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise PriceError(f"{where}.{name}: {value!r} is no price in US dollars")
    if not isinstance(entry.get("on", date.min), date):
        raise PriceError(f"{where}.on: give a day, as in 2026-11-21")
    if not isinstance(entry.get("source", ""), str):
        raise PriceError(f"{where}.source: give an address")
    return Price(**entry)


def _read() -> tuple[Provider, ...]:
    text = files("vivavoce.agent").joinpath("prices.toml").read_text(encoding="utf-8")
    return tuple(
        Provider(each["name"], each["url"], read_prices(each["models"], each["name"]))
        for each in tomllib.loads(text)["provider"]
    )


PROVIDERS: tuple[Provider, ...] = _read()
"""Published prices, as far as they could be confirmed on the day that each has."""

PRICES: dict[str, Price] = {
    model: price for provider in PROVIDERS for model, price in provider.models.items()
}
"""The same by model.

Prices change: add to this table, or replace what it says, before you rely on it.
"""


def price_of(name: str, prices: Mapping[str, Price] | None = None) -> Price | None:
    """Return a model's price; None where it is not known.

    Args:
        name: The model, or "MODEL at URL" as a call names it.
        prices: Your own, by model: they hold wherever it is served. None: `PRICES`, which hold
            for what the provider itself serves.
    """
    model, _, url = name.partition(" at ")
    if prices is not None:
        return prices.get(model)
    if url and not any(url.startswith(each.url) for each in PROVIDERS if model in each.models):
        return None
    return PRICES.get(model)


def cost(spent: Mapping[str, Usage], prices: Mapping[str, Price] | None = None) -> float | None:
    """Return what a call cost (USD), or None where the price of a model that served is not known.

    Args:
        spent: What each model took, by its name as `price_of` takes it:
            `vivavoce.agent.spending.spent`.
        prices: By model; `PRICES` if None.
    """
    total = 0.0
    for model, usage in spent.items():
        price = price_of(model, prices)
        if price is not None:
            total += price.of(usage)
        elif usage != Usage():
            return None
    return total
