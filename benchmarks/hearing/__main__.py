"""`python -m benchmarks.hearing`: is a word lost or doubled when the transcription's wire is cut?

python -m benchmarks.hearing --count 200                  both dialects, 200 random moments each
python -m benchmarks.hearing --dialect vllm --cuts 3      three cuts in each passage
python -m benchmarks.hearing --pause 1.0                  utterances that follow closely: see below

A passage is heard undisturbed, and then again and again over a relay that cuts the connection at
a random moment, in the middle of a frame: every second time by RST, else without a close frame;
every second time in real time, else eight times as fast. The final texts must be the same to the
letter, as many and in the same order. Nothing is to be excused: the client sends audio again from
where the last final text ended, and there the undisturbed one began too. One thing differs in
earnest: a new connection does not know what was said before. The sandbox's recogniser, as
Voxtral's, hears an utterance that follows within 1.2 s as the same sentence's rest; so pauses are
longer here. With `--pause 1.0` words at a seam may be heard differently, and it is told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks.hearing.cutter import Cutter, How
from benchmarks.hearing.passage import (
    DIALECTS,
    Passage,
    differences,
    heard,
    play,
    recorded,
    spoken,
)
from benchmarks.latency import machine
from vivavoce.pipelines.models.http import Endpoint, Http, Timeouts
from vivavoce.sandbox.launch import Sandbox, SandboxError

RESULTS = Path(__file__).parent.parent / "results"
TIMEOUTS = Timeouts(connect=20, final=40)
"""A recogniser that is slow because the machine is busy is no cut, and not what is measured."""
FAST = 8.0


@dataclass
class Run:
    """One passage over a wire that was cut."""

    cuts: list[float]
    how: How
    pace: float
    connections: int = 0
    sent_again: float = 0.0
    differs: list[str] = field(default_factory=list)


@dataclass
class Result:
    """All runs in one dialect."""

    dialect: str
    undisturbed: list[tuple[int, str]]
    runs: list[Run] = field(default_factory=list)

    @property
    def same(self) -> int:
        """Runs whose texts are the undisturbed ones."""
        return sum(not run.differs for run in self.runs)


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.hearing", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--count", type=int, default=200, help="passages per dialect")
    parser.add_argument("--cuts", type=int, default=1, help="in each")
    parser.add_argument("--calls", type=int, default=4, help="side by side")
    parser.add_argument("--dialect", choices=list(DIALECTS), help="only this one")
    parser.add_argument("--pause", type=float, default=2.0, help="between two utterances (s)")
    parser.add_argument("--speech", type=Path, help="a folder of WAV files, an utterance each")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes")
    return parser.parse_args(given)


async def _once(
    sandbox: Sandbox, dialect: str, passage: Passage, expected: list[tuple[int, str]], run: Run
) -> None:
    loop = asyncio.get_running_loop()
    key = await loop.run_in_executor(None, sandbox.make_key)
    url = sandbox.url + DIALECTS[dialect][2]
    seed = round(1e6 * run.cuts[0])
    try:
        async with (
            Cutter(url, run.cuts, run.how, seed) as cutter,
            heard(dialect, cutter.url, key, TIMEOUTS) as (hearing, listener),
        ):
            await play(passage, hearing, listener, run.pace)
            run.connections = cutter.connections
        run.differs = differences(expected, listener.finals)
        run.differs += [f"trouble: {error}" for error in listener.troubles]
        report = await loop.run_in_executor(None, sandbox.report, key)
        run.sent_again = round(report["heard_s"] - passage.seconds, 2)
    except TimeoutError:
        run.differs = [f"only {len(listener.finals)} final texts came"]
    finally:
        await loop.run_in_executor(None, sandbox.drop_key, key)


async def _undisturbed(sandbox: Sandbox, dialect: str, passage: Passage) -> list[tuple[int, str]]:
    """Hear it in real time and fast; the texts must not depend on that.

    Raises:
        SystemExit: If they do: then nothing can be compared.
    """
    found = []
    for pace in (1.0, FAST):
        url = sandbox.url + DIALECTS[dialect][2]
        async with heard(dialect, url, sandbox.key, TIMEOUTS) as (hearing, listener):
            await play(passage, hearing, listener, pace)
        found.append(listener.finals)
    if found[0] != found[1]:
        raise SystemExit(f"the recogniser is not even itself: {differences(*found)}")
    return found[0]


async def _measure(
    sandbox: Sandbox, dialect: str, passage: Passage, given: argparse.Namespace, console: Console
) -> Result:
    result = Result(dialect, await _undisturbed(sandbox, dialect, passage))
    for number, text in result.undisturbed:
        console.print(f"[dim]{dialect} {number}: {text}")
    dice = random.Random(given.seed)
    for number in range(given.count):
        pace = FAST if number % 2 else 1.0
        longest = passage.seconds / pace
        cuts = sorted(round(dice.uniform(0, longest), 4) for _ in range(given.cuts))
        result.runs.append(Run(cuts, "reset" if number % 4 < 2 else "close", pace))
    waiting = iter(result.runs)

    async def work() -> None:
        for run in waiting:
            await _once(sandbox, dialect, passage, result.undisturbed, run)
            done = sum(each.connections > 0 for each in result.runs)
            if done % 20 == 0:
                console.print(f"[dim]{dialect}: {done} of {given.count}")
            for line in run.differs:
                console.print(f"[red]{dialect}, {run.how} at {run.cuts} s of x{run.pace:g}: {line}")

    async with asyncio.TaskGroup() as group:
        for _ in range(given.calls):
            group.create_task(work())
    return result


def _write(given: argparse.Namespace, passage: Passage, results: list[Result]) -> Path:
    """Keep what is known so far; one dialect alone has a file of its own."""
    report = {
        "machine": machine.describe(),
        "passage_s": round(passage.seconds, 2),
        "pause_s": given.pause,
        "cuts_each": given.cuts,
        "dialects": [asdict(result) | {"same": result.same} for result in results],
    }
    given.out.mkdir(parents=True, exist_ok=True)
    path: Path = given.out / f"hearing{f'-{given.dialect}' if given.dialect else ''}.json"
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return path


async def _run(given: argparse.Namespace, console: Console) -> int:
    with Sandbox() as sandbox:
        if given.speech is not None:
            utterances = recorded(given.speech)
        else:
            http = Http(Timeouts())
            where = Endpoint(sandbox.url, sandbox.key, "voxtral-mini-tts-2603")
            utterances = await spoken(http, where)
            await http.close()
        passage = Passage.of(utterances, given.pause)
        told = f"{len(utterances)} utterances, {passage.seconds:.1f} s"
        console.print(f"{told}, {given.pause:g} s between them")
        results: list[Result] = []
        for dialect in [given.dialect] if given.dialect else DIALECTS:
            results.append(await _measure(sandbox, dialect, passage, given, console))
            path = _write(given, passage, results)
    for result in results:
        runs = result.runs
        cut = sum(run.connections > 1 for run in runs)
        again = sum(run.sent_again for run in runs) / max(1, len(runs))
        console.print(
            f"{result.dialect}: {result.same} of {len(runs)} transcripts equal the undisturbed one;"
            f" {cut} reconnected, {again:.1f} s of audio sent again on average"
        )
    console.print(f"[dim]{path}")
    return 0 if all(result.same == len(result.runs) for result in results) else 1


def main(given: list[str] | None = None) -> int:
    """Run it; 1 if a transcript differs."""
    console = Console(highlight=False)
    try:
        return asyncio.run(_run(_arguments(sys.argv[1:] if given is None else given), console))
    except SandboxError as error:
        console.print(f"[red]{error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
