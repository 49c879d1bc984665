"""Calls that come and go for a long time: what they leave behind."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.phone.echo import SCENARIO, speech, station


def run(minutes: float = 5.0, calls: int = 20, length: float = 5.0) -> dict[str, object]:
    """Keep `calls` calls of `length` seconds under way; return what grew, and what was left."""
    with tempfile.TemporaryDirectory() as folder, station() as (process, port):
        file = speech(Path(folder) / "speech.ulaw")
        scenario = Path(folder) / "scenario.xml"
        scenario.write_text(SCENARIO.format(file=file, milliseconds=round(length * 1000)))
        time.sleep(1)
        files = process.num_fds()
        total = round(minutes * 60 / length * calls)
        sipp = subprocess.Popen(
            ["sipp", f"127.0.0.1:{port}", "-sf", scenario, "-i", "127.0.0.1", "-mi", "127.0.0.1",
             "-mp", "32000", "-l", str(calls), "-m", str(total), "-r", "10", "-nostdin"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        memory: list[float] = []
        try:
            while sipp.poll() is None:
                time.sleep(min(10.0, minutes * 6))
                memory.append(process.memory_info().rss / 2**20)
        finally:
            if sipp.poll() is None:
                sipp.kill()
                sipp.wait()
        time.sleep(35)  # transactions of calls that are over live for 32 s
        return {
            "minutes": minutes,
            "calls_at_once": calls,
            "calls": total,
            "all_went_well": sipp.returncode == 0,
            # The first third is warming up.
            "rss_mb_after_a_third": round(memory[len(memory) // 3], 1),
            "rss_mb_at_the_end": round(memory[-1], 1),
            "rss_mb_after_it": round(process.memory_info().rss / 2**20, 1),
            "sockets_left": process.num_fds() - files,
        }
