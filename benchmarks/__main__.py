"""`python -m benchmarks`: measurements beside peers, each one command.

python -m benchmarks latency    voice-to-voice latency (also: no command)
python -m benchmarks bargein    how fast a reply stops when the caller cuts in
python -m benchmarks pauses     replies that begin in a mid-sentence pause
python -m benchmarks load       CPU of one call and of ten
python -m benchmarks compared   the same agent in four frameworks: length, and does it run
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.compared import run as compared
from benchmarks.latency import machine, pauses, report, runs
from benchmarks.latency.backend import LATENCY, REPLY
from benchmarks.latency.picture import draw
from benchmarks.latency.roster import NAMES, RosterError, choose
from benchmarks.latency.speech import chosen
from vivavoce.pipelines.benching.clip import ClipError
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.sandbox.launch import SandboxError

HERE = Path(__file__).parent
CACHE = HERE / ".cache"
RESULTS = HERE / "results"
COMPARED = "compared"
TURNS = {"latency": 60, "bargein": 40, "pauses": 200, "load": 5}
CALLS = 8
"""Of each engine side by side, where `pauses` are measured."""


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("command", nargs="?", choices=[*TURNS, COMPARED], default="latency")
    parser.add_argument("--turns", type=int, help="of each engine; load: of each call")
    parser.add_argument(
        "--calls", type=int, default=CALLS, help="pauses: of each engine side by side"
    )
    parser.add_argument("--only", help=f"engines, parted by commas: {', '.join(NAMES)}")
    parser.add_argument("--speech", type=Path, help="a folder of WAVs and transcripts.tsv")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where JSON and picture go")
    parser.add_argument("--quiet", action="store_true", help="no line per turn")
    found = parser.parse_args(given)
    if found.command == COMPARED:
        return found
    if found.turns is None:
        found.turns = TURNS[found.command]
    if not 1 <= found.turns <= 10_000:
        parser.error(f"--turns {found.turns}: give 1 to 10000")
    if not 1 <= found.calls <= 100:
        parser.error(f"--calls {found.calls}: give 1 to 100")
    return found


def _compare(options: argparse.Namespace, console: Console) -> int:
    """Count and check the four agents; 1 if one does not do what it should."""
    try:
        found = compared.compare(compared.choose(options.only), sys.executable, CACHE)
    except (compared.ComparedError, SandboxError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    compared.show(found, console)
    options.out.mkdir(parents=True, exist_ok=True)
    written = options.out / f"{COMPARED}.json"
    written.write_text(json.dumps(compared.to_json(found), indent=1) + "\n", encoding="utf-8")
    return int(any(one.fault for one in found.values()))


async def _run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    entries = choose(options.only)
    clips = await asyncio.to_thread(chosen, CACHE, options.speech)
    before = machine.describe()

    def say(line: str) -> None:
        if not options.quiet:
            console.print(f"[dim]{line}[/]", highlight=False)

    given = (entries, clips, options.turns, CACHE, say)
    match options.command:
        case "pauses":
            reports = await pauses.measure(*given, calls=options.calls)
        case "bargein":
            reports = await runs.bargein(*given)
        case "load":
            reports = await runs.load(*given)
        case _:
            reports = await runs.latency(*given)
    return {
        "command": options.command,
        "machine": before,
        "load_average_after": machine.describe()["load_average"],
        "backends": LATENCY,
        "reply": REPLY,
        "speech": str(options.speech or "Debian"),
        "engines": reports,
        "summary": report.summary(options.command, reports),
    }


def main(given: list[str] | None = None) -> int:
    """Run one measurement; return the exit code."""
    options = _arguments(sys.argv[1:] if given is None else given)
    # A table in a file or a log is not squeezed into 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 140)
    if options.command == COMPARED:
        return _compare(options, console)
    try:
        result = asyncio.run(_run(options, Console(stderr=True)))
    except (ChildError, RosterError, ClipError, SandboxError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    engines = result["engines"]
    title = f"{options.command}, {result['machine']['at'][:10]}, {result['machine']['cpu']}"
    match options.command:
        case "bargein":
            report.show_cuts(engines, console)
        case "load":
            report.show_load(engines, console)
        case "pauses":
            absent = [name for name in NAMES if name not in engines]
            report.show_pauses(engines, console, title, absent)
        case _:
            report.show_turns(engines, console, title)
    options.out.mkdir(parents=True, exist_ok=True)
    written = [options.out / f"{options.command}.json"]
    written[0].write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.command in {"latency", "pauses"}:
        written.append(options.out / f"{options.command}.svg")
        written[1].write_text(draw(engines, title), encoding="utf-8")
    load_before, load_after = result["machine"]["load_average"], result["load_average_after"]
    console.print(f"[dim]load average {load_before[0]} before, {load_after[0]} after[/]")
    console.print(f"[dim]{', '.join(str(path) for path in written)}[/]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
