"""What cutting speech costs its translation: `python -m benchmarks.interpret.quality`.

Sentences whose translations are known are told word by word, as transcribers do, and cut; a
dictionary model translates every piece alone. Of the words of the whole text's translation, those
count that the pieces' translations have, in the same order. No clock, no network: the figures are
the same on every machine.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.pipelines.interpret.segmentation import PAIRS, RATE, Figures, blind, measure

RESULTS = Path(__file__).parent.parent / "results" / "interpret-quality.json"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--talks", type=int, default=60, help="of six sentences each")
    options.add_argument("--long", action="store_true", help="sentences as long as in print")
    options.add_argument("--seed", type=int, default=0, help="which talks")
    options.add_argument("--lag", type=float, nargs="+", default=[2.0], help="target lags (s)")
    options.add_argument("--keep", action="store_true", help=f"write {RESULTS.name}")
    given = options.parse_args()
    title = f"{given.talks} talks of 6 sentences, without a pause, {RATE} words/s"
    table = Table(title=title)
    for heading in ("pair", "marks", "transcriber", "target lag", "kept", "words/piece"):
        table.add_column(heading)
    for heading in ("mean wait", "slowest 5 %", "blindly cut"):
        table.add_column(heading)
    kept: list[dict[str, object]] = []
    for lag in given.lag:
        for source, target in PAIRS:
            for marked in (True, False):
                for fickle in (False, True):
                    found = measure(
                        source,
                        target,
                        marked=marked,
                        talks=given.talks,
                        lag=lag,
                        long=given.long,
                        fickle=fickle,
                        seed=given.seed,
                    )
                    loss = blind(
                        source,
                        target,
                        marked=marked,
                        talks=given.talks,
                        length=found.length,
                        long=given.long,
                        seed=given.seed,
                    )
                    row = _row(found, loss)
                    kind = "revises" if fickle else "only adds"
                    table.add_row(
                        f"{source} → {target}", "yes" if marked else "no", kind, f"{lag:g} s", *row
                    )
                    kept.append(
                        {"pair": f"{source}-{target}", "marked": marked, "fickle": fickle}
                        | {"lag": lag, "long": given.long, "blind": round(loss, 4)}
                        | {name: round(value, 4) for name, value in asdict(found).items()}
                    )
    Console(width=120).print(table)
    if given.keep:
        RESULTS.write_text(json.dumps({"rate": RATE, "cases": kept}, indent=1) + "\n")


def _row(found: Figures, loss: float) -> list[str]:
    return [
        f"{100 * found.kept:.1f} %",
        f"{found.length:.1f}",
        f"{found.wait:.2f} s",
        f"{found.late:.2f} s",
        f"{100 * loss:.1f} %",
    ]


if __name__ == "__main__":
    main()
