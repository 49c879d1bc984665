"""The echo of fifty calls on us and on baresip-python, in turns, on one core.

Ours has its media on a thread of their own, as they are by default, and on the calls' own loop.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.latency.roster import python_of
from benchmarks.phone import echo
from benchmarks.phone.agent import CACHE

THEIRS = Path(__file__).with_name("baresip_echo.py")


def run(calls: int = 50, rounds: int = 2, seconds: float = 15.0) -> dict[str, object]:
    """Measure both, round by round; each round begins with another one."""
    commands = {
        "vivavoce": echo.OURS,
        "vivavoce, media on the loop": (*echo.OURS, "--same-loop"),
        "baresip-python": (str(python_of("baresip", CACHE)), str(THEIRS)),
    }
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    for each in range(rounds):
        for name in sorted(commands, reverse=bool(each % 2)):
            rows[name].append(echo.run(calls, seconds, commands[name]))
    return {
        name: {
            "cpu_share_of_a_core": median(row["cpu_share_of_a_core"] for row in mine),
            "rss_mb": median(row["rss_mb"] for row in mine),
            "rss_before_mb": median(row["rss_before_mb"] for row in mine),
            "kb_per_call": median(row["kb_per_call"] for row in mine),
            "rounds": mine,
        }
        for name, mine in rows.items()
    }
