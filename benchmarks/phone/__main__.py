"""`python -m benchmarks.phone [echo|flood|loss|soak]…`: measurements of the telephone.

echo    50 calls at once with a speaking sipp: share of a core, memory per call
flood   500 INVITE/s from a stranger during a call: the largest gap in its audio
loss    ten minutes of 5 % loss, 60 ms jitter and 1 % clock drift: what is made up
soak    twenty calls at once for five minutes, each of five seconds: what is left behind
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.latency import machine
from benchmarks.phone import echo, flood, loss, soak

RESULTS = Path(__file__).parents[1] / "results" / "phone.json"
RUNS = {"echo": echo.run, "flood": flood.run, "loss": loss.run, "soak": soak.run}


def main(given: list[str]) -> int:
    unknown = [name for name in given if name not in RUNS]
    if unknown:
        print(f"benchmarks.phone: no {unknown[0]!r}; there are {', '.join(RUNS)}", file=sys.stderr)
        return 2
    found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in given or list(RUNS):
        before = machine.describe()
        result = RUNS[name]()
        found[name] = {**result, "machine": before}
        print(name, json.dumps(result, indent=1))
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
