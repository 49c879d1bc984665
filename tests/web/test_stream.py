"""A socket's clock: what came late once is caught up with, what comes unevenly is not hurried."""

from __future__ import annotations

import numpy as np
from aiohttp import web

from vivavoce.web.leg import BLOCK
from vivavoce.web.socket import PcmLeg
from vivavoce.web.stream import LOOK, READY

RATE = 16_000
SIZE = round(RATE * BLOCK)


def waiting(leg: PcmLeg) -> float:
    """Milliseconds of the caller's sound that wait."""
    return float(leg.figures()["delay_ms"])


def run(leg: PcmLeg, seconds: float, every: int = 1) -> tuple[int, list[float]]:
    """Let time pass: a block comes every 20 ms, or `every` so many at once.

    Returns how many blocks were heard beside the one of each 20 ms, and what waited after each.
    """
    more, waits = 0, []
    for tick in range(round(seconds / BLOCK)):
        if tick % every == 0:
            for _ in range(every):
                leg.feed(np.full(SIZE, 1_000, np.int16))
        leg._next()
        if leg._behind(tick * BLOCK):
            leg._next()
            more += 1
        waits.append(waiting(leg))
    return more, waits


def test_what_came_late_once_delays_no_longer():
    leg = PcmLeg(web.WebSocketResponse(), RATE)
    leg.feed(np.full(round(0.36 * RATE), 1_000, np.int16))  # the network was stuck so long
    more, waits = run(leg, 4 * LOOK)
    assert waits[0] > 300
    assert waits[-1] <= (READY + 2 * BLOCK) * 1000
    assert 13 <= more <= 17


def test_what_comes_unevenly_waits_as_long_as_it_has_to():
    leg = PcmLeg(web.WebSocketResponse(), RATE)
    leg.feed(np.full(2 * SIZE, 1_000, np.int16))
    more, waits = run(leg, 6 * LOOK, every=5)
    assert more == 0
    assert max(waits) > 100
