"""Calls that come and go for a long time: what they leave behind."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.phone.echo import SCENARIO, speech, station

EVERY = 20.0
"""Seconds between two looks."""
LINGER = 40.0
"""Seconds for which transactions of calls that are over are kept, and some."""


def run(minutes: float = 5.0, calls: int = 20, length: float = 5.0) -> dict[str, object]:
    """Keep `calls` calls of `length` seconds under way; return what grew, and what was left.

    The station tells its own figures (sockets, tasks, threads, what it keeps of calls) and its
    memory before, each twenty seconds, and when all is over and forgotten.
    """
    with tempfile.TemporaryDirectory() as folder, station() as (process, port):
        file = speech(Path(folder) / "speech.ulaw")
        scenario = Path(folder) / "scenario.xml"
        scenario.write_text(SCENARIO.format(file=file, milliseconds=round(length * 1000)))
        time.sleep(1)
        total = round(minutes * 60 / length * calls)

        def sipp(count: int) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                ["sipp", f"127.0.0.1:{port}", "-sf", scenario, "-i", "127.0.0.1",
                 "-mi", "127.0.0.1", "-mp", "32000", "-l", str(calls), "-m", str(count),
                 "-r", "10", "-nostdin"],
                cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

        def look() -> dict[str, float]:
            told: dict[str, float] = json.loads(process.ask())
            return {
                **told,
                "sockets": process.num_fds(),
                "threads": process.num_threads(),
                "rss_mb": round(process.memory_info().rss / 2**20, 2),
            }

        # What the first calls load stays: it is no growth.
        warming = sipp(2 * calls)
        warming.wait(120)
        time.sleep(LINGER)
        start = look()
        began = time.monotonic()
        running = sipp(total)
        rows: list[dict[str, float]] = []
        try:
            while running.poll() is None:
                time.sleep(min(EVERY, minutes * 3))
                rows.append({"at_s": round(time.monotonic() - began, 1), **look()})
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()
        code = running.returncode
        time.sleep(LINGER)
        end = look()
    # The first quarter fills up what is kept for 32 s.
    settled = [row for row in rows[:-1] if row["at_s"] > minutes * 60 / 4]
    slopes = {
        f"{name}_per_hour": round(3600 * _slope(settled, name), 2)
        for name in ("rss_mb", "objects", "tasks", "sockets", "threads", "transactions")
    }
    return {
        "minutes": minutes,
        "calls_at_once": calls,
        "calls": total,
        "all_went_well": code == 0,
        "start": start,
        "end": end,
        "left": {name: round(end[name] - start[name], 2) for name in start},
        "slopes": slopes,
        "looks": rows[:: max(1, len(rows) // 30)],
    }


def _slope(rows: list[dict[str, float]], name: str) -> float:
    """Return the growth per second, by least squares."""
    if len(rows) < 3:
        return 0.0
    found: float = np.polyfit([row["at_s"] for row in rows], [row[name] for row in rows], 1)[0]
    return found
