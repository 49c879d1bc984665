"""`python -m benchmarks.phone [COMMAND]…`: measurements of the telephone.

echo      50 calls at once with a speaking sipp: share of a core, memory per call
beside    the same for us and for baresip-python, one after the other, on one core
flood     500 INVITE/s from a stranger during a call: the largest gap in its audio
fuzz      100,000 mutated messages: crashes, hangs, look-ups of names, memory
loss      ten minutes of 5 % loss, 60 ms jitter and 1 % clock drift: what is made up
latency   voice to voice over SIP, beside the same agent called by a file
bargein   how long a reply is still heard after the agent has decided to be silent
talk      a spoken conversation with the restaurant's agent by each telephone (--peer NAME)
stall     an event loop that stands still for 200 ms each second: gaps at the far end
voicemail 20 greetings of machines and 20 people, told apart with the recogniser in the loop
ring      a telephone that rings for 40 s before it answers, each way
soak      twenty calls at once of five seconds (--minutes 5): what is left behind

Without a command: all of them. Results go to `benchmarks/results/phone.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loguru import logger

from benchmarks.latency import machine
from benchmarks.phone import (
    beside,
    echo,
    flood,
    fuzz,
    latency,
    loss,
    ring,
    soak,
    stall,
    talk,
    voicemail,
)

RESULTS = Path(__file__).parents[1] / "results" / "phone.json"
RUNS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "echo": lambda _: echo.run(),
    "beside": lambda _: beside.run(),
    "flood": lambda _: flood.run(),
    "fuzz": lambda _: fuzz.run(),
    "loss": lambda _: loss.run(),
    "latency": lambda given: latency.run(given.turns or 12),
    "bargein": lambda given: latency.barge_in(given.turns or 12),
    "talk": lambda given: talk.run(given.peer),
    "ring": lambda _: ring.run(),
    "stall": lambda _: stall.run(),
    "voicemail": lambda _: voicemail.run(),
    "soak": lambda given: soak.run(given.minutes),
}


def main(given: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.phone",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=", ".join(RUNS))
    parser.add_argument("--peer", action="append", choices=[*talk.PEERS], help="of talk")
    parser.add_argument("--turns", type=int, help="of latency (each round) and bargein")
    parser.add_argument("--minutes", type=float, default=5.0, help="of soak")
    options = parser.parse_args(given)
    logger.remove()  # pipecat logs every link and frame
    for name in options.commands:
        if name not in RUNS:
            parser.error(f"no {name!r}; there are {', '.join(RUNS)}")
    for name in options.commands or list(RUNS):
        before = machine.describe()
        result = {**RUNS[name](options), "machine": before}
        print(name, json.dumps(result, indent=1))
        # Read late: another measurement may have written while this one ran.
        found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
        if name == "talk":  # each telephone may be asked apart
            result = {**found.get(name, {}), **result}
        found[name] = result
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
