"""The command as a process, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-W", "ignore::DeprecationWarning", "-m", "vivavoce.cli.main")


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which nothing of ours is set but what is given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VIVAVOCE", "MISTRAL"))}
    # A machine that is busy with other tests is late; calls are not to be refused for that.
    return {**kept, "COLUMNS": "100", "NO_COLOR": "1", "VIVAVOCE_LOAD__LAG": "0", **more}


def start(folder: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """Start it in a folder, with pipes."""
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    folder: Path, *words: str, given: str | bytes = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; `given` is its standard input."""
    data = given.encode() if isinstance(given, str) else given
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=environment(**more),
        input=data,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
