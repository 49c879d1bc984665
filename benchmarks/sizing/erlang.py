"""Erlang's formulas: what the simulation is held against where they apply."""

from __future__ import annotations


def blocking(offered: float, lines: int) -> float:
    """Return the share of calls that are refused (Erlang B).

    It holds for Poisson arrivals and any distribution of lengths.

    Args:
        offered: Calls that would go on at a time if none were refused (erlangs).
        lines: Calls that may go on at a time.

    Raises:
        ValueError: One of them is negative.
    """
    if offered < 0 or lines < 0:
        raise ValueError(f"{offered=}, {lines=}: neither may be negative")
    share = 1.0
    for line in range(1, lines + 1):
        share = offered * share / (line + offered * share)
    return share


def waiting(offered: float, lines: int) -> float:
    """Return the share of calls that wait where nobody is refused (Erlang C).

    It holds for Poisson arrivals and exponential lengths; 1 where there are too few lines.
    """
    if offered >= lines:
        return 1.0
    refused = blocking(offered, lines)
    return lines * refused / (lines - offered * (1 - refused))


def lines(offered: float, refused: float) -> int:
    """Return how many lines keep the refused share at or below a bound (Erlang B)."""
    if not 0 < refused < 1:
        raise ValueError(f"{refused=}: between 0 and 1")
    share, line = 1.0, 0
    while share > refused:
        line += 1
        share = offered * share / (line + offered * share)
    return line
