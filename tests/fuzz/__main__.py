"""`python -m tests.fuzz [NAME …] [--seconds 30]`: look for inputs that break a parser.

atheris (libFuzzer) watches which branches an input takes and breeds those that take new ones, a
process for each target. An input that breaks something is left in `build/fuzz/NAME/` and printed;
give it back with `--input FILE`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"
LARGEST = 8_192
"""Bytes of an input."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="targets; all if none is given")
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--input", type=Path, help="run one target once with this file")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _within(name: str, seconds: int) -> None:
    """Be the process of one target."""
    try:
        import atheris
    except ImportError:
        raise SystemExit("needs atheris: pip install -e '.[fuzz]'") from None

    from tests.fuzz.targets import TARGETS

    _watch(atheris.instrument_func)
    target = TARGETS[name]
    folder = FOLDER / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", "-timeout=10"]
    atheris.Setup(
        [sys.argv[0], *options, "-rss_limit_mb=2048", f"-artifact_prefix={folder}/", str(corpus)],
        target.run,
    )
    atheris.Fuzz()


def _watch(instrument: Callable[[Any], Any]) -> None:
    """Have every function of ours counted: atheris's own import hook misses editable installs.

    aiortc and numpy are not what is looked into.
    """
    for name, module in list(sys.modules.items()):
        if not name.startswith("vivavoce."):
            continue
        for owner in (module, *(each for each in vars(module).values() if isinstance(each, type))):
            if getattr(owner, "__module__", name) != name:
                continue
            for each in list(vars(owner).values()):
                function = getattr(each, "__func__", each)  # of static and class methods
                function = getattr(function, "fget", function)
                if isinstance(function, FunctionType) and function.__module__ == name:
                    instrument(function)


def main() -> int:
    """Run the targets one after the other; return 1 if one of them broke."""
    given = _arguments()
    from tests.fuzz.targets import TARGETS

    if unknown := [name for name in given.names if name not in TARGETS]:
        print(f"no target {unknown[0]!r}; known: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    names = given.names or list(TARGETS)
    if given.input:
        for name in names:
            TARGETS[name].run(given.input.read_bytes())
        print("nothing happened")
        return 0
    if given.within:
        _within(names[0], given.seconds)
        return 0
    broken = 0
    for name in names:
        command = [sys.executable, "-m", "tests.fuzz", name, "--within"]
        done = subprocess.run(
            [*command, "--seconds", str(given.seconds)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=given.seconds + 120,
            check=False,
        )
        told = done.stderr + done.stdout
        runs = re.search(r"Done (\d+) runs", told)
        paths = re.findall(r"cov: (\d+)", told)
        if done.returncode == 0 and runs:
            print(f"{name:20} {int(runs[1]):>9,} inputs, {paths[-1] if paths else '?':>5} branches")
        else:
            broken += 1
            print(f"{name:20} broke:\n{told[-3_000:]}")
        sys.stdout.flush()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
