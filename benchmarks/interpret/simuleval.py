"""Our scores beside SimulEval's own code: `python -m benchmarks.interpret.simuleval`.

Its wheel is put into `benchmarks/.cache`; of it only the file with the scorers is run, in a
process of its own, on made-up sentences. Instances are handed to it as it hands them to itself.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from vivavoce.pipelines.interpret.lagging import (
    average_lagging,
    average_proportion,
    differentiable_lagging,
    token_delay,
)

CACHE = Path(__file__).parents[1] / ".cache" / "simuleval"
PINS = ("simuleval==1.1.4", "textgrid==1.6.1")
WORKER = """
import json, sys, types
cache, = sys.argv[1:]
sys.path.insert(0, cache)
import importlib.util
names = ("TextInputInstance", "TextOutputInstance", "SpeechOutputInstance", "Instance",
         "LogInstance")
kinds = types.ModuleType("simuleval.evaluator.instance")
for name in names:
    setattr(kinds, name, type(name, (), {}))
for name in ("simuleval", "simuleval.evaluator"):
    sys.modules[name] = types.ModuleType(name)
sys.modules[kinds.__name__] = kinds
spec = importlib.util.spec_from_file_location(
    "scorers", cache + "/simuleval/evaluator/scorers/latency_scorer.py")
scorers = importlib.util.module_from_spec(spec)
sys.modules["scorers"] = scorers
spec.loader.exec_module(scorers)
results = []
for case in json.load(sys.stdin):
    one = kinds.SpeechOutputInstance()
    one.delays, one.source_length = case["delays"], case["source"]
    one.duration = one.durations = case["durations"]
    one.intervals = case["intervals"]
    one.reference = None if case["reference"] is None else "x"
    one.reference_length, one.metrics = case["reference"], {}
    results.append({
        name: scorers.LATENCY_SCORERS_DICT[name]()({0: one})
        for name in ("AL", "LAAL", "AP", "DAL", "ATD", "StartOffset", "EndOffset")})
print(json.dumps(results))
"""


def cases(count: int, seed: int) -> list[dict[str, Any]]:
    """Make sentences: delays that never go back, chunks' durations, lengths (whole ms)."""
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        words = dice.randint(1, 30)
        source = dice.randint(300, 12_000)
        top = round(source * dice.choice((0.8, 1.0, 1.0, 1.4)))
        delays = sorted(dice.randint(1, top) for _ in range(words))
        if dice.random() < 0.5:  # as chunks come: several words at once, the last at the end
            delays = [min(source, -(-delay // 1000) * 1000) for delay in delays]
        durations = [dice.randint(1, 900) for _ in range(words)]
        made.append(
            {
                "delays": delays,
                "durations": durations,
                "intervals": _played(delays, durations),
                "source": source,
                "reference": dice.choice((None, words, dice.randint(1, 40))),
            }
        )
    return made


def _played(delays: list[int], durations: list[int]) -> list[list[int]]:
    """Return each chunk's begin and length: none before the one in front of it is over."""
    intervals: list[list[int]] = []
    for delay, duration in zip(delays, durations, strict=True):
        begin = max(delay, sum(intervals[-1]) if intervals else 0)
        intervals.append([begin, duration])
    return intervals


def ours(case: dict[str, Any]) -> dict[str, float]:
    """Score a sentence with our own code (ms, as SimulEval does)."""
    delays = [delay / 1000 for delay in case["delays"]]
    source, reference = case["source"] / 1000, case["reference"]
    return {
        "AL": average_lagging(delays, source, reference) * 1000,
        "LAAL": average_lagging(delays, source, reference, adaptive=True) * 1000,
        "AP": average_proportion(delays, source, reference),
        "DAL": differentiable_lagging(delays, source) * 1000,
        "ATD": token_delay(delays, [one / 1000 for one in case["durations"]]) * 1000,
        "StartOffset": case["delays"][0],
        "EndOffset": sum(case["intervals"][-1]) - case["source"],
    }


def theirs(made: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Score sentences with SimulEval's."""
    if not (CACHE / "simuleval").exists():
        subprocess.run(
            [
                sys.executable,
                *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
                *("--target", str(CACHE), *PINS),
            ],
            check=True,
            timeout=300,
        )
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(CACHE)],
        input=json.dumps(made),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    results: list[dict[str, float]] = json.loads(done.stdout)
    return results


def main() -> int:
    """Compare; return 1 where a score differs by more than rounding."""
    parser = argparse.ArgumentParser(prog="benchmarks.interpret.simuleval", description=__doc__)
    parser.add_argument("--count", type=int, default=2_000, help="sentences")
    parser.add_argument("--seed", type=int, default=8)
    given = parser.parse_args()
    made = cases(given.count, given.seed)
    worst: dict[str, float] = {}
    for case, right in zip(made, theirs(made), strict=True):
        for name, value in ours(case).items():
            worst[name] = max(worst.get(name, 0.0), abs(value - right[name]))
    print(f"{given.count} sentences, the largest difference from {PINS[0]}:")
    for name, difference in worst.items():
        print(f"  {name:12} {difference:.2g}{'' if name == 'AP' else ' ms'}")
    return int(any(difference > 1e-6 for difference in worst.values()))


if __name__ == "__main__":
    sys.exit(main())
